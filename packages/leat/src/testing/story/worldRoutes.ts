/** The route document of a world. */
import { fallbackPartitions } from "../../record/fallbackTopic.ts"
import type { Stage } from "./Scenario.ts"
import type { TableSinks } from "../judge/Chronicle.ts"
import type { World, WorldCanary, WorldGroup, WorldLeg, WorldSpill } from "./World.ts"

const retry = { base: "10 millis", factor: 2, maxDelay: "500 millis" }

/** Of a leg. */
function policyOf({ policy, budget, breaker, spill, fallback }: WorldLeg): ReadonlyArray<unknown> {
  const within = <A extends object>(own: A) => ({ ...own, ...(budget === undefined ? {} : { budget }) })
  const rules = {
    keep: [
      { on: ["Rejected"], then: "halt" },
      { on: ["*"], retry: within(retry), then: "halt" }
    ],
    drop: [{ on: ["*"], retry: within({ times: 1, base: "5 millis" }), then: "drop" }],
    setAside: [
      { on: ["Rejected", "TooLarge"], then: "deadLetter" },
      { on: ["*"], retry: within({ times: 2, base: "5 millis" }), then: "deadLetter" }
    ]
  }
  const elsewhere = spill ?? fallback
  const then = spill === undefined ? (fallback === undefined ? "drop" : "fallback") : "spill"
  const isEnding = breaker === "ends" && (elsewhere !== undefined || policy === "drop")
  const open = isEnding ? [{ on: ["BreakerOpen"], then }] : []
  if (elsewhere === undefined) return [...open, ...rules[policy]]
  const going = { on: ["passing"], retry: within({ times: elsewhere.retries, base: "10 millis" }), then }
  return [...open, going, ...rules[policy]]
}

/** Opens after a few failures, since no story sends many. */
const breaker = { failureRate: 0.5, window: "5 seconds", minSends: 2, wait: "20 millis", maxWait: "500 millis" }

/** Of groups. */
const policies = {
  retry: [{ on: ["*"], retry, then: "halt" }],
  deadLetter: [
    { on: ["Poison"], then: "deadLetter" },
    { on: ["*"], retry, then: "halt" }
  ],
  deadLetterAll: [{ on: ["*"], retry: { times: 2, base: "5 millis" }, then: "deadLetter" }],
  dropPoison: [
    { on: ["Poison"], then: "drop" },
    { on: ["*"], retry, then: "halt" }
  ],
  haltPoison: [
    { on: ["Poison"], then: "halt" },
    { on: ["*"], retry, then: "halt" }
  ]
}

const policyOfGroup = {
  retry: "retry",
  deadLetter: "deadLetter",
  deadLetterAll: "deadLetterAll",
  drop: "dropPoison",
  halt: "haltPoison"
} as const satisfies Record<WorldGroup["ending"], keyof typeof policies>

/** Of subscriptions. */
const settings = { concurrency: 3, settleEvery: "20 millis", drain: "5 seconds" }

/** Name of the disk, and of its driver. */
export const diskName = "disk"

/** Name of the cluster, and of its driver. */
export function clusterName(index: number): string {
  return `c${index}`
}

export function sinkOf({ cluster, topic }: WorldLeg): string {
  return `${clusterName(cluster)}/${topic}`
}

/** The clusters of the fallbacks of a leg, by their indexes, in order. */
export function fallbackClusters({ fallback }: WorldLeg): ReadonlyArray<number> {
  if (fallback === undefined) return []
  return fallback.further === undefined ? [fallback.cluster] : [fallback.cluster, fallback.further]
}

/** Whether a topic of a cluster, given by its index, is a fallback of the leg. */
export function isFallbackOf(leg: WorldLeg, inCluster: number, name: string): boolean {
  const { cluster, topic } = leg
  return (
    fallbackClusters(leg).includes(inCluster) &&
    fallbackPartitions(name, { cluster: clusterName(cluster), topic }) !== undefined
  )
}

function fallbackOf(leg: WorldLeg): object {
  const { back } = leg.fallback ?? {}
  const [first, ...others] = fallbackClusters(leg).map((cluster) => ({ cluster: clusterName(cluster), back }))
  if (first === undefined) return {}
  return { fallback: others.length === 0 ? first : [first, ...others] }
}

/** What sections say that change; no driver asks for it. */
export const password = "password"

/** Whether the tables of a version have the leg. */
function isInTable({ isIn }: WorldLeg, version: number): boolean {
  return isIn === undefined || isIn === (version % 2 === 0 ? "even" : "odd")
}

/** Whether what it is given changes with tables, or is a share of the keys: `judgeTables` says which events it has to have. */
export function isMirror({ isIn, canary }: WorldLeg): boolean {
  return isIn !== undefined || canary !== undefined
}

function canaryIn({ canary }: WorldLeg, version: number): WorldCanary | undefined {
  return version % 2 === 0 ? canary?.even : canary?.odd
}

/** The sinks of all legs in the tables of a version, or of all that there are, with the buckets that they take where these are not all. */
export function sinksIn({ streams }: World, version: number, hasAll = false): TableSinks {
  const legs = streams.flatMap((stream) => stream.legs.filter((leg) => hasAll || isInTable(leg, version)))
  return new Map(legs.map((leg) => [sinkOf(leg), canaryIn(leg, version)?.buckets]))
}

/** Each version is another table for the same places, but for the legs that come and go, which it may have all. */
export function worldRoutes(stages: ReadonlyArray<Stage>, world: World, version: number, hasAll = false): unknown {
  const { streams, groups, disk } = world
  const leg = (one: WorldLeg, read: boolean) => ({
    cluster: clusterName(one.cluster),
    topic: one.topic,
    required: one.isRequired,
    read,
    policy: `of ${sinkOf(one)}`,
    wire: one.wire,
    linger: `${one.lingerMs + (version % 3)} millis`,
    timeout: `${one.timeoutMs} millis`,
    buffer: { bytes: one.bufferBytes + 1024 * (version % 5), overflow: one.overflow },
    batch: { bytes: version % 2 === 0 ? 4096 : 16_384, records: 16 },
    ...(one.canary === undefined ? {} : { canary: { buckets: canaryIn(one, version)?.percent } }),
    ...(one.breaker === undefined ? {} : { breaker }),
    ...(one.spill === undefined ? {} : { spill: spillOf(one.spill, version) }),
    ...fallbackOf(one)
  })
  // Every second table has another one.
  const renewed = world.rotates === true ? { [password]: `${version >> 1}` } : {}
  const sections = stages.map(({ config }, index) => [
    clusterName(index),
    { transport: clusterName(index), ...config, ...renewed }
  ])
  return {
    version,
    clusters: Object.fromEntries(disk === undefined ? sections : [...sections, [diskName, { transport: diskName }]]),
    policies: {
      ...policies,
      ...Object.fromEntries(streams.flatMap(({ legs }) => legs.map((one) => [`of ${sinkOf(one)}`, policyOf(one)])))
    },
    routes: streams.map(({ stream, legs }) => ({
      match: { stream },
      to: legs.flatMap((one, index) => (hasAll || isInTable(one, version) ? [leg(one, index === 0)] : []))
    })),
    subscriptions: groups.map(({ group, ending, readBytes, retryDelaysMs }) => ({
      match: { stream: "*", group },
      policy: policyOfGroup[ending],
      ...(readBytes === undefined ? {} : { buffer: { bytes: readBytes } }),
      ...(retryDelaysMs === undefined ? {} : { retryTopics: { delays: retryDelaysMs.map((ms) => `${ms} millis`) } }),
      ...settings
    }))
  }
}

/** A full one gets more room with another table. */
function spillOf({ bytes, rate }: WorldSpill, version: number): object {
  return { cluster: diskName, bytes: bytes + 8192 * (version % 3), ...(rate === undefined ? {} : { rate }) }
}
