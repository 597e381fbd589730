/** What a caller says about a group that handles a stream, and what it gets: options, the running subscription, deliveries. */
import type { Effect } from "effect"
import type { DeliveryInfo } from "./DeliveryInfo.ts"
import type { HaltedReadLane } from "./SourceOptions.ts"
import type { Inbox } from "./Inbox.ts"
import type { NotCaughtUp } from "./NotCaughtUp.ts"
import type { HandlerPolicy } from "../Policy.ts"
import type { From, TransportError } from "../transport/index.ts"

/** How a group handles a stream, where it differs from the `subscriptions` of the route document. */
export interface HandleOptions {
  /** Handlers at the same time per lane, 1 or more; instead of what the route document says. */
  readonly concurrency?: number | undefined
  /** Where a group that has settled nothing yet begins; instead of what the route document says. */
  readonly from?: From | undefined
  /**
   * Events whose id stands among so many records before where a lane begins, or anywhere behind that, are not handled again; 0 to 1,000,000,
   * which are read again whenever a lane is given to this member. Instead of what the route document says; copies are handled where neither says.
   */
  readonly dedupe?: { readonly records: number } | undefined
  /**
   * Keeps the ids of what was handled beside the effects of handlers, and commits both together: an event whose effect is committed is not
   * handled again, however often it comes. Only where events are handled, not with `subscribe`.
   */
  readonly inbox?: Inbox | undefined
  /** What to do when a handler fails; instead of what the route document says. */
  readonly policy?: HandlerPolicy | undefined
  /**
   * What fails after its retries is moved to a retry topic and handled again later, while the events behind it go on: one topic for each delay, 1 to 8
   * delays from a second to a day, each longer than the one before. Behind the last one the policy's `then` is done. Only for contracts that do
   * not need order. Instead of what the route document says.
   */
  readonly retryTopics?: { readonly delaysMs: ReadonlyArray<number> } | undefined
  /** Called for a tombstone of a compacted contract; without it tombstones are done by being seen. */
  readonly onTombstone?: ((delivery: DeliveryInfo) => Effect.Effect<void, unknown>) | undefined
}

/** How a group reads a stream whose consumer ends each delivery himself. */
export type SubscribeOptions = Omit<HandleOptions, "inbox">

/** How a group handles a stream in batches. A lane has one batch at a time in the hands of a handler. */
export interface HandleBatchOptions extends Omit<HandleOptions, "concurrency"> {
  /** Events that one call gets at most, 1 or more; 100 when absent. */
  readonly records?: number | undefined
  /** How long a batch that has fewer waits for more, in milliseconds; not at all when absent: a call gets what is there. */
  readonly waitMs?: number | undefined
}

/**
 * A subscription that runs, until it is stopped or its scope closes.
 *
 * @example
 * ```ts
 * const subscription = yield* sightings.handle("positions", (event) => estimate(event))
 * yield* subscription.caughtUp
 * yield* subscription.stop
 * ```
 */
export interface Subscription {
  /** Name of the group. */
  readonly group: string
  /** Logical stream of the contract. */
  readonly stream: string
  /**
   * What stands still until `resume`, and why. Lanes: a policy said so, or (`Defect`) leat or the driver has a fault. Keys: their events
   * cannot be dead-lettered; all others go on.
   */
  readonly halted: () => ReadonlyArray<HaltedReadLane>
  /** Lanes that are full, and the position that holds each back; of a stream that is moved those of all its places. */
  readonly blocked: () => ReadonlyArray<{ readonly partition: number; readonly position: bigint }>
  /** Lets halted lanes and keys try again. */
  readonly resume: Effect.Effect<void>
  /**
   * Records stored and not settled by the group, over all partitions; those that others of the group hold too. Where it has settled nothing
   * yet it counts from where the lane begins that is held here. Of a stream that is moved it is the sum over all places that are read, of what
   * lies in its epochs there. Fails with the transport's error.
   */
  readonly lag: Effect.Effect<bigint, TransportError>
  /**
   * Completes when the group has settled everything that was stored when it was asked for, the lanes of its other members included:
   * handled, dropped, dead-lettered or moved to a retry topic by a policy, or skipped. What is stored later is not waited for, and neither is what is published and not stored yet
   * (`flush` first). Of a stream that is moved all places are waited for that are read when it is asked for, each up to where its last epoch ends.
   *
   * Fails with `NotCaughtUp` as soon as a lane that is held here halts before that point (`resume`, and wait again), when the subscription
   * is stopped or its leat closes first, and when one of its own handlers waits for it; with the transport's error when that ended the
   * subscription. Passing faults of the transport are waited out. A halt of another member cannot be seen from here: when nothing has moved
   * for ten seconds a warning says what is waited for. So bound it where that matters: `Effect.timeout`.
   *
   * Lanes held here say when they have settled, and do not wait for `settleEvery` with it. For the others the transport is asked, every
   * 50 ms to once a second, and they settle in their own time.
   */
  readonly caughtUp: Effect.Effect<void, NotCaughtUp | TransportError>
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
