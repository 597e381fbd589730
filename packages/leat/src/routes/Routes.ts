/**
 * Routes are data: which stream goes where, with which rules. A document is compiled once, with every fault reported, into
 * an immutable table; the first route that matches wins.
 *
 * A glob is literal text in which each `*` stands for any run of characters, dots included: `risk.beacons.*`.
 */
import { Data, Result } from "effect"
import type { ContractInfo } from "../contract/Contract.ts"
import { covers, globMatches } from "./Glob.ts"
import { atLeastOnce, type Policy } from "../Policy.ts"
import {
  type Cluster,
  compileClusters,
  defaults,
  policyFaults,
  routeFaults,
  subscriptionFaults,
  unmetNeeds
} from "./RouteFaults.ts"
import {
  decodeRouteDocument,
  type LegSpec,
  millisOf,
  parseRouteText,
  policyOf,
  type RouteDocument,
  type RouteFault,
  type SubscriptionSpec
} from "./RouteDocument.ts"
import type { Driver, From } from "../transport/index.ts"
import type { Wire } from "../record/Wire.ts"

export type { RouteDocument, RouteFault } from "./RouteDocument.ts"
export { routeJsonSchema } from "./RouteDocument.ts"

/**
 * The document, or what was asked of a table, has faults; all of them. Opening a leat or a stream and swapping routes fail
 * with it.
 *
 * @example
 * ```ts
 * yield* leat.swapRoutes(text).pipe(
 *   Effect.catchTag("RouteError", ({ faults }) => Effect.forEach(faults, ({ path, message }) => Effect.logError(path, message)))
 * )
 * ```
 */
export class RouteError extends Data.TaggedError("RouteError")<{ readonly faults: ReadonlyArray<RouteFault> }> {
  override get message(): string {
    return this.faults.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`)).join("\n")
  }
}

/** One destination of a stream, with every default filled in: what an entry of `to` says. */
export interface Leg {
  /** Name of a cluster of the document. */
  readonly cluster: string
  /** Topic in the cluster, `{stream}` filled in. */
  readonly topic: string
  /** `cluster/topic`: the name of the sink in ledger and metrics. */
  readonly sink: string
  /** Whether an event is admitted only with room here, and stored only when it is stored here. */
  readonly required: boolean
  readonly wire: Wire
  readonly policy: Policy
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
}

/** Where one stream goes, as `Routes.lookup` gives it. */
export interface Route {
  /** Index in the document's list. */
  readonly index: number
  /** At what `publish` completes, unless the call says otherwise; see `Level`. */
  readonly level: "queued" | "durable" | "stored"
  /**
   * Partition of a key: as Java's default partitioner has it, which needs partitions that divide the buckets, or bucket
   * modulo partitions.
   */
  readonly partitioner: "murmur2" | "bucket"
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
  /** Lane starts in a row at one position after which the policy is asked about `CrashLoop`. */
  readonly crashLoop: number
}

/** What a document is compiled against. */
export interface CompileOptions {
  /** The drivers that the application allows; a document names them and never loads code. */
  readonly drivers: ReadonlyArray<Driver>
  /** Contracts that must have a route and whose needs must be met. */
  readonly contracts?: ReadonlyArray<ContractInfo>
}

type RouteSpec = RouteDocument["routes"][number]

const subscriptionDefaults: SubscriptionSettings = {
  policy: atLeastOnce,
  from: "earliest",
  concurrency: 16,
  bufferBytesMax: 8 * 1024 * 1024,
  settleEveryMs: 100,
  drainMs: 10_000,
  crashLoop: 3
}

/**
 * A compiled table: immutable, and swapped as a whole.
 *
 * @example
 * ```ts
 * const table = Routes.compile(text, { drivers: [memory], contracts: [BeaconSighting] })
 * if (Result.isFailure(table)) for (const { path, message } of table.failure.faults) console.error(`${path}: ${message}`)
 * else console.log(table.success.explain("risk.beacons.sighting", "mobile-app"))
 * ```
 */
export class Routes {
  /** The `version` of the document, 1 or more. */
  readonly version: number
  /** The document as it was written, with durations as text. */
  readonly document: RouteDocument
  /** The clusters of the document, by name. */
  readonly clusters: ReadonlyMap<string, Cluster>
  readonly #routes: ReadonlyArray<RouteSpec>
  readonly #policies: ReadonlyMap<string, Policy>
  readonly #found = new Map<string, Route | undefined>()

  private constructor(document: RouteDocument, clusters: ReadonlyMap<string, Cluster>) {
    this.version = document.version
    this.document = document
    this.clusters = clusters
    this.#policies = new Map(Object.entries(document.policies ?? {}).map(([name, rules]) => [name, policyOf(rules)]))
    this.#routes = document.routes
  }

  /**
   * Compiles a document given as text (YAML or JSON) or as a value. Opens nothing. Fails with every fault at once: of the
   * text, unknown names, bounds, contracts without a route, needs that a cluster does not declare.
   */
  static compile(document: unknown, options: CompileOptions): Result.Result<Routes, RouteError> {
    const value = typeof document === "string" ? parseRouteText(document) : Result.succeed(document)
    const decoded = Result.flatMap(value, decodeRouteDocument)
    if (Result.isFailure(decoded)) return Result.fail(new RouteError({ faults: decoded.failure }))
    const { clusters, faults } = compileClusters(decoded.success, options.drivers)
    faults.push(
      ...routeFaults(decoded.success),
      ...policyFaults(decoded.success),
      ...subscriptionFaults(decoded.success)
    )
    if (faults.length > 0) return Result.fail(new RouteError({ faults }))
    const routes = new Routes(Object.freeze(decoded.success), clusters)
    const unmet = (options.contracts ?? []).flatMap((contract) => routes.check(contract))
    unmet.push(...routes.#sharedTopics(options.contracts ?? []))
    return unmet.length > 0 ? Result.fail(new RouteError({ faults: unmet })) : Result.succeed(routes)
  }

  /** The table without a document: every stream goes to a topic of its own name on `driver`. */
  static inMemory(driver: Driver): Routes {
    const compiled = Routes.compile(
      {
        version: 1,
        clusters: { memory: { transport: driver.name } },
        routes: [{ match: { stream: "*" }, to: [{ cluster: "memory", topic: "{stream}" }] }]
      },
      { drivers: [driver] }
    )
    return Result.getOrThrow(compiled)
  }

  /**
   * The route of a stream published by a source; undefined when none matches.
   *
   * @example
   * ```ts
   * leat.routes().lookup("risk.beacons.sighting", "mobile-app")?.legs.map(({ sink }) => sink)
   * // ["memory/risk.beacons.sighting"]
   * ```
   */
  lookup(stream: string, source: string): Route | undefined {
    const key = `${stream}\n${source}`
    if (this.#found.has(key)) return this.#found.get(key)
    const index = this.#routes.findIndex(({ match }) => covers(match, { stream, source }))
    const spec = this.#routes[index]
    const route = spec === undefined ? undefined : this.#build(index, spec, stream)
    this.#found.set(key, route)
    return route
  }

  /** How a group reads a stream: the first entry of `subscriptions` that matches, or the defaults. */
  subscription(stream: string, group: string): SubscriptionSettings {
    const spec = (this.document.subscriptions ?? []).find(
      ({ match }) => globMatches(match.stream, stream) && globMatches(match.group ?? "*", group)
    )
    return spec === undefined ? subscriptionDefaults : this.#settings(spec)
  }

  /** What a contract asks for and the table does not give; empty when all is well. */
  check(contract: ContractInfo): ReadonlyArray<RouteFault> {
    const matching = this.#routes.flatMap((spec, index) =>
      globMatches(spec.match.stream, contract.stream) ? [{ spec, index }] : []
    )
    if (matching.length === 0) {
      const message = `no route matches stream ${contract.stream} of contract ${contract.name}; add one, or a last route for "*"`
      return [{ path: "routes", message }]
    }
    return matching.flatMap(({ spec, index }) =>
      spec.to.flatMap(({ cluster, policy }, leg) => {
        const unmet = unmetNeeds(contract, this.clusters.get(cluster)?.capabilities, this.#policy(policy))
        if (unmet.length === 0) return []
        const message = `${contract.name} needs ${unmet.join(" and ")}, which cluster ${cluster} does not declare`
        return [{ path: `routes[${index}].to[${leg}].cluster`, message }]
      })
    )
  }

  /** Which route a stream takes and why, for a person: several lines of text. */
  explain(stream: string, source: string): string {
    const lines: Array<string> = [`stream ${stream} from source ${source}, table version ${this.version}:`]
    for (const [index, route] of this.#routes.entries()) {
      const { match } = route
      const isStream = globMatches(match.stream, stream)
      const isSource = globMatches(match.source ?? "*", source)
      const pattern = `stream ${match.stream}, source ${match.source ?? "*"}`
      if (!isStream || !isSource) {
        lines.push(`  routes[${index}] (${pattern}): no, the ${isStream ? "source" : "stream"} does not match`)
        continue
      }
      lines.push(`  routes[${index}] (${pattern}): yes, the first that matches`)
      for (const leg of this.lookup(stream, source)?.legs ?? [])
        lines.push(`    ${legText(leg, this.lookup(stream, source)?.readLeg)}`)
      return lines.join("\n")
    }
    lines.push("  no route matches: the stream cannot be opened")
    return lines.join("\n")
  }

  #build(index: number, spec: RouteSpec, stream: string): Route {
    const legs = spec.to.map((leg) => this.#leg(leg, stream))
    const readIndex = spec.to.findIndex(({ read }) => read === true)
    const readLeg = legs[Math.max(0, readIndex)]
    if (readLeg === undefined) throw new Error("a compiled route has a leg")
    return Object.freeze({
      index,
      level: spec.level ?? "stored",
      partitioner: spec.partitioner ?? "murmur2",
      legs: Object.freeze([...legs.filter(({ required }) => required), ...legs.filter(({ required }) => !required)]),
      readLeg
    })
  }

  #leg(spec: LegSpec, stream: string): Leg {
    const topic = topicOf(spec, stream)
    return Object.freeze({
      cluster: spec.cluster,
      topic,
      sink: `${spec.cluster}/${topic}`,
      required: spec.required ?? true,
      wire: spec.wire ?? "compact",
      policy: this.#policy(spec.policy),
      bufferBytesMax: spec.buffer?.bytes ?? defaults.bufferBytesMax,
      overflow: spec.buffer?.overflow ?? "block",
      lingerMs: spec.linger === undefined ? defaults.lingerMs : millisOf(spec.linger),
      batchBytes: spec.batch?.bytes ?? defaults.batchBytes,
      batchRecords: spec.batch?.records ?? defaults.batchRecords,
      timeoutMs: spec.timeout === undefined ? defaults.timeoutMs : millisOf(spec.timeout),
      epoch: spec.epoch ?? 1
    })
  }

  #settings(spec: SubscriptionSpec): SubscriptionSettings {
    const { from, settleEvery, drain } = spec
    return {
      policy: this.#policy(spec.policy),
      from:
        from === undefined
          ? subscriptionDefaults.from
          : typeof from === "string"
            ? from
            : { timeMs: Date.parse(from.time) },
      concurrency: spec.concurrency ?? subscriptionDefaults.concurrency,
      bufferBytesMax: spec.buffer?.bytes ?? subscriptionDefaults.bufferBytesMax,
      settleEveryMs: settleEvery === undefined ? subscriptionDefaults.settleEveryMs : millisOf(settleEvery),
      drainMs: drain === undefined ? subscriptionDefaults.drainMs : millisOf(drain),
      crashLoop: spec.crashLoop ?? subscriptionDefaults.crashLoop
    }
  }

  #policy(name: string | undefined): Policy {
    return (name === undefined ? undefined : this.#policies.get(name)) ?? atLeastOnce
  }

  /** In the compact wire a topic implies its type, so two contracts must not meet in one. */
  #sharedTopics(contracts: ReadonlyArray<ContractInfo>): ReadonlyArray<RouteFault> {
    const owners = new Map<string, string>()
    return this.#routes.flatMap((spec, index) =>
      contracts.flatMap((contract) => {
        if (!globMatches(spec.match.stream, contract.stream)) return []
        return spec.to.flatMap((leg, position) => {
          if (leg.wire === "cloudevents") return []
          const topic = `${leg.cluster}/${topicOf(leg, contract.stream)}`
          const owner = owners.get(topic) ?? contract.stream
          owners.set(topic, owner)
          if (owner === contract.stream) return []
          const message = `streams ${owner} and ${contract.stream} meet in topic ${topic} with wire compact; use {stream} in the topic, or wire cloudevents`
          return [{ path: `routes[${index}].to[${position}].topic`, message }]
        })
      })
    )
  }
}

/** By a function: as text, `$&` and the like in a stream's name would be instructions. */
function topicOf({ topic }: LegSpec, stream: string): string {
  return topic.replaceAll("{stream}", () => stream)
}

function legText(leg: Leg, readLeg: Leg | undefined): string {
  const words = [
    leg.required ? "required" : "best effort",
    leg.wire,
    `overflow ${leg.overflow}`,
    `buffer ${leg.bufferBytesMax} bytes`
  ]
  if (leg === readLeg) words.push("read")
  return `-> ${leg.sink} (${words.join(", ")})`
}
