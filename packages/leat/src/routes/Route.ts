/** Where one stream goes and how a group reads it, with every default filled in: what an entry of the document becomes. */
import { Result } from "effect"
import { type BucketShare, shareOf } from "./BucketShare.ts"
import { covers, globCovers, globMatches } from "./Glob.ts"
import { StreamIndex } from "./StreamIndex.ts"
import { builtIn, type Policy, standard, strict } from "../Policy.ts"
import type { Wire } from "../record/Wire.ts"
import {
  type LegSpec,
  millisOf,
  type ObjectiveSpec,
  policyOf,
  type RouteDocument,
  type SubscriptionSpec
} from "./RouteDocument.ts"
import type { From } from "../transport/index.ts"

/** One destination of a stream, with every default filled in: what an entry of `to` says. */
export interface Leg {
  /** Where the document says it: `routes[0].to[1]`. */
  readonly path: string
  /** Name of a cluster of the document. */
  readonly cluster: string
  /** Topic in the cluster, `{stream}` filled in. */
  readonly topic: string
  /** `cluster/topic`: the name of the sink in ledger and metrics. */
  readonly sink: string
  /** As `sink`, but the same for two clusters of the document that name the same place. */
  readonly destination: string
  /** Whether an event is admitted only with room here, and stored only when it is stored here. */
  readonly required: boolean
  /** The share of the keys that it takes; undefined: all. */
  readonly canary: BucketShare | undefined
  readonly wire: Wire
  readonly policy: Policy
  /** Where the policy spills to; undefined: nowhere. */
  readonly spill: SpillSettings | undefined
  /** What keeps it from being sent to while most of it fails; undefined: nothing. */
  readonly breaker: BreakerSettings | undefined
  /** Where the policy falls back to; undefined: nowhere. */
  readonly fallback: FallbackSettings | undefined
  /** Budget of the sink: capacity of the arenas that hold its records, in bytes. */
  readonly bufferBytesMax: number
  /** What is done when the budget is used up: let `publish` wait, reject, or drop the oldest that are not on their way. */
  readonly overflow: "block" | "reject" | "dropOldest"
  /** How long the first record of a batch waits for others, in milliseconds. */
  readonly lingerMs: number
  /** A batch of so many bytes is sent at once. */
  readonly batchBytes: number
  /** A batch of so many records is sent at once. */
  readonly batchRecords: number
  /** Deadline of one send, and of one blocked publish, in milliseconds. */
  readonly timeoutMs: number
  /** Which epoch of the stream is written here, 1 unless the document says otherwise; accounts are kept by it. */
  readonly epoch: number
  /** So many of its partitions are written, from 0 on: those of the place where the fleet has the stream, whatever was added since. Absent: all. */
  readonly partitions?: number
}

/** The spill of a sink, in a topic of a cluster whose acknowledgements are on disk. */
export interface SpillSettings {
  /** Name of a cluster of the document. */
  readonly cluster: string
  /** Most bytes of records that it holds; beyond it the policy is asked about `SpillFull`. */
  readonly bytesMax: number
  /** Events per second that are sent on from it; undefined: as fast as the destination takes them. */
  readonly ratePerSecond: number | undefined
  /** What has waited there for longer is not sent on any more, in milliseconds: the policy is asked about `SpillExpired`. Undefined: it is, whenever. */
  readonly ageMsMax: number | undefined
}

/** When the breaker of a destination opens, and how it probes. */
export interface BreakerSettings {
  /** The share of the sends, and of the partitions, that has to fail; above 0, up to 1. */
  readonly failureRate: number
  /** Sends that were answered longer ago do not count, in milliseconds. */
  readonly windowMs: number
  /** So many of the latest sends are looked at; before there are so many it stays closed. */
  readonly minSends: number
  /** Pause before the first probe, in milliseconds. */
  readonly waitMs: number
  /** Longest pause between two probes, in milliseconds. */
  readonly maxWaitMs: number
}

/** The fallbacks of a sink, in a topic of other clusters. */
export interface FallbackSettings {
  /** Names of clusters of the document, in the order in which they are tried; at least one. */
  readonly clusters: ReadonlyArray<string>
  /** `redrive`: what is there is sent on to the sink, before anything later of its publisher; `stay`: it stays there, and is read there. */
  readonly back: "redrive" | "stay"
}

/** How much of a stream may be lost. */
export interface Objective {
  /** The share of the events that may be given up on each required leg, of those that end there. */
  readonly loss: number
  /** Within what time, in milliseconds. */
  readonly windowMs: number
}

/** Where one stream goes, as `Routes.lookup` gives it. */
export interface Route {
  /** Index in the document's list. */
  readonly index: number
  /** The sources that take it, as a glob. */
  readonly source: string
  /** At what `publish` completes, unless the call says otherwise; see `Level`. */
  readonly level: "queued" | "durable" | "stored"
  /**
   * Partition of a key: as Java's default partitioner has it, which needs partitions that divide the buckets, or bucket
   * modulo partitions.
   */
  readonly partitioner: "murmur2" | "bucket"
  /** How much may be lost; undefined: nothing is said, and nothing watched. */
  readonly objective: Objective | undefined
  /** Required legs first. */
  readonly legs: ReadonlyArray<Leg>
  /** The one leg that subscriptions read. */
  readonly readLeg: Leg
}

/** How a group reads a stream, with every default filled in. */
export interface SubscriptionSettings {
  /** What is done when a handler fails. */
  readonly policy: Policy
  /** Where a group that has settled nothing yet begins. */
  readonly from: From
  /** Handlers at the same time per lane. */
  readonly concurrency: number
  /** Bytes past the watermark of a lane, above which it pulls no more. */
  readonly bufferBytesMax: number
  /** How often a lane settles, in milliseconds. */
  readonly settleEveryMs: number
  /** How long a lane that ends waits for its handlers, in milliseconds. */
  readonly drainMs: number
  /** Deaths in a row with the lane beginning at one position, after which records are handled alone there; with one more the policy is asked about `CrashLoop`. */
  readonly crashLoop: number
  /** So many records before where a lane begins are looked through for ids, so that no second copy is handled; undefined: copies are handled. */
  readonly dedupeRecords: number | undefined
  /** How long a record waits in each retry topic of the group, in milliseconds, rising; empty: the group has none. */
  readonly retryDelaysMs: ReadonlyArray<number>
}

/** Clusters beside its own where a leg is read: events that fell back stay there. */
export function stayedIn({ fallback }: Pick<Leg, "fallback">): ReadonlyArray<string> {
  return fallback?.back === "stay" ? fallback.clusters : []
}

function fallbackOf({ fallback }: LegSpec): FallbackSettings | undefined {
  const all = [fallback ?? []].flat()
  const [first] = all
  if (first === undefined) return undefined
  return Object.freeze({ clusters: Object.freeze(all.map(({ cluster }) => cluster)), back: first.back })
}

/** Most bytes of a spill: an hour of some megabytes a second. */
const spillBytesMax = 10 * 1024 ** 3

/** Defaults of a leg, and why: */
export const legDefaults = {
  // Some seconds of a busy stream; what a sick cluster may cost the process.
  bufferBytesMax: 32 * 1024 * 1024,
  // Long enough to fill a batch under load, too short for a person to see.
  lingerMs: 5,
  batchBytes: 256 * 1024,
  batchRecords: 4096,
  // As Kafka's request.timeout.ms.
  timeoutMs: 30_000
} as const

/** Defaults of a breaker, and why: */
export const breakerDefaults = {
  // What still stores a fifth of what it is sent is better sent to than probed.
  failureRate: 0.8,
  // Twice the time that a send to a cluster that does not answer takes.
  windowMs: 60_000,
  minSends: 20,
  // As a budget of retries lets one through in a second.
  waitMs: 1000,
  // As the delays of `strict`.
  maxWaitMs: 10_000
} as const

const subscriptionDefaults: SubscriptionSettings = {
  policy: standard,
  from: "earliest",
  concurrency: 16,
  bufferBytesMax: 8 * 1024 * 1024,
  settleEveryMs: 100,
  drainMs: 10_000,
  crashLoop: 3,
  dedupeRecords: undefined,
  retryDelaysMs: []
}

/** Fills a document in: for one stream, or one stream and group. Nothing is checked here. */
export class RouteBuilder {
  readonly #document: RouteDocument
  readonly #placeOf: (cluster: string) => string
  readonly #policies: ReadonlyMap<string, Policy>
  readonly #streams: StreamIndex

  /** `placeOf`: the same text for all clusters that name the same place. */
  constructor(document: RouteDocument, placeOf: (cluster: string) => string) {
    this.#document = document
    this.#placeOf = placeOf
    this.#streams = new StreamIndex(document.routes.map(({ match }) => match.stream))
    const own = Object.entries(document.policies ?? {}).map(([name, rules]) => [name, policyOf(rules)] as const)
    this.#policies = new Map([...Object.entries(builtIn), ...own])
  }

  /** Index of the route that the stream takes from a source; undefined: none matches. */
  indexOf(stream: string, source: string): number | undefined {
    for (const index of this.#streams.of(stream)) {
      const match = this.#document.routes[index]?.match
      if (match !== undefined && covers(match, { stream, source })) return index
    }
    return undefined
  }

  /** Indexes of the routes that the stream takes from some source: those that no earlier one takes it from. */
  indexesOf(stream: string): ReadonlyArray<number> {
    const found: Array<number> = []
    for (const index of this.#streams.of(stream)) {
      const match = this.#document.routes[index]?.match
      if (match === undefined || !globMatches(match.stream, stream)) continue
      const sources = found.map((earlier) => this.#document.routes[earlier]?.match.source ?? "*")
      if (!sources.some((earlier) => globCovers(earlier, match.source ?? "*"))) found.push(index)
    }
    return found
  }

  /** The route at an index of the document, for one stream that takes it. */
  build(index: number, stream: string): Route {
    const spec = this.#document.routes[index]
    const legs = spec?.to.map((leg, position) => this.#leg(leg, stream, `routes[${index}].to[${position}]`)) ?? []
    const readLeg = legs[Math.max(0, spec?.to.findIndex(({ read }) => read === true) ?? 0)]
    if (readLeg === undefined) throw new Error("a compiled route has a leg")
    return Object.freeze({
      index,
      source: spec?.match.source ?? "*",
      level: spec?.level ?? "stored",
      partitioner: spec?.partitioner ?? "murmur2",
      objective: objectiveOf(spec?.objective),
      legs: Object.freeze([...legs.filter(({ required }) => required), ...legs.filter(({ required }) => !required)]),
      readLeg
    })
  }

  /** The first entry of `subscriptions` that matches, or the defaults. */
  subscription(stream: string, group: string): SubscriptionSettings {
    const spec = this.#document.subscriptions?.[this.subscriptionIndex(stream, group)]
    return spec === undefined ? subscriptionDefaults : this.#settings(spec)
  }

  /** Of the first entry of `subscriptions` that matches; -1: none. */
  subscriptionIndex(stream: string, group: string): number {
    return (this.#document.subscriptions ?? []).findIndex(
      ({ match }) => globMatches(match.stream, stream) && globMatches(match.group ?? "*", group)
    )
  }

  #leg(spec: LegSpec, stream: string, path: string): Leg {
    // By a function: as text, `$&` and the like in a stream's name would be instructions.
    const topic = spec.topic.replaceAll("{stream}", () => stream)
    return Object.freeze({
      path,
      cluster: spec.cluster,
      topic,
      sink: `${spec.cluster}/${topic}`,
      destination: `${this.#placeOf(spec.cluster)}/${topic}`,
      required: spec.required ?? true,
      canary: canaryOf(spec.canary),
      wire: spec.wire ?? "compact",
      policy: spec.policy === undefined ? strict : this.#policy(spec.policy),
      spill:
        spec.spill === undefined
          ? undefined
          : Object.freeze({
              cluster: spec.spill.cluster,
              bytesMax: spec.spill.bytes ?? spillBytesMax,
              ratePerSecond: spec.spill.rate,
              ageMsMax: spec.spill.age === undefined ? undefined : millisOf(spec.spill.age)
            }),
      breaker: breakerOf(spec.breaker),
      fallback: fallbackOf(spec),
      bufferBytesMax: spec.buffer?.bytes ?? legDefaults.bufferBytesMax,
      overflow: spec.buffer?.overflow ?? "block",
      lingerMs: spec.linger === undefined ? legDefaults.lingerMs : millisOf(spec.linger),
      batchBytes: spec.batch?.bytes ?? legDefaults.batchBytes,
      batchRecords: spec.batch?.records ?? legDefaults.batchRecords,
      timeoutMs: spec.timeout === undefined ? legDefaults.timeoutMs : millisOf(spec.timeout),
      epoch: spec.epoch ?? 1
    })
  }

  #settings(spec: SubscriptionSpec): SubscriptionSettings {
    const { from, settleEvery, drain, policy, concurrency, buffer, crashLoop, dedupe, retryTopics } = spec
    const other = subscriptionDefaults
    return {
      policy: policy === undefined ? other.policy : this.#policy(policy),
      from: typeof from === "object" ? { timeMs: Date.parse(from.time) } : (from ?? other.from),
      concurrency: concurrency ?? other.concurrency,
      bufferBytesMax: buffer?.bytes ?? other.bufferBytesMax,
      settleEveryMs: settleEvery === undefined ? other.settleEveryMs : millisOf(settleEvery),
      drainMs: drain === undefined ? other.drainMs : millisOf(drain),
      crashLoop: crashLoop ?? other.crashLoop,
      dedupeRecords: dedupe?.records,
      retryDelaysMs: retryTopics?.delays.map(millisOf) ?? other.retryDelaysMs
    }
  }

  /** One that is named, or several one after the other. */
  #policy(names: string | ReadonlyArray<string>): Policy {
    return [names].flat().flatMap((name) => this.#policies.get(name) ?? [])
  }
}

/** What the schema has let through can be read. */
function canaryOf(spec: LegSpec["canary"]): BucketShare | undefined {
  return spec === undefined ? undefined : Object.freeze(Result.getOrThrow(shareOf(spec.buckets)))
}

function breakerOf(spec: LegSpec["breaker"]): BreakerSettings | undefined {
  if (spec === undefined) return undefined
  const waitMs = spec.wait === undefined ? breakerDefaults.waitMs : millisOf(spec.wait)
  return Object.freeze({
    failureRate: spec.failureRate ?? breakerDefaults.failureRate,
    windowMs: spec.window === undefined ? breakerDefaults.windowMs : millisOf(spec.window),
    minSends: spec.minSends ?? breakerDefaults.minSends,
    waitMs,
    maxWaitMs: spec.maxWait === undefined ? Math.max(breakerDefaults.maxWaitMs, waitMs) : millisOf(spec.maxWait)
  })
}

function objectiveOf(spec: ObjectiveSpec | undefined): Objective | undefined {
  return spec === undefined ? undefined : Object.freeze({ loss: spec.loss, windowMs: millisOf(spec.window) })
}
