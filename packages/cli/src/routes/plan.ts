import { Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { CommandFailure, CommandVerdict, exitCode, plural, printable, printJson } from "../outcome.ts"
import { otherFlags, twoDocuments } from "./otherDocument.ts"
import { planned } from "./planned.ts"

/** What another document would change. */
export const plan = Command.make(
  "plan",
  {
    ...otherFlags,
    stream: Flag.String("stream").pipe(
      Flag.optional,
      Flag.withDescription("Only this stream; without it, those of contracts and those that the documents name")
    ),
    source: Flag.String("source").pipe(Flag.optional, Flag.withDescription("Only for this source"))
  },
  Effect.fnUntraced(function* (flags) {
    const [stream, source] = [Option.getOrUndefined(flags.stream), Option.getOrUndefined(flags.source)]
    const { report, lines, faults } = planned(yield* twoDocuments(flags), { stream, source })
    if (!flags.json) yield* Console.log(printable(lines.join("\n")))
    if (faults.length > 0) {
      const message = `refused, ${plural(faults.length, "reason")}:\n${faults.join("\n")}`
      return yield* new CommandFailure({ code: exitCode.violations, message, report })
    }
    if (flags.json) yield* printJson(report)
    if (report.verdict === "changes") return yield* new CommandVerdict({ code: exitCode.changes })
  })
).pipe(
  Command.withDescription(
    "Tell what a document would change for streams, legs and groups; exits 0: nothing, 4: changes, 3: it is refused"
  )
)
