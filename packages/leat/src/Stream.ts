/**
 * The front door of one contract. What is admitted, at which level a publish completes, and what became of the event in the
 * end are three different answers: `offer` gives the first at once, `publish` the second, `outcome` the third.
 */
import { type Context, Data, Deferred, Effect, Fiber, Queue, type Scheduler, type Scope, Stream } from "effect"
import type { Admission, NotStored, Rejected } from "./publish/Admission.ts"
import { causedContext } from "./publish/causedContext.ts"
import type { Contract, Key } from "./contract/Contract.ts"
import {
  CurrentDelivery,
  type DecodedValue,
  type DeliveryInfo,
  type HaltedReadLane,
  type HandlerInput,
  type SourceOptions
} from "./consume/DeliveryInfo.ts"
import type { EventId } from "./record/EventId.ts"
import type { Ledger } from "./ledger/Ledger.ts"
import type { Rule } from "./Policy.ts"
import type { Publisher } from "./publish/Publisher.ts"
import { Publishing } from "./publish/Publishing.ts"
import type { PublishOptions, Receipt, ReceiptAll } from "./publish/Receipt.ts"
import type { Route, SubscriptionSettings } from "./routes/Routes.ts"
import { Source } from "./consume/Source.ts"
import { attribute, metricNames, pullCounter, traceparentOf } from "./Telemetry.ts"
import type { From, PartitionBounds, ReceivedRecord, Transport, TransportError } from "./transport/index.ts"
import type { Outcome } from "./ledger/Waiter.ts"
import type { EventContext, RecordMeta } from "./record/Wire.ts"

/** How a group handles a stream, where it differs from the `subscriptions` of the route document. */
export interface HandleOptions {
  /** Handlers at the same time per lane; instead of what the route document says. */
  readonly concurrency?: number
  /** Where a group that has settled nothing yet begins; instead of what the route document says. */
  readonly from?: From
  /** What to do when a handler fails; instead of what the route document says. */
  readonly policy?: ReadonlyArray<Rule & { readonly then: "drop" | "halt" }>
  /** Called for a tombstone of a compacted contract; without it tombstones are done by being seen. */
  readonly onTombstone?: (delivery: DeliveryInfo) => Effect.Effect<void, unknown>
}

/** How a group handles a stream in batches. A lane has one batch at a time in the hands of a handler. */
export interface HandleBatchOptions extends Omit<HandleOptions, "onTombstone" | "concurrency"> {
  /** Events that one call gets at most; 100 when absent, and never below 2. */
  readonly records?: number
}

/**
 * A subscription that runs, until it is stopped or its scope closes.
 *
 * @example
 * ```ts
 * const subscription = yield* sightings.handle("positions", (event) => estimate(event))
 * while ((yield* subscription.lag) > 0n) yield* Effect.sleep("100 millis")
 * yield* subscription.stop
 * ```
 */
export interface Subscription {
  /** Name of the group. */
  readonly group: string
  /** Lanes that stand still until `resume`, and why. */
  readonly halted: () => ReadonlyArray<HaltedReadLane>
  /** Lanes that are full, and the position that holds each back. */
  readonly blocked: () => ReadonlyArray<{ readonly partition: number; readonly position: bigint }>
  /** Lets halted lanes try again. */
  readonly resume: Effect.Effect<void>
  /**
   * Records stored and not settled by the group, over all partitions; those that others of the group hold too. Fails with
   * the transport's error.
   */
  readonly lag: Effect.Effect<bigint, TransportError>
  /** Drains, settles and gives the lanes back; waits for that. */
  readonly stop: Effect.Effect<void>
  /** Completes when the subscription ends by itself: never, or with the transport's error. */
  readonly ended: Effect.Effect<void, TransportError>
}

/**
 * One event in the hands of a consumer that says itself when it is done. Until then later events of its key wait.
 *
 * @example
 * ```ts
 * yield* sightings.subscribe("positions").pipe(
 *   Stream.runForEach(({ event, done, fail }) => (event.rssiDbm < 0 ? done : fail("Implausible")))
 * )
 * ```
 */
export interface Delivery<T> {
  readonly event: T
  readonly info: DeliveryInfo
  /** It is handled. */
  readonly done: Effect.Effect<void>
  /** It is not; the policy of the subscription judges the tag. `detail` is a sentence for a person. */
  readonly fail: (tag: string, detail?: string) => Effect.Effect<void>
}

/** A consumer's own word that a delivery failed. */
class Failed extends Data.Error<{ readonly _tag: string; readonly message: string }> {}

/** What a stream needs of the leat that opened it. */
export interface StreamParts<T> {
  readonly contract: Contract<T>
  readonly publisher: Publisher<T>
  readonly incarnation: string
  readonly ledger: Ledger
  readonly route: () => Route
  readonly readTransport: () => Transport
  readonly settings: (group: string) => SubscriptionSettings
  /** Scope in which subscriptions run when the caller's has ended is never used: this one bounds both. */
  readonly scope: Scope.Scope
  readonly scheduler: Scheduler.Scheduler
}

/**
 * The typed stream of one contract, to publish to and to read from; `leat.stream(contract)` gives it.
 *
 * @example
 * ```ts
 * const sightings = yield* leat.stream(BeaconSighting)
 * yield* sightings.handle("positions", (event, { key, attempt }) => estimate(event))
 * const { id } = yield* sightings.publish({
 *   beaconId: "b7", sensorId: "s1", rssiDbm: -61, seenAtUs: 1795416249141000n, inputRef: ""
 * })
 * ```
 */
export class EventStream<T> {
  /** The contract that it was opened with. */
  readonly contract: Contract<T>
  readonly #parts: StreamParts<T>
  readonly #publisher: Publisher<T>
  readonly #publishing: Publishing<T>
  /** The counter of each group that is read, and how many subscriptions share it. */
  readonly #reporting = new Map<string, { subscriptions: number; readonly remove: () => void }>()

  constructor(parts: StreamParts<T>) {
    this.#parts = parts
    this.contract = parts.contract
    this.#publisher = parts.publisher
    this.#publishing = new Publishing({ ...parts, level: () => parts.route().level })
  }

  /**
   * Admits the event now, or says why not. Never waits, never throws, allocates nothing.
   *
   * @example
   * ```ts
   * const told = sightings.offer(sighting)
   * if (!told.admitted) yield* Effect.logWarning(told.reason)
   * ```
   */
  offer(event: T, context?: EventContext): Admission {
    return this.#publisher.offer(event, context)
  }

  /**
   * Offers the removal of a key. Rejected as `invalid` when the contract is not marked compacted.
   *
   * @example
   * ```ts
   * lastSeen.offerTombstone("b7")
   * ```
   */
  offerTombstone(key: Key, context?: EventContext): Admission {
    return this.#publisher.offerTombstone(key, context)
  }

  /** Id of the event admitted last; undefined before the first. */
  get lastId(): EventId | undefined {
    return this.#publisher.lastId(this.#parts.incarnation)
  }

  /**
   * Admits the event, waiting for room where the sink's rule is `block`, and completes at the route's level. Fails with
   * `Rejected` when it is not admitted (`timeout` after the time-out of the leg), with `NotStored` when a policy gave it
   * up.
   *
   * @example
   * ```ts
   * const { id, outcome } = yield* sightings.publish(sighting, { level: "queued", correlationId: "walk-12" })
   * const { stored } = yield* outcome
   * ```
   */
  publish(event: T, options?: PublishOptions): Effect.Effect<Receipt, Rejected | NotStored> {
    return Effect.withFiber((fiber) => this.#publishing.publish(event, this.#contextOf(fiber, options), options?.level))
  }

  /**
   * Publishes many: one wait for all of them. Rejected events are listed, the others go on. Fails with `NotStored` when a
   * policy gave one of them up.
   *
   * @example
   * ```ts
   * const { admitted, rejected } = yield* sightings.publishAll([sighting, { ...sighting, beaconId: "" }])
   * rejected // [{ index: 1, error: Rejected: ... (emptyKey) }]
   * ```
   */
  publishAll(events: Iterable<T>, options?: PublishOptions): Effect.Effect<ReceiptAll, NotStored> {
    return Effect.withFiber((fiber) =>
      this.#publishing.publishAll(events, this.#contextOf(fiber, options), options?.level)
    )
  }

  /**
   * Sends what is buffered for the sinks of this stream without waiting for linger; completes when everything admitted to
   * them so far has ended. Never fails.
   */
  get flush(): Effect.Effect<Outcome> {
    return this.#publishing.flush
  }

  /**
   * Handles each event of the stream as the group `group`, in order per key, until the scope closes. Returns once it runs.
   * An event is done when its handler succeeds; the policy judges a failure by its `_tag` or name.
   *
   * @example
   * ```ts
   * yield* sightings.handle("positions", (event, { key, attempt }) => estimate(event), { concurrency: 4, from: "latest" })
   * ```
   */
  handle<E, R>(
    group: string,
    handler: (event: T, delivery: DeliveryInfo) => Effect.Effect<void, E, R>,
    options: HandleOptions = {}
  ): Effect.Effect<Subscription, never, R | Scope.Scope> {
    return Effect.flatMap(Effect.context<R>(), (context) =>
      this.#subscribe(
        group,
        options,
        { drainsOnStop: true },
        eachEvent((event: T, info) => Effect.provideContext(handler(event, info), context), options)
      )
    )
  }

  /**
   * Handles events in batches, in the order of the lane. A batch that fails is judged and tried again as a whole.
   * Tombstones are done by being seen.
   *
   * @example
   * ```ts
   * yield* sightings.handleBatch("archive", (deliveries) => insert(deliveries.map(({ event }) => event)), { records: 500 })
   * ```
   */
  handleBatch<E, R>(
    group: string,
    handler: (
      deliveries: ReadonlyArray<{ readonly event: T; readonly info: DeliveryInfo }>
    ) => Effect.Effect<void, E, R>,
    options: HandleBatchOptions = {}
  ): Effect.Effect<Subscription, never, R | Scope.Scope> {
    const bundleRecords = Math.max(1, options.records ?? 100)
    return Effect.flatMap(Effect.context<R>(), (context) =>
      this.#subscribe(group, { ...options, concurrency: 1 }, { bundleRecords, drainsOnStop: true }, (inputs) => {
        const events = inputs.flatMap(({ event, info }) => (event === undefined ? [] : [{ event, info }]))
        return events.length === 0 ? Effect.void : Effect.provideContext(handler(events), context)
      })
    )
  }

  /**
   * Deliveries that the consumer ends itself with `done` or `fail`. What is not ended when the scope closes is not settled.
   *
   * @example
   * ```ts
   * yield* sightings.subscribe("positions").pipe(
   *   Stream.runForEach(({ event, done }) => Effect.andThen(estimate(event), done))
   * )
   * ```
   */
  subscribe(group: string, options: HandleOptions = {}): Stream.Stream<Delivery<T>> {
    return Stream.unwrap(
      Effect.gen({ self: this }, function* () {
        const queue = yield* Queue.unbounded<Delivery<T>>()
        const hand = (event: T, info: DeliveryInfo) =>
          Effect.flatMap(Deferred.make<void, Failed>(), (ended) =>
            Effect.andThen(
              Queue.offer(queue, {
                event,
                info,
                done: Effect.asVoid(Deferred.succeed(ended, undefined)),
                fail: (tag, detail = tag) =>
                  Effect.asVoid(Deferred.fail(ended, new Failed({ _tag: tag, message: detail })))
              }),
              Deferred.await(ended)
            )
          )
        yield* this.#subscribe(group, options, { drainsOnStop: false }, eachEvent(hand, options))
        return Stream.fromQueue(queue)
      })
    )
  }

  /**
   * Start, end and, for a group, settled position of each partition of the leg that is read. Fails with the transport's
   * error.
   *
   * @example
   * ```ts
   * const [first] = yield* sightings.bounds("positions") // { partition: 0, start: 0n, end: 12n, settled: 10n }
   * ```
   */
  bounds(group?: string): Effect.Effect<ReadonlyArray<PartitionBounds>, TransportError> {
    return this.#parts.readTransport().bounds(this.#parts.route().readLeg.topic, group)
  }

  #subscribe(
    group: string,
    options: HandleOptions,
    how: Pick<SourceOptions<T>, "bundleRecords" | "drainsOnStop">,
    handle: (inputs: ReadonlyArray<HandlerInput<T>>) => Effect.Effect<void, unknown>
  ): Effect.Effect<Subscription, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const { route, readTransport, ledger, settings, scheduler } = this.#parts
      const context = yield* Effect.context<never>()
      const { concurrency, from, policy } = options
      const overrides = {
        ...(concurrency === undefined ? {} : { concurrency }),
        ...(from === undefined ? {} : { from }),
        ...(policy === undefined ? {} : { policy })
      }
      const source = new Source<T>(
        {
          transport: readTransport(),
          topic: route().readLeg.topic,
          stream: this.contract.stream,
          group,
          unordered: this.contract.unordered,
          settings: { ...settings(group), ...overrides },
          ledger,
          decode: (record, meta) => this.#decode(record, meta),
          handle,
          ...how
        },
        context,
        scheduler
      )
      const fiber = yield* Effect.forkIn(Effect.ensuring(source.run, this.#reported(group, context)), this.#parts.scope)
      const stop = Effect.asVoid(Fiber.interrupt(fiber))
      yield* Effect.addFinalizer(() => stop)
      return {
        group,
        halted: () => source.halted,
        blocked: () => source.blocked,
        resume: source.resume,
        lag: Effect.map(this.bounds(group), (bounds) =>
          bounds.reduce((sum, { start, end, settled }) => sum + end - (settled ?? start), 0n)
        ),
        stop,
        ended: Fiber.join(fiber)
      }
    })
  }

  /** Counts what the group has consumed here for as long as somebody in this process reads for it; returns how to leave. */
  #reported(group: string, context: Context.Context<never>): Effect.Effect<void> {
    const { ledger } = this.#parts
    const { stream } = this.contract
    const found = this.#reporting.get(group) ?? {
      subscriptions: 0,
      remove: pullCounter(metricNames.consumed, { [attribute.stream]: stream, [attribute.group]: group }, context, () =>
        ledger.consumed(group, stream)
      )
    }
    found.subscriptions++
    this.#reporting.set(group, found)
    return Effect.sync(() => {
      if (--found.subscriptions > 0) return
      found.remove()
      this.#reporting.delete(group)
    })
  }

  #decode(record: ReceivedRecord, meta: RecordMeta): DecodedValue<T> {
    if (meta.type !== undefined && meta.type !== this.contract.name)
      return { _tag: "Fault", fault: { skip: "otherType" } }
    if (record.value === null) {
      if (this.contract.compacted) return { _tag: "Tombstone" }
      return {
        _tag: "Fault",
        fault: { tag: "Malformed", detail: "a record without a value, on a contract that is not compacted" }
      }
    }
    try {
      return { _tag: "Event", event: this.contract.decode(record.value) }
    } catch (error) {
      return { _tag: "Fault", fault: { tag: "Malformed", detail: String(error) } }
    }
  }

  #contextOf(fiber: Fiber.Fiber<unknown, unknown>, options: PublishOptions | undefined): EventContext | undefined {
    return causedContext(options, fiber.getRef(CurrentDelivery), traceparentOf(fiber))
  }
}

/** Gives each event to `handler`, and each tombstone to the option for it. */
function eachEvent<T>(
  handler: (event: T, delivery: DeliveryInfo) => Effect.Effect<void, unknown>,
  { onTombstone }: HandleOptions
) {
  return ([input]: ReadonlyArray<HandlerInput<T>>): Effect.Effect<void, unknown> => {
    if (input === undefined) return Effect.void
    const { event, info } = input
    return event === undefined ? (onTombstone?.(info) ?? Effect.void) : handler(event, info)
  }
}
