/**
 * Whether what an earlier process has left counts where this one has stored it is known when the control stream is read after that. Sending goes on
 * meanwhile, for publishing needs no control stream; it is the settling that waits.
 */
import { Effect } from "effect"
import { warn } from "../../Telemetry.ts"
import type { Position, ReceivedRecord } from "../../transport/index.ts"
import { standstillMs } from "../Standstills.ts"
import type { Departures } from "./Departures.ts"
import type { Spill, SpillPart } from "./Spill.ts"
import type { Written } from "./Unproven.ts"

/** How long whoever gives a spill back waits for that, in milliseconds. */
const lastMs = 1000

/** From one look whether what does not count is looked at anew to the next, in milliseconds. */
const againMs = 100

/** A partition of a spill in which something waits for that. */
export interface ProvenPart {
  readonly spill: Spill
  readonly part: SpillPart
  readonly nowMs: () => number
  /** Settles what has ended. */
  readonly settle: Effect.Effect<unknown>
  /** Some of it does not count: it is to be looked at anew. */
  readonly lost: () => void
}

/** Settles what counts, and says what does not, until it is interrupted. */
export function proving(departures: Departures, one: ProvenPart): Effect.Effect<never> {
  const { spill, part, settle, lost } = one
  return Effect.forever(
    Effect.gen(function* () {
      yield* part.unproven.come
      yield* Effect.raceFirst(asked(departures, one), telling(departures, one))
      if (!part.unproven.isLost) {
        if (spill.parts.every((other) => other.unproven.sinceMs === undefined)) spill.isUnprovenTold = false
        yield* settle
        return
      }
      for (; part.unproven.isLost; yield* Effect.sleep(againMs)) lost()
    })
  )
}

/** Before a spill is given back: what counts is settled then. Not for long, and whatever a driver does. */
export function provenSoon(departures: Departures, parts: ReadonlyArray<ProvenPart>): Effect.Effect<void> {
  return Effect.suspend(() => {
    const left = parts.filter(({ part }) => part.unproven.sinceMs !== undefined && !part.unproven.isLost)
    if (left.length === 0) return Effect.void
    const all = Effect.all(
      left.map((one) => asked(departures, one)),
      { concurrency: "unbounded", discard: true }
    )
    return Effect.asVoid(Effect.timeoutOption(Effect.interruptible(all), lastMs))
  })
}

/** Reads the control stream: what had ended before that counts, or is lost. That it is lost may be known already. */
function asked(departures: Departures, { part, nowMs }: ProvenPart): Effect.Effect<void> {
  const { changes, looked } = departures
  return Effect.suspend(() => {
    const before: Position = part.at
    const carriers = new Set(part.unproven.asked.flatMap(({ carrier }) => carrier ?? []))
    const proofs = Array.from(carriers, (carrier) => carrier.asked())
    const isLost = () => part.unproven.asked.some((written) => !departures.mayStillCount(written))
    const isKnown = () => part.unproven.asked.every((written) => departures.counts(written)) || isLost()
    return Effect.map(Effect.raceFirst(changes.until(isKnown), looked), () => {
      if (isLost()) {
        part.unproven.isLost = true
        return
      }
      for (const proven of proofs) proven()
      part.unproven.proven(before)
      // What came meanwhile is asked for next.
      part.unproven.ended(part.at, nowMs())
    })
  })
}

/** Once for a spill, however many of its partitions wait. */
function telling(departures: Departures, { spill }: ProvenPart): Effect.Effect<never> {
  const told = Effect.suspend(() => {
    const { trouble } = departures
    if (spill.isUnprovenTold || trouble === undefined) return Effect.void
    spill.isUnprovenTold = true
    return warn(`${spill.name} ${unprovenText(trouble)}`)
  })
  return Effect.forever(Effect.andThen(Effect.sleep(standstillMs), told))
}

/** In words that follow the name of a spill. */
export function unprovenText(trouble: string | undefined): string {
  return `keeps what an earlier process has left, and was sent on, until the control stream can be read, which says whether it counts where it is now; it is sent once more if this process ends before: ${trouble ?? "it is being read"}`
}

/** Records are stored, or will be at once, and it is not known yet whether they count there. */
export function notProven(
  part: SpillPart,
  records: ReadonlyArray<ReceivedRecord>,
  written: ReadonlyArray<Written>
): void {
  const [first] = records
  const last = records.at(-1)
  if (first !== undefined && last !== undefined) part.unproven.add(first.position, last.position + 1n, written)
}
