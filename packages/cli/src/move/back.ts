import { Console, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { MoveTools } from "leat"
import { printJson } from "../outcome.ts"
import { openControl, openControlForWriting } from "../routes/openControl.ts"
import { neededReason, restFlags, streams, told, toolOf, wordFlags } from "./moveFlags.ts"

/** Ends moves that are not sealed. */
export const abort = Command.make(
  "abort",
  wordFlags,
  Effect.fnUntraced(function* (flags) {
    const reason = yield* neededReason(flags.reason)
    yield* Effect.scoped(openControl(flags))
    const transport = yield* openControlForWriting(flags)
    const { version } = yield* told(MoveTools.abort(transport, toolOf({ ...flags, reason })))
    yield* tellBack(flags, version, "the streams that were about to move stay where they are")
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "End moves that are not sealed yet: an older document, which has the streams where they lie, is applied again with a new version"
  )
)

/** Moves streams back. */
export const rollback = Command.make(
  "rollback",
  {
    ...wordFlags,
    ...restFlags,
    stream: streams.pipe(
      Flag.withDescription(
        "Stream that is to go back; may be given several times. All that have moved when none is named"
      )
    )
  },
  Effect.fnUntraced(function* (flags) {
    const reason = yield* neededReason(flags.reason)
    yield* Effect.scoped(openControl(flags))
    const transport = yield* openControlForWriting(flags)
    const { standInsEmpty, withoutState } = flags
    const named = flags.stream.length === 0 ? {} : { streams: flags.stream }
    const { version } = yield* told(
      MoveTools.rollback(transport, { ...toolOf({ ...flags, reason }), ...named, standInsEmpty, withoutState })
    )
    yield* tellBack(
      flags,
      version,
      "the streams move back to where they lay before, and all else is as that document says"
    )
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Move streams back to where they lay: the last document that has them there is applied again with a new version"
  )
)

function tellBack(
  { topic, json, dryRun }: { readonly topic: string; readonly json: boolean; readonly dryRun: boolean },
  version: number,
  what: string
): Effect.Effect<void> {
  if (json) return printJson({ topic, version, ...(dryRun ? { dryRun } : {}) })
  return Console.log(dryRun ? `version ${version} would be applied: ${what}` : `version ${version} is applied: ${what}`)
}
