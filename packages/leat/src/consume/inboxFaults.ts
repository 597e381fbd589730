/** What is wrong with the inbox of a subscription. */
import { isObject, kindOf, shown } from "../given/takes.ts"
import type { RouteFault } from "../routes/Routes.ts"

/** Bounds of the horizon in milliseconds: copies come later than a minute, and nobody means ten years. */
const horizonMsMin = 60_000
const horizonMsMax = 315_360_000_000

/** The faults of what was given as an inbox, each with its path. */
export function inboxFaults(given: unknown): ReadonlyArray<RouteFault> {
  if (!isObject(given))
    return [{ path: "inbox", message: `is an object with transaction, record and forget, and not ${kindOf(given)}` }]
  const found: Array<RouteFault> = []
  for (const name of ["transaction", "record", "forget"])
    if (typeof given[name] !== "function") found.push({ path: `inbox.${name}`, message: "is no function" })
  const { horizonMs } = given
  const isTime = typeof horizonMs === "number" && horizonMs >= horizonMsMin && horizonMs <= horizonMsMax
  if (horizonMs !== undefined && !isTime) {
    const message = `${shown(horizonMs)} is not milliseconds from ${horizonMsMin} (a minute) to ${horizonMsMax} (ten years)`
    found.push({ path: "inbox.horizonMs", message })
  }
  return found
}

/** An inbox where a consumer ends deliveries himself: there is no call that a transaction could be around. */
export function inboxFaultsOfLoop(options: unknown): ReadonlyArray<RouteFault> {
  if (!isObject(options) || options["inbox"] === undefined) return []
  return [
    { path: "inbox", message: "is for handle and handleBatch: what a loop does leat cannot put into a transaction" }
  ]
}
