import { Clock, Console, Duration, Effect } from "effect"
import type { ControlTools } from "leat"
import type { Looking } from "../openCluster.ts"
import { CommandFailure, exitCode, plural, printJson } from "../outcome.ts"
import { appliedText, behind, processesText, noteText, toldProcess } from "./controlFlags.ts"
import { readFleet } from "./openControl.ts"

/** From one look at who has the document in force to the next one. */
const lookEvery = Duration.millis(500)

/** What was written, and how it is told. */
export interface Written {
  readonly transport: Looking
  readonly topic: string
  readonly version: number
  readonly waitMs: number | undefined
  readonly json: boolean
}

/** Tells what was applied, when it is in force everywhere; fails with the names of those that have it not when the time is over. */
export const tellApplied = Effect.fnUntraced(function* (
  { transport, topic, version, waitMs, json }: Written,
  text: string
): Effect.fn.Return<void, CommandFailure> {
  const fleet = yield* awaited(transport, topic, version, waitMs)
  const late = waitMs === undefined ? [] : behind(fleet, version)
  if (late.length > 0) {
    const nowMs = yield* Clock.currentTimeMillis
    const names = late.map((process) => lateText(process, nowMs)).join(", ")
    const message = `version ${version} was applied, and ${plural(late.length, "process has", "processes have")} another one in force: ${names}`
    return yield* new CommandFailure({
      code: exitCode.failed,
      message,
      report: { version, late: late.map(toldProcess) }
    })
  }
  const processes = fleet.processes.length
  if (json) return yield* printJson({ topic, version, processes })
  const isInForce = waitMs !== undefined && processes > 0
  const where = isInForce ? `${plural(processes, "process has", "processes have")} it in force` : processesText(fleet)
  yield* Console.log(`${text}; ${where}`)
})

function lateText(process: ControlTools.SeenProcess, nowMs: number): string {
  const note = noteText(process, nowMs)
  return `${process.incarnation} has ${appliedText(process)}${note === "" ? "" : ` (${note})`}`
}

/** The fleet when all have the version in force, or when the time is over; as it is now where nobody waits. */
const awaited = Effect.fnUntraced(function* (
  transport: Looking,
  topic: string,
  version: number,
  waitMs = 0
): Effect.fn.Return<ControlTools.FleetTable, CommandFailure> {
  const startMs = yield* Clock.currentTimeMillis
  for (;;) {
    const fleet = yield* readFleet(transport, topic)
    if (behind(fleet, version).length === 0 || (yield* Clock.currentTimeMillis) - startMs >= waitMs) return fleet
    yield* Effect.sleep(lookEvery)
  }
})
