import { Console, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { MoveTools } from "leat"
import { by } from "../dlq/letterFlags.ts"
import { dryRun } from "../flags.ts"
import { plural, printable, printJson } from "../outcome.ts"
import { parseWait } from "../routes/controlFlags.ts"
import { openControl, openControlForWriting } from "../routes/openControl.ts"
import { movesAwaited } from "./movesAwaited.ts"
import { told, toolOf } from "./moveFlags.ts"
import { askedOf, planFlags, tellPlan } from "./plan.ts"
import { moveText, toldMove } from "./planText.ts"
import { tellStopped, waveFlags, wavesOf } from "./waves.ts"

/** Moves streams. */
export const start = Command.make(
  "start",
  {
    ...planFlags,
    ...waveFlags,
    reason: Flag.String("reason").pipe(
      Flag.withDefault(""),
      Flag.withDescription("Why, in one sentence, for those who read the history")
    ),
    by,
    wait: Flag.String("wait").pipe(
      Flag.optional,
      Flag.withDescription("Wait until the streams are written in their new places, for so long: 10 minutes")
    ),
    dryRun: dryRun.pipe(Flag.withDescription("Look at both places as leat move plan does, and write nothing"))
  },
  Effect.fnUntraced(function* (flags) {
    const { topic, json } = flags
    const waitMs = yield* parseWait(flags.wait)
    const asked = yield* askedOf(flags)
    const waves = yield* wavesOf(flags, !json)
    if (flags.dryRun) return yield* tellPlan(flags, asked)
    yield* Effect.scoped(openControl(flags, "apply a document first, by leat routes apply"))
    const transport = yield* openControlForWriting(flags)
    const context = yield* Effect.context<never>()
    const onWaiting = (why: string) => Effect.runSyncWith(context)(Console.error(printable(`leat: ${why}`)))
    const started = yield* told(MoveTools.start(transport, { ...toolOf(flags), ...asked, onWaiting, waves }))
    const { version, moves, waves: ended } = started
    if (!json) {
      for (const move of moves) yield* Console.log(printable(moveText(move)))
      yield* Console.log(`version ${version} is applied: ${plural(moves.length, "stream moves", "streams move")}`)
    }
    if (ended !== undefined) yield* tellStopped(ended)
    if (waitMs !== undefined) yield* movesAwaited({ transport, topic, moves, waitMs })
    if (json)
      return yield* printJson({
        topic,
        version,
        moves: moves.map(toldMove),
        ...(ended === undefined ? {} : { moved: ended.moved }),
        isAwaited: waitMs !== undefined
      })
    if (waitMs !== undefined) yield* Console.log("all of them are written in their new places")
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Move streams to where a document has them, while they are published and read: nothing is lost, and keys keep their order"
  )
)
