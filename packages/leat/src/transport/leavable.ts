/**
 * Calls of a driver that can be left. Its client may not let itself be interrupted (what acquires a connection does not), and may never answer:
 * whoever has waited long enough goes on all the same. What such a call opens later is closed at once, for its scope has ended.
 *
 * `send` and `fence` are not among them: nothing else may be sent while one of these runs. Neither are a lane's `batches`, of which each pull
 * would cost a fiber; who leaves a lane gives it back with `released`.
 */
import { Effect, Fiber, Scope, Stream } from "effect"
import type { Lane, Transport } from "./index.ts"

/** Calls of one kind that were left and have not ended, at most: the next waits for one of them, or a driver that never answers would hold ever more. */
const leftMax = 3

/** How long a call that is interrupted is waited for, in milliseconds. */
const graceMs = 1000

class LeavableCalls {
  readonly #left = new Map<string, Set<Fiber.Fiber<unknown, unknown>>>()

  /** `kind`: the operation and what it is about. */
  call<A, E, R>(kind: string, call: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      const left = this.#left.get(kind)
      if (left === undefined || left.size < leftMax) return this.#begin(kind, call)
      const [first] = left
      const ended = first === undefined ? Effect.void : Effect.asVoid(Fiber.await(first))
      return Effect.flatMap(ended, () => this.call(kind, call))
    })
  }

  #begin<A, E, R>(kind: string, call: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.uninterruptibleMask((restore) =>
      // At once: what ends without waiting has ended then.
      Effect.flatMap(Effect.forkDetach(call, { startImmediately: true }), (fiber) => {
        const ended = fiber.pollUnsafe()
        if (ended !== undefined) return ended
        return Effect.onInterrupt(restore(Fiber.join(fiber)), () => this.#leave(kind, fiber))
      })
    )
  }

  /** What lets itself be interrupted is waited for until it has ended. */
  #leave(kind: string, fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<void> {
    return Effect.suspend(() => {
      const left = this.#left.get(kind) ?? new Set()
      this.#left.set(kind, left)
      left.add(fiber)
      fiber.addObserver(() => {
        left.delete(fiber)
        if (left.size === 0 && this.#left.get(kind) === left) this.#left.delete(kind)
      })
      fiber.interruptUnsafe()
      const ended = fiber.pollUnsafe() === undefined ? Effect.timeoutOption(Fiber.await(fiber), graceMs) : Effect.void
      return Effect.asVoid(ended)
    })
  }
}

/** The transport of a driver, whose calls can be left. */
export function leavableTransport(transport: Transport): Transport {
  const calls = new LeavableCalls()
  const { topics, trim } = transport
  const result: Transport = {
    name: transport.name,
    capabilities: transport.capabilities,
    openWriter: (topic) =>
      calls.call(
        `openWriter ${topic}`,
        Effect.suspend(() => transport.openWriter(topic))
      ),
    partitionsOf: (topic) =>
      calls.call(
        `partitionsOf ${topic}`,
        Effect.suspend(() => transport.partitionsOf(topic))
      ),
    // The scope of the caller is that of the member; the stream has one of its own.
    subscribe: (subscription) =>
      Stream.flatMap(Stream.fromEffect(Effect.scope), (member) => {
        const lanes = Stream.suspend(() => transport.subscribe(subscription))
        const kind = `subscribe ${subscription.group} ${subscription.topic}`
        return Stream.map(pulled(calls, kind, Stream.provideService(lanes, Scope.Scope, member)), leavableLane)
      }),
    read: (topic, partition, range) =>
      pulled(
        calls,
        `read ${partition} ${topic}`,
        Stream.suspend(() => transport.read(topic, partition, range))
      ),
    bounds: (topic, group) =>
      calls.call(
        `bounds ${group ?? ""} ${topic}`,
        Effect.suspend(() => transport.bounds(topic, group))
      ),
    ensure: (spec) =>
      calls.call(
        `ensure ${spec.topic}`,
        Effect.suspend(() => transport.ensure(spec))
      )
  }
  return {
    ...result,
    ...(topics === undefined ? {} : { topics: calls.call("topics", topics) }),
    ...(trim === undefined
      ? {}
      : {
          trim: (topic, partition, before) =>
            calls.call(
              `trim ${partition} ${topic}`,
              Effect.suspend(() => trim.call(transport, topic, partition, before))
            )
        })
  }
}

/** Of a lane the settles can be left. */
function leavableLane(lane: Lane): Lane {
  const calls = new LeavableCalls()
  const { id, partition, start, abandoned, batches, revoked, release } = lane
  const settle: Lane["settle"] = (position) =>
    calls.call(
      "settle",
      Effect.suspend(() => lane.settle(position))
    )
  return { id, partition, start, abandoned, batches, revoked, settle, release }
}

/** Each pull can be left, and so can the beginning. */
function pulled<A, E>(calls: LeavableCalls, kind: string, stream: Stream.Stream<A, E>): Stream.Stream<A, E> {
  const pulling = Effect.map(calls.call(kind, Stream.toPull(stream)), (pull) => calls.call(kind, pull))
  return Stream.scoped(Stream.fromPull(pulling))
}
