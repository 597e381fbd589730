/** What is wrong with the spills of a document: where policies spill to, and what a cluster must be able to do to hold what others do not take. */
import type { Cluster } from "./Clusters.ts"
import { known } from "./policyFaults.ts"
import { type LegSpec, policyOf, type RouteDocument, type RouteFault } from "./RouteDocument.ts"
import type { Ending, Policy, PolicyFault } from "../Policy.ts"
import { spillExpired } from "../reasons.ts"
import type { Capabilities } from "../transport/index.ts"

type PolicyNames = LegSpec["policy"]

/** A rule that spills needs a place, and a place needs a rule that spills to it. */
export function spillFaults(document: RouteDocument, leg: LegSpec, path: string): ReadonlyArray<RouteFault> {
  const { spill } = leg
  const expiring = asksAboutAge(document, leg)
  if (spill?.age === undefined && expiring.length > 0) {
    const message = `the policy ${expiring.join(" and ")} says what becomes of events that were in the spill for too long, and this leg has no such time; add an age to its spill`
    return [{ path: `${path}.policy`, message }]
  }
  const spilling = [leg.policy ?? []].flat().filter((name) => hasEnding(document, name, "spill"))
  if (spill === undefined) {
    if (spilling.length === 0) return []
    const message = `the policy ${spilling.join(" and ")} spills, and this leg does not say where; add spill: { cluster: ... } with a cluster on a local disk, as @leat/log is one`
    return [{ path: `${path}.policy`, message }]
  }
  if (!Object.hasOwn(document.clusters, spill.cluster))
    return [
      { path: `${path}.spill.cluster`, message: `no cluster named ${spill.cluster}; ${known(document.clusters)}` }
    ]
  if (spill.age !== undefined && expiring.length === 0) {
    const message = `no policy of this leg says what becomes of events that are older; add a rule with on: [${spillExpired}] that drops or sets aside, before the others`
    return [{ path: `${path}.spill.age`, message }]
  }
  if (spilling.length > 0) return []
  const message = "no policy of this leg spills, so nothing would ever go there; add a rule with then: spill"
  return [{ path: `${path}.spill`, message }]
}

/** The policies of a leg that say what becomes of events that were in its spill for too long. */
function asksAboutAge(document: RouteDocument, { policy }: LegSpec): ReadonlyArray<string> {
  const own = document.policies ?? {}
  return [policy ?? []].flat().filter((name) => {
    return Object.hasOwn(own, name) && policyOf(own[name] ?? []).some(({ on }) => on.includes(spillExpired))
  })
}

/** What is too old is not tried, and nothing passes by itself. */
export function expiredRuleFaults(policy: Policy): ReadonlyArray<PolicyFault> {
  return policy.flatMap(({ on, retry, then }, index) => {
    if (!on.includes(spillExpired)) return []
    const found: Array<PolicyFault> = []
    if (retry !== undefined) {
      const message = `${spillExpired} is no attempt, so there is no retry; give it a rule of its own, without retry`
      found.push({ path: `[${index}].retry`, message })
    }
    if (then !== "drop" && then !== "deadLetter") {
      const message = `what was in a spill for too long is dropped or set aside; say drop or deadLetter, or give ${spillExpired} a rule of its own`
      found.push({ path: `[${index}].then`, message })
    }
    return found
  })
}

/** What a spill asks of its cluster, and a word for each that a person can look up. */
const needs: ReadonlyArray<readonly [need: string, isMet: (capabilities: Capabilities) => boolean]> = [
  ["fsync", ({ acks, ephemeral }) => acks.includes("fsync") && !ephemeral],
  ["order of a partition", ({ ordering, batch }) => ordering === "perPartition" && batch !== "each"],
  ["a hard fence", ({ fencing }) => fencing === "hard"],
  ["positions of what it stores", ({ appendWithPosition }) => appendWithPosition],
  ["groups", ({ groups }) => groups !== "none"]
]

/** Clusters that are named as spills and cannot be one. */
export function spillPlaceFaults(
  document: RouteDocument,
  clusters: ReadonlyMap<string, Cluster>
): ReadonlyArray<RouteFault> {
  return document.routes.flatMap(({ to }, index) =>
    to.flatMap(({ cluster, spill }, position) => {
      const place = spill === undefined ? undefined : clusters.get(spill.cluster)
      if (place === undefined) return []
      const path = `routes[${index}].to[${position}].spill.cluster`
      if (place.place === (clusters.get(cluster)?.place ?? cluster))
        return [
          {
            path,
            message: `${place.name} is the cluster that it is to stand in for: it is away when that is; name another`
          }
        ]
      const unmet = needs.filter(([, isMet]) => !isMet(place.capabilities)).map(([need]) => need)
      if (unmet.length === 0) return []
      const message = `a spill needs ${unmet.join(" and ")}, which cluster ${place.name} does not declare; @leat/log does`
      return [{ path, message }]
    })
  )
}

/** What a subscription cannot do that a leg can. */
export function subscriptionPolicyFaults(
  document: RouteDocument,
  names: PolicyNames,
  path: string
): ReadonlyArray<RouteFault> {
  return [names ?? []].flat().flatMap((name) =>
    (["spill", "fallback"] as const)
      .filter((ending) => hasEnding(document, name, ending))
      .map((ending) => ({
        path: `${path}.policy`,
        message: `the policy ${name} ${ending === "spill" ? "spills" : "falls back"}, which a subscription cannot: its events stand in their topic; say drop, deadLetter or halt`
      }))
  )
}

/** Whether a policy of the document has a rule with this ending. */
export function hasEnding(document: RouteDocument, name: string, ending: Ending): boolean {
  const own = document.policies ?? {}
  return Object.hasOwn(own, name) && (own[name] ?? []).some(({ then }) => then === ending)
}
