/** The control stream that is meant, and what it says. */
import { randomUUID } from "node:crypto"
import { Effect, Option, Result, type Scope } from "effect"
import { ControlTools } from "leat"
import type { Transport } from "leat/transport"
import { noLog, transportFailure } from "../log/openLog.ts"
import { type ClusterFlags, type Looking, openForLooking, openForWriting } from "../openCluster.ts"
import { CommandFailure, exitCode } from "../outcome.ts"
import { controlFailure } from "./controlFlags.ts"

/** Which control stream, as it is said on the command line. */
export interface ControlFlags extends ClusterFlags {
  readonly topic: string
}

/** A control stream that is there. */
export interface FoundControl {
  readonly transport: Looking
  readonly fleet: ControlTools.FleetTable
}

/** `reason` of a report: no process and nobody else has made it yet. */
const noControl = "NoControlStream"

/** Opens a control stream for looking; `None` where it was not made yet. Makes nothing. */
export const findControl = Effect.fnUntraced(function* (
  flags: ControlFlags
): Effect.fn.Return<Option.Option<FoundControl>, CommandFailure, Scope.Scope> {
  const opened = yield* Effect.result(openForLooking(flags))
  if (Result.isFailure(opened)) return isNoLog(opened.failure) ? Option.none() : yield* opened.failure
  const { transport } = opened.success
  const isThere = yield* Effect.matchEffect(transport.bounds(flags.topic), {
    onFailure: (error) =>
      error.reason === "UnknownTopic" ? Effect.succeed(false) : Effect.fail(transportFailure(error)),
    onSuccess: (bounds) => Effect.succeed(bounds.length > 0)
  })
  if (!isThere) return Option.none()
  return Option.some({ transport, fleet: yield* readFleet(transport, flags.topic) })
})

/** Opens a control stream that has to be there. `orElse`: what else to do where it is not. */
export const openControl = (
  flags: ControlFlags,
  orElse = "look again when one has started"
): Effect.Effect<FoundControl, CommandFailure, Scope.Scope> =>
  Effect.flatMap(findControl(flags), (found) =>
    Option.isSome(found) ? Effect.succeed(found.value) : notMade(flags, orElse)
  )

/** Opens it for a document. What is not there is made, where that was asked for. */
export const openControlForWriting = Effect.fnUntraced(function* (
  flags: ControlFlags,
  isMaking = false
): Effect.fn.Return<Transport, CommandFailure, Scope.Scope> {
  const { transport } = yield* openForWriting(flags, isMaking)
  return transport
})

export const readFleet = (
  transport: Pick<Looking, "read" | "bounds">,
  topic: string
): Effect.Effect<ControlTools.FleetTable, CommandFailure> =>
  Effect.mapError(ControlTools.read(transport, topic), controlFailure)

/** Nothing is there: `andNow` says what to do. */
export function notMade(flags: ControlFlags, andNow: string): Effect.Effect<never, CommandFailure> {
  const place = Option.match(flags.routes, {
    onNone: () => flags.directory,
    onSome: (path) => [...Option.toArray(flags.cluster).map((name) => `cluster ${name}`), path].join(" of ")
  })
  const message = `there is no control stream in ${place} (topic ${flags.topic}): no process was opened with it yet; ${andNow}`
  return Effect.fail(new CommandFailure({ code: exitCode.failed, message, report: { reason: noControl } }))
}

/** What stands in the stream as the author; no two runs have one. */
export const authorOf = (by: string): string => `${by} (leat-cli ${randomUUID().slice(0, 8)})`

function isNoLog({ report }: CommandFailure): boolean {
  return report?.["reason"] === noLog
}
