import { Console, Effect, Option, Stream } from "effect"
import { Argument, Command } from "effect/cli"
import { CommandFailure, exitCode, printJson } from "../outcome.ts"
import { misuse, openForLooking } from "../openCluster.ts"
import { letterJson, letterLines } from "./describeLetter.ts"
import { letterFlags, tellingFlags } from "./letterFlags.ts"
import { parseWhere } from "./where.ts"
import { describingOf, lettersOf, ownLetters, topicOf } from "./whose.ts"

/** Shows all that is known of one dead letter. */
export const show = Command.make(
  "show",
  {
    letter: Argument.String("letter").pipe(
      Argument.withDescription("Its place in the topic of dead letters, as list tells it: 0/17")
    ),
    ...letterFlags,
    ...tellingFlags
  },
  Effect.fnUntraced(function* (flags) {
    if (!/^\d{1,9}\/\d{1,18}$/.test(flags.letter))
      return yield* misuse(`${flags.letter} names no letter; say its place as list tells it: 0/17`)
    const where = yield* parseWhere([`position=${flags.letter}`])
    const cluster = yield* openForLooking(flags)
    const topic = yield* topicOf(flags, cluster)
    if (topic === undefined) return yield* misuse("name the topic by --topic or --stream, and the group by --group")
    const isOwn = Option.isSome(flags.group) || flags.undelivered
    const which = isOwn ? yield* ownLetters(flags, cluster) : { deadLetters: topic }
    const describing = yield* describingOf(flags, isOwn ? topic : undefined)
    const { partition = 0 } = where
    const found = yield* lettersOf(cluster.transport, which, { state: "all", partition }).pipe(
      Stream.filter(where.holds),
      Stream.runHead
    )
    if (Option.isNone(found)) {
      const message = `there is no dead letter at ${flags.letter}; it has expired, or that place says what a letter before it says, or what became of one`
      return yield* new CommandFailure({ code: exitCode.failed, message })
    }
    if (flags.json) return yield* printJson({ ...which, ...letterJson(found.value, describing) })
    yield* Console.log(letterLines(found.value, describing).join("\n"))
  }, Effect.scoped)
).pipe(
  Command.withDescription("Show one dead letter: what failed, what became of it, and the event, decoded by contract")
)
