import { Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { DeadLetters } from "leat"
import { dryRun, json } from "../flags.ts"
import { transportFailure } from "../log/openLog.ts"
import { CommandFailure, exitCode, printJson } from "../outcome.ts"
import { openForWriting } from "../openCluster.ts"
import { by, choosingFlags, letterFlags } from "./letterFlags.ts"
import { chosenBy, parseWhere } from "./where.ts"
import { ownLetters, hasLetters } from "./whose.ts"

/** Replays open letters to the group that could not handle them, and to no other. */
export const replay = Command.make(
  "replay",
  {
    ...letterFlags,
    ...choosingFlags,
    rate: Flag.Finite("rate").pipe(
      Flag.optional,
      Flag.filter(
        (rate) => Option.isNone(rate) || rate.value > 0,
        () => "--rate is above 0"
      ),
      Flag.withDescription("Events per second at most; as fast as they are stored when not given")
    ),
    replaysMax: Flag.Int("replays-max").pipe(
      Flag.withDefault(3),
      Flag.filter(
        (most) => most >= 0,
        () => "--replays-max is 0 or more"
      ),
      Flag.withDescription("Leave letters that were replayed so often already; 3 when not given")
    ),
    by,
    dryRun: dryRun.pipe(Flag.withDescription("Count, and replay nothing")),
    json
  },
  Effect.fnUntraced(function* (flags) {
    const where = yield* parseWhere(flags.where)
    const cluster = yield* openForWriting(flags)
    const which = yield* ownLetters(flags, cluster)
    const { dryRun: isDryRun, replaysMax } = flags
    const { transport } = cluster
    const replaying = DeadLetters.replay(transport, which, {
      ...chosenBy(where, flags),
      replaysMax,
      isDryRun,
      ...(Option.isSome(flags.rate) ? { rate: flags.rate.value } : {})
    })
    const told: DeadLetters.ReplayReport = (yield* hasLetters(transport, which))
      ? yield* Effect.mapError(replaying, (error) => stopped(transportFailure(error)))
      : { replayed: 0, guarded: 0, refused: 0 }
    const { replayed, guarded, refused, refusal } = told
    const counts = { replayed: isDryRun ? 0 : replayed, guarded, refused, dryRun: isDryRun }
    const report = { ...which, ...counts, ...(isDryRun ? { replayable: replayed } : {}) }
    const left = guarded === 0 ? "" : `, left ${guarded} that were replayed ${replaysMax} times or more already`
    const text = `${isDryRun ? "would replay" : "replayed"} ${replayed}${left}`
    if (refusal !== undefined) {
      const message = `${text}; ${refused} cannot be replayed: ${refusal.detail}`
      return yield* new CommandFailure({
        code: exitCode.failed,
        message,
        report: { ...report, reason: refusal.reason }
      })
    }
    yield* flags.json ? printJson(report) : Console.log(text)
  }, Effect.scoped)
).pipe(
  Command.withDescription("Replay dead letters to the group that could not handle them; may be stopped and run again")
)

/** What was replayed is written down: the command may be run again. */
function stopped({ code, message, report = {} }: CommandFailure): CommandFailure {
  return new CommandFailure({
    code,
    message: `${message}; run it again, it goes on with the letters that are open`,
    report
  })
}
