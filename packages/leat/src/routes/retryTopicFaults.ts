/** What is wrong with the retry topics of a subscription, in a document and in code. */
import type { ContractInfo } from "../contract/Contract.ts"
import { isObject, kindOf, shown } from "../given/takes.ts"
import { globCovers, globMatches } from "./Glob.ts"
import { isRetried, type Policy } from "../Policy.ts"
import { type Leg, stayedIn } from "./Route.ts"
import { millisOf, type RouteDocument, type RouteFault, type SubscriptionSpec } from "./RouteDocument.ts"

/** Most retry topics of a group. */
export const retryTopicsMax = 8

/** A shorter delay is a retry in the lane. */
const delayMsMin = 1000
/** A day: no timer that a process keeps is longer, and records are there when they are due. */
const delayMsMax = 86_400_000

/** What is wrong with `retryTopics` as code gives it; the rest of what is wrong is found with the contract and the policy. */
export function retryTopicFaults(given: unknown): ReadonlyArray<RouteFault> {
  if (given === undefined) return []
  if (!isObject(given) || !Array.isArray(given["delaysMs"]))
    return [
      { path: "retryTopics", message: `is an object, as { delaysMs: [60_000, 600_000] }, and not ${kindOf(given)}` }
    ]
  const [surplus] = Object.keys(given).filter((name) => name !== "delaysMs")
  if (surplus !== undefined)
    return [{ path: `retryTopics.${surplus}`, message: "is not known here; in code retry topics have delaysMs" }]
  return delayFaults("retryTopics.delaysMs", [...given["delaysMs"]])
}

/** As `retryTopicFaults`, of an entry of a document. */
export function retryTopicSpecFaults(
  { retryTopics }: SubscriptionSpec,
  policy: Policy,
  path: string
): ReadonlyArray<RouteFault> {
  if (retryTopics === undefined) return []
  const faults = delayFaults(`${path}.retryTopics.delays`, retryTopics.delays.map(millisOf))
  return faults.length > 0 || canMove(policy) ? faults : [{ path: `${path}.retryTopics`, message: nothingMoves }]
}

/** Of a subscription that has retry topics. */
export function retryTopicUseFaults(
  { name, needs }: Pick<ContractInfo, "name" | "needs">,
  policy: Policy
): ReadonlyArray<RouteFault> {
  const path = "retryTopics"
  if (needs.includes("order")) return [{ path, message: `${withoutOrder(name)}; retry in the lane` }]
  return canMove(policy) ? [] : [{ path, message: nothingMoves }]
}

/** The entries of a document that give a stream retry topics whose contract needs order, whatever the group. */
export function orderFaults(
  { name, stream, needs }: Pick<ContractInfo, "name" | "stream" | "needs">,
  { subscriptions = [] }: RouteDocument
): ReadonlyArray<RouteFault> {
  if (!needs.includes("order")) return []
  const message = `${withoutOrder(name)}; give ${stream} an entry without them before this one`
  return entriesOf(stream, subscriptions).map(({ path }) => ({ path, message }))
}

/** The entries of a document whose delays are longer than what waits for them is kept, where some route has the stream read. */
export function keptFaults(
  stream: string,
  { subscriptions = [] }: RouteDocument,
  readLegs: ReadonlyArray<ReadAt>,
  keepsMs: KeepsMs
): ReadonlyArray<RouteFault> {
  return entriesOf(stream, subscriptions).flatMap(({ path, delays }) => {
    const delaysMs = delays.map(millisOf)
    const [found = []] = readLegs.map((leg) => delayKeptFaults(`${path}.delays`, delaysMs, leg, keepsMs)).filter(isSome)
    return found
  })
}

/** How long a topic of a cluster keeps what its maker has said nothing of, in milliseconds; undefined: its section does not say. */
export type KeepsMs = (cluster: string) => number | undefined

type ReadAt = Pick<Leg, "cluster" | "fallback">

const isSome = ({ length }: ReadonlyArray<unknown>): boolean => length > 0

/** Of delays in a group that reads a leg: its retry topics are where that is, and where its fallbacks stay. */
export function delayKeptFaults(
  path: string,
  delaysMs: ReadonlyArray<number>,
  leg: ReadAt,
  keepsMs: KeepsMs
): ReadonlyArray<RouteFault> {
  const clusters = [leg.cluster, ...stayedIn(leg)]
  return delaysMs.flatMap((delayMs, index) => {
    const short = clusters.find((name) => (keepsMs(name) ?? Infinity) <= delayMs)
    if (short === undefined) return []
    const message = `${delayMs} millis is not shorter than the ${keepsMs(short)} millis for which topics of cluster ${short} keep what stands in them: an event would be deleted before it is tried again; say a shorter delay, or a longer retention in clusters.${short}`
    return [{ path: `${path}[${index}]`, message }]
  })
}

/** Entries that may give a stream retry topics, whatever the group. */
function entriesOf(stream: string, subscriptions: ReadonlyArray<SubscriptionSpec>) {
  return subscriptions.flatMap(({ match, retryTopics }, index) => {
    if (retryTopics === undefined || !globMatches(match.stream, stream)) return []
    const earlier = subscriptions.slice(0, index).map((one) => one.match)
    const isCovered = earlier.some(
      (one) => globMatches(one.stream, stream) && globCovers(one.group ?? "*", match.group ?? "*")
    )
    return isCovered ? [] : [{ path: `subscriptions[${index}].retryTopics`, delays: retryTopics.delays }]
  })
}

function withoutOrder(name: string): string {
  return `${name} needs order, and later events of a key pass the one that waits in a retry topic`
}

const nothingMoves =
  "nothing would ever be moved: a failure is moved when the retries of its rule are used up, and no rule of the policy has such; say retry: { times: ... } in one"

/** Whether some rule gives up after retries. */
function canMove(policy: Policy): boolean {
  return policy.some(({ on, retry }) => {
    const isBounded = retry?.times !== undefined || retry?.deadlineMs !== undefined
    return isBounded && on.some((tag) => isRetried(policy, tag))
  })
}

function delayFaults(path: string, delaysMs: ReadonlyArray<unknown>): ReadonlyArray<RouteFault> {
  if (delaysMs.length === 0 || delaysMs.length > retryTopicsMax)
    return [{ path, message: `has ${delaysMs.length} delays; say 1 to ${retryTopicsMax}, one for each retry topic` }]
  return delaysMs.flatMap((delayMs, index): ReadonlyArray<RouteFault> => {
    const at = `${path}[${index}]`
    if (typeof delayMs !== "number" || !(delayMs >= delayMsMin && delayMs <= delayMsMax))
      return [{ path: at, message: `${shown(delayMs)} is not between ${delayMsMin} and ${delayMsMax} millis` }]
    const before = delaysMs[index - 1]
    if (typeof before !== "number" || delayMs > before) return []
    return [{ path: at, message: `${delayMs} millis is not longer than the delay before it, ${before}` }]
  })
}
