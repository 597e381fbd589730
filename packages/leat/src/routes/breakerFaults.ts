/** What is wrong with the breakers of a document, and with the rules that say what becomes of events while one is open. */
import type { Policy, PolicyFault } from "../Policy.ts"
import { breakerOpen } from "../reasons.ts"
import { breakerDefaults } from "./Route.ts"
import { type LegSpec, millisOf, policyOf, type RouteDocument, type RouteFault } from "./RouteDocument.ts"
import { within } from "./within.ts"

const hourMs = 3_600_000

/** Least and most of each number. A window below a second sees only one partition; a pause below 10 ms is none. */
const bounds = {
  windowMs: [1000, hourMs, "millis"],
  minSends: [1, 10_000, "sends"],
  waitMs: [10, hourMs, "millis"]
} as const

/** Of one leg. */
export function breakerFaults(document: RouteDocument, leg: LegSpec, path: string): ReadonlyArray<RouteFault> {
  const { breaker } = leg
  if (breaker === undefined) return unasked(document, leg, path)
  const { window, minSends, wait, maxWait } = breaker
  const millis = (text: string | undefined) => (text === undefined ? undefined : millisOf(text))
  const faults = [
    ...within(`${path}.breaker.window`, millis(window), bounds.windowMs),
    ...within(`${path}.breaker.minSends`, minSends, bounds.minSends),
    ...within(`${path}.breaker.wait`, millis(wait), bounds.waitMs),
    ...within(`${path}.breaker.maxWait`, millis(maxWait), bounds.waitMs)
  ]
  const waitMs = millis(wait) ?? breakerDefaults.waitMs
  const maxWaitMs = millis(maxWait)
  if (faults.length > 0 || maxWaitMs === undefined || maxWaitMs >= waitMs) return faults
  const message = `a longest pause of ${maxWaitMs} millis is below the first one, which is ${waitMs} millis`
  return [{ path: `${path}.breaker.maxWait`, message }]
}

/** A rule for an open breaker needs one. */
function unasked(document: RouteDocument, { policy }: LegSpec, path: string): ReadonlyArray<RouteFault> {
  const own = document.policies ?? {}
  const asking = [policy ?? []].flat().filter((name) => Object.hasOwn(own, name) && isAsked(policyOf(own[name] ?? [])))
  if (asking.length === 0) return []
  const message = `the policy ${asking.join(" and ")} says what becomes of events while the breaker is open, and this leg has none; add breaker: {}`
  return [{ path: `${path}.policy`, message }]
}

function isAsked(policy: Policy): boolean {
  return policy.some(({ on }) => on.includes(breakerOpen))
}

/** An open breaker is judged at once, and has its cluster away: nothing is tried again, and dead letters go to the same cluster. */
export function breakerRuleFaults(policy: Policy): ReadonlyArray<PolicyFault> {
  return policy.flatMap(({ on, retry, then }, index) => {
    if (!on.includes(breakerOpen)) return []
    const found: Array<PolicyFault> = []
    if (retry !== undefined) {
      const message = `${breakerOpen} is no attempt, so there is no retry; give it a rule of its own, without retry`
      found.push({ path: `[${index}].retry`, message })
    }
    if (then !== "drop" && then !== "spill" && then !== "fallback") {
      const message = `while a breaker is open, say drop, spill or fallback; without a rule for ${breakerOpen} events wait until it closes`
      found.push({ path: `[${index}].then`, message })
    }
    return found
  })
}
