import { Effect, Exit, Result, Scope, Stream } from "effect"
import { type Admission, Rejected } from "../publish/Admission.ts"
import type { Contract, Key } from "../contract/Contract.ts"
import type { EventContext, Surroundings } from "../record/ContextHeaders.ts"
import type { EventId } from "../record/EventId.ts"
import { causeOf, type DeliveryInfo } from "../consume/DeliveryInfo.ts"
import { DeliveryIterator, type GivenEvent } from "./DeliveryIterator.ts"
import type { HandlerAnswer } from "./HandlerAnswer.ts"
import { currentDelivery, handled, type HandlerOwner, isHandledBy } from "./handled.ts"
import { inboxParts, type InboxParts, type PromiseInbox } from "./PromiseInbox.ts"
import { NotCaughtUp } from "../consume/NotCaughtUp.ts"
import { NotAwaited } from "./NotAwaited.ts"
import type { PublishAllCall, PublishAllDone, PublishCall, Publishing } from "../publish/Publishing.ts"
import type { PublishOptions, Receipt, ReceiptAll } from "../publish/Receipt.ts"
import type { EventBatch } from "../consume/SourceOptions.ts"
import type { StoredEvent, StoredRange } from "../consume/storedRanges.ts"
import type { HandleBatchOptions, HandleOptions, Subscription } from "../consume/Subscription.ts"
import { EventStream } from "../Stream.ts"
import { RouteError, type RouteFault } from "../routes/Routes.ts"
import type { Logging } from "./logging.ts"
import { oneByOne } from "./oneByOne.ts"
import { givenOptions, optionsFault } from "./optionsFault.ts"
import { untilAborted } from "./untilAborted.ts"
import { waited, type WaitOptions } from "./waited.ts"
import type { PartitionBounds } from "../transport/index.ts"
import type { Outcome } from "../ledger/Waiter.ts"

export type { HandlerAnswer } from "./HandlerAnswer.ts"

/** What `publish` says when the level is reached. */
export interface PromiseReceipt {
  /** The same on every leg, and what a handler sees as `delivery.id`. */
  readonly id: EventId
  /** What became of the required legs, when all of them have ended. */
  readonly outcome: () => Promise<Outcome>
}

/** What `publishAll` says when the level is reached. */
export interface PromiseReceiptAll {
  /** Events that were admitted. */
  readonly admitted: number
  /** The events that were not admitted, by their index in the input, with the `Rejected` that says why: one for those in a row with the same reason. */
  readonly rejected: ReadonlyArray<{ readonly index: number; readonly error: Rejected }>
  /** What became of the required legs of all of them, when all have ended. */
  readonly outcome: () => Promise<Outcome>
}

/** How one call publishes, and what the event carries besides its value. */
export interface PromisePublishOptions extends PublishOptions {
  /**
   * Gives up waiting. What has not been admitted by then never will be, and the promise rejects with the reason of the signal; what has
   * been admitted goes its way, and the promise rejects with `NotAwaited`.
   */
  readonly signal?: AbortSignal | undefined
}

/** How a group handles a stream, where it differs from the `subscriptions` of the route document. */
export interface PromiseHandleOptions<Tx = undefined> extends Omit<HandleOptions, "onTombstone" | "inbox"> {
  /** Called for a tombstone of a compacted contract; without it tombstones are done by being seen. */
  readonly onTombstone?: ((delivery: DeliveryInfo, transaction: NoInfer<Tx>) => HandlerAnswer) | undefined
  /**
   * Keeps the ids of what was handled beside the effects of handlers, and commits both together: an event whose effect is committed is not
   * handled again, however often it comes. Handlers get its transaction.
   */
  readonly inbox?: PromiseInbox<Tx> | undefined
  /** Stops the subscription: it drains, settles and gives its lanes back. */
  readonly signal?: AbortSignal | undefined
}

/** How a group reads a stream in a loop. */
export type PromiseSubscribeOptions = Omit<PromiseHandleOptions, "inbox">

/** How a group handles a stream in batches. */
export interface PromiseHandleBatchOptions<Tx = undefined> extends Omit<HandleBatchOptions, "onTombstone" | "inbox"> {
  /** As that of `handle`: a tombstone comes by itself, in its turn. */
  readonly onTombstone?: ((delivery: DeliveryInfo, transaction: NoInfer<Tx>) => HandlerAnswer) | undefined
  /** As that of `handle`; a batch is one transaction. */
  readonly inbox?: PromiseInbox<Tx> | undefined
  /** Stops the subscription: it drains, settles and gives its lanes back. */
  readonly signal?: AbortSignal | undefined
}

/**
 * A subscription that runs; disposing of it stops it.
 *
 * @example
 * ```ts
 * const subscription = await sightings.handle("positions", (event) => estimate(event))
 * await subscription.caughtUp()
 * await subscription.stop()
 * ```
 */
export interface PromiseSubscription extends AsyncDisposable {
  /** Name of the group. */
  readonly group: string
  /** Logical stream of the contract. */
  readonly stream: string
  /** Lanes that stand still until `resume`, and why. */
  readonly halted: Subscription["halted"]
  /** Lanes that are full, and the position that holds each back. */
  readonly blocked: Subscription["blocked"]
  /** Lets halted lanes try again. */
  readonly resume: () => Promise<void>
  /**
   * Records stored and not settled by the group, over all partitions; those that others of the group hold too. Rejects with
   * `TransportError`.
   */
  readonly lag: () => Promise<bigint>
  /**
   * Resolves when the group has settled everything that was stored when it was called, the lanes of its other members included: handled,
   * dropped by a policy or skipped. What is stored later is not waited for, and neither is what is published and not stored yet (`flush`
   * first).
   *
   * Rejects with `NotCaughtUp` as soon as a lane that is held here halts before that point (`resume`, and wait again), when the
   * subscription is stopped or its leat closes first, and when one of its own handlers calls it; with the `TransportError` that ended
   * the subscription; and with the reason of the signal. Passing faults of the transport are waited out. A halt of another member cannot
   * be seen from here: when nothing has moved for ten seconds a warning says what is waited for. Bound it with `signal` where that matters.
   */
  readonly caughtUp: (options?: WaitOptions) => Promise<void>
  /**
   * Drains, settles and gives the lanes back; waits for that. Called by a handler of this subscription it begins and waits for nothing,
   * because that handler has to end first; `ended` tells of the end.
   */
  readonly stop: () => Promise<void>
  /** Resolves when it was stopped; rejects with the `TransportError` that ended it. */
  readonly ended: Promise<void>
}

/**
 * The typed stream of one contract, to publish to and to read from; `leat.stream(contract)` gives it.
 *
 * @example
 * ```ts
 * const sightings = await leat.stream(BeaconSighting)
 * await sightings.handle("positions", (event, { key, attempt }) => estimate(event))
 * const { id } = await sightings.publish({
 *   beaconId: "b7", sensorId: "s1", rssiDbm: -61, seenAtUs: 1795416249141000n, inputRef: ""
 * })
 * ```
 */
export class PromiseStream<T> {
  readonly #stream: EventStream<T>
  readonly #publishing: Publishing<T>
  readonly #leat: object
  readonly #logging: Logging

  /** `leat` stands for the leat that the stream is of. */
  constructor(stream: EventStream<T>, leat: object, logging: Logging) {
    this.#stream = stream
    this.#leat = leat
    this.#logging = logging
    this.#publishing = EventStream.publishingOf(stream)
  }

  /** The contract that it was opened with. */
  get contract(): Contract<T> {
    return this.#stream.contract
  }

  /** Id of the event admitted last; undefined before the first. */
  get lastId(): EventId | undefined {
    return this.#stream.lastId
  }

  /**
   * Where the fault of the event is that was rejected last, in one sentence for a person, as the `detail` of `Rejected`; undefined before the first. What `offer`
   * gives are constants: ask at once, before the next event.
   */
  get lastFault(): string | undefined {
    return this.#stream.lastFault
  }

  /**
   * Admits the event now, or says why not. Never waits, never throws.
   *
   * @example
   * ```ts
   * const told = sightings.offer(sighting)
   * if (!told.admitted) console.warn(told.reason)
   * ```
   */
  offer(event: T, context?: EventContext): Admission {
    return this.#publishing.offer(event, context, surroundings())
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
    return this.#publishing.offerTombstone(key, context, surroundings())
  }

  /**
   * Resolves at the route's level, having waited for room where the sink's rule is `block`. Rejects with `Rejected` when
   * the event is not admitted (`timeout` after the time-out of the leg), with `NotStored` when a policy gave it up.
   *
   * @example
   * ```ts
   * const { id, outcome } = await sightings.publish(sighting, { level: "queued", correlationId: "walk-12" })
   * const { stored } = await outcome()
   * ```
   */
  publish(event: T, options: PromisePublishOptions = {}): Promise<PromiseReceipt> {
    const wrong = optionsFault(options)
    if (wrong !== undefined) return Promise.reject(this.#rejected(wrong))
    return untilAborted<PromiseReceipt, PublishCall>(
      options,
      (resolve, reject) =>
        this.#publishing.start(event, options, surroundings(), (told) => {
          if (told instanceof Error) reject(told)
          else resolve(receiptOf(told))
        }),
      ({ receipt }, reason) => {
        if (receipt === undefined) return reason
        const { id, outcome } = receiptOf(receipt)
        return new NotAwaited({ stream: this.contract.stream, id, admitted: 1, outcome, cause: reason })
      }
    )
  }

  /**
   * Publishes many with one wait. Rejected events are listed, the others go on. An iterable that is no array is left when the leat is
   * closed, with its first event that is rejected for that. A list or a set is the caller's again as soon as the call has returned, and so are
   * the options; each event in it is read when there is room for it, so what it holds must stay as it is until the promise settles. Rejects with `NotStored`
   * when a policy gave one of them up.
   *
   * @example
   * ```ts
   * const { admitted, rejected } = await sightings.publishAll([sighting, { ...sighting, beaconId: "" }])
   * rejected // [{ index: 1, error: Rejected: ... (emptyKey) }]
   * ```
   */
  publishAll(events: Iterable<T>, options: PromisePublishOptions = {}): Promise<PromiseReceiptAll> {
    const wrong = optionsFault(options)
    if (wrong !== undefined) return Promise.reject(this.#rejected(wrong))
    return untilAborted<PromiseReceiptAll, PublishAllCall>(
      options,
      (resolve, reject, isAborted) => {
        const done: PublishAllDone = (told) => {
          if (told instanceof Error) reject(told)
          else if ("thrown" in told) reject(told.thrown)
          else resolve(receiptOfAll(told))
        }
        return this.#publishing.startAll(events, options, surroundings(), done, isAborted)
      },
      ({ receipt }, reason) => {
        const { admitted, outcome } = receiptOfAll(receipt)
        if (admitted === 0) return reason
        return new NotAwaited({ stream: this.contract.stream, id: undefined, admitted, outcome, cause: reason })
      }
    )
  }

  /**
   * Sends what is buffered of this stream without waiting for linger, in all of its sinks; resolves when everything of it that is still
   * pending at the call has ended, and says how that ended. Waits for halted lanes as `flush` of the leat does. Rejects only with the
   * reason of the signal.
   */
  flush(options?: WaitOptions): Promise<Outcome> {
    return waited(this.#logging, this.#stream.flush, options)
  }

  /**
   * Handles each event as the group `group`, in order per key, until it is stopped. Resolves once it runs. An event is done
   * when the handler resolves; the policy judges what it throws by its `_tag` or name. When the lane is taken away or the
   * subscription stops, `delivery.signal` is aborted after the drain time, and `stop` waits until the handler has ended. What a handler
   * gives is not looked at. Rejects with `RouteError` when an option is no number that it can be.
   *
   * @example
   * ```ts
   * await sightings.handle("positions", (event, { key, attempt }) => estimate(event), { concurrency: 4, from: "latest" })
   * ```
   */
  handle<Tx = undefined>(
    group: string,
    handler: (event: T, delivery: DeliveryInfo, transaction: NoInfer<Tx>) => HandlerAnswer,
    options: PromiseHandleOptions<Tx> = {}
  ): Promise<PromiseSubscription> {
    const own = givenOptions(options)
    if (Result.isFailure(own)) return Promise.reject(new RouteError({ faults: [own.failure] }))
    const { signal, inbox, ...rest } = own.success
    const owner = this.#owner(inbox !== undefined)
    const { option, within } = inboxParts(inbox)
    const onEvent = (event: T, info: DeliveryInfo) =>
      within((transaction) => handled(info, owner, () => handler(event, info, transaction)))
    const checked = typeof handler === "function" ? onEvent : handler
    return subscribed(
      this.#stream.handle(group, checked, { ...tombstones(rest, owner, within), ...option }),
      owner,
      signal
    )
  }

  /**
   * Handles events in batches, in the order of the lane. A batch that fails is judged and tried again as a whole.
   * A tombstone comes by itself, to `onTombstone`; without it tombstones are done by being seen. The handler gives nothing: which events have failed it says
   * with `PartlyFailed`.
   *
   * @example
   * ```ts
   * await sightings.handleBatch("archive", (deliveries) => insert(deliveries.map(({ event }) => event)), { records: 500 })
   * ```
   */
  handleBatch<Tx = undefined>(
    group: string,
    handler: (
      deliveries: ReadonlyArray<{ readonly event: T; readonly info: DeliveryInfo }>,
      transaction: NoInfer<Tx>
    ) => void | Promise<void>,
    options: PromiseHandleBatchOptions<Tx> = {}
  ): Promise<PromiseSubscription> {
    const own = givenOptions(options)
    if (Result.isFailure(own)) return Promise.reject(new RouteError({ faults: [own.failure] }))
    const { signal, inbox, ...rest } = own.success
    const owner = this.#owner(inbox !== undefined)
    const { option, within } = inboxParts(inbox)
    const onEvents = (deliveries: EventBatch<T>) => {
      const [first] = deliveries
      if (first === undefined) return Effect.void
      const cause = causeOf(deliveries.map(({ info }) => info))
      return within((transaction) => handled(first.info, owner, () => handler(deliveries, transaction), cause))
    }
    const checked = typeof handler === "function" ? onEvents : handler
    return subscribed(
      this.#stream.handleBatch(group, checked, { ...tombstones(rest, owner, within), ...option }),
      owner,
      signal
    )
  }

  /**
   * Iterates over the events of a group. Asking for the next one means that the last one is done; leaving the loop, by
   * `break` or by an error, means that it is not, and it comes again. `return` also ends a `next` that waits. Ends when the leat closes or the signal is aborted: the
   * event in hand is done when the next one is asked for, which `close` waits for up to the drain time. Throws the `TransportError` that ended the subscription.
   *
   * @example
   * ```ts
   * for await (const { event, info } of sightings.subscribe("positions", { signal: AbortSignal.timeout(60_000) })) {
   *   await estimate(event)
   * }
   * ```
   */
  subscribe(group: string, options: PromiseSubscribeOptions = {}): AsyncGenerator<GivenEvent<T>, void, void> {
    const own = givenOptions(options)
    if (Result.isFailure(own))
      return new DeliveryIterator(Stream.fail(new RouteError({ faults: [own.failure] })), undefined, this.#logging)
    const { signal, ...rest } = own.success
    const read = tombstones(rest, this.#owner(false), inboxParts<undefined>(undefined).within)
    const deliveries =
      signal === undefined
        ? this.#stream.subscribe(group, read)
        : EventStream.subscribeUntil(this.#stream, group, read, aborted(signal))
    return new DeliveryIterator(deliveries, signal, this.#logging)
  }

  /**
   * Start, end and, for a group, settled position of each partition of the leg that is read; of a stream that is moved, of the newest
   * place that is open. Rejects with `TransportError`.
   *
   * @example
   * ```ts
   * const [first] = await sightings.bounds("positions") // { partition: 0, start: 0n, end: 12n, settled: 10n }
   * ```
   */
  bounds(group?: string): Promise<ReadonlyArray<PartitionBounds>> {
    return Effect.runPromise(this.#logging(this.#stream.bounds(group)))
  }

  /**
   * Where all that is stored of this stream lies, as `stored` of an Effect stream: a range for each partition of each of its epochs, the oldest first; with a group, how far that
   * has settled each. Rejects with `TransportError` or `RouteError`.
   *
   * @example
   * ```ts
   * // [{ cluster: "main", topic: "risk.beacons.sighting", partition: 0, epoch: 1, from: 0n, to: 12n }, ...]
   * const ranges = await sightings.stored()
   * ```
   */
  stored(group?: string): Promise<ReadonlyArray<StoredRange>> {
    return Effect.runPromise(this.#logging(this.#stream.stored(group)))
  }

  /**
   * Reads a range that `stored` gives, or a part of one, without a group and beside every consumer, and ends. What cannot be read as an event, and positions at which nothing is any
   * more because retention took it or it does not verify (`gap`), come as a `fault` in place of an event. Throws `TransportError` or `RouteError`.
   *
   * @example
   * ```ts
   * for (const range of await sightings.stored())
   *   for await (const { event } of sightings.read(range)) if (event !== undefined) state.observe(event)
   * ```
   */
  read(range: StoredRange): AsyncIterable<StoredEvent<T>> {
    return oneByOne(Stream.toAsyncIterable(this.#stream.read(range)))
  }

  #rejected({ path, message }: RouteFault): Rejected {
    return new Rejected({ reason: "invalid", stream: this.contract.stream, detail: `${path}: ${message}` })
  }

  /** Of one subscription more. */
  #owner(hasInbox: boolean): HandlerOwner {
    return { subscription: {}, leat: this.#leat, hasInbox, logging: this.#logging }
  }
}

function tombstones<Tx, A extends Pick<PromiseHandleOptions<Tx>, "onTombstone">>(
  { onTombstone, ...rest }: A,
  owner: HandlerOwner,
  within: InboxParts<Tx>["within"]
): Omit<A, "onTombstone"> & Pick<HandleOptions, "onTombstone"> {
  if (onTombstone === undefined) return rest
  const called = (info: DeliveryInfo) =>
    within((transaction) => handled(info, owner, () => onTombstone(info, transaction)))
  return { ...rest, onTombstone: called }
}

/** What a publish completes an event's own context from: the delivery that is handled here and now. */
function surroundings(): Surroundings | undefined {
  const handling = currentDelivery()
  return handling === undefined ? undefined : { cause: handling.cause, traceparent: handling.traceparent }
}

/** Done when a signal is aborted. */
function aborted(signal: AbortSignal): Effect.Effect<void> {
  return Effect.callback<void>((resume) => {
    const onAbort = () => resume(Effect.void)
    if (signal.aborted) return onAbort()
    signal.addEventListener("abort", onAbort, { once: true })
    return Effect.sync(() => signal.removeEventListener("abort", onAbort))
  })
}

function receiptOf({ id, outcome }: Receipt): PromiseReceipt {
  return { id, outcome: () => Effect.runPromise(outcome) }
}

function receiptOfAll({ admitted, rejected, outcome }: ReceiptAll): PromiseReceiptAll {
  return { admitted, rejected, outcome: () => Effect.runPromise(outcome) }
}

function caughtUp(
  { caughtUp: reached, group, stream }: Subscription,
  owner: HandlerOwner,
  options: WaitOptions | undefined
): Promise<void> {
  if (isHandledBy(owner.subscription))
    return Promise.reject(new NotCaughtUp({ reason: "OwnHandler", group, stream, halted: [] }))
  return waited(owner.logging, reached, options)
}

async function subscribed(
  start: Effect.Effect<Subscription, RouteError, Scope.Scope>,
  owner: HandlerOwner,
  signal: AbortSignal | undefined
): Promise<PromiseSubscription> {
  const scope = await Effect.runPromise(Scope.make())
  const subscription = await Effect.runPromise(owner.logging(Scope.provide(start, scope)))
  const stop = async () => {
    const stopped = Effect.runPromise(owner.logging(Scope.close(scope, Exit.void)))
    // A handler of its own is among those that the end waits for.
    if (!isHandledBy(owner.subscription)) await stopped
  }
  const onAbort = () => void stop()
  if (signal?.aborted === true) await stop()
  signal?.addEventListener("abort", onAbort, { once: true })
  const ended = Effect.runPromise(subscription.ended)
  // A signal may outlive many subscriptions. Whoever does not ask for the error has been told by the log.
  const forget = () => signal?.removeEventListener("abort", onAbort)
  ended.then(forget, forget)
  return {
    group: subscription.group,
    stream: subscription.stream,
    halted: subscription.halted,
    blocked: subscription.blocked,
    resume: () => Effect.runPromise(subscription.resume),
    lag: () => Effect.runPromise(subscription.lag),
    caughtUp: (options) => caughtUp(subscription, owner, options),
    stop,
    ended,
    [Symbol.asyncDispose]: stop
  }
}
