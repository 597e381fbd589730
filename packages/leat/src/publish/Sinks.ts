/**
 * The sinks of a leat, by name: each is opened once, by the first stream that needs it, and shared by reference. Required legs wait for
 * theirs. Those of best-effort legs are opened in their own time (`openLater`): a cluster that is away keeps no stream waiting.
 */
import { Deferred, Duration, Effect, Exit, Fiber, Scope } from "effect"
import type { Ledger } from "../ledger/Ledger.ts"
import type { Cluster } from "../routes/Clusters.ts"
import { persistently } from "../routes/openCluster.ts"
import { openingName, type OpeningWatch } from "../routes/OpeningWatch.ts"
import { type Leg, RouteError, type RouteFault } from "../routes/Routes.ts"
import { otherStandIns, type StandInName } from "../routes/standIns.ts"
import { CompactionWatch, mayBeCompacted } from "../transport/CompactionWatch.ts"
import { type Transport, TransportError } from "../transport/index.ts"
import type { Compaction } from "./openTopic.ts"
import { PartitionWatch } from "./PartitionWatch.ts"
import type { Pumps } from "./Pumps.ts"
import { Shared } from "./Shared.ts"
import { Sink, type SinkOptions } from "./Sink.ts"
import { fallenPartitions, openFallback } from "./fallback/openFallback.ts"
import { awayTransport, type StandIn } from "./spill/awayTransport.ts"
import type { Departures } from "./spill/Departures.ts"
import { openSpill, spilledPartitions } from "./spill/openSpill.ts"
import * as Telemetry from "../Telemetry.ts"

export type OpenError = RouteError | TransportError

/** Of what is opened by a leat that closes. */
export const closedError = new TransportError({
  reason: "Closed",
  transport: "leat",
  operation: "open",
  detail: "this leat is closed, or is being closed"
})

/** How a sink is asked for. */
export interface SinkRequest {
  readonly leg: Leg
  /** Who asks. */
  readonly stream: string
  readonly compaction: Compaction
  /** Why so many partitions will not do; asked before the topic is created. */
  readonly wrong: (partitions: number) => RouteFault | undefined
}

export interface SinksOptions {
  readonly transports: Shared<Transport, OpenError>
  /** What a cluster of the table in force declares, by its name. */
  readonly declared: (cluster: string) => Pick<Cluster, "driver" | "capabilities"> | undefined
  readonly pumps: Pumps
  readonly watch: OpeningWatch
  readonly ledger: Ledger
  /** 16 bytes. */
  readonly incarnation: Uint8Array
  /** How long closing a sink waits for what is buffered, in milliseconds. */
  readonly drainMs: number
  /** Undefined: no stream is ever moved. */
  readonly departures?: Departures | undefined
  /** Emptied before it ends. */
  readonly scope: Scope.Scope
}

/** A stream that waits for the sink of a best-effort leg. */
interface Waiting {
  readonly request: SinkRequest
  /** The sink is held until it closes. */
  readonly scope: Scope.Scope
  readonly opened: () => void
}

/** A sink that could not be opened yet. */
interface Unopened {
  /** What was asked for first. */
  readonly request: SinkRequest
  /** It is tried for as long as there is one. */
  readonly waiting: Set<Waiting>
  /** Completes when the first attempt has ended, either way. */
  readonly tried: Deferred.Deferred<void>
  /** Completed when there is a reason to try before the delay is over. */
  again: Deferred.Deferred<void>
  error: OpenError | undefined
  opening: Fiber.Fiber<void> | undefined
}

/** How long a stream that is opened waits for the sinks of its best-effort legs, so that a healthy one misses no event. */
const patience = Duration.seconds(2)

/** How long a cluster whose leg has a spill or a fallback is waited for, where that knows of its topic, in milliseconds. */
const awayMs = 3000

/** Delays between two attempts to open the sink of a best-effort leg, in milliseconds. */
const againMs = 500
const againMsMax = 30_000

export class Sinks {
  readonly #options: SinksOptions
  readonly #shared: Shared<Sink, OpenError>
  /** By sink: what was asked for last, with the settings of the table in force. */
  readonly #requests = new Map<string, SinkRequest>()
  /** By sink: the streams that asked for it, also those that wait for another one of their sinks. */
  readonly #streams = new Map<string, Set<string>>()
  readonly #open = new Map<string, Sink>()
  readonly #unopened = new Map<string, Unopened>()
  readonly #watch: PartitionWatch
  /** Of what is read in this leat too. */
  readonly compactionWatch: CompactionWatch
  /** Sinks whose clusters were away when they were asked for. */
  readonly #isAway = new Set<string>()
  /** What stands for those clusters, by sinks that are open. */
  readonly #standIns = new Map<string, StandIn>()

  constructor(options: SinksOptions) {
    this.#options = options
    this.#watch = new PartitionWatch(options.scope)
    this.compactionWatch = new CompactionWatch(options.scope)
    this.#shared = new Shared(options.scope, (name) => this.#lookup(name))
  }

  /** The sink of a leg, when it is open. One that is closing takes nothing more, and one with another spill or fallback is that of an older table. */
  find(leg: Leg): Sink | undefined {
    const sink = this.#open.get(leg.sink)
    return sink?.isClosing !== false || otherStandIns(sink.leg, leg).length > 0 ? undefined : sink
  }

  /** A sink that is open, or is being closed. */
  named(name: string): Sink | undefined {
    return this.#open.get(name)
  }

  /** What a cluster of the table in force declares. */
  declared(cluster: string): Pick<Cluster, "capabilities"> | undefined {
    return this.#options.declared(cluster)
  }

  get ledger(): Ledger {
    return this.#options.ledger
  }

  get all(): ReadonlyArray<Sink> {
    return Array.from(this.#open.values())
  }

  /** Sinks of best-effort legs that are not open, and why. */
  get unopened(): ReadonlyArray<{ readonly leg: Leg; readonly why: string }> {
    const { watch } = this.#options
    return Array.from(this.#unopened.values(), ({ request, error }) => {
      const { leg } = this.#latest(request)
      // An attempt may last for half a minute, and has failed many times by then.
      const why = watch.why(leg.sink) ?? watch.why(openingName(leg.cluster)) ?? error?.message
      return { leg, why: why ?? "no answer yet" }
    })
  }

  /** Why a best-effort leg takes nothing, as its drops are counted: its sink is not open, or is one that it cannot use. */
  reason(name: string): string {
    if (this.#open.get(name)?.isClosing === false) return "Unsupported"
    const error = this.#unopened.get(name)?.error
    return error instanceof TransportError ? error.reason : error === undefined ? "Unavailable" : "Unsupported"
  }

  /** Other settings for the same destination, also while it is being opened. */
  configure(leg: Leg): void {
    const request = this.#requests.get(leg.sink)
    if (request !== undefined) this.#requests.set(leg.sink, { ...request, leg })
    this.find(leg)?.configure(leg)
  }

  /** Opens the sink, or shares the one that is open; it is held until the scope closes. */
  open(request: SinkRequest): Effect.Effect<Sink, OpenError, Scope.Scope> {
    const { leg, wrong } = request
    const check = (partitions: number) => {
      const fault = wrong(partitions)
      return fault === undefined ? Effect.void : Effect.fail(new RouteError({ faults: [fault] }))
    }
    return Effect.gen({ self: this }, function* () {
      this.#requests.set(leg.sink, request)
      this.#streamsOf(leg.sink).add(request.stream)
      // The sink holds its cluster: whoever asks that holds it until the sink is open.
      const asking = Scope.makeUnsafe()
      return yield* Effect.gen({ self: this }, function* () {
        // Before anything is created; and once more, because somebody else may have created it meanwhile.
        if (!this.#open.has(leg.sink)) {
          const asked = Effect.map(this.#reached(leg), ({ partitions }) => partitions)
          const known = hasStandIn(leg) ? unlessAway(asked, this.#partitionsOfAway(leg, awayMs)) : asked
          yield* check(yield* Scope.provide(known, asking))
        }
        const sink = yield* this.#shared.get(leg.sink)
        yield* check(sink.partitions)
        const faults = otherStandIns(sink.leg, leg).map((name) => stillOpen(sink.leg, leg, name))
        if (faults.length > 0) return yield* new RouteError({ faults })
        return sink
      }).pipe(
        Effect.onExit((exit) => {
          const left = Scope.close(asking, Exit.void)
          return Exit.isSuccess(exit) ? left : Effect.flatMap(Effect.scope, (scope) => Scope.addFinalizer(scope, left))
        })
      )
    })
  }

  /**
   * Opens the sink of a best-effort leg, again and again until it is open, and holds it until `scope` closes; `opened` is called then, at
   * once when it is open. Completes after the first attempt, or when the patience of a stream that is opened is over.
   */
  openLater(request: SinkRequest, scope: Scope.Scope, opened: () => void): Effect.Effect<void> {
    // Noted and begun in one step: whoever is interrupted in between would leave a sink that nobody opens.
    return Effect.uninterruptibleMask((restore) => {
      const { sink } = request.leg
      if (this.find(request.leg) !== undefined) return restore(this.#join(request, scope, opened))
      const found = this.#unopened.get(sink)
      const unopened = found ?? unopenedOf(request)
      const waiting = { request, scope, opened }
      unopened.waiting.add(waiting)
      const tried = Effect.asVoid(Effect.timeoutOption(Deferred.await(unopened.tried), patience))
      const left = Scope.addFinalizer(scope, this.#left(unopened, waiting))
      if (found !== undefined)
        return Effect.andThen(left, Effect.andThen(Deferred.succeed(found.again, undefined), restore(tried)))
      this.#unopened.set(sink, unopened)
      this.#requests.set(sink, request)
      const opening = Effect.forkIn(Effect.interruptible(this.#keepOpening(unopened)), this.#options.scope)
      const begun = Effect.map(opening, (fiber) => {
        unopened.opening = fiber
      })
      return Effect.andThen(left, Effect.andThen(begun, restore(tried)))
    })
  }

  /** With the last one who waits the attempts end. */
  #left(unopened: Unopened, waiting: Waiting): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { sink } = unopened.request.leg
      if (!unopened.waiting.delete(waiting) || unopened.waiting.size > 0) return Effect.void
      if (this.#unopened.get(sink) === unopened) this.#unopened.delete(sink)
      return unopened.opening === undefined ? Effect.void : Fiber.interrupt(unopened.opening)
    })
  }

  /** Another stream has the sink open, and may be the first to close it: one that was not opened after all, for want of another sink. */
  #join(request: SinkRequest, scope: Scope.Scope, opened: () => void): Effect.Effect<void> {
    const held = Effect.exit(Scope.provide(this.#shared.get(request.leg.sink), scope))
    const joined = Effect.flatMap(held, (exit) =>
      Exit.isSuccess(exit) ? Effect.sync(opened) : this.openLater(request, scope, opened)
    )
    return Effect.flatMap(Effect.forkIn(joined, scope), (fiber) =>
      Effect.asVoid(Effect.timeoutOption(Fiber.await(fiber), patience))
    )
  }

  /** What was asked for, with the settings of the table in force. */
  #latest(request: SinkRequest): SinkRequest {
    return this.#requests.get(request.leg.sink) ?? request
  }

  #keepOpening(unopened: Unopened): Effect.Effect<void> {
    const { request, tried } = unopened
    const { sink } = request.leg
    return Effect.gen({ self: this }, function* () {
      for (let delayMs = againMs; ; delayMs = Math.min(delayMs * 2, againMsMax)) {
        const exit = yield* this.#attempt(unopened)
        if (Exit.isSuccess(exit)) return
        const error = yield* Effect.flip(Effect.failCause(exit.cause)).pipe(
          Effect.catchDefect((defect) => Effect.succeed(defectOf(request.leg, defect)))
        )
        if (unopened.error?.message !== error.message && !this.#isTold(request.leg, error))
          yield* Telemetry.warn(`the best-effort sink ${sink} is not open, and is tried again: ${error.message}`)
        unopened.error = error
        yield* Deferred.succeed(tried, undefined)
        unopened.again = Deferred.makeUnsafe<void>()
        yield* Effect.timeoutOption(Deferred.await(unopened.again), delayMs)
      }
    })
  }

  /** What may pass is told of while it is tried, by the name of the cluster or of the topic. */
  #isTold({ cluster, sink }: Leg, error: OpenError): boolean {
    const { watch } = this.#options
    const mayPass = error._tag === "TransportError" && error.isRetryable
    return mayPass && (watch.hasWarned(sink) || watch.hasWarned(openingName(cluster)))
  }

  /** Opens the sink for all who wait: each holds it for itself before the attempt lets it go. */
  #attempt(unopened: Unopened): Effect.Effect<Exit.Exit<Sink, OpenError>> {
    const { request, tried, waiting } = unopened
    const wrong = (partitions: number) => {
      const faults = Array.from(waiting, (one) => one.request.wrong(partitions))
      return faults.includes(undefined) ? undefined : faults[0]
    }
    return Effect.uninterruptibleMask((restore) =>
      Effect.gen({ self: this }, function* () {
        const holding = yield* Scope.make()
        const exit = yield* Effect.exit(restore(Scope.provide(this.open({ ...this.#latest(request), wrong }), holding)))
        if (Exit.isSuccess(exit)) {
          this.#unopened.delete(request.leg.sink)
          for (const { scope, opened } of waiting) {
            yield* Effect.exit(Scope.provide(this.#shared.get(request.leg.sink), scope))
            opened()
          }
          waiting.clear()
          yield* Deferred.succeed(tried, undefined)
        }
        yield* Scope.close(holding, Exit.void)
        return exit
      })
    )
  }

  #persistently<A, R>(sink: string, opening: Effect.Effect<A, TransportError, R>): Effect.Effect<A, TransportError, R> {
    return this.#options.watch.during(sink, (failed) => persistently(opening, failed))
  }

  #lookup(name: string): Effect.Effect<Sink, OpenError, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const request = this.#requests.get(name)
      if (request === undefined) return yield* Effect.die(new Error(`nobody asked for the sink ${name}`))
      const { leg, compaction, stream } = request
      yield* Scope.addFinalizer(
        yield* Effect.scope,
        Effect.sync(() => {
          this.#open.delete(name)
          this.#standIns.delete(name)
        })
      )
      const { pumps, ledger, incarnation, drainMs } = this.#options
      const transport = yield* this.#openCluster(leg)
      const spill = yield* this.#spillOf(leg)
      const fallback = yield* this.#fallbackOf(leg)
      const pump = pumps.of(transport)
      const streams = this.#streamsOf(name)
      const away = this.#standIns.get(name)
      const options = { leg, pump, ledger, incarnation, compaction, drainMs, streams, away, ...spill, ...fallback }
      const opening = Sink.open(options)
      const sink = yield* this.#persistently(name, opening)
      const { partitions } = sink
      yield* this.#watch.watch({ sink: name, topic: leg.topic, transport, partitions, wrong: request.wrong })
      if (compaction === undefined && mayBeCompacted(transport))
        yield* this.compactionWatch.look({ sink: name, topic: leg.topic, stream, transport })
      this.#open.set(name, sink)
      this.#isAway.delete(name)
      const waiting = this.#unopened.get(name)
      // Another stream has opened it: whoever waits for it joins now.
      if (waiting !== undefined) yield* Deferred.succeed(waiting.again, undefined)
      return sink
    })
  }

  #streamsOf(sink: string): Set<string> {
    const found = this.#streams.get(sink)
    if (found !== undefined) return found
    const made = new Set<string>()
    this.#streams.set(sink, made)
    return made
  }

  /** The cluster of a leg, once it says how many partitions the topic has, or would have. */
  #reached(leg: Leg) {
    const { cluster, sink, topic } = leg
    return Effect.gen({ self: this }, function* () {
      const transport = yield* this.#options.transports.get(cluster)
      const partitions = yield* this.#persistently(sink, transport.partitionsOf(topic))
      return { transport, partitions }
    })
  }

  /** The cluster of a leg whose sink was asked for; where it was away then, what stands for it. */
  transportOf({ cluster, sink }: Leg): Effect.Effect<Transport, OpenError, Scope.Scope> {
    return Effect.suspend(() => {
      const standIn = this.#standIns.get(sink)
      return standIn === undefined ? this.#options.transports.get(cluster) : Effect.succeed(standIn.transport)
    })
  }

  /** The cluster of a leg; where it is away and a spill, or a fallback, knows of it, what stands for it. */
  #openCluster(leg: Leg): Effect.Effect<Transport, OpenError, Scope.Scope> {
    const { cluster, sink, topic } = leg
    const compaction = this.#requests.get(sink)?.compaction
    const declared = this.#options.declared(cluster)
    if (!hasStandIn(leg) || declared === undefined) return this.#options.transports.get(cluster)
    const { capabilities, driver } = declared
    const standIn = Effect.flatMap(this.#partitionsOfAway(leg, 0), (partitions) => {
      const opening = this.#options.transports.get(cluster)
      return Effect.map(
        awayTransport({ name: driver.name, capabilities, topic, sink, compaction, partitions, opening }),
        (one) => {
          this.#standIns.set(sink, one)
          return one.transport
        }
      )
    })
    const reached = Effect.map(this.#reached(leg), ({ transport }) => transport)
    return unlessAway(reached, Effect.delay(standIn, this.#isAway.has(sink) ? 0 : awayMs))
  }

  /** After so long, how many partitions its spill, or its fallback, says that the topic of a leg has. Never where there is none. */
  #partitionsOfAway(leg: Leg, afterMs: number): Effect.Effect<number, never, Scope.Scope> {
    const { spill, fallback, sink } = leg
    if (!hasStandIn(leg)) return Effect.never
    const asked = (cluster: string) =>
      Effect.flatMap(this.#options.transports.get(cluster), (transport) =>
        spill === undefined ? fallenPartitions(transport, leg) : spilledPartitions(transport, leg)
      )
    return Effect.gen({ self: this }, function* () {
      yield* Effect.sleep(afterMs)
      const all = (yield* Effect.forEach(
        spill === undefined ? (fallback?.clusters ?? []) : [spill.cluster],
        asked
      )).flat()
      if (all.length === 0) return yield* Effect.never
      this.#isAway.add(sink)
      return Math.max(...all)
    }).pipe(Effect.catch(() => Effect.never))
  }

  /** How the spill of a sink is opened, in a cluster that is held as long as the sink is. */
  #spillOf(leg: Leg): Effect.Effect<Pick<SinkOptions, "spill">, OpenError, Scope.Scope> {
    const { sink, spill } = leg
    if (spill === undefined) return Effect.succeed({})
    return Effect.map(this.#options.transports.get(spill.cluster), (transport) => ({
      spill: (partitions) =>
        Effect.map(
          openSpill(transport, leg, partitions, () => this.#open.get(sink)?.leg ?? leg),
          (place) => ({ ...place, departures: this.#options.departures })
        )
    }))
  }

  /** The same of its fallback. */
  #fallbackOf(leg: Leg): Effect.Effect<Pick<SinkOptions, "fallback">, OpenError, Scope.Scope> {
    const [cluster, ...others] = leg.fallback?.clusters ?? []
    if (cluster === undefined) return Effect.succeed({})
    const opened = (one: string) => this.#options.transports.get(one)
    return Effect.gen(function* () {
      const first = yield* opened(cluster)
      const rest = yield* Effect.forEach(others, opened)
      const placeOf = (transport: Transport, index: number, partitions: number) =>
        openFallback(transport, leg, index, partitions)
      const fallback = Effect.fnUntraced(function* (partitions: number) {
        const place = yield* placeOf(first, 0, partitions)
        const behind = yield* Effect.forEach(rest, (one, index) => placeOf(one, index + 1, partitions))
        return [place, ...behind] as const
      })
      return { fallback }
    })
  }
}

function stillOpen(was: Leg, { sink, path }: Leg, name: StandInName): RouteFault {
  const how = was[name] === undefined ? "without it" : "with another one"
  return { path: `${path}.${name}`, message: `${sink} is still open ${how}, until what it has is sent` }
}

function hasStandIn({ spill, fallback }: Leg): boolean {
  return spill !== undefined || fallback !== undefined
}

/** What reaches a cluster is let go where it is away: what stands for the cluster opens it anew, and would be told the failure of this attempt for ever. */
function unlessAway<A>(
  reaching: Effect.Effect<A, OpenError, Scope.Scope>,
  away: Effect.Effect<A, never, Scope.Scope>
): Effect.Effect<A, OpenError, Scope.Scope> {
  return Effect.gen(function* () {
    const holding = yield* Scope.fork(yield* Effect.scope)
    const reached = Effect.map(Scope.provide(reaching, holding), (found) => ({ found, isAway: false }))
    const instead = Effect.map(away, (found) => ({ found, isAway: true }))
    const { found, isAway } = yield* Effect.raceFirst(reached, instead)
    if (isAway) yield* Scope.close(holding, Exit.void)
    return found
  })
}

function unopenedOf(request: SinkRequest): Unopened {
  return {
    request,
    waiting: new Set(),
    tried: Deferred.makeUnsafe<void>(),
    again: Deferred.makeUnsafe<void>(),
    error: undefined,
    opening: undefined
  }
}

function defectOf({ cluster }: Leg, defect: unknown): TransportError {
  return new TransportError({
    reason: "Unknown",
    transport: cluster,
    operation: "open",
    detail: String(defect),
    cause: defect
  })
}
