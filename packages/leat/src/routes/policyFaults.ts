/** What is wrong with the policies of a document, and with the names by which legs and subscriptions ask for them. */
import { meant } from "../given/nearest.ts"
import { builtIn, faults as faultsOf, type Policy, type PolicyFault, retryBudget, standard } from "../Policy.ts"
import { breakerOpen, reasonNames, spillExpired } from "../reasons.ts"
import { breakerRuleFaults } from "./breakerFaults.ts"
import { expiredRuleFaults } from "./spillFaults.ts"
import { type LegSpec, policyOf, type RouteDocument, type RouteFault } from "./RouteDocument.ts"

/** As `Policy.faults` has them, with the names that documents use. What a leg names is asked about failures of transports alone. */
export function policyFaults(document: RouteDocument): ReadonlyArray<RouteFault> {
  const ofLegs = new Set(document.routes.flatMap(({ to }) => to.flatMap(({ policy = [] }) => policy)))
  return Object.entries(document.policies ?? {}).flatMap(([name, rules]) => {
    const policy = policyOf(rules)
    const ofLeg = ofLegs.has(name)
      ? [...unmetNames(policy), ...breakerRuleFaults(policy), ...expiredRuleFaults(policy)]
      : []
    const faults = [...faultsOf(policy), ...ofLeg]
    return [
      ...(name === "" ? [{ path: "policies", message: "a policy without a name is never asked; give it one" }] : []),
      ...faults.map(({ path, message }) => ({ path: `policies.${name}${path.replace(/Ms$/, "")}`, message }))
    ]
  })
}

/** Beside those of transports: the spill of a leg takes no more, or has kept an event for too long, and its breaker is open. */
const failuresOfLegs = [...reasonNames, "SpillFull", spillExpired, breakerOpen, "passing", "*"]

/** A leg meets failures of its transport and nothing else: a rule for another one would never be asked. */
function unmetNames(policy: Policy): ReadonlyArray<PolicyFault> {
  return policy.flatMap(({ on }, index) =>
    on
      .filter((name) => !failuresOfLegs.includes(name))
      .map((name) => {
        const hint = meant(name, failuresOfLegs) || `; there is ${failuresOfLegs.join(", ")}`
        return { path: `[${index}].on`, message: `${name} is no failure of a transport${hint}` }
      })
  )
}

type PolicyNames = LegSpec["policy"]

/** Of the policy of a subscription that says one. */
export const noBudgetHere =
  "bounds retries by a budget, which a subscription does not have: its concurrency bounds them; say times and maxDelay"

/** What a subscription cannot do that a leg can. */
export function budgetFaults(document: RouteDocument, names: PolicyNames, path: string): ReadonlyArray<RouteFault> {
  const own = document.policies ?? {}
  return [names ?? []].flat().flatMap((name) => {
    if (!Object.hasOwn(own, name) || retryBudget(policyOf(own[name] ?? [])) === undefined) return []
    return [{ path: `${path}.policy`, message: `the policy ${name} ${noBudgetHere}` }]
  })
}

export function namedPolicy(document: RouteDocument, names: PolicyNames, path: string): ReadonlyArray<RouteFault> {
  const policies = { ...builtIn, ...document.policies }
  return [names ?? []].flat().flatMap((name) => {
    if (Object.hasOwn(policies, name)) return []
    return [{ path: `${path}.policy`, message: `no policy named ${name}; ${known(policies)}` }]
  })
}

/** The rules that a subscription names; those that it has when it names none. */
export function policyOfNames(document: RouteDocument, names: PolicyNames): Policy {
  if (names === undefined) return standard
  const own = document.policies ?? {}
  return [names].flat().flatMap((name) => {
    if (Object.hasOwn(own, name)) return policyOf(own[name] ?? [])
    return Object.hasOwn(builtIn, name) ? (builtIn[name] ?? []) : []
  })
}

/** What a leg cannot do that a subscription can. */
export function legPolicyFaults(document: RouteDocument, names: PolicyNames, path: string): ReadonlyArray<RouteFault> {
  const own = document.policies ?? {}
  return [names ?? []].flat().flatMap((name) => {
    const policy = Object.hasOwn(own, name)
      ? policyOf(own[name] ?? [])
      : Object.hasOwn(builtIn, name)
        ? builtIn[name]
        : []
    const messages: Array<string> = []
    if (policy?.some(({ timeoutMs }) => timeoutMs !== undefined) === true)
      messages.push(`the policy ${name} limits the time of handlers, which a leg does not have; say timeout at the leg`)
    return messages.map((message) => ({ path: `${path}.policy`, message }))
  })
}

/** The names that there are, in a sentence. */
export function known(named: object): string {
  const names = Object.keys(named).join(", ")
  return `there is ${names === "" ? "none" : names}`
}
