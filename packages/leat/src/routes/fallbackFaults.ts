/** What is wrong with the fallbacks of a document: where policies fall back to, and what that place cannot give. */
import type { ContractInfo } from "../contract/Contract.ts"
import { fallbackTopic } from "../record/fallbackTopic.ts"
import type { Capabilities } from "../transport/index.ts"
import type { Cluster } from "./Clusters.ts"
import { known } from "./policyFaults.ts"
import type { Leg } from "./Route.ts"
import type { FallbackSpec, LegSpec, RouteDocument, RouteFault } from "./RouteDocument.ts"
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
  const unknown = placesOf(leg).filter(({ cluster }) => !Object.hasOwn(document.clusters, cluster))
  if (unknown.length > 0)
    return unknown.map(({ cluster, at }) => ({
      path: `${path}.${at}.cluster`,
      message: `no cluster named ${cluster}; ${known(document.clusters)}`
    }))
  if (spill !== undefined) {
    const message = "a leg has a spill or a fallback, and not both in this version; take one of them away"
    return [{ path: `${path}.fallback`, message }]
  }
  const listed = listFaults(placesOf(leg), `${path}.fallback`)
  if (falling.length > 0 || listed.length > 0) return listed
  const message = "no policy of this leg falls back, so nothing would ever go there; add a rule with then: fallback"
  return [{ path: `${path}.fallback`, message }]
}

/** Most fallbacks of a leg. */
const placesMax = 3

/** A fallback as the document says it; `at`: where, in its leg. */
interface Place extends FallbackSpec {
  readonly at: string
}

function placesOf({ fallback }: LegSpec): ReadonlyArray<Place> {
  const all = [fallback ?? []].flat()
  return all.map((one, index) => ({ ...one, at: Array.isArray(fallback) ? `fallback[${index}]` : "fallback" }))
}

function listFaults(places: ReadonlyArray<Place>, path: string): ReadonlyArray<RouteFault> {
  if (places.length > placesMax)
    return [{ path, message: `has ${places.length} fallbacks; a leg has ${placesMax} at most` }]
  if (new Set(places.map(({ back }) => back)).size < 2) return []
  const message =
    "what falls back is sent on from all places of a leg, or stays in all of them; say the same back for each"
  return [{ path, message }]
}

/** Longest name of a topic, in characters: Kafka's limit. */
export const topicCharactersMax = 249

/** More partitions than any topic has. */
const partitionsMax = 99_999

/** What sending on from a fallback asks of its cluster, and a word for each that a person can look up. */
const needs: ReadonlyArray<readonly [need: string, isMet: (capabilities: Capabilities) => boolean]> = [
  ["order of a partition", ({ ordering, batch }) => ordering !== "none" && batch !== "each"],
  ["positions of what it stores", ({ appendWithPosition }) => appendWithPosition],
  ["groups", ({ groups }) => groups !== "none"]
]

/** Clusters that are named as fallbacks and cannot be one. */
export function fallbackPlaceFaults(
  document: RouteDocument,
  clusters: ReadonlyMap<string, Cluster>
): ReadonlyArray<RouteFault> {
  return document.routes.flatMap(({ to }, index) =>
    to.flatMap((leg, position) => {
      const places = placesOf(leg)
      return places.flatMap(({ cluster, back, at }, order) => {
        const place = clusters.get(cluster)
        if (place === undefined) return []
        const path = `routes[${index}].to[${position}].${at}.cluster`
        const earlier = places.slice(0, order).find((one) => clusters.get(one.cluster)?.place === place.place)
        const message =
          place.place === (clusters.get(leg.cluster)?.place ?? leg.cluster)
            ? `${place.name} is the cluster that it is to stand in for: it is away when that is; name another`
            : earlier === undefined
              ? placeFault(place, back)
              : `${twice(earlier.cluster, cluster)}: it is away when that is; name another`
        return message === undefined ? [] : [{ path, message }]
      })
    })
  )
}

function twice(earlier: string, cluster: string): string {
  return earlier === cluster ? `${cluster} is named twice` : `${cluster} and ${earlier} are one place`
}

/** Why a cluster cannot be a fallback. */
function placeFault({ name, capabilities }: Cluster, back: FallbackSpec["back"]): string | undefined {
  const unmet = needs.filter(([, isMet]) => !isMet(capabilities)).map(([need]) => need)
  if (back !== "redrive" || unmet.length === 0) return undefined
  return `a fallback that is sent on needs ${unmet.join(" and ")}, which cluster ${name} does not declare`
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
  const at = fallback.clusters.length === 1 ? `${path}.fallback.back` : `${path}.fallback`
  if (needed.includes("order")) {
    const message = `${name} needs order, and what stays in a fallback is read beside later events of its key; say redrive`
    faults.push({ path: at, message })
  } else if (compacted) {
    const message = `${name} is compacted, and the last record of a key would stand in two topics; say redrive`
    faults.push({ path: at, message })
  }
  return faults
}
