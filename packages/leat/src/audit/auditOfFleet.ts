/** Audits a stream of a fleet by what the control stream says of it: no process of the fleet is needed. */
import { Effect, Result } from "effect"
import { rangesOfEpochs } from "../consume/storedRanges.ts"
import type { ControlError } from "../control/ControlError.ts"
import { fleetOf, given, type MoveTool, type OpenFleet, refused } from "../moves/openFleet.ts"
import type { RouteError } from "../routes/Routes.ts"
import type { Transport, TransportError } from "../transport/index.ts"
import type { AuditReport } from "./AuditReport.ts"
import { stream, type StreamAuditOptions } from "./auditStream.ts"

/** Where the control stream is, and with what the clusters of its documents are opened. */
export type AuditTool = Pick<MoveTool, "topic" | "drivers">

/**
 * Audits a stream in all places where its fleet has it and had it, and what stays in their fallbacks. `transport` is that of the control stream. Fails with `Refused` where the stream is not placed:
 * it was never moved, and `topic` audits it.
 *
 * @example
 * ```ts
 * import { kafka } from "@leat/kafkajs"
 *
 * const report = yield* Audit.streamOfFleet(transport, "acme.BeaconSighting", { drivers: [log, kafka] })
 * ```
 */
export const streamOfFleet = (
  transport: Pick<Transport, "read" | "bounds">,
  name: string,
  tool: AuditTool,
  options: StreamAuditOptions = {}
): Effect.Effect<AuditReport, ControlError | RouteError | TransportError> =>
  Effect.andThen(
    given(transport, ["read", "bounds"], tool, { stream: name }),
    Effect.scoped(
      Effect.gen(function* () {
        const fleet = yield* fleetOf(transport, tool)
        const { control, transportOf } = fleet
        const placement = control.streams.get(name)
        if (placement === undefined) {
          const placed = control.streams.size === 0 ? "none is" : `there is ${[...control.streams.keys()].join(", ")}`
          return yield* refused(`stream ${name} is not placed; ${placed}`)
        }
        const ranges = yield* rangesOfEpochs(placement.epochs, transportOf, options.group)
        const staying = stayingIn(fleet, new Set(ranges.map(({ cluster }) => cluster)))
        const fallbacks = yield* Effect.forEach(staying, transportOf)
        return yield* stream(name, ranges, transportOf, {
          ...options,
          fallbacks: [...fallbacks, ...(options.fallbacks ?? [])]
        })
      })
    )
  )

/** The clusters in which events of others stay after an outage, by any document that the fleet had. */
function stayingIn({ control, means }: OpenFleet, clusters: ReadonlySet<string>): ReadonlySet<string> {
  const found = new Set<string>()
  for (const { document } of control.history)
    for (const { to } of Result.getOrUndefined(means.compile(document))?.document.routes ?? [])
      for (const { cluster, fallback } of to)
        for (const place of [fallback ?? []].flat())
          if (place.back === "stay" && clusters.has(cluster)) found.add(place.cluster)
  return found
}
