import { Console, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { MoveTools } from "leat"
import { plural, printable, printJson } from "../outcome.ts"
import { openControl, openControlForWriting } from "../routes/openControl.ts"
import { neededReason, streams, told, toolOf, wordFlags } from "./moveFlags.ts"

const flags = {
  ...wordFlags,
  stream: streams.pipe(
    Flag.withDescription("Stream that is meant; may be given several times. All that are placed when none is named")
  )
}

/** Holds streams. */
export const pause = Command.make(
  "pause",
  flags,
  Effect.fnUntraced(function* (given) {
    const names = yield* said(given, MoveTools.pause)
    if (names === undefined) return
    yield* Console.log(
      printable(
        `${given.dryRun ? "would pause" : "paused"} ${names}: no move begins, what has begun goes on until it is written in its new place, and no old place is retired`
      )
    )
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Hold streams: no move of them begins, and no place that they have left is retired; one that has begun goes on until it is written again"
  )
)

/** Lets streams go on. */
export const resume = Command.make(
  "resume",
  flags,
  Effect.fnUntraced(function* (given) {
    const names = yield* said(given, MoveTools.resume)
    if (names !== undefined) yield* Console.log(printable(`${given.dryRun ? "would resume" : "resumed"} ${names}`))
  }, Effect.scoped)
).pipe(Command.withDescription("Let streams go on that were paused"))

/** Undefined: it was printed as JSON. */
const said = Effect.fnUntraced(function* (
  given: Command.Command.Config.Infer<typeof flags>,
  say: typeof MoveTools.pause
) {
  const { topic, json, dryRun } = given
  const reason = yield* neededReason(given.reason)
  yield* Effect.scoped(openControl(given))
  const transport = yield* openControlForWriting(given)
  const named = given.stream.length === 0 ? {} : { streams: given.stream }
  const found = yield* told(say(transport, { ...toolOf({ ...given, reason }), ...named }))
  if (!json) return `${plural(found.length, "stream")}: ${found.join(", ")}`
  yield* printJson({ topic, streams: found, ...(dryRun ? { dryRun } : {}) })
  return undefined
})
