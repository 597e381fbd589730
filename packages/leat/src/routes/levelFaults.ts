/** Levels that a destination cannot give. */
import type { Cluster } from "./Clusters.ts"
import type { RouteDocument, RouteFault } from "./RouteDocument.ts"

/** What a leg says of where its events are kept, in a document or compiled. */
interface Keeping {
  readonly cluster: string
  readonly required?: boolean
  readonly spill?: object | undefined
  readonly fallback?: { readonly clusters: ReadonlyArray<string> } | undefined
}

/** What is known of a cluster by its name. */
type Declared = (cluster: string) => Pick<Cluster, "capabilities"> | undefined

export function levelFaults(
  document: RouteDocument,
  clusters: ReadonlyMap<string, Cluster>
): ReadonlyArray<RouteFault> {
  return document.routes.flatMap(({ level, to }, index) => {
    const legs = to.map((leg) => ({
      ...leg,
      fallback: { clusters: [leg.fallback ?? []].flat().map(({ cluster }) => cluster) }
    }))
    const message = level === "durable" ? notDurable(legs, (cluster) => clusters.get(cluster)) : undefined
    return message === undefined ? [] : [{ path: `routes[${index}].level`, message }]
  })
}

/**
 * Why events of these legs cannot be called durable, which says that they outlive the process. A cluster in memory keeps none, unless a spill
 * does; one that is a fallback keeps none either.
 */
export function notDurable(legs: ReadonlyArray<Keeping>, declared: Declared): string | undefined {
  const [unmet] = legs.flatMap(({ cluster, required, spill, fallback }) => {
    if (required === false) return []
    const own = spill === undefined ? [cluster] : []
    const all = [...own, ...(fallback?.clusters ?? [])]
    return all.filter((name) => declared(name)?.capabilities.ephemeral === true)
  })
  if (unmet === undefined) return undefined
  return `the level durable needs a cluster that keeps what it stores, which ${unmet} does not declare; say stored, or give the leg a spill`
}
