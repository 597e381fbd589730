/**
 * A person's word that a stream is to wait, and that it is to go on. While it is paused no move of it begins and no place that it has left is retired.
 * What has begun to be sealed goes on until the stream is written in its new place: until then nothing is sent.
 */
import { Effect } from "effect"
import type { Control } from "../control/Control.ts"
import { ControlError } from "../control/ControlError.ts"
import type { Transport } from "../transport/index.ts"
import { namesText } from "./awaited.ts"
import { type MoveTool, refused, type ToolStream, writing } from "./openFleet.ts"

/** Who is meant: all streams when none is named. */
export type MovePause = MoveTool & { readonly streams?: ReadonlyArray<string> | undefined }

/**
 * Holds streams. Gives those that were not held before; fails with `Refused` where there is none.
 *
 * @example
 * ```ts
 * const tool = { author: "move 7", drivers: [log], reason: "the disk is full" }
 * yield* MoveTools.pause(transport, { ...tool, streams: ["shop.orders"] })
 * ```
 */
export const pause = (transport: Transport, asked: MovePause): Effect.Effect<ReadonlyArray<string>, ControlError> =>
  writing(transport, asked, {}, ({ stream }) => held(stream, asked, true))

/**
 * Lets streams go on that were paused. Gives them; fails with `Refused` where there is none.
 *
 * @example
 * ```ts
 * const resumed = yield* MoveTools.resume(transport, { author: "move 7", drivers: [log], reason: "the disk is larger now" })
 * ```
 */
export const resume = (transport: Transport, asked: MovePause): Effect.Effect<ReadonlyArray<string>, ControlError> =>
  writing(transport, asked, {}, ({ stream }) => held(stream, asked, false))

const held = Effect.fnUntraced(function* (
  stream: ToolStream,
  { streams: named, reason }: MovePause,
  isPaused: boolean
): Effect.fn.Return<ReadonlyArray<string>, ControlError> {
  const those = yield* pausedOf(stream.control, named, isPaused)
  for (const name of those) yield* holds(stream, name, isPaused, reason)
  return those
})

/** The streams that are not paused yet, or that are paused and are not to be. */
export function pausedOf(
  { streams }: Control,
  named: ReadonlyArray<string> | undefined,
  isPaused: boolean
): Effect.Effect<ReadonlyArray<string>, ControlError> {
  const others = streams.size === 0 ? "none is" : `there is ${namesText([...streams.keys()])}`
  const unknown = (named ?? []).find((name) => !streams.has(name))
  if (unknown !== undefined) return Effect.fail(refused(`stream ${unknown} is not placed; ${others}`))
  const all = named ?? Array.from(streams.keys())
  const those = all.filter((name) => streams.get(name)?.isPaused !== isPaused)
  if (those.length > 0) return Effect.succeed(those)
  if (named === undefined)
    return Effect.fail(refused(`no stream is ${isPaused ? "placed that is not paused" : "paused"}`))
  const how = isPaused ? "paused already" : "not paused"
  return Effect.fail(refused(`${namesText(all)} ${all.length === 1 ? "is" : "are"} ${how}`))
}

/** Steps that somebody may write meanwhile. */
const triesMax = 20

export const holds = Effect.fnUntraced(function* (
  { control: begun, write, look }: ToolStream,
  stream: string,
  isPaused: boolean,
  reason = ""
): Effect.fn.Return<void, ControlError> {
  const placementIn = ({ streams }: Control) => streams.get(stream)
  let control = begun
  for (let tries = 0; tries < triesMax; tries++) {
    const placement = placementIn(control)
    if (placement === undefined || placement.isPaused === isPaused) return
    const record = { kind: isPaused ? "paused" : "resumed", stream, base: placement.step } as const
    control = (yield* write(record, reason)).control
    yield* look
  }
  if (placementIn(control)?.isPaused === isPaused) return
  const detail = `stream ${stream} gets on all the time; say it again`
  return yield* new ControlError({ reason: "Overtaken", detail })
})
