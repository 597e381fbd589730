/** What is wrong with the canaries of a document: legs that take a share of the keys. */
import type { ContractInfo } from "../contract/Contract.ts"
import { bucketsOf, shareText } from "./BucketShare.ts"
import type { Leg } from "./Route.ts"
import type { LegSpec, RouteFault } from "./RouteDocument.ts"

/** Of the legs of one route. */
export function canaryFaults(legs: ReadonlyArray<LegSpec>, path: string): ReadonlyArray<RouteFault> {
  const read = Math.max(
    0,
    legs.findIndex((leg) => leg.read === true)
  )
  if (legs[read]?.canary !== undefined) {
    const message =
      "is on the leg that is read, and its groups would have a share of the keys alone; put it on another leg"
    return [{ path: `${path}[${read}].canary`, message }]
  }
  const isWhole = legs.some(({ required, canary }) => required !== false && canary === undefined)
  if (isWhole || legs.every(({ canary }) => canary === undefined)) return []
  const message =
    "no required leg without canary is left; an event of any key must have one place where it has to arrive"
  return [{ path, message }]
}

/** Of a leg, for a contract. */
export function canaryUseFaults(
  { name, buckets, unordered }: ContractInfo,
  { path, canary }: Pick<Leg, "path" | "canary">
): ReadonlyArray<RouteFault> {
  if (canary === undefined) return []
  const at = `${path}.canary`
  if (unordered)
    return [{ path: at, message: `a canary takes a share of the keys, and ${name} has none; leave it out here` }]
  const { from, to } = bucketsOf(canary, buckets)
  if (from < to) return []
  const message = `${name} has ${buckets} buckets, and none of them is within ${shareText(canary)}; write a wider range`
  return [{ path: `${at}.buckets`, message }]
}
