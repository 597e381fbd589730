import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { CommandVerdict, exitCode, printable, printJson } from "../outcome.ts"
import { type Difference, documentDifference } from "./documentDifference.ts"
import { otherFlags, twoDocuments } from "./otherDocument.ts"

/** How two documents differ. */
export const diff = Command.make(
  "diff",
  otherFlags,
  Effect.fnUntraced(function* (flags) {
    const { before, beforeName, after, afterName } = yield* twoDocuments(flags)
    const differences = documentDifference(before.document, after.document)
    const verdict = differences.length === 0 ? "nothing" : "changes"
    if (flags.json) yield* printJson({ verdict, from: before.version, to: after.version, differences })
    else {
      const lines = differences.length === 0 ? ["nothing differs"] : differences.map(lineOf)
      yield* Console.log(printable([`from ${beforeName}, to ${afterName}`, ...lines].join("\n")))
    }
    if (verdict === "changes") return yield* new CommandVerdict({ code: exitCode.changes })
  })
).pipe(
  Command.withDescription(
    "Tell how a document differs from the one that was applied last, place by place; exits 0: not at all, 4: it differs"
  )
)

function lineOf({ path, change, before, after }: Difference): string {
  if (change === "added") return `+ ${path}: ${JSON.stringify(after)}`
  if (change === "removed") return `- ${path}: ${JSON.stringify(before)}`
  return `~ ${path}: ${JSON.stringify(before)} -> ${JSON.stringify(after)}`
}
