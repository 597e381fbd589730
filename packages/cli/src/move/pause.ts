import { Console, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { MoveTools } from "leat"
import { plural, printable, printJson } from "../outcome.ts"
import { openControl, openControlForWriting } from "../routes/openControl.ts"
import { neededReason, streams, told, toolOf, wordFlags } from "./moveFlags.ts"
import { tellStopped, waveFlags, wavesOf } from "./waves.ts"

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
  { ...flags, ...waveFlags },
  Effect.fnUntraced(function* (given) {
    const waves = yield* wavesOf(given, !given.json)
    if (waves !== undefined) return yield* resumeInWaves(given, waves)
    const names = yield* said(given, MoveTools.resume)
    if (names !== undefined) yield* Console.log(printable(`${given.dryRun ? "would resume" : "resumed"} ${names}`))
  }, Effect.scoped)
).pipe(Command.withDescription("Let streams go on that were paused, all at once or in waves"))

const resumeInWaves = Effect.fnUntraced(function* (given: Flags, waves: MoveTools.Waves) {
  const { topic, json, dryRun } = given
  const ended = yield* told(
    MoveTools.resumeInWaves((yield* opened(given)).transport, { ...(yield* askedOf(given)), waves })
  )
  yield* tellStopped(ended)
  if (json) return yield* printJson({ topic, ...ended, ...(dryRun ? { dryRun } : {}) })
  if (dryRun)
    yield* Console.log(printable(`would resume ${plural(ended.left.length, "stream")}: ${ended.left.join(", ")}`))
})

type Flags = Command.Command.Config.Infer<typeof flags>

const opened = Effect.fnUntraced(function* (given: Flags) {
  yield* neededReason(given.reason)
  yield* Effect.scoped(openControl(given))
  return { transport: yield* openControlForWriting(given) }
})

const askedOf = Effect.fnUntraced(function* (given: Flags) {
  const reason = yield* neededReason(given.reason)
  return { ...toolOf({ ...given, reason }), ...(given.stream.length === 0 ? {} : { streams: given.stream }) }
})

/** Undefined: it was printed as JSON. */
const said = Effect.fnUntraced(function* (given: Flags, say: typeof MoveTools.pause) {
  const { topic, json, dryRun } = given
  const { transport } = yield* opened(given)
  const found = yield* told(say(transport, yield* askedOf(given)))
  if (!json) return `${plural(found.length, "stream")}: ${found.join(", ")}`
  yield* printJson({ topic, streams: found, ...(dryRun ? { dryRun } : {}) })
  return undefined
})
