import { Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { DeadLetters } from "leat"
import { dryRun, json } from "../flags.ts"
import { transportFailure } from "../log/openLog.ts"
import { plural, printJson } from "../outcome.ts"
import { misuse, openForWriting } from "../openCluster.ts"
import { by, choosingFlags, letterFlags } from "./letterFlags.ts"
import { chosenBy, parseWhere } from "./where.ts"
import { ownLetters, hasLetters } from "./whose.ts"

/** Gives open letters up, with a reason. */
export const drop = Command.make(
  "drop",
  {
    ...letterFlags,
    ...choosingFlags,
    reason: Flag.String("reason").pipe(
      Flag.optional,
      Flag.withDescription("Why, in one sentence, for those who ask later; needed")
    ),
    by,
    dryRun: dryRun.pipe(Flag.withDescription("Count, and drop nothing")),
    json
  },
  Effect.fnUntraced(function* (flags) {
    const reason = Option.getOrElse(flags.reason, () => "").trim()
    if (reason === "") return yield* misuse("say why by --reason: it is written beside each letter that is dropped")
    const where = yield* parseWhere(flags.where)
    const cluster = yield* openForWriting(flags)
    const which = yield* ownLetters(flags, cluster)
    const { dryRun: isDryRun } = flags
    const dropping = DeadLetters.drop(cluster.transport, which, { ...chosenBy(where, flags), isDryRun, reason })
    const count = (yield* hasLetters(cluster.transport, which)) ? yield* Effect.mapError(dropping, transportFailure) : 0
    const report = {
      ...which,
      dropped: isDryRun ? 0 : count,
      dryRun: isDryRun,
      ...(isDryRun ? { droppable: count } : {})
    }
    const text = `${isDryRun ? "would drop" : "dropped"} ${plural(count, "dead letter")}`
    yield* flags.json ? printJson(report) : Console.log(text)
  }, Effect.scoped)
).pipe(
  Command.withDescription("Give dead letters up, with a reason; nothing is deleted, and list --all still shows them")
)
