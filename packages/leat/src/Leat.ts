/**
 * The composition root: routes, transports, ledger and clock make an open leat, and an open leat gives streams. Closing its
 * scope drains what was admitted and gives every lane back.
 */
import { Clock, Context, Duration, Effect, Exit, Layer, Random, Result, Scheduler, Scope, Semaphore } from "effect"
import { announcementOf, type BucketNext, type LedgerStore } from "./transport/Announcement.ts"
import type { Contract, ContractInfo } from "./contract/Contract.ts"
import { formatUuid, uuidV7 } from "./record/EventId.ts"
import { type Journal, Ledger, type LedgerSnapshot, sum } from "./ledger/Ledger.ts"
import { memory } from "./transport/memory/MemoryTransport.ts"
import { openCluster, persistently } from "./routes/openCluster.ts"
import { type Outlet, Publisher } from "./publish/Publisher.ts"
import { type ReferenceReaders, References } from "./routes/References.ts"
import { type Leg, type Route, RouteError, Routes } from "./routes/Routes.ts"
import { type HaltedLane, Sink } from "./publish/Sink.ts"
import { EventStream } from "./Stream.ts"
import * as Telemetry from "./Telemetry.ts"
import type { Driver, Transport, TransportError } from "./transport/index.ts"
import { TurnClock } from "./publish/TurnClock.ts"
import { type Outcome, Waiter } from "./ledger/Waiter.ts"
import { wireWriter } from "./record/Wire.ts"

/** How a leat is opened. Only `source` has no default. */
export interface LeatOptions {
  /** Who publishes: the CloudEvents source, and what routes match beside the stream. */
  readonly source: string
  /** Route document: YAML or JSON text, or the value. Without one every stream runs in memory. */
  readonly routes?: unknown
  /** Drivers that the document may name; `memory` always is one. */
  readonly drivers?: ReadonlyArray<Driver>
  /** Contracts to check against the routes before anything is opened. Those opened later are checked then. */
  readonly contracts?: ReadonlyArray<ContractInfo>
  /** Where the ledger is announced now and then, every second when not said, so that after a crash the loss is known. */
  readonly ledger?: { readonly store: LedgerStore; readonly every?: Duration.Input }
  /** Sees every move of every leg; for tests. */
  readonly journal?: Journal
  /** How long closing waits for what is buffered, before the rest is counted as dropped[closed]; 30 seconds when absent. */
  readonly drain?: Duration.Input
}

/**
 * An open leat: what `Leat.make` and the layers give.
 *
 * @example
 * ```ts
 * const leat = yield* Leat
 * const sightings = yield* leat.stream(BeaconSighting)
 * yield* sightings.publish(sighting)
 * leat.ledger.snapshot().balanced // true, at every moment
 * ```
 */
export interface OpenLeat {
  /** The `source` of the options. */
  readonly source: string
  /** UUIDv7 of this opening: part of the id of every event published through it. */
  readonly incarnation: string
  /** The table in force. */
  readonly routes: () => Routes
  /** Where every event is, as of now. */
  readonly ledger: { readonly snapshot: () => LedgerSnapshot }
  /**
   * Opens the stream of a contract: checks its route and opens its sinks. The same object every time. Fails with
   * `RouteError` when no route matches, a need is not met or a reference of a cluster cannot be read, with `TransportError` when a cluster or topic cannot be
   * opened; passing faults of a topic are tried again for the time-out of the leg.
   */
  readonly stream: <T>(contract: Contract<T>) => Effect.Effect<EventStream<T>, RouteError | TransportError>
  /**
   * The transport of a cluster of the table, opened on first use: for raw reads, bounds and topics. Fails with `RouteError`
   * when there is no such cluster, or a reference of its section cannot be read.
   */
  readonly transport: (cluster: string) => Effect.Effect<Transport, RouteError | TransportError>
  /**
   * Sends what is buffered without waiting for linger; completes when everything admitted so far has ended, and says how.
   * Never fails.
   */
  readonly flush: Effect.Effect<Outcome>
  /**
   * Puts another table in force between two events: YAML or JSON text, or the value. A document with faults, or one that
   * would move an open stream, is refused whole with `RouteError`. Subscriptions that run keep their settings.
   */
  readonly swapRoutes: (document: unknown) => Effect.Effect<void, RouteError>
  /** How full the buffer of each open sink is, in bytes of arenas. */
  readonly sinks: () => ReadonlyArray<SinkFill>
  /** Lanes being written that stand still until `resume`, and why. */
  readonly halted: () => ReadonlyArray<HaltedLane>
  /** Lets halted lanes try again. */
  readonly resume: Effect.Effect<void>
}

/** How full the buffer of one sink is. */
export interface SinkFill {
  /** `cluster/topic`. */
  readonly sink: string
  /** Capacity of the arenas in use, in bytes. */
  readonly bufferedBytes: number
  /** Budget of the sink, in bytes: `buffer.bytes` of the leg. */
  readonly bufferBytesMax: number
}

const drainDefault = Duration.seconds(30)

/** How often the ledger is announced: what a crash may leave unknown. */
const announceEvery = Duration.seconds(1)

interface Scopes {
  readonly transports: Scope.Closeable
  readonly sinks: Scope.Closeable
  readonly subscriptions: Scope.Closeable
}

interface Runtime {
  readonly clock: Clock.Clock
  readonly scheduler: Scheduler.Scheduler
  readonly context: Context.Context<never>
  readonly references: ReferenceReaders
}

interface OpenStream {
  readonly contract: ContractInfo
  readonly stream: unknown
  readonly publisher: {
    isClosed: boolean
    readonly sequences: ReadonlyArray<BucketNext>
    readonly swap: (outlets: ReadonlyArray<Outlet>) => void
  }
}

class OpenedLeat implements OpenLeat {
  readonly source: string
  readonly incarnation: string
  readonly ledger: Ledger
  readonly #identity: Uint8Array
  readonly #drivers: ReadonlyArray<Driver>
  readonly #drainMs: number
  readonly #scopes: Scopes
  readonly #runtime: Runtime
  /** One opening at a time, so that two streams with one sink open it once. */
  readonly #opening = Semaphore.makeUnsafe(1)
  readonly #transports = new Map<string, Transport>()
  readonly #sinks = new Map<string, Sink>()
  readonly #streams = new Map<string, OpenStream>()
  readonly #clock: TurnClock
  readonly #announcing: LeatOptions["ledger"]
  #routes: Routes

  constructor(
    options: LeatOptions,
    drivers: ReadonlyArray<Driver>,
    routes: Routes,
    identity: Uint8Array,
    scopes: Scopes,
    runtime: Runtime
  ) {
    this.source = options.source
    this.ledger = new Ledger(options.journal)
    this.incarnation = formatUuid(identity)
    this.#identity = identity
    this.#drivers = drivers
    this.#drainMs = Duration.toMillis(options.drain ?? drainDefault)
    this.#routes = routes
    this.#scopes = scopes
    this.#runtime = runtime
    this.#announcing = options.ledger
    this.#clock = new TurnClock(runtime.clock, runtime.scheduler)
  }

  readonly routes = (): Routes => this.#routes

  readonly stream = <T>(contract: Contract<T>): Effect.Effect<EventStream<T>, RouteError | TransportError> =>
    this.#opening.withPermits(1)(
      Effect.suspend(() => {
        const found = this.#streams.get(contract.stream)
        // One contract per stream, so what was stored under its name has its type.
        if (found !== undefined) return Effect.succeed(found.stream as EventStream<T>)
        return this.#open(contract)
      })
    )

  readonly transport = (cluster: string): Effect.Effect<Transport, RouteError | TransportError> =>
    this.#opening.withPermits(1)(this.#transport(cluster))

  #transport(cluster: string): Effect.Effect<Transport, RouteError | TransportError> {
    return Effect.suspend((): Effect.Effect<Transport, RouteError | TransportError> => {
      const found = this.#transports.get(cluster)
      if (found !== undefined) return Effect.succeed(found)
      const known = this.#routes.clusters.get(cluster)
      if (known === undefined) return Effect.fail(fault("clusters", `no cluster named ${cluster}`))
      return openCluster(known, this.#runtime.references).pipe(
        Scope.provide(this.#scopes.transports),
        Effect.tap((transport) => Effect.sync(() => this.#transports.set(cluster, transport)))
      )
    })
  }

  readonly flush: Effect.Effect<Outcome> = Effect.callback((resume) => {
    const waiter = new Waiter()
    const dispatcher = this.#runtime.scheduler.makeDispatcher()
    for (const sink of this.#sinks.values()) sink.flush(waiter)
    waiter.whenDone((outcome) => dispatcher.scheduleTask(() => resume(Effect.succeed(outcome)), 0))
  })

  readonly swapRoutes = (document: unknown): Effect.Effect<void, RouteError> =>
    this.#opening.withPermits(1)(
      Effect.suspend(() => {
        const contracts = Array.from(this.#streams.values(), ({ contract }) => contract)
        const compiled = Routes.compile(document, { drivers: this.#drivers, contracts })
        if (Result.isFailure(compiled)) return Effect.fail(compiled.failure)
        const routes = compiled.success
        const moved = contracts.flatMap(({ stream }) => this.#moves(stream, routes))
        if (moved.length > 0) return Effect.fail(new RouteError({ faults: moved }))
        return Effect.sync(() => this.#adopt(routes))
      })
    )

  readonly sinks = (): ReadonlyArray<SinkFill> =>
    Array.from(this.#sinks, ([sink, { bufferedBytes, leg }]) => ({
      sink,
      bufferedBytes,
      bufferBytesMax: leg.bufferBytesMax
    }))

  readonly halted = (): ReadonlyArray<HaltedLane> => Array.from(this.#sinks.values()).flatMap((sink) => sink.halted)

  readonly resume: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach(this.#sinks.values(), (sink) => sink.resume, { discard: true })
  )

  /** Consumers first, because their handlers publish; then what is buffered; then the connections. */
  readonly close: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    yield* Scope.close(this.#scopes.subscriptions, Exit.void)
    for (const { publisher } of this.#streams.values()) publisher.isClosed = true
    yield* Scope.close(this.#scopes.sinks, Exit.void)
    yield* Scope.close(this.#scopes.transports, Exit.void)
    yield* this.#announce(true)
  })

  /** Announces the ledger, now and then again until the leat is closed. */
  readonly announce: Effect.Effect<void> = Effect.suspend(() => {
    const every = this.#announcing?.every ?? announceEvery
    const again = Effect.forever(Effect.delay(this.#announce(false), every))
    return Effect.andThen(this.#announce(false), Effect.forkIn(again, this.#scopes.transports))
  })

  #announce(isClosed: boolean): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.#announcing === undefined) return Effect.void
      const announcedAtMs = this.#runtime.clock.currentTimeMillisUnsafe()
      const { incarnation, source } = this
      const sequences = (stream: string) => this.#streams.get(stream)?.publisher.sequences ?? []
      const announcement = announcementOf(this.ledger, sequences, { incarnation, source, announcedAtMs, isClosed })
      // Events go on: that the books are behind is told, and tried again.
      return this.#announcing.store
        .save(announcement)
        .pipe(Effect.catch((error) => Effect.logWarning(`the ledger could not be announced: ${error.message}`)))
    })
  }

  #open<T>(contract: Contract<T>): Effect.Effect<EventStream<T>, RouteError | TransportError> {
    return Effect.gen({ self: this }, function* () {
      const { stream } = contract
      const unmet = this.#routes.check(contract)
      if (unmet.length > 0) return yield* new RouteError({ faults: unmet })
      const route = this.#routes.lookup(stream, this.source)
      if (route === undefined) return yield* fault("routes", this.#routes.explain(stream, this.source))
      const outlets = yield* Effect.forEach(route.legs, (leg) => this.#outlet(contract, route, leg))
      const readTransport = yield* this.#transport(route.readLeg.cluster)
      const { scheduler } = this.#runtime
      const publisher = new Publisher(contract, outlets, this.ledger, this.#clock)
      const opened = new EventStream<T>({
        contract,
        publisher,
        incarnation: this.incarnation,
        ledger: this.ledger,
        route: () => this.#routes.lookup(stream, this.source) ?? route,
        readTransport: () => readTransport,
        settings: (group) => this.#routes.subscription(stream, group),
        scope: this.#scopes.subscriptions,
        scheduler
      })
      this.#streams.set(stream, {
        contract,
        stream: opened,
        publisher
      })
      yield* this.#report(stream)
      return opened
    })
  }

  #outlet<T>(contract: Contract<T>, route: Route, leg: Leg): Effect.Effect<Outlet, RouteError | TransportError> {
    return Effect.gen({ self: this }, function* () {
      const sink = yield* this.#sink(leg, contract.compacted)
      const { partitions } = sink
      if (!contract.unordered && route.partitioner === "murmur2" && contract.buckets % partitions !== 0) {
        const path = `routes[${route.index}].partitioner`
        const choice = `give the topic a partition count that divides ${contract.buckets}, or say \`partitioner: bucket\``
        return yield* fault(
          path,
          `${leg.sink} has ${partitions} partitions, ${contract.name} ${contract.buckets} buckets; ${choice}`
        )
      }
      return this.#dress(contract, leg, sink)
    })
  }

  #dress(contract: ContractInfo, leg: Leg, sink: Sink): Outlet {
    const identity = {
      incarnation: this.#identity,
      source: this.source,
      stream: contract.stream,
      type: contract.name,
      epoch: leg.epoch
    }
    return {
      sink,
      wire: wireWriter(leg.wire, identity),
      account: this.ledger.account(contract.stream, leg.sink, leg.epoch),
      isRequired: leg.required,
      // With the partitioner murmur2 too: the partitions divide the buckets, so hash mod P is bucket mod P.
      partitionOf: Int32Array.from({ length: contract.buckets }, (_, bucket) => bucket % sink.partitions)
    }
  }

  #sink(leg: Leg, isCompacted: boolean): Effect.Effect<Sink, RouteError | TransportError> {
    return Effect.gen({ self: this }, function* () {
      const found = this.#sinks.get(leg.sink)
      if (found !== undefined) return found
      const transport = yield* this.#transport(leg.cluster)
      const options = { leg, transport, ledger: this.ledger, isCompacted, drainMs: this.#drainMs }
      const sink = yield* persistently(Sink.open(options), leg.timeoutMs).pipe(Scope.provide(this.#scopes.sinks))
      this.#sinks.set(leg.sink, sink)
      return sink
    })
  }

  /** What a table would move of a stream that is open. Moving is a migration with a barrier, not a swap. */
  #moves(stream: string, routes: Routes): RouteError["faults"] {
    const before = this.#routes.lookup(stream, this.source)
    const after = routes.lookup(stream, this.source)
    const place = (route: Route | undefined) =>
      JSON.stringify([
        route?.partitioner,
        route?.readLeg.sink,
        route?.legs.map(({ sink, epoch }) => `${sink} ${epoch}`).toSorted()
      ])
    if (place(before) === place(after)) return []
    const message = `stream ${stream} is open and would move; only policies, buffers, wires and levels can be swapped in this version`
    return [{ path: after === undefined ? "routes" : `routes[${after.index}].to`, message }]
  }

  #adopt(routes: Routes): void {
    this.#routes = routes
    for (const { contract, publisher } of this.#streams.values()) {
      const route = routes.lookup(contract.stream, this.source)
      if (route === undefined) continue
      const outlets = route.legs.flatMap((leg) => {
        const sink = this.#sinks.get(leg.sink)
        if (sink === undefined) return []
        sink.configure(leg)
        return [this.#dress(contract, leg, sink)]
      })
      publisher.swap(outlets)
    }
  }

  #report(stream: string): Effect.Effect<void> {
    const { context } = this.#runtime
    const attributes = { [Telemetry.attribute.stream]: stream }
    const account = this.ledger.stream(stream)
    const legs = () => this.ledger.accounts.filter((row) => row.stream === stream)
    const counters = [
      [Telemetry.metricNames.offered, () => account.offered],
      [Telemetry.metricNames.rejected, () => sum(account.rejected)],
      [Telemetry.metricNames.sent, () => sumOf(legs(), ({ stored }) => stored)],
      [Telemetry.metricNames.dropped, () => sumOf(legs(), ({ dropped }) => sum(dropped))]
    ] as const
    const pending = () =>
      sumOf(
        this.ledger.snapshot().legs.filter((row) => row.stream === stream),
        ({ queued, inFlight, inDoubt }) => queued + inFlight + inDoubt
      )
    return Effect.suspend(() => {
      const removers = counters.map(([name, get]) => Telemetry.pullCounter(name, attributes, context, get))
      removers.push(Telemetry.pullGauge(Telemetry.metricNames.pending, attributes, context, pending))
      const remove = Effect.sync(() => removers.forEach((one) => one()))
      return Scope.addFinalizer(this.#scopes.sinks, remove)
    })
  }
}

function sumOf<A>(rows: ReadonlyArray<A>, of: (row: A) => number): number {
  return rows.reduce((total, row) => total + of(row), 0)
}

function fault(path: string, message: string): RouteError {
  return new RouteError({ faults: [{ path, message }] })
}

const make = Effect.fnUntraced(function* (options: LeatOptions): Effect.fn.Return<OpenLeat, RouteError, Scope.Scope> {
  const drivers = [memory, ...(options.drivers ?? [])].filter(
    ({ name }, index, all) => all.findLastIndex((other) => other.name === name) === index
  )
  const routes = yield* tableOf(options, drivers)
  const clock = yield* Clock.Clock
  const random = yield* Random.Random
  const identity = uuidV7(
    clock.currentTimeMillisUnsafe(),
    Uint8Array.from({ length: 10 }, () => Math.floor(random.nextDoubleUnsafe() * 256))
  )
  const scopes = {
    transports: yield* Scope.make(),
    sinks: yield* Scope.make(),
    subscriptions: yield* Scope.make("parallel")
  }
  const runtime = {
    clock,
    scheduler: yield* Scheduler.Scheduler,
    context: yield* Effect.context<never>(),
    references: yield* References
  }
  const leat = new OpenedLeat(options, drivers, routes, identity, scopes, runtime)
  yield* Effect.addFinalizer(() => leat.close)
  if (options.ledger !== undefined) yield* leat.announce
  return leat
})

function tableOf(options: LeatOptions, drivers: ReadonlyArray<Driver>): Effect.Effect<Routes, RouteError> {
  if (options.source === "")
    return Effect.fail(fault("source", "a leat needs a source: the name of the service that publishes"))
  if (options.routes === undefined) {
    return Effect.succeed(Routes.inMemory(drivers.find(({ name }) => name === memory.name) ?? memory))
  }
  return Effect.fromResult(Routes.compile(options.routes, { drivers, contracts: options.contracts ?? [] }))
}

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
   * Opens a leat; closing the scope drains and closes it. Fails with `RouteError` when the route document has faults, all
   * of them, or the source is empty. Clusters are opened with the streams that need them, not here.
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
