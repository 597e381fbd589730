/** What is wrong with the fallbacks of a document: where policies fall back to, and what that place cannot give. */
import type { ContractInfo } from "../contract/Contract.ts"
import { fallbackTopic } from "../record/fallbackTopic.ts"
import type { Capabilities } from "../transport/index.ts"
import type { Cluster } from "./Clusters.ts"
import { known } from "./policyFaults.ts"
import type { Leg } from "./Route.ts"
import type { LegSpec, RouteDocument, RouteFault } from "./RouteDocument.ts"
import { hasEnding } from "./spillFaults.ts"

/** A rule that falls back needs a place, and a place needs a rule that falls back to it. */
export function fallbackFaults(document: RouteDocument, leg: LegSpec, path: string): ReadonlyArray<RouteFault> {
  const { fallback, spill } = leg
  const falling = [leg.policy ?? []].flat().filter((name) => hasEnding(document, name, "fallback"))
  if (fallback === undefined) {
    if (falling.length === 0) return []
    const message = `the policy ${falling.join(" and ")} falls back, and this leg does not say where; add fallback: { cluster: ..., back: redrive } with another cluster`
    return [{ path: `${path}.policy`, message }]
  }
  if (!Object.hasOwn(document.clusters, fallback.cluster)) {
    const message = `no cluster named ${fallback.cluster}; ${known(document.clusters)}`
    return [{ path: `${path}.fallback.cluster`, message }]
  }
  if (spill !== undefined) {
    const message = "a leg has a spill or a fallback, and not both in this version; take one of them away"
    return [{ path: `${path}.fallback`, message }]
  }
  if (falling.length > 0) return []
  const message = "no policy of this leg falls back, so nothing would ever go there; add a rule with then: fallback"
  return [{ path: `${path}.fallback`, message }]
}

/** Longest name of a topic, in characters: Kafka's limit. */
export const topicCharactersMax = 249

/** More partitions than any topic has. */
const partitionsMax = 99_999

/** What sending on from a fallback asks of its cluster, and a word for each that a person can look up. */
const needs: ReadonlyArray<readonly [need: string, isMet: (capabilities: Capabilities) => boolean]> = [
  ["order of a partition", ({ ordering }) => ordering !== "none"],
  ["positions of what it stores", ({ appendWithPosition }) => appendWithPosition],
  ["groups", ({ groups }) => groups !== "none"]
]

/** Clusters that are named as fallbacks and cannot be one. */
export function fallbackPlaceFaults(
  document: RouteDocument,
  clusters: ReadonlyMap<string, Cluster>
): ReadonlyArray<RouteFault> {
  return document.routes.flatMap(({ to }, index) =>
    to.flatMap(({ cluster, fallback }, position) => {
      const place = fallback === undefined ? undefined : clusters.get(fallback.cluster)
      if (place === undefined) return []
      const path = `routes[${index}].to[${position}].fallback.cluster`
      if (place.place === (clusters.get(cluster)?.place ?? cluster)) {
        const message = `${place.name} is the cluster that it is to stand in for: it is away when that is; name another`
        return [{ path, message }]
      }
      const unmet = needs.filter(([, isMet]) => !isMet(place.capabilities)).map(([need]) => need)
      if (fallback?.back !== "redrive" || unmet.length === 0) return []
      const message = `a fallback that is sent on needs ${unmet.join(" and ")}, which cluster ${place.name} does not declare`
      return [{ path, message }]
    })
  )
}

/** What a contract needs and a fallback does not give, whatever its cluster can do. */
export function fallbackUseFaults(
  { name, needs: needed, compacted }: ContractInfo,
  { path, cluster, topic, fallback }: Leg
): ReadonlyArray<RouteFault> {
  if (fallback === undefined) return []
  const faults: Array<RouteFault> = []
  const { length } = fallbackTopic({ cluster, topic }, partitionsMax)
  if (length > topicCharactersMax) {
    const message = `the topic there may have ${length} characters, with the names of cluster and topic in it; the limit is ${topicCharactersMax}`
    faults.push({ path: `${path}.fallback`, message })
  }
  if (fallback.back === "redrive") return faults
  const at = `${path}.fallback.back`
  if (needed.includes("order")) {
    const message = `${name} needs order, and what stays in a fallback is read beside later events of its key; say redrive`
    faults.push({ path: at, message })
  } else if (compacted) {
    const message = `${name} is compacted, and the last record of a key would stand in two topics; say redrive`
    faults.push({ path: at, message })
  }
  return faults
}
