/** What a caller says about a group that handles a stream, and what it gets: options, the running subscription, deliveries. */
import type { Effect } from "effect"
import type { DeliveryInfo } from "./DeliveryInfo.ts"
import type { HaltedReadLane } from "./SourceOptions.ts"
import type { Rule } from "../Policy.ts"
import type { From, TransportError } from "../transport/index.ts"

/** How a group handles a stream, where it differs from the `subscriptions` of the route document. */
export interface HandleOptions {
  /** Handlers at the same time per lane, 1 or more; instead of what the route document says. */
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
  /** Events that one call gets at most, 1 or more; 100 when absent. */
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
  /** Lanes that stand still until `resume`, and why: a policy said so, or (`Defect`) leat or the driver has a fault. */
  readonly halted: () => ReadonlyArray<HaltedReadLane>
  /** Lanes that are full, and the position that holds each back. */
  readonly blocked: () => ReadonlyArray<{ readonly partition: number; readonly position: bigint }>
  /** Lets halted lanes try again. */
  readonly resume: Effect.Effect<void>
  /**
   * Records stored and not settled by the group, over all partitions; those that others of the group hold too. Where it has settled nothing
   * yet it counts from where the lane begins that is held here. Fails with the transport's error.
   */
  readonly lag: Effect.Effect<bigint, TransportError>
  /**
   * Drains, settles and gives the lanes back; waits for that. Handlers that run past the drain time are interrupted, and waited
   * for until they have cleaned up, five seconds at most: what still runs then is told by a warning. A handler of the same
   * subscription that waits for it waits for itself until it is interrupted: it forks `stop` in a scope of its own.
   */
  readonly stop: Effect.Effect<void>
  /** Completes when the subscription was stopped; fails with the transport's error that ended it. */
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
