import { AsyncLocalStorage } from "node:async_hooks"
import { Cause, Effect, Exit, Scope, Stream } from "effect"
import type { Admission } from "../Admission.ts"
import type { Contract, Key } from "../Contract.ts"
import type { EventId } from "../EventId.ts"
import type { DeliveryInfo } from "../Source.ts"
import {
  caused,
  type EventStream,
  type HandleBatchOptions,
  type HandleOptions,
  type PublishOptions,
  type Subscription
} from "../Stream.ts"
import { traceparentOf } from "../Telemetry.ts"
import type { PartitionBounds } from "../Transport.ts"
import type { Outcome } from "../Waiter.ts"
import type { EventContext } from "../Wire.ts"

/** What is being handled here and now, and in which trace, so that whatever a handler publishes carries its cause. */
const current = new AsyncLocalStorage<{ readonly delivery: DeliveryInfo; readonly traceparent: string | undefined }>()

export interface PromiseReceipt {
  readonly id: EventId
  /** What became of the required legs, when all of them have ended. */
  readonly outcome: () => Promise<Outcome>
}

export interface PromiseReceiptAll {
  readonly admitted: number
  /** The events that were not admitted, by their index in the input, with the `Rejected` that says why. */
  readonly rejected: ReadonlyArray<{ readonly index: number; readonly error: Error }>
  readonly outcome: () => Promise<Outcome>
}

export interface PromisePublishOptions extends PublishOptions {
  /** Gives up waiting. An event that waits for room is then rejected; one that is admitted goes its way. */
  readonly signal?: AbortSignal
}

export interface PromiseHandleOptions extends Omit<HandleOptions, "onTombstone"> {
  readonly onTombstone?: (delivery: DeliveryInfo) => void | Promise<void>
  /** Stops the subscription: it drains, settles and gives its lanes back. */
  readonly signal?: AbortSignal
}

export interface PromiseHandleBatchOptions extends HandleBatchOptions {
  readonly signal?: AbortSignal
}

/** A subscription that runs; disposing of it stops it. */
export interface PromiseSubscription extends AsyncDisposable {
  readonly group: string
  readonly halted: Subscription["halted"]
  readonly blocked: Subscription["blocked"]
  readonly resume: () => Promise<void>
  /** Records stored and not settled by the group. */
  readonly lag: () => Promise<bigint>
  readonly stop: () => Promise<void>
  /** Resolves when it was stopped; rejects with the `TransportError` that ended it. */
  readonly ended: Promise<void>
}

/** The front door of one contract. */
export class PromiseStream<T> {
  readonly #stream: EventStream<T>

  constructor(stream: EventStream<T>) {
    this.#stream = stream
  }

  get contract(): Contract<T> {
    return this.#stream.contract
  }

  /** Id of the event admitted last; undefined before the first. */
  get lastId(): EventId | undefined {
    return this.#stream.lastId
  }

  /** Admits the event now, or says why not. Never waits, never throws. */
  offer(event: T, context?: EventContext): Admission {
    return this.#stream.offer(event, withCause(context))
  }

  /** Offers the removal of a key; only on a contract marked compacted. */
  offerTombstone(key: Key, context?: EventContext): Admission {
    return this.#stream.offerTombstone(key, withCause(context))
  }

  /** Resolves at the route's level. Rejects with `Rejected`, or with `NotStored` when a policy gave the event up. */
  async publish(event: T, options: PromisePublishOptions = {}): Promise<PromiseReceipt> {
    const { signal, ...rest } = options
    const { id, outcome } = await Effect.runPromise(this.#stream.publish(event, withCause(rest)), signalled(signal))
    return { id, outcome: () => Effect.runPromise(outcome) }
  }

  /** Publishes many with one wait. Rejected events are listed, the others go on. */
  async publishAll(events: Iterable<T>, options: PromisePublishOptions = {}): Promise<PromiseReceiptAll> {
    const { signal, ...rest } = options
    const receipt = await Effect.runPromise(this.#stream.publishAll(events, withCause(rest)), signalled(signal))
    return { ...receipt, outcome: () => Effect.runPromise(receipt.outcome) }
  }

  /** Sends what is buffered without waiting for linger; resolves when everything admitted so far has ended. */
  flush(): Promise<Outcome> {
    return Effect.runPromise(this.#stream.flush)
  }

  /** Handles each event in order per key. An event is done when the handler resolves; what it throws goes to the policy. */
  handle(
    group: string,
    handler: (event: T, delivery: DeliveryInfo) => void | Promise<void>,
    options: PromiseHandleOptions = {}
  ): Promise<PromiseSubscription> {
    const { signal, onTombstone, ...rest } = options
    const tombstones =
      onTombstone === undefined ? {} : { onTombstone: (info: DeliveryInfo) => handled(info, () => onTombstone(info)) }
    return subscribed(
      this.#stream.handle(group, (event, info) => handled(info, () => handler(event, info)), {
        ...rest,
        ...tombstones
      }),
      signal
    )
  }

  /** Handles events in batches, in the order of the lane. A batch that fails is judged and tried again as a whole. */
  handleBatch(
    group: string,
    handler: (deliveries: ReadonlyArray<{ readonly event: T; readonly info: DeliveryInfo }>) => void | Promise<void>,
    options: PromiseHandleBatchOptions = {}
  ): Promise<PromiseSubscription> {
    const { signal, ...rest } = options
    return subscribed(
      this.#stream.handleBatch(group, (deliveries) => handled(deliveries[0]?.info, () => handler(deliveries)), rest),
      signal
    )
  }

  /**
   * Iterates over the events of a group. Asking for the next one means that the last one is done; leaving the loop, by `break`
   * or by an error, means that it is not, and it comes again.
   */
  async *subscribe(
    group: string,
    options: PromiseHandleOptions = {}
  ): AsyncGenerator<{ readonly event: T; readonly info: DeliveryInfo }, void, void> {
    const { signal, onTombstone, ...rest } = options
    const tombstones =
      onTombstone === undefined ? {} : { onTombstone: (info: DeliveryInfo) => handled(info, () => onTombstone(info)) }
    const stop = new AbortController()
    const ended = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal])
    const deliveries = Stream.interruptWhen(this.#stream.subscribe(group, { ...rest, ...tombstones }), aborted(ended))
    try {
      for await (const { event, info, done } of Stream.toAsyncIterable(deliveries)) {
        yield { event, info }
        await Effect.runPromise(done)
      }
    } finally {
      stop.abort()
    }
  }

  /** Start, end and, for a group, settled position of each partition of the leg that is read. */
  bounds(group?: string): Promise<ReadonlyArray<PartitionBounds>> {
    return Effect.runPromise(this.#stream.bounds(group))
  }
}

function withCause<C extends EventContext>(own: C | undefined): C | EventContext | undefined {
  const cause = current.getStore()
  return cause === undefined ? own : caused(cause.delivery, own, own?.traceparent ?? cause.traceparent)
}

function signalled(signal: AbortSignal | undefined): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal }
}

/** Runs a handler; what it throws keeps its `_tag` or name, which is what policies match. */
function handled(info: DeliveryInfo | undefined, run: () => void | Promise<void>): Effect.Effect<void, unknown> {
  return Effect.withFiber((fiber) =>
    Effect.tryPromise({
      try: async () => {
        if (info === undefined) return await run()
        const traceparent = traceparentOf(fiber) ?? info.traceparent
        return await current.run({ delivery: info, traceparent }, run)
      },
      catch: (error) => error
    })
  )
}

async function subscribed(
  start: Effect.Effect<Subscription, never, Scope.Scope>,
  signal: AbortSignal | undefined
): Promise<PromiseSubscription> {
  const scope = await Effect.runPromise(Scope.make())
  const subscription = await Effect.runPromise(Scope.provide(start, scope))
  const stop = async () => {
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
  if (signal?.aborted === true) await stop()
  signal?.addEventListener("abort", () => void stop(), { once: true })
  const ended = Effect.runPromiseExit(subscription.ended).then((exit) => {
    if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) throw Cause.squash(exit.cause)
  })
  // Whoever does not ask for it has been told by the log.
  ended.catch(() => undefined)
  return {
    group: subscription.group,
    halted: subscription.halted,
    blocked: subscription.blocked,
    resume: () => Effect.runPromise(subscription.resume),
    lag: () => Effect.runPromise(subscription.lag),
    stop,
    ended,
    [Symbol.asyncDispose]: stop
  }
}

function aborted(signal: AbortSignal): Effect.Effect<void> {
  return Effect.callback((resume) => {
    if (signal.aborted) resume(Effect.void)
    else signal.addEventListener("abort", () => resume(Effect.void), { once: true })
  })
}
