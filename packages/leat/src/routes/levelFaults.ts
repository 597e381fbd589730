/** Levels that a destination cannot give. */
import type { Cluster } from "./Clusters.ts"
import type { RouteDocument, RouteFault } from "./RouteDocument.ts"

/** `durable` says that an event outlives the process; a cluster in memory keeps none, unless a spill does; one that is a fallback keeps none either. */
export function levelFaults(
  document: RouteDocument,
  clusters: ReadonlyMap<string, Cluster>
): ReadonlyArray<RouteFault> {
  return document.routes.flatMap(({ level, to }, index) => {
    if (level !== "durable") return []
    const isEphemeral = (cluster: string) => clusters.get(cluster)?.capabilities.ephemeral === true
    const [unmet] = to.flatMap(({ cluster, required, spill, fallback }) => {
      if (required === false) return []
      const own = spill === undefined ? [cluster] : []
      return [...own, ...(fallback === undefined ? [] : [fallback.cluster])].filter(isEphemeral)
    })
    if (unmet === undefined) return []
    const message = `the level durable needs a cluster that keeps what it stores, which ${unmet} does not declare; say stored, or give the leg a spill`
    return [{ path: `routes[${index}].level`, message }]
  })
}
