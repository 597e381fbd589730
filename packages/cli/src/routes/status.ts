import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { openForLooking } from "../openCluster.ts"
import { plural, printJson } from "../outcome.ts"
import { table } from "../table.ts"
import { behind, controlFlags, readControl } from "./controlFlags.ts"

/** Which document a fleet has, and who has it in force. */
export const status = Command.make(
  "status",
  controlFlags,
  Effect.fnUntraced(function* (flags) {
    const { transport } = yield* openForLooking(flags)
    const fleet = yield* readControl(transport, flags.topic)
    if (flags.json) return yield* printJson({ topic: flags.topic, ...fleet })
    const rows = fleet.processes.map(({ incarnation, applied }) => [incarnation, applied])
    if (rows.length > 0) yield* Console.log(table(["INCARNATION", "APPLIED"], rows))
    const late = behind(fleet, fleet.version).length
    const all = plural(rows.length, "process", "processes")
    yield* Console.log(`version ${fleet.version} of ${flags.topic}; ${all}, ${late} with another version in force`)
  }, Effect.scoped)
).pipe(Command.withDescription("Tell which version of the document of a fleet is in force in which process"))
