import { Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { CommandFailure, exitCode, printJson } from "../outcome.ts"
import { table } from "../table.ts"
import { controlFlags } from "./controlFlags.ts"
import { openControl } from "./openControl.ts"

/** Documents that were applied to a fleet. */
export const history = Command.make(
  "history",
  {
    ...controlFlags,
    show: Flag.Int("show").pipe(Flag.optional, Flag.withDescription("Print the document of this version"))
  },
  Effect.fnUntraced(function* (flags) {
    const { fleet } = yield* openControl(flags)
    const { topic, json } = flags
    const count = ({ version }: { readonly version: number }): number =>
      fleet.processes.filter(({ applied }) => applied === version).length
    const documents = fleet.history.map(({ timeMs, ...one }) => ({
      ...one,
      at: new Date(timeMs).toISOString(),
      processes: count(one)
    }))
    if (Option.isSome(flags.show)) {
      const asked = flags.show.value
      const found = documents.findLast(({ version }) => version === asked)
      if (found === undefined) return yield* unknownVersion(asked, fleet.history)
      return yield* json ? printJson({ topic, ...found }) : Console.log(found.document.trimEnd())
    }
    if (json) return yield* printJson({ topic, documents })
    if (documents.length === 0) return yield* Console.log("no document was applied yet")
    const rows = documents.map(({ version, at, processes, author, reason }) => [version, at, processes, author, reason])
    yield* Console.log(table(["VERSION", "APPLIED", "PROCESSES", "BY", "REASON"], rows))
  }, Effect.scoped)
).pipe(Command.withDescription("List the documents that were applied to a fleet, oldest first: when, by whom and why"))

/** A version that is not kept. */
export function unknownVersion(
  asked: number,
  documents: ReadonlyArray<{ readonly version: number }>
): Effect.Effect<never, CommandFailure> {
  const known = documents.length === 0 ? "nothing" : documents.map(({ version }) => version).join(", ")
  const message = `there is no version ${asked} in the history, which has ${known}`
  return Effect.fail(new CommandFailure({ code: exitCode.failed, message }))
}
