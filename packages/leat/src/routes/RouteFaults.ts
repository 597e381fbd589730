/** What is wrong with a route document that can be read: every fault, each with its path and what to do. */
import type { ContractInfo, Need } from "../contract/Contract.ts"
import { covers } from "./Glob.ts"
import { nameFault } from "../given/nameFault.ts"
import { budgetFaults, known, legPolicyFaults, namedPolicy, policyFaults, policyOfNames } from "./policyFaults.ts"
import { breakerFaults } from "./breakerFaults.ts"
import { canaryFaults } from "./canaryFaults.ts"
import { objectiveFaults } from "./objectiveFaults.ts"
import { retryTopicSpecFaults } from "./retryTopicFaults.ts"
import { fallbackFaults } from "./fallbackFaults.ts"
import { spillFaults, subscriptionPolicyFaults } from "./spillFaults.ts"
import { type Leg, legDefaults } from "./Route.ts"
import { StreamIndex } from "./StreamIndex.ts"
import { within } from "./within.ts"
import { type LegSpec, millisOf, type RouteDocument, type RouteFault, type SubscriptionSpec } from "./RouteDocument.ts"
import type { Capabilities } from "../transport/index.ts"

/** Longest name of a topic in bytes of UTF-8: what the log takes. Kafka's limit of characters is asked for with the stream filled in. */
const topicBytesMax = 512

const kiB = 1024
const giB = 1024 ** 3
const minuteMs = 60_000
const hourMs = 60 * minuteMs

/** Most handlers of one lane at the same time, in documents and in code: more would be a mistake. */
export const concurrencyMax = 10_000

/** Most records that are looked through for ids when a lane begins. */
export const dedupeRecordsMax = 1_000_000

/** Least and most of each number, so that a typing error is a fault and not an outage. All durations stay below what a timer can take. */
const bounds = {
  bufferBytes: [64 * kiB, 4 * giB, "bytes"],
  batchBytes: [1, 64 * kiB * kiB, "bytes"],
  spillBytes: [64 * kiB, kiB * giB, "bytes"],
  spillRate: [1, 10_000_000, "events per second"],
  spillAgeMs: [1000, 3650 * 86_400_000, "millis"],
  batchRecords: [1, 1_000_000, "records"],
  lingerMs: [0, 10 * minuteMs, "millis"],
  // Below it no send can be answered.
  timeoutMs: [10, hourMs, "millis"],
  epoch: [1, 2 ** 31 - 1, "epochs"],
  concurrency: [1, concurrencyMax, "handlers"],
  readBufferBytes: [1, 4 * giB, "bytes"],
  // Each time a lane settles is a request to its broker.
  settleEveryMs: [1, 10 * minuteMs, "millis"],
  drainMs: [0, hourMs, "millis"],
  crashLoop: [1, 1_000_000, "starts"],
  // Read again whenever a lane is given to somebody.
  dedupeRecords: [0, dedupeRecordsMax, "records"]
} as const

/** What a document says by itself: routes, policies and subscriptions. */
export function documentFaults(document: RouteDocument): ReadonlyArray<RouteFault> {
  const streams = new StreamIndex(document.routes.map(({ match }) => match.stream))
  const routes = document.routes.flatMap((_, index) => routeFaults(document, index, streams))
  const subscriptions = document.subscriptions ?? []
  return [
    ...routes,
    ...policyFaults(document),
    ...subscriptions.flatMap((spec, index) => subscriptionFaults(document, spec, `subscriptions[${index}]`))
  ]
}

function routeFaults(document: RouteDocument, index: number, streams: StreamIndex): ReadonlyArray<RouteFault> {
  const faults: Array<RouteFault> = []
  const path = `routes[${index}]`
  const route = document.routes[index]
  if (route === undefined) return faults
  const { to, objective } = route
  const earlier = earlierOf(document, index, streams)
  if (earlier !== undefined) {
    const message = `unreachable: routes[${earlier}] matches everything that it matches; move it up or remove it`
    faults.push({ path, message })
  }
  if (to.filter(({ read }) => read === true).length > 1) {
    faults.push({ path: `${path}.to`, message: "more than one leg says `read: true`; exactly one leg is read" })
  }
  if (!to.some(({ required }) => required !== false)) {
    const message = "no leg is required; an event must have one place where it has to arrive"
    faults.push({ path: `${path}.to`, message })
  } else faults.push(...canaryFaults(to, `${path}.to`))
  faults.push(...objectiveFaults(objective, `${path}.objective`))
  faults.push(...to.flatMap((leg, position) => legFaults(document, leg, `${path}.to[${position}]`)))
  return faults
}

/** The first route that takes whatever this one would match. */
function earlierOf({ routes }: RouteDocument, index: number, streams: StreamIndex): number | undefined {
  const match = routes[index]?.match
  if (match === undefined) return undefined
  for (const earlier of streams.of(match.stream)) {
    if (earlier >= index) return undefined
    const other = routes[earlier]
    if (other !== undefined && covers(other.match, match)) return earlier
  }
  return undefined
}

function legFaults(document: RouteDocument, leg: LegSpec, path: string): ReadonlyArray<RouteFault> {
  const { cluster, topic, buffer, batch, linger, timeout } = leg
  const faults: Array<RouteFault> = []
  if (!Object.hasOwn(document.clusters, cluster)) {
    faults.push({ path: `${path}.cluster`, message: `no cluster named ${cluster}; ${known(document.clusters)}` })
  }
  const [unknown] = /\{[^}]*\}?|\}/.exec(topic.replaceAll("{stream}", "")) ?? []
  if (unknown !== undefined) {
    faults.push({ path: `${path}.topic`, message: `${unknown} stands for nothing; the one placeholder is {stream}` })
  }
  faults.push(
    ...spillFaults(document, leg, path),
    ...breakerFaults(document, leg, path),
    ...fallbackFaults(document, leg, path)
  )
  const wrongName = nameFault("a topic", topic, topicBytesMax)
  if (wrongName !== undefined) faults.push({ path: `${path}.topic`, message: wrongName })
  faults.push(
    ...namedPolicy(document, leg.policy, path),
    ...legPolicyFaults(document, leg.policy, path),
    ...within(`${path}.buffer.bytes`, buffer?.bytes, bounds.bufferBytes),
    ...within(`${path}.spill.bytes`, leg.spill?.bytes, bounds.spillBytes),
    ...within(`${path}.spill.rate`, leg.spill?.rate, bounds.spillRate),
    ...within(`${path}.spill.age`, millis(leg.spill?.age), bounds.spillAgeMs),
    ...within(`${path}.batch.bytes`, batch?.bytes, bounds.batchBytes),
    ...within(`${path}.batch.records`, batch?.records, bounds.batchRecords),
    ...within(`${path}.linger`, millis(linger), bounds.lingerMs),
    ...within(`${path}.timeout`, millis(timeout), bounds.timeoutMs),
    ...within(`${path}.epoch`, leg.epoch, bounds.epoch)
  )
  if (faults.length > 0) return faults
  const bufferBytes = buffer?.bytes ?? legDefaults.bufferBytesMax
  if (batch?.bytes !== undefined && batch.bytes > bufferBytes) {
    const message = `a batch of ${batch.bytes} bytes does not fit the buffer of ${bufferBytes} bytes`
    faults.push({ path: `${path}.batch.bytes`, message })
  }
  const lingerMs = millis(linger) ?? legDefaults.lingerMs
  const timeoutMs = millis(timeout) ?? legDefaults.timeoutMs
  if (lingerMs >= timeoutMs) {
    const message = `a linger of ${lingerMs} millis is not below the timeout of ${timeoutMs} millis, within which what is published is to be sent`
    faults.push({ path: `${path}.linger`, message })
  }
  return faults
}

function subscriptionFaults(document: RouteDocument, spec: SubscriptionSpec, path: string): ReadonlyArray<RouteFault> {
  const { policy, from, concurrency, buffer, settleEvery, drain, crashLoop, dedupe } = spec
  const faults = [
    ...namedPolicy(document, policy, path),
    ...subscriptionPolicyFaults(document, policy, path),
    ...budgetFaults(document, policy, path),
    ...within(`${path}.concurrency`, concurrency, bounds.concurrency),
    ...within(`${path}.buffer.bytes`, buffer?.bytes, bounds.readBufferBytes),
    ...within(`${path}.settleEvery`, millis(settleEvery), bounds.settleEveryMs),
    ...within(`${path}.drain`, millis(drain), bounds.drainMs),
    ...within(`${path}.crashLoop`, crashLoop, bounds.crashLoop),
    ...within(`${path}.dedupe.records`, dedupe?.records, bounds.dedupeRecords),
    ...retryTopicSpecFaults(spec, policyOfNames(document, policy), path)
  ]
  if (typeof from === "object" && !isTime(from.time)) {
    const message = `${from.time} is not a time; write it as 2026-11-24T08:00:00Z`
    faults.push({ path: `${path}.from.time`, message })
  }
  return faults
}

/** With its zone: without one it would be another moment on each machine. */
function isTime(text: string): boolean {
  const isWritten = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(text)
  if (!isWritten || Number.isNaN(Date.parse(text))) return false
  // 30 February is parsed as 2 March.
  const day = Date.parse(text.slice(0, "0000-00-00".length))
  return new Date(day).toISOString().startsWith(text.slice(0, "0000-00-00".length))
}

function millis(text: string | undefined): number | undefined {
  return text === undefined ? undefined : millisOf(text)
}

/** Needs of a contract that a leg does not meet. */
export function needFaults(
  contract: ContractInfo,
  leg: Pick<Leg, "path" | "cluster" | "policy">,
  capabilities: Capabilities | undefined
): ReadonlyArray<RouteFault> {
  if (capabilities === undefined) return []
  const { ordering, batch, replay, acks, compaction } = capabilities
  const met: { readonly [N in Need]: boolean } = {
    // Where each record is stored or not by itself, one that is sent again stands behind those that were sent after it.
    order: batch !== "each" && (ordering === "perPartition" || ordering === "exceptAfterInDoubt"),
    replay: replay.offset,
    fsync: acks.includes("fsync"),
    quorum: acks.includes("quorum"),
    compaction
  }
  const unmet = contract.needs.filter((need) => !met[need])
  const message = `${contract.name} needs ${unmet.join(" and ")}, which cluster ${leg.cluster} does not declare`
  const faults = unmet.length === 0 ? [] : [{ path: `${leg.path}.cluster`, message }]
  const isInDoubt = contract.needs.includes("order") && ordering === "exceptAfterInDoubt"
  return isInDoubt ? [...faults, ...droppingFaults(contract, leg)] : faults
}

/**
 * Where a send in doubt may land after a later one, order holds only as long as nothing in doubt is given up: then what lands late is a copy
 * of what stands before it already (decision 13).
 */
function droppingFaults(
  { name }: ContractInfo,
  { path, cluster, policy }: Pick<Leg, "path" | "cluster" | "policy">
): ReadonlyArray<RouteFault> {
  const dropping = givenUpAfter(policy)
  if (dropping.length === 0) return []
  const message =
    `${name} needs order, which cluster ${cluster} keeps only where nothing is given up, and this policy gives up after ` +
    `${dropping.join(", ")}; let it retry, spill, fall back or halt, or take a driver that keeps order in any case`
  return [{ path: `${path}.policy`, message }]
}

/** The failures after which a policy gives a record up. What stands in a spill or a fallback is not given up: it is sent again, in its place. */
export function givenUpAfter(policy: Leg["policy"]): ReadonlyArray<string> {
  const dropping = policy.filter(({ then }) => then === "drop" || then === "deadLetter").flatMap(({ on }) => on)
  return [...new Set(dropping)]
}
