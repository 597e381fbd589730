/** The consuming half of a stream: makes a `Source` of a handler, runs it, and reports what it has consumed. */
import {
  Cause,
  type Context,
  Data,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Queue,
  Result,
  type Scheduler,
  Scope,
  Stream
} from "effect"
import { caughtUp } from "./CatchingUp.ts"
import { Consumer } from "./Consumer.ts"
import type { Place } from "../control/ControlRecord.ts"
import type { Contract } from "../contract/Contract.ts"
import type { DeliveryInfo } from "./DeliveryInfo.ts"
import { isKeyPersonal } from "../contract/isKeyPersonal.ts"
import { groupFault, handleFaults } from "./handleFaults.ts"
import type { Ledger } from "../ledger/Ledger.ts"
import type { ReadGroups } from "../routes/ReadGroups.ts"
import { groupTopicFault } from "../routes/groupTopicFault.ts"
import { delayKeptFaults, type KeepsMs, retryTopicUseFaults } from "../routes/retryTopicFaults.ts"
import { type Leg, RouteError, type RouteFault, type SubscriptionSettings, routeError } from "../routes/Routes.ts"
import type { ReadFallback } from "./FallbackTopics.ts"
import { forgetIds } from "./forgetIds.ts"
import { inboxFaultsOfLoop } from "./inboxFaults.ts"
import { ownHandleOptions } from "./ownHandleOptions.ts"
import { onceEach } from "./onceEach.ts"
import { type HandedOver, pullOf } from "./pullOf.ts"
import { ReadPlaces } from "./ReadPlaces.ts"
import { type EventBatch, type Handler, NoEvent, type SourceOptions } from "./SourceOptions.ts"
import { readStored, type StoredEvent, type StoredParts, type StoredRange, storedRanges } from "./storedRanges.ts"
import type { Delivery, HandleBatchOptions, HandleOptions, SubscribeOptions, Subscription } from "./Subscription.ts"
import type { Whereabouts } from "./Whereabouts.ts"
import { processDuration } from "../Telemetry.ts"
import { textOfThrown } from "../given/thrown.ts"
import type { CompactionWatch } from "../transport/CompactionWatch.ts"
import { type PartitionBounds, type Transport, TransportError } from "../transport/index.ts"

/** A consumer's own word that a delivery failed. */
class Failed extends Data.Error<{ readonly _tag: string; readonly message: string }> {}

/** Events that one call of a handler of batches gets at most, when nothing else is said. */
const batchRecordsDefault = 100

/** In place of the handler that a consumer of deliveries does not have. */
const noHandler = () => undefined

const tombstone = new NoEvent()
const noValue = new NoEvent({
  tag: "Malformed",
  isUnread: true,
  detail: "a record without a value, on a contract that is not compacted"
})

const closing = { path: "", message: "this leat is closed, or is being closed: it handles nothing more" }

export interface ConsumingParts<T> {
  readonly contract: Contract<T>
  readonly ledger: Ledger
  readonly compactionWatch: CompactionWatch
  readonly readLeg: () => Leg
  /** Those of all streams of the leat. */
  readonly groups: ReadGroups
  readonly readTransport: () => Transport
  /** Where its events may stay, by the leg that it was opened with. */
  readonly readFallbacks: () => ReadonlyArray<ReadFallback>
  /** Clusters where they may stay by all documents that are known by now: a stream that is moved may get another fallback. */
  readonly staysIn: () => ReadonlyArray<string>
  readonly settings: (group: string) => SubscriptionSettings
  readonly keepsMs: KeepsMs
  /** Where the stream lies while somebody moves it; absent: nobody ever does. */
  readonly whereabouts?: Whereabouts | undefined
  /** Scope in which subscriptions run, beside the caller's: each ends with the first of the two. */
  readonly scope: Scope.Scope
  readonly scheduler: Scheduler.Scheduler
}

/** A subscription that runs, and what it was asked for in code. */
interface RunningSubscription<T> {
  readonly subscription: Subscription
  readonly places: ReadPlaces<T>
  readonly group: string
  readonly options: HandleOptions
}

/** A subscription, and the fiber that it runs in. */
interface Started {
  readonly subscription: Subscription
  readonly fiber: Fiber.Fiber<never, TransportError>
}

export class Consuming<T> {
  readonly #parts: ConsumingParts<T>
  /** Undefined until there is one: most of many streams are not read where they are published. */
  #running: Set<RunningSubscription<T>> | undefined

  constructor(parts: ConsumingParts<T>) {
    this.#parts = parts
  }

  handle<E, R>(
    group: string,
    onEvent: (event: T, delivery: DeliveryInfo) => Effect.Effect<void, E, R>,
    given: HandleOptions
  ): Effect.Effect<Subscription, RouteError, R | Scope.Scope> {
    const own = ownHandleOptions(given)
    const wrong = Result.isFailure(own) ? [own.failure] : handleFaults(group, own.success, onEvent)
    if (Result.isFailure(own) || wrong.length > 0) return Effect.fail(new RouteError({ faults: wrong }))
    const options = own.success
    return Effect.flatMap(Effect.context<R | Scope.Scope>(), (context) => {
      const handler = {
        kind: "one",
        onEvent: (event: T, info: DeliveryInfo) => within(context, onEvent(event, info)),
        onTombstone: options.onTombstone
      } as const
      return Effect.map(this.#start(group, options, handler), ({ subscription }) => subscription)
    })
  }

  handleBatch<E, R>(
    group: string,
    onEvents: (deliveries: EventBatch<T>) => Effect.Effect<void, E, R>,
    given: HandleBatchOptions
  ): Effect.Effect<Subscription, RouteError, R | Scope.Scope> {
    const own = ownHandleOptions(given)
    const wrong = Result.isFailure(own) ? [own.failure] : handleFaults(group, own.success, onEvents)
    if (Result.isFailure(own) || wrong.length > 0) return Effect.fail(new RouteError({ faults: wrong }))
    const options = own.success
    return Effect.flatMap(Effect.context<R | Scope.Scope>(), (context) => {
      const handler = {
        kind: "batch",
        records: options.records ?? batchRecordsDefault,
        waitMs: options.waitMs ?? 0,
        onTombstone: options.onTombstone,
        onEvents: (events: EventBatch<T>) => within(context, onEvents(events))
      } as const
      return Effect.map(this.#start(group, options, handler), ({ subscription }) => subscription)
    })
  }

  /** `stopped`: when it is done the subscription ends, and waits for what the consumer has in his hands. */
  subscribe(
    group: string,
    given: SubscribeOptions,
    stopped?: Effect.Effect<void>
  ): Stream.Stream<Delivery<T>, RouteError | TransportError> {
    const own = ownHandleOptions(given)
    return Stream.unwrap(
      Effect.gen({ self: this }, function* () {
        const options = yield* Effect.mapError(Effect.fromResult(own), (fault) => new RouteError({ faults: [fault] }))
        const wrong = [...handleFaults(group, options, noHandler), ...inboxFaultsOfLoop(options)]
        if (wrong.length > 0) return yield* new RouteError({ faults: wrong })
        const queue = yield* Queue.unbounded<HandedOver<T>, TransportError | Cause.Done>()
        const onEvent = (event: T, info: DeliveryInfo) => handedOver(queue, event, info)
        const handler = { kind: "one", onEvent, onTombstone: options.onTombstone } as const
        const { fiber } = yield* this.#start(group, options, handler, new Consumer())
        if (stopped !== undefined)
          yield* Effect.forkScoped(
            Effect.andThen(
              stopped,
              Effect.sync(() => fiber.interruptUnsafe())
            )
          )
        fiber.addObserver((exit) => {
          if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) Queue.failCauseUnsafe(queue, exit.cause)
          else Queue.endUnsafe(queue)
        })
        return Stream.fromPull(Effect.succeed(pullOf(queue)))
      })
    )
  }

  bounds(group: string | undefined): Effect.Effect<ReadonlyArray<PartitionBounds>, TransportError> {
    return Effect.suspend(() => {
      const { readTransport, readLeg, whereabouts } = this.#parts
      const wrong = group === undefined ? undefined : groupFault(group)
      if (wrong !== undefined) {
        const transport = readTransport().name
        return Effect.fail(new TransportError({ reason: "Rejected", transport, operation: "bounds", detail: wrong }))
      }
      const open = whereabouts?.placement()?.epochs.findLast(({ begin }) => begin !== undefined)
      if (whereabouts === undefined || open === undefined) return readTransport().bounds(readLeg().topic, group)
      return boundsIn(whereabouts, open.place, group)
    })
  }

  stored(group: string | undefined): Effect.Effect<ReadonlyArray<StoredRange>, TransportError | RouteError> {
    return Effect.suspend(() => {
      const wrong = group === undefined ? undefined : groupFault(group)
      if (wrong === undefined) return storedRanges(this.#stored, group)
      return Effect.fail(routeError("group", wrong))
    })
  }

  read(range: StoredRange): Stream.Stream<StoredEvent<T>, TransportError | RouteError> {
    return Stream.suspend(() => readStored(this.#stored, range))
  }

  get #stored(): StoredParts<T> {
    const { contract, readLeg, readTransport, whereabouts } = this.#parts
    return {
      stream: contract.stream,
      type: contract.name,
      decode: (value) => this.#decode(value),
      isKeyPersonal: isKeyPersonal(contract),
      leg: readLeg(),
      transport: readTransport(),
      whereabouts,
      isCompacted: contract.compacted
    }
  }

  /** Those that run. */
  get subscriptions(): ReadonlyArray<Subscription> {
    return Array.from(this.#running ?? [], ({ subscription }) => subscription)
  }

  /** Another table is in force: subscriptions that run go on with its settings, where they were not given others in code. */
  configure(): void {
    for (const { places, group, options } of this.#running ?? []) places.configure(this.#settings(group, options))
  }

  #settings(group: string, { concurrency, dedupe, from, policy, retryTopics }: HandleOptions): SubscriptionSettings {
    const settings = this.#parts.settings(group)
    return {
      ...settings,
      concurrency: concurrency ?? settings.concurrency,
      dedupeRecords: dedupe?.records ?? settings.dedupeRecords,
      from: from ?? settings.from,
      policy: policy ?? settings.policy,
      retryDelaysMs: retryTopics?.delaysMs ?? settings.retryDelaysMs
    }
  }

  #start(
    group: string,
    options: HandleOptions,
    handler: Handler<T>,
    consumer?: Consumer
  ): Effect.Effect<Started, RouteError, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      // What begins after the end would be ended at once, and nobody would be told.
      if (this.#parts.scope.state._tag === "Closed") return yield* new RouteError({ faults: [closing] })
      const context = yield* Effect.context<never>()
      // That of the caller may be open for as long as the program runs: it holds nothing of a subscription that has ended.
      const own = yield* Scope.fork(yield* Effect.scope)
      const left = Scope.close(own, Exit.void)
      // In one step, and at once: who is interrupted in between would leave a group or a member behind that nobody takes out.
      const started = yield* Effect.acquireRelease(
        Effect.suspend(() => this.#enter(group, options, handler, consumer, context)),
        ({ fiber }) =>
          Effect.suspend(() => {
            consumer?.goes()
            return Fiber.interrupt(fiber)
          })
      ).pipe(
        Scope.provide(own),
        Effect.onError(() => left)
      )
      started.fiber.addObserver(() => void Effect.runForkWith(context)(left))
      return started
    })
  }

  /** Enters the group in the books of this leat and joins it; leaves when the subscription has ended. Not to be interrupted. */
  #enter(
    group: string,
    options: HandleOptions,
    handler: Handler<T>,
    consumer: Consumer | undefined,
    context: Context.Context<never>
  ): Effect.Effect<Started, RouteError> {
    const { contract, groups, readLeg, readTransport, whereabouts, ledger, compactionWatch, scheduler, scope } =
      this.#parts
    const { inbox } = options
    const settings = this.#settings(group, options)
    const leg = readLeg()
    const wrong = this.#retryFaults(settings, options, leg)
    if (wrong.length > 0) return Effect.fail(new RouteError({ faults: wrong }))
    const wrongName = this.#topics.map((topic) => groupTopicFault(topic, group)).find((one) => one !== undefined)
    if (wrongName !== undefined) return Effect.fail(routeError("group", wrongName))
    const sourceOptions: SourceOptions<T> = {
      transport: readTransport(),
      cluster: leg.cluster,
      topic: leg.topic,
      stream: contract.stream,
      type: contract.name,
      group,
      unordered: contract.unordered,
      isKeyPersonal: isKeyPersonal(contract),
      ledger,
      compactionWatch,
      decode: (value) => this.#decode(value),
      handler: inbox === undefined ? handler : onceEach(handler, inbox, group),
      consumer,
      duration: processDuration(context),
      context,
      scheduler
    }
    const fallbacks = this.#parts.readFallbacks()
    const { staysIn } = this.#parts
    const places = new ReadPlaces<T>(
      { options: sourceOptions, isCompacted: contract.compacted, leg, fallbacks, staysIn, groups, whereabouts },
      settings
    )
    const taken = places.enter()
    if (taken !== undefined) return Effect.fail(new RouteError({ faults: [taken] }))
    // Counts of a group are there from when it is read, and not only from its first lane.
    ledger.group(group, contract.stream)
    const waitsMs = () => this.#settings(group, options).retryDelaysMs.reduce((sum, delayMs) => sum + delayMs, 0)
    const forgetting = inbox === undefined ? Effect.never : forgetIds(inbox, group, contract.stream, waitsMs)
    const reading = Effect.interruptible(Effect.raceAllFirst([places.run, forgetting]))
    return Effect.map(Effect.forkIn(reading, scope, { startImmediately: true }), (fiber) => {
      const subscription = this.#subscription(group, places, fiber)
      const running = { subscription, places, group, options }
      this.#running ??= new Set()
      this.#running.add(running)
      // Not by the fiber itself: one that is interrupted before it has begun does nothing more.
      fiber.addObserver(() => {
        this.#running?.delete(running)
        places.leave()
      })
      return { subscription, fiber }
    })
  }

  /** What is wrong with retry topics that code asks for. */
  #retryFaults(settings: SubscriptionSettings, options: HandleOptions, leg: Leg): ReadonlyArray<RouteFault> {
    const { contract, keepsMs } = this.#parts
    if (options.retryTopics === undefined) return []
    const kept = delayKeptFaults("retryTopics.delaysMs", settings.retryDelaysMs, leg, keepsMs)
    return [...retryTopicUseFaults(contract, settings.policy), ...kept]
  }

  /** Those that the stream is read in, and is going to be: a group that begins late has to come along. */
  get #topics(): ReadonlyArray<string> {
    const { readLeg, whereabouts } = this.#parts
    const epochs = whereabouts?.placement()?.epochs.filter(({ phase }) => phase !== "retired") ?? []
    return [readLeg().topic, ...epochs.map(({ place }) => place.topic)]
  }

  #subscription(group: string, places: ReadPlaces<T>, fiber: Fiber.Fiber<never, TransportError>): Subscription {
    const { scheduler, contract } = this.#parts
    const { stream } = contract
    return {
      group,
      stream,
      halted: () => places.halted,
      blocked: () => places.blocked,
      resume: places.resume,
      lag: places.lag,
      caughtUp: places.forEach((source) => {
        return caughtUp({ group, stream, source, besides: [places], fiber, bounds: source.bounds, scheduler })
      }),
      stop: Effect.asVoid(Fiber.interrupt(fiber)),
      ended: Effect.flatMap(Fiber.await(fiber), (exit) =>
        Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause) ? Effect.failCause(exit.cause) : Effect.void
      )
    }
  }

  #decode(value: Uint8Array | null): T | NoEvent {
    const { contract } = this.#parts
    if (value === null) return contract.compacted ? tombstone : noValue
    try {
      return contract.decode(value)
    } catch (error) {
      return new NoEvent({ tag: "Malformed", isUnread: true, detail: textOfThrown(error) })
    }
  }
}

/** Of a place that nobody may hold open but this question. */
function boundsIn(
  { transportOf }: Whereabouts,
  { cluster, topic }: Place,
  group: string | undefined
): Effect.Effect<ReadonlyArray<PartitionBounds>, TransportError> {
  return Effect.flatMap(transportOf(cluster), (transport) => transport.bounds(topic, group)).pipe(
    Effect.scoped,
    Effect.catchTag("RouteError", ({ message: detail }) =>
      Effect.fail(new TransportError({ reason: "Unavailable", transport: "leat", operation: "bounds", detail }))
    )
  )
}

/** Puts an event into the hands of a consumer, and waits until he says how it ended. */
function handedOver<T>(
  queue: Queue.Queue<HandedOver<T>, TransportError | Cause.Done>,
  event: T,
  info: DeliveryInfo
): Effect.Effect<void, Failed> {
  return Effect.suspend(() => {
    const ended = Deferred.makeUnsafe<void, Failed>()
    const delivery: Delivery<T> = {
      event,
      info,
      done: Effect.asVoid(Deferred.succeed(ended, undefined)),
      fail: (tag, detail = tag) => Effect.asVoid(Deferred.fail(ended, new Failed({ _tag: tag, message: detail })))
    }
    Queue.offerUnsafe(queue, { delivery, isEnded: () => Deferred.isDoneUnsafe(ended) })
    return Deferred.await(ended)
  })
}

/** Handlers are run in the context that the subscription began in, so that each has what it needs without being wrapped. */
function within<E, R>(_: Context.Context<R>, effect: Effect.Effect<void, E, R>): Effect.Effect<void, E> {
  return effect as Effect.Effect<void, E>
}
