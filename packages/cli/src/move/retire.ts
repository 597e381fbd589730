import { Console, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { MoveTools } from "leat"
import { plural, printable, printJson } from "../outcome.ts"
import { openControl, openControlForWriting } from "../routes/openControl.ts"
import { neededReason, neededStream, stream, told, toolOf, wordFlags } from "./moveFlags.ts"

/** Says that nobody else reads where a stream lay. */
export const retire = Command.make(
  "retire",
  {
    ...wordFlags,
    stream,
    gone: Flag.Boolean("gone").pipe(
      Flag.withDefault(false),
      Flag.withDescription(
        "Also where its cluster gives no answer, since it is gone or may not tell: nobody else reads there any more"
      )
    )
  },
  Effect.fnUntraced(function* (flags) {
    const { topic, dryRun } = flags
    const name = yield* neededStream(flags.stream)
    const reason = yield* neededReason(flags.reason)
    yield* Effect.scoped(openControl(flags))
    const transport = yield* openControlForWriting(flags)
    const epochs = yield* told(
      MoveTools.retire(transport, { ...toolOf({ ...flags, reason }), stream: name, isGone: flags.gone })
    )
    if (flags.json) return yield* printJson({ topic, stream: name, epochs, ...(dryRun ? { dryRun } : {}) })
    const text = `${plural(epochs.length, "epoch")} (${epochs.join(", ")}) of stream ${name}`
    yield* Console.log(printable(`${dryRun ? "would retire" : "retired"} ${text}: nobody reads there any more`))
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Say that nobody else reads where a stream lay, where its cluster cannot tell: what every known group has settled there is retired"
  )
)
