/** The consuming half of a stream: makes a `Source` of a handler, runs it, and reports what it has consumed. */
import { type Context, Data, Deferred, Effect, Fiber, Queue, type Scheduler, type Scope, Stream } from "effect"
import type { Contract } from "../contract/Contract.ts"
import type { DecodedValue, DeliveryInfo, HandlerInput, SourceOptions } from "./DeliveryInfo.ts"
import type { Ledger } from "../ledger/Ledger.ts"
import type { SubscriptionSettings } from "../routes/Routes.ts"
import { Source } from "./Source.ts"
import type { Delivery, HandleBatchOptions, HandleOptions, Subscription } from "./Subscription.ts"
import { attribute, metricNames, pullCounter } from "../Telemetry.ts"
import type { PartitionBounds, ReceivedRecord, Transport, TransportError } from "../transport/index.ts"
import type { RecordMeta } from "../record/Wire.ts"

/** A consumer's own word that a delivery failed. */
class Failed extends Data.Error<{ readonly _tag: string; readonly message: string }> {}

export interface ConsumingParts<T> {
  readonly contract: Contract<T>
  readonly ledger: Ledger
  /** Topic of the leg that is read. */
  readonly topic: () => string
  readonly readTransport: () => Transport
  readonly settings: (group: string) => SubscriptionSettings
  /** Scope in which subscriptions run, beside the caller's: each ends with the first of the two. */
  readonly scope: Scope.Scope
  readonly scheduler: Scheduler.Scheduler
}

export class Consuming<T> {
  readonly #parts: ConsumingParts<T>
  /** The counter of each group that is read, and how many subscriptions share it. */
  readonly #reporting = new Map<string, { subscriptions: number; readonly remove: () => void }>()

  constructor(parts: ConsumingParts<T>) {
    this.#parts = parts
  }

  handle<E, R>(
    group: string,
    handler: (event: T, delivery: DeliveryInfo) => Effect.Effect<void, E, R>,
    options: HandleOptions
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

  handleBatch<E, R>(
    group: string,
    handler: (
      deliveries: ReadonlyArray<{ readonly event: T; readonly info: DeliveryInfo }>
    ) => Effect.Effect<void, E, R>,
    options: HandleBatchOptions
  ): Effect.Effect<Subscription, never, R | Scope.Scope> {
    const bundleRecords = Math.max(1, options.records ?? 100)
    return Effect.flatMap(Effect.context<R>(), (context) =>
      this.#subscribe(group, { ...options, concurrency: 1 }, { bundleRecords, drainsOnStop: true }, (inputs) => {
        const events = inputs.flatMap(({ event, info }) => (event === undefined ? [] : [{ event, info }]))
        return events.length === 0 ? Effect.void : Effect.provideContext(handler(events), context)
      })
    )
  }

  subscribe(group: string, options: HandleOptions): Stream.Stream<Delivery<T>> {
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

  bounds(group: string | undefined): Effect.Effect<ReadonlyArray<PartitionBounds>, TransportError> {
    return this.#parts.readTransport().bounds(this.#parts.topic(), group)
  }

  #subscribe(
    group: string,
    options: HandleOptions,
    how: Pick<SourceOptions<T>, "bundleRecords" | "drainsOnStop">,
    handle: (inputs: ReadonlyArray<HandlerInput<T>>) => Effect.Effect<void, unknown>
  ): Effect.Effect<Subscription, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const { contract, topic, readTransport, ledger, settings, scheduler } = this.#parts
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
          topic: topic(),
          stream: contract.stream,
          group,
          unordered: contract.unordered,
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
    const { stream } = this.#parts.contract
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
    if (meta.type !== undefined && meta.type !== this.#parts.contract.name)
      return { _tag: "Fault", fault: { skip: "otherType" } }
    if (record.value === null) {
      if (this.#parts.contract.compacted) return { _tag: "Tombstone" }
      return {
        _tag: "Fault",
        fault: { tag: "Malformed", detail: "a record without a value, on a contract that is not compacted" }
      }
    }
    try {
      return { _tag: "Event", event: this.#parts.contract.decode(record.value) }
    } catch (error) {
      return { _tag: "Fault", fault: { tag: "Malformed", detail: String(error) } }
    }
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
