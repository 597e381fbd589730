/**
 * The front door of one contract. What is admitted, at which level a publish completes, and what became of the event in the
 * end are three different answers: `offer` gives the first at once, `publish` the second, `outcome` the third.
 */
import { Effect, type Fiber, type Scheduler, type Scope, type Stream } from "effect"
import type { Admission, NotStored, Rejected } from "./publish/Admission.ts"
import { Consuming } from "./consume/Consuming.ts"
import type { ReadFallback } from "./consume/FallbackTopics.ts"
import type { Contract, Key } from "./contract/Contract.ts"
import { CurrentBatch, CurrentDelivery, type DeliveryInfo } from "./consume/DeliveryInfo.ts"
import type {
  Delivery,
  HandleBatchOptions,
  HandleOptions,
  SubscribeOptions,
  Subscription
} from "./consume/Subscription.ts"
import type { StoredEvent, StoredRange } from "./consume/storedRanges.ts"
import type { EventContext, Surroundings } from "./record/ContextHeaders.ts"
import type { EventId } from "./record/EventId.ts"
import type { Ledger } from "./ledger/Ledger.ts"
import type { Whereabouts } from "./consume/Whereabouts.ts"
import type { Publisher } from "./publish/Publisher.ts"
import { Publishing } from "./publish/Publishing.ts"
import type { PublishOptions, Receipt, ReceiptAll } from "./publish/Receipt.ts"
import type { Route, RouteError, SubscriptionSettings } from "./routes/Routes.ts"
import type { ReadGroups } from "./routes/ReadGroups.ts"
import type { KeepsMs } from "./routes/retryTopicFaults.ts"
import { traceparentOf } from "./Telemetry.ts"
import type { CompactionWatch } from "./transport/CompactionWatch.ts"
import type { PartitionBounds, Transport, TransportError } from "./transport/index.ts"
import type { Outcome } from "./ledger/Waiter.ts"

/** What a stream needs of the leat that opened it. */
export interface StreamParts<T> {
  readonly contract: Contract<T>
  readonly publisher: Publisher<T>
  readonly incarnation: string
  readonly ledger: Ledger
  readonly compactionWatch: CompactionWatch
  readonly route: () => Route
  readonly readTransport: () => Transport
  readonly readFallbacks: () => ReadonlyArray<ReadFallback>
  readonly staysIn: () => ReadonlyArray<string>
  readonly settings: (group: string) => SubscriptionSettings
  readonly keepsMs: KeepsMs
  /** Where the stream lies while somebody moves it; absent: nobody ever does. */
  readonly whereabouts?: Whereabouts | undefined
  /** The groups that read in this leat. */
  readonly groups: ReadGroups
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
  readonly #publishing: Publishing<T>
  readonly #consuming: Consuming<T>

  constructor(parts: StreamParts<T>) {
    this.#parts = parts
    this.contract = parts.contract
    this.#publishing = new Publishing(parts.publisher, parts.incarnation, parts.scheduler)
    this.#consuming = new Consuming({ ...parts, readLeg: () => parts.route().readLeg })
  }

  /** The publishing half, for the promise front door: it has no fibers to wait in. */
  static publishingOf<T>(stream: EventStream<T>): Publishing<T> {
    return stream.#publishing
  }

  /** As `subscribe`, until `stopped` is done: then it stops as other subscriptions do. For the promise front door, which has a signal. */
  static subscribeUntil<T>(
    stream: EventStream<T>,
    group: string,
    options: SubscribeOptions,
    stopped: Effect.Effect<void>
  ): Stream.Stream<Delivery<T>, RouteError | TransportError> {
    return stream.#consuming.subscribe(group, options, stopped)
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
    return this.#publishing.offer(event, context)
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
    return this.#publishing.offerTombstone(key, context)
  }

  /** Id of the event admitted last; undefined before the first. */
  get lastId(): EventId | undefined {
    return this.#publishing.lastId
  }

  /**
   * Where the fault of the event is that was rejected last, in one sentence for a person, as the `detail` of `Rejected`; undefined before the first. What `offer`
   * gives are constants: ask at once, before the next event.
   */
  get lastFault(): string | undefined {
    return this.#publishing.lastFault
  }

  /**
   * Admits the event, waiting for room where the sink's rule is `block`, and completes at the route's level. Fails with
   * `Rejected` when it is not admitted (`timeout` after the time-out of the leg), with `NotStored` when a policy gave it
   * up. Who waits first is served first. Interrupted while it waits for room, it is not admitted and counted as rejected;
   * interrupted later, the event goes its way.
   *
   * @example
   * ```ts
   * const { id, outcome } = yield* sightings.publish(sighting, { level: "queued", correlationId: "walk-12" })
   * const { stored } = yield* outcome
   * ```
   */
  publish(event: T, options?: PublishOptions): Effect.Effect<Receipt, Rejected | NotStored> {
    return Effect.withFiber((fiber) => this.#publishing.publish(event, options, surroundingsOf(fiber)))
  }

  /**
   * Publishes many: one wait for all of them. Rejected events are listed, the others go on; once one of them has waited for
   * room in vain for the time-out of its leg, the others do not wait. An iterable that is no array is left when
   * the leat is closed, with its first event that is rejected for that. A list or a set, and the options, may be changed while the others wait; each event in it is read
   * when there is room for it, so what it holds must stay as it is until then. Fails with `NotStored` when a policy gave one of them up.
   *
   * @example
   * ```ts
   * const { admitted, rejected } = yield* sightings.publishAll([sighting, { ...sighting, beaconId: "" }])
   * rejected // [{ index: 1, error: Rejected: ... (emptyKey) }]
   * ```
   */
  publishAll(events: Iterable<T>, options?: PublishOptions): Effect.Effect<ReceiptAll, NotStored> {
    return Effect.withFiber((fiber) => this.#publishing.publishAll(events, options, surroundingsOf(fiber)))
  }

  /**
   * Sends what is buffered of this stream without waiting for linger, in all of its sinks; completes when everything of it that is still
   * pending at the call has ended, and says how that ended. Waits for halted lanes as `flush` of the leat does. Never fails.
   */
  get flush(): Effect.Effect<Outcome> {
    return this.#publishing.flush
  }

  /**
   * Handles each event of the stream as the group `group`, in order per key, until the scope closes. Returns once it runs.
   * An event is done when its handler succeeds; the policy judges a failure by its `_tag` or name. Fails with `RouteError` when
   * an option is no number that it can be. A handler that gives an effect which has ended already (`Effect.void`) costs no fiber.
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
  ): Effect.Effect<Subscription, RouteError, R | Scope.Scope> {
    return this.#consuming.handle(group, handler, options)
  }

  /**
   * Handles events in batches, in the order of the lane. A batch that fails is judged and tried again as a whole.
   * A tombstone comes by itself, to `onTombstone`; without it tombstones are done by being seen. Fails with `RouteError` when an option is no number that it can be.
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
  ): Effect.Effect<Subscription, RouteError, R | Scope.Scope> {
    return this.#consuming.handleBatch(group, handler, options)
  }

  /**
   * Deliveries that the consumer ends itself with `done` or `fail`. What is not ended when the scope closes is not settled. Ends
   * when the leat closes, which waits up to the drain time for what the consumer has in his hands; fails with the `TransportError` that ended the subscription, and with `RouteError` as `handle` does.
   *
   * @example
   * ```ts
   * yield* sightings.subscribe("positions").pipe(
   *   Stream.runForEach(({ event, done }) => Effect.andThen(estimate(event), done))
   * )
   * ```
   */
  subscribe(group: string, options: SubscribeOptions = {}): Stream.Stream<Delivery<T>, RouteError | TransportError> {
    return this.#consuming.subscribe(group, options)
  }

  /**
   * Start, end and, for a group, settled position of each partition of the leg that is read; of a stream that is moved, of the newest place
   * that is open. Fails with the transport's error.
   *
   * @example
   * ```ts
   * const [first] = yield* sightings.bounds("positions") // { partition: 0, start: 0n, end: 12n, settled: 10n }
   * ```
   */
  bounds(group?: string): Effect.Effect<ReadonlyArray<PartitionBounds>, TransportError> {
    return this.#consuming.bounds(group)
  }

  /**
   * Where all that is stored of this stream lies: a range for each partition; of a stream that was moved for each partition of each of its epochs,
   * the oldest first, as far as the control stream knows them (the last eight that were retired) and the document still names their clusters. With a group: how far
   * that has settled each. What stays in a fallback is not among it. Fails with the error of a transport, and with `RouteError` where an epoch that is not retired lies in a cluster that cannot be opened.
   *
   * @example
   * ```ts
   * // [{ cluster: "main", topic: "risk.beacons.sighting", partition: 0, epoch: 1, from: 0n, to: 12n }, ...]
   * const ranges = yield* sightings.stored()
   * ```
   */
  stored(group?: string): Effect.Effect<ReadonlyArray<StoredRange>, TransportError | RouteError> {
    return this.#consuming.stored(group)
  }

  /**
   * Reads a range that `stored` gives, or a part of one, without a group and beside every consumer, and ends. Who reads the ranges of a partition one after the other has
   * each key in its order. Copies come as they lie. What cannot be read as an event, and positions at which nothing is any more because retention took it or it does not verify (`gap`), come as a
   * `fault` in place of an event. Fails with the error of the transport, and with `RouteError` where the range is none.
   *
   * @example
   * ```ts
   * for (const range of yield* sightings.stored())
   *   yield* Stream.runForEach(sightings.read(range), ({ event }) => Effect.sync(() => event && state.observe(event)))
   * ```
   */
  read(range: StoredRange): Stream.Stream<StoredEvent<T>, TransportError | RouteError> {
    return this.#consuming.read(range)
  }

  /** The subscriptions of this stream that run in this leat. */
  get subscriptions(): ReadonlyArray<Subscription> {
    return this.#consuming.subscriptions
  }

  /**
   * Another table is in force: subscriptions that run take its settings over (policy, concurrency, buffer, settleEvery, drain),
   * where they were not given others in code. Called by the leat when it swaps its table.
   */
  configureSubscriptions(): void {
    this.#consuming.configure()
  }
}

/** What a publish completes an event's own context from: the delivery being handled, and the span that runs. */
function surroundingsOf(fiber: Fiber.Fiber<unknown, unknown>): Surroundings | undefined {
  const cause = fiber.getRef(CurrentDelivery) ?? fiber.getRef(CurrentBatch)
  const traceparent = traceparentOf(fiber)
  return cause === undefined && traceparent === undefined ? undefined : { cause, traceparent }
}
