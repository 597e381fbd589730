import { Option, Duration, Effect } from "effect"
import { Flag } from "effect/cli"
import { type ControlError, ControlTools } from "leat"
import { clusterFlags, json } from "../flags.ts"
import { misuse } from "../openCluster.ts"
import { CommandFailure, exitCode, plural } from "../outcome.ts"

/** Which control stream. */
export const controlFlags = {
  ...clusterFlags,
  topic: Flag.String("topic").pipe(
    Flag.filter(
      (topic) => /^[^\s/{}]+$/.test(topic),
      () => "--topic is the name of a topic"
    ),
    Flag.withDefault(ControlTools.topicDefault),
    Flag.withDescription(`Topic of the control stream; ${ControlTools.topicDefault} unless another is named`)
  ),
  json
}

export const wait = Flag.String("wait").pipe(
  Flag.optional,
  Flag.withDescription("Wait until all processes have it in force, for so long: 30 seconds")
)

export function controlFailure({ message, detail, reason }: ControlError): CommandFailure {
  // These two say by themselves what happened; the others are about the cluster.
  const told = reason === "Refused" || reason === "Overtaken" ? detail : message
  return new CommandFailure({ code: exitCode.failed, message: told, report: { reason } })
}

/** The processes that have another version in force than this one. */
export const behind = (
  { processes }: ControlTools.FleetTable,
  version: number
): ReadonlyArray<ControlTools.SeenProcess> => processes.filter(({ applied }) => applied !== version)

export const processesText = ({ processes }: ControlTools.FleetTable): string =>
  `${processes.length === 0 ? "no process follows" : plural(processes.length, "process follows", "processes follow")} the control stream`

/** What is in force in a process, for a person. */
export const appliedText = ({ applied }: ControlTools.FleetProcess): string =>
  applied === 0 ? "its own" : `version ${applied}`

/** A process as `--json` has it. */
export const toldProcess = ({ seenMs, ...process }: ControlTools.SeenProcess) => ({
  ...process,
  ...(seenMs === undefined ? {} : { seenAt: new Date(seenMs).toISOString() })
})

/** Processes beat every five seconds. */
const silentMs = 15_000

/** When it was heard of last, for a person; empty for one that is heard of. */
export function silenceText({ seenMs }: ControlTools.SeenProcess, nowMs: number): string {
  if (seenMs === undefined) return "silent for long"
  return nowMs - seenMs < silentMs ? "" : `silent for ${Math.round((nowMs - seenMs) / 1000)} s`
}

/** What a person has to know of a process: which version it refuses and why, or for how long nothing was heard of it; empty: nothing. */
export function noteText(process: ControlTools.SeenProcess, nowMs: number): string {
  const { refused } = process
  return [refused === undefined ? "" : `refuses ${refused}`, silenceText(process, nowMs)]
    .filter((text) => text !== "")
    .join("; ")
}

export function parseWait(text: Option.Option<string>): Effect.Effect<number | undefined, CommandFailure> {
  if (Option.isNone(text)) return Effect.succeed(undefined)
  const parsed = Option.map(Duration.fromInput(text.value as Duration.Input), Duration.toMillis)
  if (Option.isSome(parsed) && parsed.value >= 0) return Effect.succeed(parsed.value)
  return misuse(`--wait ${text.value} is no duration; say 30 seconds`)
}
