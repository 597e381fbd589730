import { Effect, Option, type Scope } from "effect"
import { type ClusterFlags, type Looking, type OpenedCluster, openForLooking } from "../openCluster.ts"
import type { CommandFailure } from "../outcome.ts"

/** The clusters in which events of this one stay after an outage, by the document. */
export const auditedFallbacks = Effect.fnUntraced(function* (
  flags: ClusterFlags,
  { name, routes }: OpenedCluster<Looking>
): Effect.fn.Return<ReadonlyArray<Looking>, CommandFailure, Scope.Scope> {
  const legs = routes?.document.routes.flatMap(({ to }) => to) ?? []
  const places = legs.flatMap(({ cluster, fallback }) => (cluster === name ? [fallback ?? []].flat() : []))
  const named = places.flatMap(({ cluster, back }) => (back === "stay" ? [cluster] : []))
  return yield* Effect.forEach(new Set(named), (fallback) =>
    Effect.map(openForLooking({ ...flags, cluster: Option.some(fallback) }), ({ transport }) => transport)
  )
})
