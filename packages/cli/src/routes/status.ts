import { Clock, Console, Effect } from "effect"
import { Command } from "effect/cli"
import { plural, printJson } from "../outcome.ts"
import { table } from "../table.ts"
import { behind, controlFlags, noteText, toldProcess } from "./controlFlags.ts"
import { openControl } from "./openControl.ts"

/** Which document a fleet has, and who has it in force. */
export const status = Command.make(
  "status",
  controlFlags,
  Effect.fnUntraced(function* (flags) {
    const { fleet } = yield* openControl(flags)
    const { history, ...told } = fleet
    const last = history.at(-1)
    const processes = fleet.processes.map(toldProcess)
    if (flags.json) return yield* printJson({ topic: flags.topic, ...told, processes })
    const nowMs = yield* Clock.currentTimeMillis
    const rows = fleet.processes.map((process) => {
      const { incarnation, applied } = process
      return [incarnation, applied === 0 ? "its own" : `${applied}`, noteText(process, nowMs)]
    })
    const hasNotes = rows.some(([, , note]) => note !== "")
    const headings = ["PROCESS", "VERSION IN FORCE", ...(hasNotes ? ["NOTE"] : [])]
    if (rows.length > 0) yield* Console.log(table(headings, rows))
    const late = behind(fleet, fleet.version).length
    const all = plural(rows.length, "process", "processes")
    const applied = last === undefined ? "no document was applied yet" : `version ${fleet.version} was applied last`
    const others = last === undefined ? "" : `, ${late} with another version in force`
    yield* Console.log(`${applied}; ${all}${others}`)
  }, Effect.scoped)
).pipe(Command.withDescription("Tell which version of the document of a fleet is in force in which process"))
