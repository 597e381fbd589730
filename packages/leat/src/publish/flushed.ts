/** A flush, of a stream or of a whole leat: what is buffered is sent without waiting for linger, and has ended when the flush completes. */
import { Effect } from "effect"
import { type Outcome, outcomeOf, Waiter } from "../ledger/Waiter.ts"
import { warn } from "../Telemetry.ts"
import type { HaltedLane } from "./LaneHome.ts"

/** How long a flush may wait until a warning says which halted lanes it waits for, in milliseconds; also the time between two looks. */
const tellMs = 10_000

/** Most lanes that one warning names. */
const toldMax = 5

export interface FlushParts {
  /** Has everything sent, and the waiter told of each leg. */
  readonly begin: (waiter: Waiter) => void
  /** Lanes of what is flushed that stand until `resume`. */
  readonly halted: () => ReadonlyArray<HaltedLane>
  /** Never inside the stack of the lane in which a leg ends. */
  readonly schedule: (task: () => void) => void
}

/** Completes when all that is pending now has ended. */
export function flushed(parts: FlushParts): Effect.Effect<Outcome> {
  return Effect.suspend(() => {
    const waiter = new Waiter()
    parts.begin(waiter)
    const ended = whenEnded(waiter, parts.schedule)
    return waiter.pending === 0 ? ended : Effect.raceFirst(ended, told(parts.halted))
  })
}

/** Completes when all legs of a waiter have ended. */
export function whenEnded(waiter: Waiter, schedule: FlushParts["schedule"]): Effect.Effect<Outcome> {
  return Effect.callback((resume) => {
    const end = () => resume(Effect.succeed(outcomeOf(waiter)))
    if (waiter.pending === 0) return end()
    const scheduled = () => schedule(end)
    waiter.whenDone(scheduled)
    // An outage may be longer than anybody's patience, and who waits with a time-out asks again and again.
    return Effect.sync(() => waiter.forget(scheduled))
  })
}

/** Nobody waits in silence for a lane that stands until a person resumes it: a warning names it, once. Never completes. */
const told = Effect.fnUntraced(function* (halted: FlushParts["halted"]) {
  for (;;) {
    yield* Effect.sleep(tellMs)
    const lanes = halted()
    if (lanes.length === 0) continue
    const named = lanes
      .slice(0, toldMax)
      .map(
        ({ stream, sink, partition, tag, detail }) => `${stream} to ${sink}, partition ${partition} (${tag}: ${detail})`
      )
    yield* warn(
      `a flush has waited for ${tellMs / 1000} seconds, and waits until these lanes are resumed: ${named.join("; ")}`
    )
    return yield* Effect.never
  }
})
