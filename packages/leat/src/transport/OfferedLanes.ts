/**
 * The lanes that a member of a group is given, on their way to whoever subscribed. Those that nobody has taken when the subscriber
 * takes no more are released, and so are those that come later: nobody else would give them back.
 *
 * @example
 * ```ts
 * const lanes = yield* OfferedLanes.make
 * lanes.offer(new HeldLane(options, source))
 * return lanes.stream(member.takeNoMore)
 * ```
 */
import { Cause, Effect, Queue, Stream } from "effect"
import type { HeldLane } from "./HeldLane.ts"
import type { Lane } from "./index.ts"
import type { TransportError } from "./TransportError.ts"

/** Lanes between a driver's member and the stream that `subscribe` returns. */
export class OfferedLanes {
  readonly #queue: Queue.Queue<HeldLane, TransportError>
  readonly #waiting = new Set<HeldLane>()
  #isTaken = true

  private constructor(queue: Queue.Queue<HeldLane, TransportError>) {
    this.#queue = queue
  }

  /** For one member, or one subscription of it. */
  static readonly make: Effect.Effect<OfferedLanes> = Effect.map(
    Queue.unbounded<HeldLane, TransportError>(),
    (queue) => new OfferedLanes(queue)
  )

  /** Gives a lane to whoever subscribed. */
  offer(held: HeldLane): void {
    if (!this.#isTaken) return held.release()
    this.#waiting.add(held)
    Queue.offerUnsafe(this.#queue, held)
  }

  /** The subscription fails: this member is out of its group. */
  fail(error: TransportError): void {
    Queue.failCauseUnsafe(this.#queue, Cause.fail(error))
  }

  /** What `subscribe` returns. When it is no longer run, `takeNoMore` first says so to the group. */
  stream(takeNoMore: Effect.Effect<void>): Stream.Stream<Lane, TransportError> {
    // One at a time: of several in one array, who is interrupted would never see the last ones.
    const pull = Effect.map(Queue.take(this.#queue), (held) => {
      this.#waiting.delete(held)
      return [held.lane] as const
    })
    return Stream.ensuring(Stream.fromPull(Effect.succeed(pull)), Effect.andThen(takeNoMore, this.#end))
  }

  readonly #end: Effect.Effect<void> = Effect.sync(() => {
    this.#isTaken = false
    for (const held of this.#waiting) held.release()
    this.#waiting.clear()
  })
}
