/**
 * The composition root: routes, transports, ledger and clock make an open leat, and an open leat gives streams. Closing its
 * scope drains what was admitted and gives every lane back.
 */
import { Context, Deferred, Duration, Effect, Exit, Layer, Scope } from "effect"
import type { BucketNext } from "./transport/Announcement.ts"
import { Announcer } from "./transport/Announcer.ts"
import type { Contract, ContractInfo } from "./contract/Contract.ts"
import { formatUuid } from "./record/EventId.ts"
import { Ledger } from "./ledger/Ledger.ts"
import { Windows } from "./ledger/Windows.ts"
import { LedgerReport } from "./metrics/LedgerReport.ts"
import { type LedgerView, ledgerView } from "./loss/ledgerView.ts"
import { tellLostAtEnd } from "./loss/lostAtEnd.ts"
import { LossWatch, type WatchedStream } from "./loss/LossWatch.ts"
import { openCluster } from "./routes/openCluster.ts"
import { OpeningWatch } from "./routes/OpeningWatch.ts"
import { Publisher } from "./publish/Publisher.ts"
import { hasReferences } from "./routes/References.ts"
import { contractFault, noContract } from "./contract/contractFault.ts"
import { kindOf } from "./given/takes.ts"
import type { LeatOptions, OpenLeat, SinkFill } from "./OpenLeat.ts"
import type { Meetings } from "./routes/Meetings.ts"
import { ReadGroups } from "./routes/ReadGroups.ts"
import { type Route, RouteError, type RouteFault, Routes, stayedIn, routeError } from "./routes/Routes.ts"
import type { Control } from "./routesSource.ts"
import { beginning, type Beginning } from "./beginning.ts"
import { type Destinations, Legs } from "./publish/Destinations.ts"
import { flushed } from "./publish/flushed.ts"
import { HeldLegs, type HeldLegsOptions } from "./publish/HeldLegs.ts"
import { KeptOpen } from "./publish/KeptOpen.ts"
import { Moves, type MovesHome } from "./moves/Moves.ts"
import { Pumps } from "./publish/Pumps.ts"
import type { HaltedLane } from "./publish/LaneHome.ts"
import { Shared } from "./publish/Shared.ts"
import { closedError, type OpenError, Sinks } from "./publish/Sinks.ts"
import { EventStream } from "./Stream.ts"
import type { ReadFallback } from "./consume/FallbackTopics.ts"
import type { Subscription } from "./consume/Subscription.ts"
import type { Driver, Transport } from "./transport/index.ts"
import { OpenClusters } from "./routes/switch/OpenClusters.ts"
import { TableSwaps } from "./TableSwaps.ts"
import { tasksOf } from "./publish/tasksOf.ts"
import { TurnClock } from "./publish/TurnClock.ts"
import type { Outcome } from "./ledger/Waiter.ts"
import { monotonicMs } from "./Wake.ts"

/** How long closing waits for what is buffered. */
const drainDefault = Duration.seconds(30)

/** What is closed together, in this order. */
interface Scopes {
  readonly subscriptions: Scope.Closeable
  readonly streams: Scope.Closeable
  readonly transports: Scope.Closeable
}

interface OpenStream {
  readonly contract: ContractInfo
  readonly stream: {
    readonly configureSubscriptions: () => void
    readonly subscriptions: ReadonlyArray<Subscription>
  }
  readonly publisher: {
    readonly sequences: ReadonlyArray<BucketNext>
    readonly close: () => void
    readonly swap: (to: Destinations) => void
  }
  readonly legs: HeldLegs
}

/** A stream that is open or being opened. */
interface Asked {
  /** Whatever its events are. */
  readonly contract: Contract<unknown>
  /** Who waits for it. The stream is forgotten with the last of them, when it is not open by then. */
  callers: number
}

/** What is open by name and shared: opened by the first that needs it, closed with the last. */
interface SharedParts {
  readonly transports: Shared<Transport, OpenError>
  readonly streams: Shared<OpenStream, OpenError>
}

class OpenedLeat implements OpenLeat {
  readonly source: string
  readonly incarnation: string
  readonly control: Control | undefined
  readonly ledger: LedgerView
  readonly #ledger: Ledger
  readonly #report: LedgerReport
  readonly #losses: LossWatch
  readonly #drivers: ReadonlyArray<Driver>
  readonly #scopes: Scopes
  readonly #runtime: Beginning["runtime"]
  readonly #shared: SharedParts
  /** What the application has asked for: open until the leat closes. */
  readonly #kept: { readonly transports: KeptOpen<Transport>; readonly streams: KeptOpen<OpenStream> }
  /** By stream. */
  readonly #asked = new Map<string, Asked>()
  readonly #sinks: Sinks
  readonly #legs: Legs
  readonly #holding: HeldLegsOptions
  readonly #clusters: OpenClusters
  readonly #streams = new Map<string, OpenStream>()
  readonly #watch = new OpeningWatch()
  readonly #clock: TurnClock
  readonly #announcer: Announcer
  readonly #closing = Deferred.makeUnsafe<void>()
  readonly #swaps: TableSwaps
  readonly #moves: Moves | undefined
  #routes: Routes
  /** The streams that are open or being opened, and where they meet in the table in force. */
  #meetings: Meetings
  readonly #groups = new ReadGroups()
  #isRenewing = false

  constructor(begun: Beginning, scopes: Scopes) {
    const { options, drivers, routes, identity, runtime, from } = begun
    const { control, fleet } = from
    this.source = options.source
    this.control = control?.(this)
    this.#report = new LedgerReport(runtime.context)
    const ledger = new Ledger(options.journal, this.#report)
    this.#ledger = ledger
    this.incarnation = formatUuid(identity)
    this.#drivers = drivers
    this.#routes = routes
    this.#meetings = routes.meetings(options.source)
    this.#scopes = scopes
    this.#runtime = runtime
    const sequences = (stream: string) => this.#streams.get(stream)?.publisher.sequences ?? []
    const nowMs = () => monotonicMs(runtime.clock)
    const windows = new Windows(ledger, nowMs())
    this.#losses = new LossWatch({ windows, nowMs, context: runtime.context, watched: () => this.#watched() })
    this.ledger = ledgerView(ledger, windows, this.#losses, nowMs)
    this.#announcer = new Announcer(options.ledger, this.ledger, ledger, this, sequences)
    this.#clock = new TurnClock(runtime.clock, runtime.scheduler, (atMs) => windows.read(atMs))
    this.#clusters = new OpenClusters((cluster, given) => openCluster(cluster, runtime.references, this.#watch, given))
    this.#shared = {
      transports: new Shared(scopes.transports, (cluster) => this.#openTransport(cluster)),
      streams: new Shared(scopes.transports, (stream) => {
        const contract = this.#asked.get(stream)?.contract
        return contract === undefined ? Effect.fail(closedError) : this.#openStream(contract)
      })
    }
    this.#kept = {
      transports: new KeptOpen(this.#shared.transports, scopes.transports, this.#closing),
      streams: new KeptOpen(this.#shared.streams, scopes.streams, this.#closing)
    }
    this.#moves = fleet && this.#movesOf({ fleet, lease: options.control?.lease })
    this.#sinks = new Sinks({
      transports: this.#shared.transports,
      declared: (cluster) => this.#swaps.clusterOf(cluster),
      pumps: new Pumps(runtime.context, this.#clock, options.buffers?.bytes),
      watch: this.#watch,
      ledger,
      incarnation: identity,
      drainMs: Duration.toMillis(options.drain ?? drainDefault),
      departures: this.#moves?.departed,
      scope: scopes.transports
    })
    this.#legs = new Legs({ incarnation: identity, source: options.source }, this.#sinks, ledger)
    this.#swaps = new TableSwaps({
      source: options.source,
      drivers,
      sinks: this.#sinks,
      groups: this.#groups,
      clusters: this.#clusters,
      readers: runtime.references,
      contracts: () => Array.from(this.#asked.values(), ({ contract }) => contract),
      streams: () => Array.from(this.#streams.values()),
      moves: this.#moves,
      inForce: () => this.#routes,
      adopt: (table) => this.#adopt(table),
      closing: this.#closing
    })
    const joined = (stream: string) => this.#joined(stream)
    this.#holding = { sinks: this.#sinks, joined, schedule: tasksOf(runtime.scheduler) }
    this.#keepRenewing()
  }

  readonly routes = (): Routes => this.#routes

  #movesOf(given: Pick<MovesHome, "fleet" | "lease">): Moves {
    return new Moves({
      member: this.incarnation,
      ...given,
      tableRoute: (stream) => this.#routes.lookup(stream, this.source),
      take: (stream, route, before) => this.#swaps.between(Effect.suspend(() => this.#take(stream, route, before))),
      outletOf: (stream, leg) => {
        const contract = this.#asked.get(stream)?.contract
        return contract && this.#legs.outletOf(contract, leg)
      },
      transportOf: (cluster) => this.#shared.transports.get(cluster),
      groupsOf: (stream) => this.#groups.of(stream),
      isClosing: () => this.isClosing,
      compile: (document) => Routes.compile(document, { drivers: this.#drivers }),
      sinks: () => this.#sinks,
      runtime: this.#runtime
    })
  }

  /** Opens what a route lacks, and has an open stream written to it. */
  #take(stream: string, route: Route, before: () => void): Effect.Effect<void, OpenError> {
    const open = this.#streams.get(stream)
    if (open === undefined) return Effect.fail(closedError)
    const { contract, legs, publisher } = open
    const opening = Effect.forEach(legs.missing(route), (leg) => legs.open(route, leg), { discard: true })
    return Effect.onExit(opening, (exit) => (Exit.isSuccess(exit) ? Effect.void : legs.discard())).pipe(
      Effect.andThen(
        Effect.sync(() => {
          before()
          publisher.swap(this.#legs.destinations(contract, route))
          this.#release(legs.commit(route))
        })
      )
    )
  }

  /** How a stream is written to with the table in force. */
  #routeNow(stream: string): Route | undefined {
    const route = this.#routes.lookup(stream, this.source)
    return route === undefined ? undefined : (this.#moves?.routeOf(stream, route) ?? route)
  }

  readonly stream = <T>(contract: Contract<T>): Effect.Effect<EventStream<T>, OpenError> =>
    Effect.acquireUseRelease(
      Effect.suspend(() => this.#ask(contract)),
      () => {
        // One contract per stream, so what was stored under its name has its type.
        const { stream } = contract
        const open = this.#kept.streams.has(stream) && !this.isClosing ? this.#streams.get(stream) : undefined
        if (open !== undefined) return Effect.succeed(open.stream as EventStream<T>)
        return Effect.map(this.#kept.streams.get(stream), (opened) => opened.stream as EventStream<T>)
      },
      (asked) => Effect.sync(() => this.#answered(asked))
    )

  #ask<T>(contract: Contract<T>): Effect.Effect<Asked, RouteError> {
    const wrong = noContract(contract)
    if (wrong !== undefined) return Effect.fail(routeError("contract", wrong))
    const { stream } = contract
    const found = this.#asked.get(stream)
    const faults = found === undefined ? this.#meetings.add(contract) : secondContract(found.contract, contract)
    if (faults.length > 0) return Effect.fail(new RouteError({ faults }))
    const asked = found ?? { contract: contract as Contract<unknown>, callers: 0 }
    asked.callers++
    this.#asked.set(stream, asked)
    return Effect.succeed(asked)
  }

  #answered(asked: Asked): void {
    const { stream } = asked.contract
    if (--asked.callers > 0 || this.#streams.has(stream)) return
    this.#asked.delete(stream)
    this.#meetings.delete(stream)
  }

  readonly transport = (cluster: string): Effect.Effect<Transport, OpenError> => this.#kept.transports.get(cluster)

  #openTransport(cluster: string): Effect.Effect<Transport, OpenError, Scope.Scope> {
    return Effect.suspend(() => {
      if (typeof cluster !== "string")
        return Effect.fail(routeError("clusters", `a cluster has a name, which is not ${kindOf(cluster)}`))
      const known = this.#swaps.clusterOf(cluster)
      if (known === undefined) return Effect.fail(routeError("clusters", `no cluster named ${cluster}`))
      return this.#clusters.open(cluster, known)
    })
  }

  readonly flush: Effect.Effect<Outcome> = Effect.suspend(() =>
    flushed({
      begin: (waiter) => {
        for (const sink of this.#sinks.all) sink.flush(waiter)
      },
      halted: this.halted,
      schedule: tasksOf(this.#runtime.scheduler)
    })
  )

  readonly swapRoutes = (document: unknown): Effect.Effect<void, RouteError> => this.#swaps.swap(document, "program")

  readonly takeRoutes = (document: unknown): Effect.Effect<void, RouteError> => this.#swaps.swap(document, "fleet")

  readonly sinks = (): ReadonlyArray<SinkFill> => [
    ...this.#sinks.all.map(({ bufferedBytes, leg, shareBytes, spilling, fallingBack, breaker, trouble }) => ({
      sink: leg.sink,
      bufferedBytes,
      bufferBytesMax: leg.bufferBytesMax,
      ...(shareBytes === undefined ? {} : { shareBytes }),
      ...(spilling === undefined ? {} : { spilled: spilling }),
      ...(fallingBack === undefined ? {} : { fallback: fallingBack }),
      ...(breaker === undefined ? {} : { breaker: breaker.view }),
      ...(trouble === undefined ? {} : { trouble })
    })),
    ...this.#sinks.unopened.map(({ leg: { sink, bufferBytesMax }, why }) => {
      return { sink, bufferedBytes: 0, bufferBytesMax, closed: why }
    })
  ]

  readonly subscriptions = (): ReadonlyArray<Subscription> =>
    Array.from(this.#streams.values()).flatMap(({ stream }) => stream.subscriptions)

  readonly halted = (): ReadonlyArray<HaltedLane> => this.#sinks.all.flatMap((sink) => sink.halted)

  readonly resume: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach(this.#sinks.all, (sink) => sink.resume, { discard: true })
  )

  /** Whether nothing more is opened. */
  get isClosing(): boolean {
    return Deferred.isDoneUnsafe(this.#closing)
  }

  /**
   * Consumers first, because their handlers publish; then what is buffered, in all sinks at the same time; then the connections. Nothing
   * is opened any more, and what is being opened fails.
   */
  readonly close: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    yield* Deferred.succeed(this.#closing, undefined)
    yield* Scope.close(this.#scopes.subscriptions, Exit.void)
    for (const { publisher } of this.#streams.values()) publisher.close()
    yield* Scope.close(this.#scopes.streams, Exit.void)
    yield* this.#moves?.end ?? Effect.void
    yield* Scope.close(this.#scopes.transports, Exit.void)
    this.#report.close()
    this.#losses.close()
    yield* this.#announcer.announce(true)
  })

  /** Follows where its fleet moves streams, until it is closed. */
  readonly move: Effect.Effect<void> = Effect.suspend(() => {
    if (this.#moves === undefined) return Effect.void
    return Effect.andThen(this.#moves.known, Effect.asVoid(Effect.forkIn(this.#moves.run, this.#scopes.transports)))
  })

  /** Announces the ledger, now and then again until the leat is closed. */
  readonly announce: Effect.Effect<void> = Effect.suspend(() =>
    Scope.provide(this.#announcer.begin, this.#scopes.transports)
  )

  /** Opens what the stream needs; what it is dressed with is what the table says when all of it is open. */
  #openStream<T>(contract: Contract<T>): Effect.Effect<OpenStream, OpenError, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const { stream } = contract
      const legs = new HeldLegs(contract, this.#holding)
      let opened: OpenStream | undefined
      const closed = Effect.suspend(() => {
        // What is closing is counted and announced until its sinks are empty.
        if (!this.isClosing) {
          if (opened !== undefined) this.#streams.delete(stream)
          this.#moves?.closed(stream)
        }
        return legs.close()
      })
      yield* Scope.addFinalizer(yield* Effect.scope, closed)
      const found = yield* this.#routeOf(contract)
      const asked = this.#moves?.opening(stream, found) ?? found
      const open = (route: Route) =>
        Effect.forEach(legs.missing(route), (leg) => legs.open(route, leg), { concurrency: "unbounded", discard: true })
      yield* Effect.andThen(open(asked), this.#moves?.awaitsMove(contract, asked, found) ?? Effect.void)
      // Its sink holds it.
      const readTransport = yield* Effect.scoped(this.#sinks.transportOf(asked.readLeg))
      const readFallbacks = yield* Effect.forEach(stayedIn(asked.readLeg), (cluster) =>
        Effect.map(this.#shared.transports.get(cluster), (transport) => ({ cluster, transport }))
      )
      // A table that was put in force meanwhile moves nothing that is being opened, but it may have other legs.
      for (let route = asked; ; yield* open(route)) {
        route = this.#routeNow(stream) ?? asked
        if (legs.missing(route).length === 0) break
      }
      opened = this.#opened(contract, asked, legs, { readTransport, readFallbacks })
      return opened
    })
  }

  /** All that the stream needs is open: from now on it takes tables over. */
  #opened<T>(
    contract: Contract<T>,
    asked: Route,
    legs: HeldLegs,
    reading: { readonly readTransport: Transport; readonly readFallbacks: ReadonlyArray<ReadFallback> }
  ): OpenStream {
    const { stream } = contract
    const route = this.#routeNow(stream) ?? asked
    this.#release(legs.commit(route))
    const to = this.#legs.destinations(contract, route)
    const publisher = new Publisher(contract, to, this.#ledger, this.#clock, this.incarnation)
    const opened = new EventStream({
      contract,
      publisher,
      incarnation: this.incarnation,
      ledger: this.#ledger,
      compactionWatch: this.#sinks.compactionWatch,
      route: () => this.#routeNow(stream) ?? route,
      readTransport: () => reading.readTransport,
      readFallbacks: () => reading.readFallbacks,
      staysIn: () => this.#moves?.staysIn(stream) ?? [],
      whereabouts: this.#moves?.whereabouts(stream),
      settings: (group) => this.#routes.subscription(stream, group),
      keepsMs: (cluster) => this.#routes.clusters.get(cluster)?.keepsMs,
      groups: this.#groups,
      scope: this.#scopes.subscriptions,
      scheduler: this.#runtime.scheduler
    })
    const open = { contract, stream: opened, publisher, legs }
    this.#streams.set(stream, open)
    this.#moves?.opened(stream, () => this.#routeNow(stream)?.readLeg)
    if (route.objective !== undefined) this.#losses.begin()
    return open
  }

  #routeOf(contract: ContractInfo): Effect.Effect<Route, RouteError> {
    return Effect.suspend(() => {
      const unmet = this.#routes.check(contract, this.source)
      if (unmet.length > 0) return Effect.fail(new RouteError({ faults: unmet }))
      const route = this.#routes.lookup(contract.stream, this.source)
      if (route !== undefined) return Effect.succeed(route)
      return Effect.fail(routeError("routes", this.#routes.explain(contract.stream, this.source)))
    })
  }

  /** The sink of a best-effort leg has opened: it joins the stream between two events. */
  #joined(stream: string): void {
    const open = this.#streams.get(stream)
    const route = this.#routeNow(stream)
    if (route !== undefined) open?.publisher.swap(this.#legs.destinations(open.contract, route))
  }

  #adopt(routes: Routes): void {
    this.#routes = routes
    this.#meetings = routes.meetings(this.source)
    this.#keepRenewing()
    for (const { contract } of this.#asked.values()) {
      this.#meetings.add(contract)
      const route = this.#routeNow(contract.stream)
      if (route === undefined) continue
      for (const leg of route.legs) this.#sinks.configure(leg)
      const open = this.#streams.get(contract.stream)
      if (open === undefined) continue
      open.publisher.swap(this.#legs.destinations(contract, route))
      this.#release(open.legs.commit(route))
      open.stream.configureSubscriptions()
      if (route.objective !== undefined) this.#losses.begin()
    }
  }

  /** From the first table on whose sections have references. */
  #keepRenewing(): void {
    const sections = Array.from(this.#routes.clusters.values(), ({ config }) => config)
    if (this.#isRenewing || !sections.some(hasReferences)) return
    this.#isRenewing = true
    this.#release(this.#swaps.renewing)
  }

  /** In its own time, and until the leat closes, which gives all back. */
  #release(leaving: Effect.Effect<void> | undefined): void {
    if (leaving !== undefined) Effect.runForkWith(this.#runtime.context)(Effect.forkIn(leaving, this.#scopes.streams))
  }

  /** The open streams whose loss is watched. */
  *#watched(): Iterable<WatchedStream> {
    for (const { contract } of this.#streams.values()) {
      const objective = this.#routes.lookup(contract.stream, this.source)?.objective
      if (objective === undefined) continue
      yield { objective, legs: this.#ledger.stream(contract.stream).required.map(({ account }) => account) }
    }
  }
}

function secondContract(open: ContractInfo, asked: ContractInfo): ReadonlyArray<RouteFault> {
  const message = contractFault(open, asked)
  return message === undefined ? [] : [{ path: "", message }]
}

const make = Effect.fnUntraced(function* (options: LeatOptions): Effect.fn.Return<OpenLeat, RouteError, Scope.Scope> {
  const begun = yield* beginning(options)
  const scopes = {
    subscriptions: yield* Scope.make("parallel"),
    streams: yield* Scope.make("parallel"),
    transports: yield* Scope.make()
  }
  // In one step: the leat looks at its references from the first moment on, until it is closed.
  const leat = yield* Effect.acquireRelease(
    Effect.sync(() => new OpenedLeat(begun, scopes)),
    ({ close }) => close
  )
  yield* leat.announce
  yield* Scope.provide(tellLostAtEnd(leat.ledger.snapshot, begun.runtime.context), scopes.transports)
  yield* leat.move
  yield* begun.from.follow(leat)
  return leat
})

/**
 * An open leat as a service, for programs that are put together from layers; `Leat.make` opens one without a layer.
 *
 * @example
 * ```ts
 * const program = Effect.gen(function* () {
 *   const leat = yield* Leat
 *   const sightings = yield* leat.stream(BeaconSighting)
 *   yield* sightings.publish(sighting)
 * })
 * await Effect.runPromise(Effect.provide(program, Leat.layer({ source: "mobile-app" })))
 * ```
 */
export class Leat extends Context.Service<Leat, OpenLeat>()("leat/Leat") {
  /**
   * Opens a leat; closing the scope drains and closes it. Fails with `RouteError` when the route document or the options have faults, all
   * of them. Clusters are opened with the streams that need them, not here.
   *
   * @example
   * ```ts
   * const leat = yield* Leat.make({ source: "mobile-app", routes: { version: 1, clusters, routes: [route] }, drivers: [log] })
   * ```
   */
  static readonly make = make

  /** As `make`, as a layer: the leat is closed with the layer's scope. */
  static readonly layer = (options: LeatOptions): Layer.Layer<Leat, RouteError> => Layer.effect(Leat, make(options))

  /**
   * Everything in memory: for tests, and for a first hour without a document. Dies when the source is empty.
   *
   * @example
   * ```ts
   * await Effect.runPromise(Effect.provide(program, Leat.layerMemory("test")))
   * ```
   */
  static readonly layerMemory = (source: string): Layer.Layer<Leat> => Layer.orDie(Leat.layer({ source }))
}
