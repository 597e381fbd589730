/**
 * Routes are data: which stream goes where, with which rules. A document is compiled once, with every fault reported, into
 * an immutable table; the first route that matches wins.
 *
 * A glob is literal text in which each `*` stands for any run of characters, dots included: `risk.beacons.*`.
 */
import { Result } from "effect"
import { shareText } from "./BucketShare.ts"
import { canaryUseFaults } from "./canaryFaults.ts"
import { compileClusters, type Cluster } from "./Clusters.ts"
import type { ContractInfo } from "../contract/Contract.ts"
import { noContract } from "../contract/contractFault.ts"
import { isObject, takes } from "../given/takes.ts"
import { globMatches } from "./Glob.ts"
import { Meetings } from "./Meetings.ts"
import { documentFaults, needFaults } from "./RouteFaults.ts"
import { decodeDocument, isApart } from "./decodeDocument.ts"
import { groupTopicFaults } from "./groupTopicFault.ts"
import { keptFaults, orderFaults } from "./retryTopicFaults.ts"
import { levelFaults } from "./levelFaults.ts"
import { fallbackPlaceFaults, fallbackUseFaults, topicCharactersMax } from "./fallbackFaults.ts"
import { spillPlaceFaults } from "./spillFaults.ts"
import { parseRouteText, type RouteDocument, type RouteFault } from "./RouteDocument.ts"
import { type Leg, type Route, RouteBuilder, type SubscriptionSettings } from "./Route.ts"
import type { Driver } from "../transport/index.ts"
import { TaggedError } from "../given/TaggedError.ts"

export type { RouteDocument, RouteFault } from "./RouteDocument.ts"
export { routeJsonSchema } from "./RouteDocument.ts"
export type { BucketShare } from "./BucketShare.ts"
export { type Leg, type Objective, type Route, stayedIn, type SubscriptionSettings } from "./Route.ts"

/**
 * A route document, what was asked of a table, or an option or argument in code has faults; all of them. Opening a leat, a stream or a
 * subscription and swapping routes fail with it. Where it is printed whole, the message says everything.
 *
 * @example
 * ```ts
 * yield* leat.swapRoutes(text).pipe(
 *   Effect.catchTag("RouteError", ({ faults }) => Effect.forEach(faults, ({ path, message }) => Effect.logError(path, message)))
 * )
 * ```
 */
export class RouteError extends TaggedError("RouteError")<{ readonly faults: ReadonlyArray<RouteFault> }> {
  constructor(fields: { readonly faults: ReadonlyArray<RouteFault> }) {
    super(fields)
    // Node prints the enumerable fields of an error that nobody catches behind its message, which has said all of these.
    Object.defineProperty(this, "faults", { enumerable: false })
  }

  override get message(): string {
    return this.faults.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`)).join("\n")
  }
}

/** One that has one fault. */
export function routeError(path: string, message: string): RouteError {
  return new RouteError({ faults: [{ path, message }] })
}

/** What a document is compiled against. */
export interface CompileOptions {
  /** The drivers that the application allows; a document names them and never loads code. */
  readonly drivers: ReadonlyArray<Driver>
  /** Contracts that must have a route and whose needs must be met, and which must not meet in one topic where they may not. */
  readonly contracts?: ReadonlyArray<ContractInfo> | undefined
  /** Who opens the table. Without it the contracts are checked for all sources that the document names. */
  readonly source?: string | undefined
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
  /** The `version` of the document, 1 or more; 0 for the table without a document. */
  readonly version: number
  /** The document as it was written, with durations as text. */
  readonly document: RouteDocument
  /** The clusters of the document, by name. */
  readonly clusters: ReadonlyMap<string, Cluster>
  readonly #builder: RouteBuilder
  /** What was looked up, by source and stream. */
  readonly #found = new Map<string, Map<string, Route | undefined>>()

  private constructor(document: RouteDocument, clusters: ReadonlyMap<string, Cluster>, version = document.version) {
    this.version = version
    this.document = document
    this.clusters = clusters
    this.#builder = new RouteBuilder(document, (cluster) => clusters.get(cluster)?.place ?? cluster)
  }

  /**
   * Compiles a document given as text (YAML or JSON) or as a value. Opens nothing. Fails with every fault at once: of the
   * text, unknown names, bounds, contracts without a route, needs that a cluster does not declare, streams that meet in one topic.
   */
  static compile(document: unknown, options: CompileOptions): Result.Result<Routes, RouteError> {
    takes("Routes.compile", "a document and options, as { drivers: [log] }", Array.isArray(options?.drivers), options)
    return Routes.#compile(document, options)
  }

  /** The table without a document: every stream goes to a topic of its own name on `driver`. */
  static inMemory(driver: Driver): Routes {
    takes("Routes.inMemory", "a driver", isObject(driver), driver)
    const document = {
      version: 1,
      clusters: { memory: { transport: driver.name } },
      routes: [{ match: { stream: "*" }, to: [{ cluster: "memory", topic: "{stream}" }] }]
    }
    return Result.getOrThrow(Routes.#compile(document, { drivers: [driver] }, 0))
  }

  static #compile(
    document: unknown,
    { drivers, contracts = [], source }: CompileOptions,
    version?: number
  ): Result.Result<Routes, RouteError> {
    const value = typeof document === "string" ? parseRouteText(document) : Result.succeed(document)
    if (Result.isFailure(value)) return Result.fail(new RouteError({ faults: value.failure }))
    const { faults: ofForm, document: decoded } = decodeDocument(value.success)
    if (decoded === undefined) return Result.fail(new RouteError({ faults: ofForm }))
    const compiled = compileClusters(decoded, drivers)
    const { clusters } = compiled
    const own = [
      ...compiled.faults,
      ...documentFaults(decoded),
      ...spillPlaceFaults(decoded, clusters),
      ...levelFaults(decoded, clusters),
      ...fallbackPlaceFaults(decoded, clusters)
    ]
    const faults = [...ofForm, ...own.filter(isApart(ofForm))]
    const routes = new Routes(Object.freeze(decoded), compiled.clusters, version)
    if (!faults.some(({ path }) => isAboutPlaces(path))) faults.push(...routes.#documentMeetings())
    if (faults.length > 0) return Result.fail(new RouteError({ faults }))
    const meetings = routes.meetings(source)
    const unmet = contracts.flatMap((contract) => routes.check(contract, source))
    unmet.push(...contracts.flatMap((contract) => meetings.add(contract)))
    return unmet.length > 0 ? Result.fail(new RouteError({ faults: unmet })) : Result.succeed(routes)
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
    takesNames("Routes.lookup", stream, source)
    const found = this.#found.get(source) ?? new Map<string, Route | undefined>()
    this.#found.set(source, found)
    if (found.has(stream)) return found.get(stream)
    const index = this.#builder.indexOf(stream, source)
    const route = index === undefined ? undefined : this.#builder.build(index, stream)
    found.set(stream, route)
    return route
  }

  /** The routes that a stream takes: of one source, or of all sources that the document tells apart. */
  routesOf(stream: string, source?: string): ReadonlyArray<Route> {
    takesNames("Routes.routesOf", stream, source ?? "")
    if (source === undefined) return this.#builder.indexesOf(stream).map((index) => this.#builder.build(index, stream))
    const route = this.lookup(stream, source)
    return route === undefined ? [] : [route]
  }

  /** How a group reads a stream: the first entry of `subscriptions` that matches, or the defaults. */
  subscription(stream: string, group: string): SubscriptionSettings {
    return this.#builder.subscription(stream, group)
  }

  /** Which entry of `subscriptions` says so; -1: none, and the defaults hold. */
  subscriptionIndex(stream: string, group: string): number {
    return this.#builder.subscriptionIndex(stream, group)
  }

  /** What a contract by itself asks for and the table does not give; empty when all is well. For all sources when none is named. */
  check(contract: ContractInfo, source?: string): ReadonlyArray<RouteFault> {
    const wrong = noContract(contract)
    if (wrong !== undefined) return [{ path: "contract", message: wrong }]
    const routes = this.routesOf(contract.stream, source)
    if (routes.length === 0) {
      const message = `no route matches stream ${contract.stream} of contract ${contract.name}; add one, or a last route for "*"`
      return [{ path: "routes", message }]
    }
    const { stream } = contract
    const readLegs = routes.map(({ readLeg }) => readLeg)
    const topics = readLegs.map(({ topic }) => topic)
    return [
      ...routes.flatMap(({ legs }) => legs.flatMap((leg) => this.#legFaults(contract, leg))),
      ...groupTopicFaults(stream, topics, this.document),
      ...orderFaults(contract, this.document),
      ...keptFaults(stream, this.document, readLegs, (cluster) => this.clusters.get(cluster)?.keepsMs)
    ]
  }

  /**
   * Where streams meet, for streams that are added one by one: each is compared with those before it. For the routes of one source, as in a
   * leat that is open, or for all sources.
   */
  meetings(source?: string): Meetings {
    return new Meetings((stream) => this.routesOf(stream, source))
  }

  /** Which route a stream takes and why, for a person: several lines of text. */
  explain(stream: string, source: string): string {
    takesNames("explain", stream, source)
    const lines: Array<string> = [`stream ${stream} from source ${source}, table version ${this.version}:`]
    for (const [index, route] of this.document.routes.entries()) {
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
      if (route.objective !== undefined)
        lines.push(`    objective: a share of ${route.objective.loss} may be lost in ${route.objective.window}`)
      return lines.join("\n")
    }
    lines.push("  no route matches: the stream cannot be opened")
    return lines.join("\n")
  }

  #legFaults(contract: ContractInfo, leg: Leg): ReadonlyArray<RouteFault> {
    const { path, cluster, topic } = leg
    const faults = [
      ...needFaults(contract, leg, this.clusters.get(cluster)?.capabilities),
      ...this.#fallbackNeedFaults(contract, leg),
      ...fallbackUseFaults(contract, leg),
      ...canaryUseFaults(contract, leg)
    ]
    if (topic.length > topicCharactersMax) {
      const message = `the topic of ${contract.stream} has ${topic.length} characters; the limit is ${topicCharactersMax}`
      faults.push({ path: `${path}.topic`, message })
    }
    return faults
  }

  /** What stands in fallbacks is as safe, and in as good an order, as the contract needs. */
  #fallbackNeedFaults(contract: ContractInfo, { path, policy, fallback }: Leg): ReadonlyArray<RouteFault> {
    const clusters = fallback?.clusters ?? []
    return clusters.flatMap((cluster, index) => {
      const at = clusters.length === 1 ? `${path}.fallback` : `${path}.fallback[${index}]`
      const faults = needFaults(contract, { path: at, cluster, policy }, this.clusters.get(cluster)?.capabilities)
      return faults.map((fault) => (fault.path === `${at}.policy` ? { ...fault, path: `${path}.policy` } : fault))
    })
  }

  /** What meets whatever the contracts are: streams that routes name without a star, and what a star stands for in one text. */
  #documentMeetings(): ReadonlyArray<RouteFault> {
    const meetings = this.meetings()
    const named = new Set<string>()
    return this.document.routes.flatMap(({ match: { stream } }, index) => {
      if (named.has(stream)) return []
      const isNamed = !stream.includes("*")
      if (isNamed) named.add(stream)
      const routes = isNamed ? this.routesOf(stream) : [this.#builder.build(index, stream)]
      return meetings.add({ stream, compacted: false }, routes)
    })
  }
}

/** Whether a fault is about who goes where: then it is not known what meets. */
function isAboutPlaces(path: string): boolean {
  return /^clusters|(^routes|\]|\.(topic|cluster|match|stream|source|to|wire))$/.test(path)
}

function takesNames(operation: string, stream: string, source: string): void {
  takes(operation, "the name of a stream", typeof stream === "string", stream)
  takes(operation, "the name of a source", typeof source === "string", source)
}

function legText(leg: Leg, readLeg: Leg | undefined): string {
  const words = [
    leg.required ? "required" : "best effort",
    leg.wire,
    `overflow ${leg.overflow}`,
    `buffer ${leg.bufferBytesMax} bytes`
  ]
  if (leg === readLeg) words.push("read")
  if (leg.canary !== undefined) words.push(`canary: buckets ${shareText(leg.canary)}`)
  if (leg.spill !== undefined) words.push(`spills to ${leg.spill.cluster}`)
  if (leg.breaker !== undefined) words.push(`breaker at ${leg.breaker.failureRate} of ${leg.breaker.minSends} sends`)
  if (leg.fallback !== undefined)
    words.push(`falls back to ${leg.fallback.clusters.join(", then ")}, back: ${leg.fallback.back}`)
  return `-> ${leg.sink} (${words.join(", ")})`
}
