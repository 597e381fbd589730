import { Clock, Duration, Effect } from "effect"
import { MoveTools } from "leat"
import type { Looking } from "../openCluster.ts"
import { CommandFailure, exitCode } from "../outcome.ts"
import { epochNote } from "./statusRows.ts"
import { told } from "./moveFlags.ts"

/** From one look at the moves to the next one. */
const lookEvery = Duration.millis(500)

/** Waits until each stream is written where it was to go; fails with what they wait for when the time is over. */
export const movesAwaited = Effect.fnUntraced(function* (asked: {
  readonly transport: Looking
  readonly topic: string
  readonly moves: ReadonlyArray<MoveTools.PlannedMove>
  readonly waitMs: number
}): Effect.fn.Return<void, CommandFailure> {
  const { transport, topic, moves, waitMs } = asked
  const startMs = yield* Clock.currentTimeMillis
  for (;;) {
    const all = yield* told(MoveTools.status(transport, { topic }))
    const late = moves.flatMap(({ stream }) => {
      const found = all.find((one) => one.stream === stream)
      return found === undefined || found.epochs.at(-1)?.phase !== "open" ? [found ?? { stream, epochs: [] }] : []
    })
    if (late.length === 0) return
    const nowMs = yield* Clock.currentTimeMillis
    if (nowMs - startMs >= waitMs) {
      const names = late.map(({ stream, epochs }) => {
        const notes = epochs.map((epoch) => epochNote(epoch)).filter((note) => note !== "")
        return `${stream}${notes.length === 0 ? "" : ` (${notes.join("; ")})`}`
      })
      const message = `not written in its new place yet: ${names.join(", ")}; the move goes on, and leat move status tells how far it is`
      return yield* new CommandFailure({ code: exitCode.failed, message, report: { late } })
    }
    yield* Effect.sleep(lookEvery)
  }
})
