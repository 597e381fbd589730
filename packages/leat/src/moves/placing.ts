/** Says where a stream lies, so that all processes know. */
import { Clock, Effect } from "effect"
import { ControlError } from "../control/ControlError.ts"
import type { Place } from "../control/ControlRecord.ts"
import { versionAt } from "../control/fleet.ts"
import { isSamePlace } from "../control/Placement.ts"
import { namesText } from "./awaited.ts"
import { refused, type ToolStream } from "./openFleet.ts"
import { placeText } from "./Places.ts"
import type { QuietProcess, Silence } from "./Silence.ts"

/** By the document in force. */
export const placed = Effect.fnUntraced(function* (
  stream: ToolStream,
  name: string,
  at: Place,
  epoch: number,
  reason: string
): Effect.fn.Return<void, ControlError> {
  const { version } = stream.control
  const { control } = yield* stream.write({ kind: "placed", stream: name, base: version, place: at, epoch }, reason)
  const found = control.streams.get(name)?.epochs.at(-1)?.place
  if (found !== undefined && isSamePlace(found, at)) return
  if (found !== undefined) return yield* refused(`stream ${name} was placed in ${placeText(found)} meanwhile`)
  const detail = `version ${versionAt(control, control.version)} was applied meanwhile; look at that and start again`
  return yield* new ControlError({ reason: "Overtaken", detail })
})

/** Whom a start waits for, as a sentence; once for each reason. */
type OnWaiting = (why: string) => void

/** From one look to the next, in milliseconds. */
const lookMs = 500
/** How long a process that beats may take to have a document in force that was just applied, in milliseconds. */
const applyMs = 15_000

interface Waiting {
  readonly fleet: { readonly stream: ToolStream; readonly silence: Silence }
  readonly onWaiting: OnWaiting
}

/** Looks until nobody is waited for; `late`: who is, of those that are not gone. Gives who is left when the time is over. */
const waited = Effect.fnUntraced(function* (
  { fleet: { stream, silence }, onWaiting }: Waiting,
  withinMs: number,
  what: string,
  late: (member: string, quiet: QuietProcess | undefined, waitedMs: number) => boolean
): Effect.fn.Return<ReadonlyArray<string>> {
  const told = new Set<string>()
  for (let ms = 0; ; ms += lookMs) {
    const nowMs = yield* Clock.currentTimeMillis
    silence.note(stream.control, nowMs)
    const left = Array.from(stream.control.members.keys()).filter((member) => {
      if (silence.isGone(member, nowMs)) return false
      const quiet = silence.quiet(member, nowMs)
      if (!late(member, quiet, ms)) return false
      if (quiet !== undefined && !told.has(member)) onWaiting(quietText(quiet, nowMs, what))
      if (quiet !== undefined) told.add(member)
      return true
    })
    if (left.length === 0 || ms >= withinMs) return left
    yield* Effect.sleep(lookMs)
    yield* stream.look
  }
})

function quietText({ incarnation, seenMs, goneMs }: QuietProcess, nowMs: number, what: string): string {
  const [ago, left] = [nowMs - seenMs, goneMs - nowMs].map((ms) => Math.max(1, Math.round(ms / 1000)))
  return `process ${incarnation} ${what}, and has not beaten for ${ago} seconds; in ${left} seconds it counts as gone, and is waited for no more`
}

/** Waits until each process has the document in force, refuses it, or counts as gone; of one that beats no longer than that takes. */
export const awaitApplied = (waiting: Waiting): Effect.Effect<void> =>
  Effect.asVoid(
    waited(waiting, allMs, "has not the document in force that is", (member, quiet, ms) => {
      const { version, members } = waiting.fleet.stream.control
      const { version: has = 0, refused: why = "" } = members.get(member) ?? {}
      return has !== version && why === "" && (quiet !== undefined || ms < applyMs)
    })
  )

/** All that may be waited for, in milliseconds. */
const allMs = 120_000
/** A process that has beaten so often since has read its first beat back, and with it what stands before. */
const beatsSince = 2

/** Waits until each process that lives has read what stands in the control stream now. */
export const awaitReaders = (waiting: Waiting): Effect.Effect<void, ControlError> => {
  const { stream } = waiting.fleet
  const begun = new Map(Array.from(stream.control.members, ([member, { beats }]) => [member, beats]))
  const isLate = (member: string): boolean => {
    const before = begun.get(member)
    return before !== undefined && (stream.control.members.get(member)?.beats ?? Infinity) < before + beatsSince
  }
  return Effect.flatMap(waited(waiting, allMs, "has not read that streams were placed", isLate), (left) =>
    left.length === 0
      ? Effect.void
      : Effect.fail(
          refused(
            `${namesText(left)} ${left.length === 1 ? "has" : "have"} not read that streams were placed; start again`
          )
        )
  )
}
