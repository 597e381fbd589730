/** Streams that are paused go on a few at a time: what a start in waves has left, when what stopped it is mended. */
import { Effect } from "effect"
import type { ControlError } from "../control/ControlError.ts"
import type { Transport } from "../transport/index.ts"
import { refused, writing } from "./openFleet.ts"
import { type MovePause, pausedOf } from "./pausing.ts"
import { checkedWaves, goOnInWaves, type Waves, type WavesEnd } from "./waves.ts"

/**
 * Resumes streams wave by wave, and ends when they all have gone, or when one wave was not well.
 *
 * @example
 * ```ts
 * const waves = { streams: 5, pauseMax: "5 seconds" }
 * const { stopped } = yield* MoveTools.resumeInWaves(transport, { author: "move 7", drivers: [log], waves })
 * ```
 */
export const resumeInWaves = (
  transport: Transport,
  asked: MovePause & { readonly waves: Waves }
): Effect.Effect<WavesEnd, ControlError> =>
  writing(transport, asked, {}, ({ stream }) =>
    Effect.gen(function* () {
      const waves = yield* checkedWaves(asked.waves)
      if (waves === undefined) return yield* refused("waves is { streams, pauseMax, within }, and not undefined")
      const names = yield* pausedOf(stream.control, asked.streams, false)
      if (asked.isDryRun === true) return { moved: [], left: names }
      return yield* goOnInWaves(stream, names, waves, asked.reason)
    })
  )
