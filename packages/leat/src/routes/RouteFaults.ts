/** What is wrong with a route document that can be read: every fault, each with its path and what to do. */
import type { ContractInfo, Need } from "../contract/Contract.ts"
import { covers } from "./Glob.ts"
import type { Policy } from "../Policy.ts"
import { malformedReferences } from "./References.ts"
import { type LegSpec, millisOf, type RouteDocument, type RouteFault } from "./RouteDocument.ts"
import type { Capabilities, ClusterConfig, Driver } from "../transport/index.ts"

/** A cluster of the table: who opens it, with what, and what it declares. */
export interface Cluster {
  readonly name: string
  readonly driver: Driver
  /** As it is written: with its references. */
  readonly config: ClusterConfig
  readonly capabilities: Capabilities
}

/** Defaults, and why: */
export const defaults = {
  // Some seconds of a busy stream; what a sick cluster may cost the process.
  bufferBytesMax: 32 * 1024 * 1024,
  // Long enough to fill a batch under load, too short for a person to see.
  lingerMs: 5,
  batchBytes: 256 * 1024,
  batchRecords: 4096,
  // As Kafka's request.timeout.ms.
  timeoutMs: 30_000
} as const

/** Bounds, so that a typing error is a fault and not an outage. */
const bounds = {
  bufferBytesMin: 64 * 1024,
  bufferBytesMax: 4 * 1024 ** 3,
  batchBytesMax: 64 * 1024 * 1024,
  concurrencyMax: 10_000,
  timeoutMsMin: 10
} as const

export function compileClusters(document: RouteDocument, drivers: ReadonlyArray<Driver>) {
  const clusters = new Map<string, Cluster>()
  const faults: Array<RouteFault> = []
  const allowed = drivers.map(({ name }) => name).join(", ")
  for (const [name, { transport, ...config }] of Object.entries(document.clusters)) {
    const driver = drivers.find((one) => one.name === transport)
    if (driver === undefined) {
      const message = `no driver named ${transport}; the application allows ${allowed === "" ? "none" : allowed}`
      faults.push({ path: `clusters.${name}.transport`, message })
      continue
    }
    const inspected = driver.inspect(config)
    const issues = [...malformedReferences(config), ...("issues" in inspected ? inspected.issues : [])]
    for (const { path, message } of issues) faults.push({ path: join(`clusters.${name}`, path), message })
    if ("capabilities" in inspected) clusters.set(name, { name, driver, config, capabilities: inspected.capabilities })
  }
  return { clusters, faults }
}

export function routeFaults(document: RouteDocument): ReadonlyArray<RouteFault> {
  const faults: Array<RouteFault> = []
  const sinks = new Map<string, { readonly path: string; readonly settings: string }>()
  for (const [index, { match, to }] of document.routes.entries()) {
    const path = `routes[${index}]`
    const earlier = document.routes.slice(0, index).findIndex((other) => covers(other.match, match))
    if (earlier >= 0)
      faults.push({
        path,
        message: `unreachable: routes[${earlier}] matches everything that it matches; move it up or remove it`
      })
    if (to.filter(({ read }) => read === true).length > 1) {
      faults.push({ path: `${path}.to`, message: "more than one leg says `read: true`; exactly one leg is read" })
    }
    if (!to.some(({ required }) => required !== false)) {
      faults.push({
        path: `${path}.to`,
        message: "no leg is required; an event must have one place where it has to arrive"
      })
    }
    const seen = new Set<string>()
    for (const [position, leg] of to.entries()) {
      const legPath = `${path}.to[${position}]`
      faults.push(...legFaults(document, leg, legPath))
      const sink = `${leg.cluster}/${leg.topic}`
      if (seen.has(sink)) faults.push({ path: legPath, message: `the route already has a leg to ${sink}` })
      seen.add(sink)
      // With the stream in its name a topic belongs to one stream, and a stream to one route.
      if (leg.topic.includes("{stream}")) continue
      const settings = JSON.stringify([leg.policy, leg.buffer, leg.linger, leg.batch, leg.timeout])
      const first = sinks.get(sink)
      if (first === undefined) sinks.set(sink, { path: legPath, settings })
      else if (first.settings !== settings) {
        const message = `${sink} is one sink and ${first.path} gives it another policy, buffer, linger, batch or timeout; make them the same`
        faults.push({ path: legPath, message })
      }
    }
  }
  return faults
}

function legFaults(document: RouteDocument, leg: LegSpec, path: string): ReadonlyArray<RouteFault> {
  const faults: Array<RouteFault> = []
  if (!Object.hasOwn(document.clusters, leg.cluster)) {
    const known = Object.keys(document.clusters).join(", ")
    faults.push({
      path: `${path}.cluster`,
      message: `no cluster named ${leg.cluster}; there is ${known === "" ? "none" : known}`
    })
  }
  faults.push(...namedPolicy(document, leg.policy, path))
  const bytes = leg.buffer?.bytes
  if (bytes !== undefined && (bytes < bounds.bufferBytesMin || bytes > bounds.bufferBytesMax)) {
    const message = `${bytes} bytes is not between ${bounds.bufferBytesMin} and ${bounds.bufferBytesMax}`
    faults.push({ path: `${path}.buffer.bytes`, message })
  }
  const batch = leg.batch?.bytes
  if (batch !== undefined && (batch > bounds.batchBytesMax || batch > (bytes ?? defaults.bufferBytesMax))) {
    faults.push({
      path: `${path}.batch.bytes`,
      message: `a batch of ${batch} bytes does not fit the buffer or ${bounds.batchBytesMax} bytes`
    })
  }
  if (leg.timeout !== undefined && millisOf(leg.timeout) < bounds.timeoutMsMin) {
    faults.push({ path: `${path}.timeout`, message: `below ${bounds.timeoutMsMin} millis no send can be answered` })
  }
  return faults
}

export function policyFaults(document: RouteDocument): ReadonlyArray<RouteFault> {
  return Object.entries(document.policies ?? {}).flatMap(([name, rules]) =>
    rules.flatMap(({ then }, index) => {
      if (then !== "deadLetter" && then !== "spill") return []
      const message = `\`${then}\` is not available in this version; use drop or halt`
      return [{ path: `policies.${name}[${index}].then`, message }]
    })
  )
}

export function subscriptionFaults(document: RouteDocument): ReadonlyArray<RouteFault> {
  return (document.subscriptions ?? []).flatMap(({ policy, from, concurrency }, index) => {
    const path = `subscriptions[${index}]`
    const faults = [...namedPolicy(document, policy, path)]
    if (typeof from === "object" && Number.isNaN(Date.parse(from.time))) {
      faults.push({
        path: `${path}.from.time`,
        message: `${from.time} is not a time; write it as 2026-11-24T08:00:00Z`
      })
    }
    if (concurrency !== undefined && concurrency > bounds.concurrencyMax) {
      faults.push({ path: `${path}.concurrency`, message: `the limit is ${bounds.concurrencyMax}` })
    }
    return faults
  })
}

function namedPolicy(document: RouteDocument, name: string | undefined, path: string): ReadonlyArray<RouteFault> {
  if (name === undefined || Object.hasOwn(document.policies ?? {}, name)) return []
  const known = Object.keys(document.policies ?? {}).join(", ")
  return [{ path: `${path}.policy`, message: `no policy named ${name}; there is ${known === "" ? "none" : known}` }]
}

/**
 * Needs of a contract that a leg does not meet. Where a send in doubt may land after a later one, order holds only as long as
 * nothing in doubt is given up: then what lands late is a copy of what stands before it already (decision 13).
 */
export function unmetNeeds(
  contract: ContractInfo,
  capabilities: Capabilities | undefined,
  policy: Policy
): ReadonlyArray<string> {
  if (capabilities === undefined) return []
  const { ordering, replay, acks, compaction } = capabilities
  const met: { readonly [N in Need]: boolean } = {
    order: ordering === "perPartition" || (ordering === "exceptAfterInDoubt" && !givesUp(policy)),
    replay: replay.offset,
    fsync: acks.includes("fsync"),
    quorum: acks.includes("quorum"),
    compaction
  }
  return contract.needs.flatMap((need) => {
    if (met[need]) return []
    const isOnlyInDoubt = need === "order" && ordering === "exceptAfterInDoubt"
    return [isOnlyInDoubt ? "order (there only with a policy that drops nothing)" : need]
  })
}

function givesUp(policy: Policy): boolean {
  return policy.some(({ then }) => then !== "halt")
}

function join(path: string, rest: string): string {
  return rest === "" ? path : `${path}.${rest}`
}
