/** Levels that a destination cannot give. */
import type { Cluster } from "./Clusters.ts"
import type { RouteDocument, RouteFault } from "./RouteDocument.ts"

/** `durable` says that an event outlives the process; a cluster in memory keeps none, unless a spill does. */
export function levelFaults(
  document: RouteDocument,
  clusters: ReadonlyMap<string, Cluster>
): ReadonlyArray<RouteFault> {
  return document.routes.flatMap(({ level, to }, index) => {
    if (level !== "durable") return []
    const unmet = to.find(
      ({ cluster, required, spill }) =>
        required !== false && spill === undefined && clusters.get(cluster)?.capabilities.ephemeral === true
    )
    if (unmet === undefined) return []
    const message = `the level durable needs a cluster that keeps what it stores, which ${unmet.cluster} does not declare; say stored, or give the leg a spill`
    return [{ path: `routes[${index}].level`, message }]
  })
}
