import { Effect } from "effect"
import { Flag } from "effect/cli"
import { type ControlError, ControlTools } from "leat"
import { clusterFlags, json } from "../flags.ts"
import { CommandFailure, exitCode } from "../outcome.ts"

/** Which control stream. */
export const controlFlags = {
  ...clusterFlags,
  topic: Flag.String("topic").pipe(
    Flag.withDefault(ControlTools.topicDefault),
    Flag.withDescription(`Topic of the control stream; ${ControlTools.topicDefault} unless another is named`)
  ),
  json
}

export function controlFailure({ message, reason }: ControlError): CommandFailure {
  return new CommandFailure({ code: exitCode.failed, message, report: { reason } })
}

/** The processes that have another version in force than this one. */
export const behind = (
  { processes }: ControlTools.FleetTable,
  version: number
): ReadonlyArray<{ readonly incarnation: string; readonly applied: number }> =>
  processes.filter(({ applied }) => applied !== version)

export const readControl = (
  transport: Parameters<typeof ControlTools.read>[0],
  topic: string
): Effect.Effect<ControlTools.FleetTable, CommandFailure> =>
  Effect.mapError(ControlTools.read(transport, topic), controlFailure)
