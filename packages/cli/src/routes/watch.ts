import { Console, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { ControlTools } from "leat"
import { CommandRun } from "../CommandRun.ts"
import { printable } from "../outcome.ts"
import { appliedText, controlFailure, controlFlags } from "./controlFlags.ts"
import { openControl } from "./openControl.ts"

/** How often it is asked whether somebody still reads what is printed. */
const lookForReader = "200 millis"

/** Follows a fleet. */
export const watch = Command.make(
  "watch",
  {
    ...controlFlags,
    beats: Flag.Boolean("beats").pipe(
      Flag.withDefault(false),
      Flag.withDescription("Also each sign of life of a process, every few seconds")
    )
  },
  Effect.fnUntraced(function* (flags) {
    const { isOutputClosed, endsByInterruption } = yield* CommandRun
    const { transport } = yield* openControl(flags)
    endsByInterruption()
    const say = (line: FleetLine): Effect.Effect<void> =>
      Console.log(flags.json ? JSON.stringify(line) : printable(textOf(line)))
    const see = (change: ControlTools.FleetChange): Effect.Effect<void> => {
      return change.kind === "beat" && !change.isNews && !flags.beats ? Effect.void : say(lineOf(change))
    }
    const troubled = (why: string | undefined): Effect.Effect<void> =>
      Console.error(`leat: ${printable(why === undefined ? "the cluster answers again" : `${why}; it is asked again`)}`)
    const watching = ControlTools.watch(transport, { topic: flags.topic, troubled }, see)
    // That nobody reads any more is told some time after a line was printed, and another may never come.
    const unread = Effect.repeat(Effect.sleep(lookForReader), { until: isOutputClosed })
    yield* Effect.raceFirst(Effect.mapError(watching, controlFailure), unread)
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Follow a fleet until interrupted: a line for each document, and for each process that has it in force"
  )
)

/** One line; with `--json` one object. */
interface FleetLine {
  readonly kind: "applied" | "process" | "gone"
  readonly at?: string
  readonly version?: number
  readonly by?: string
  readonly reason?: string
  readonly process?: string
  readonly refused?: string
}

function lineOf(change: ControlTools.FleetChange): FleetLine {
  switch (change.kind) {
    case "applied": {
      const { version, timeMs, author, reason } = change.document
      return { kind: "applied", at: new Date(timeMs).toISOString(), version, by: author, reason }
    }
    case "beat": {
      const { incarnation, applied, refused } = change.process
      return { kind: "process", process: incarnation, version: applied, ...(refused === undefined ? {} : { refused }) }
    }
    case "gone":
      return { kind: "gone", process: change.incarnation }
  }
}

function textOf({ kind, at, version = 0, by, reason, process = "", refused }: FleetLine): string {
  if (kind === "applied") return `${at} version ${version} was applied by ${by}${reason === "" ? "" : `: ${reason}`}`
  if (kind === "gone") return `process ${process} is gone`
  const inForce = appliedText({ incarnation: process, applied: version })
  return `process ${process} has ${inForce}${version === 0 ? " routes" : ""} in force${refused === undefined ? "" : `, and refuses ${refused}`}`
}
