/** Says where a stream lies, so that all processes know. */
import { Effect } from "effect"
import { ControlError } from "../control/ControlError.ts"
import type { Place } from "../control/ControlRecord.ts"
import { versionAt } from "../control/fleet.ts"
import { isSamePlace } from "../control/Placement.ts"
import { refused, type ToolStream } from "./openFleet.ts"
import { placeText } from "./Places.ts"

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

/** How long a process may take to have a document in force that was just applied, or that it has just begun with, in milliseconds. */
const applyMs = 15_000

/** Waits until each process has the document in force, or refuses it; no longer than that takes. */
export const awaitApplied = Effect.fnUntraced(function* (stream: ToolStream): Effect.fn.Return<void> {
  for (let ms = 0; ms < applyMs; ms += lookMs) {
    const { members, version } = stream.control
    const isLate = Array.from(members.values()).some((one) => one.version !== version && one.refused === "")
    if (!isLate) return
    yield* Effect.sleep(lookMs)
    yield* stream.look
  }
})

/** From one look to the next, the time that a process may be silent, and the time for all, in milliseconds. */
const [lookMs, silentMsMax, readersMs] = [500, 30_000, 120_000]
/** A process that has beaten so often since has read its first beat back, and with it what stands before. */
const beatsSince = 2

/** Waits until each process that lives has read what stands in the control stream now. */
export const awaitReaders = Effect.fnUntraced(function* (stream: ToolStream): Effect.fn.Return<void, ControlError> {
  const begun = stream.control.members
  const heard = new Map(Array.from(begun, ([member, { beats }]) => [member, { beats, silentMs: 0 }]))
  for (let ms = 0; ms < readersMs; ms += lookMs) {
    const { members } = stream.control
    const late = Array.from(begun).filter(([member, { beats }]) => {
      const now = members.get(member)
      return now !== undefined && now.beats < beats + beatsSince && (heard.get(member)?.silentMs ?? 0) < silentMsMax
    })
    if (late.length === 0) return
    yield* Effect.sleep(lookMs)
    yield* stream.look
    for (const [member, one] of heard) {
      const { beats = one.beats } = stream.control.members.get(member) ?? {}
      heard.set(member, { beats, silentMs: beats === one.beats ? one.silentMs + lookMs : 0 })
    }
  }
  return yield* refused("not all processes have read that streams were placed; look at their status and start again")
})
