/**
 * A durable broker whose machine can lose its power: what was written and not flushed is gone then, group positions and trims too.
 * SIGKILL does not show that, because the page cache survives it. It is a `MemoryBroker`, the disk, behind a page cache.
 */
import { Deferred, Effect, Exit, Fiber, Queue, Scope, Stream } from "effect"
import {
  MemoryBroker,
  type MemoryOptions,
  memoryCapabilities,
  memoryTransport
} from "../transport/memory/MemoryTransport.ts"
import { type EffectWriter, sendEffect, writerOf } from "../transport/Sending.ts"
import {
  type Capabilities,
  type Driver,
  type Lane,
  type Run,
  type Subscription,
  type Transport,
  TransportError,
  type Writer
} from "../transport/index.ts"

/** What the disk keeps, and when what was written is on it. */
export interface PowerLossOptions extends MemoryOptions {
  /** How long what is written waits for its flush, in milliseconds; 2 when absent. */
  readonly flushMs?: number
  /** Plants a mutant: what is only written is told stored. */
  readonly acknowledges?: "flushed" | "written"
}

/** Something in the page cache: how it reaches the disk, and what is told when it cannot any more. */
interface Written {
  readonly land: Effect.Effect<void>
  readonly lose: Effect.Effect<void>
}

/**
 * The broker: what several transports connect to, and whose power can be lost under all of them.
 *
 * @example
 * ```ts
 * const broker = new PowerLossBroker({ partitions: 2, flushMs: 3 })
 * const routes = {
 *   version: 1,
 *   clusters: { safe: { transport: "powerLoss" } },
 *   routes: [{ match: { stream: "*" }, to: [{ cluster: "safe", topic: "{stream}" }] }]
 * }
 * const leat = yield* Leat.make({ source: "test", routes, drivers: [powerLossDriver(broker)] })
 * yield* broker.losePower(2) // the first two of what was on its way landed all the same
 * ```
 */
export class PowerLossBroker {
  /** What survives. Read it to see what was lost. */
  readonly disk: MemoryBroker
  /** When a send is told stored. */
  readonly acknowledges: "flushed" | "written"
  /** Times the power was lost. */
  losses = 0
  readonly #flushMs: number
  #cache: Array<Written> = []
  #isFlushing = false
  #members = new Set<Scope.Closeable>()

  constructor({ flushMs = 2, acknowledges = "flushed", ...options }: PowerLossOptions = {}) {
    this.disk = new MemoryBroker(options)
    this.acknowledges = acknowledges
    this.#flushMs = flushMs
  }

  /**
   * Forgets what is not flushed, but for the first `survivors` writes, which nobody will hear of; every member has gone.
   * What was on its way is answered with `Disconnected`.
   */
  losePower(survivors = 0): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.losses++
      const cache = this.#cache
      const members = Array.from(this.#members)
      this.#cache = []
      this.#members.clear()
      const landed = cache.slice(0, survivors).map(({ land }) => Effect.asVoid(land))
      const gone = members.map((scope) => Scope.close(scope, Exit.void))
      return Effect.all([...cache.map(({ lose }) => lose), ...landed, ...gone], { discard: true })
    }).pipe(Effect.uninterruptible)
  }

  /**
   * Writes to the page cache; the answer comes when it is flushed, or fails with `Disconnected` when the power is lost
   * first.
   */
  write<A>(operation: string, land: Effect.Effect<A, TransportError>): Effect.Effect<A, TransportError> {
    return Effect.gen({ self: this }, function* () {
      const answer = yield* Deferred.make<A, TransportError>()
      this.#cache.push({
        land: Effect.flatMap(Effect.exit(land), (exit) => Effect.asVoid(Deferred.done(answer, exit))),
        lose: Effect.asVoid(Deferred.fail(answer, lostError(operation)))
      })
      yield* this.#flushSoon
      return yield* Deferred.await(answer)
    })
  }

  /** A scope that ends with the power, or with its parent. */
  readonly membership: Effect.Effect<Scope.Closeable, never, Scope.Scope> = Effect.acquireRelease(
    Effect.tap(Scope.make(), (scope) => Effect.sync(() => this.#members.add(scope))),
    (scope, exit) =>
      Effect.andThen(
        Effect.sync(() => this.#members.delete(scope)),
        Scope.close(scope, exit)
      )
  )

  /** Whoever writes may be interrupted at any step, and the flush is for all. */
  readonly #flushSoon = Effect.uninterruptible(
    Effect.suspend(() => {
      if (this.#isFlushing) return Effect.void
      this.#isFlushing = true
      return Effect.asVoid(Effect.forkDetach(Effect.delay(this.#flush, this.#flushMs)))
    })
  )

  /** One by one, so that the power can be lost in between. */
  readonly #flush: Effect.Effect<void> = Effect.suspend(() => {
    const first = this.#cache.shift()
    if (first !== undefined) return Effect.andThen(Effect.uninterruptible(first.land), this.#flush)
    this.#isFlushing = false
    return Effect.void
  })
}

/** For the disk, which answers at once. */
const timeoutMs = 1000

function powerLossCapabilities(options: MemoryOptions): Capabilities {
  // One write after another: of several on their way, the power takes some and leaves those that come later.
  return { ...memoryCapabilities(options), pipeline: 1, acks: ["fsync"], ephemeral: false }
}

/**
 * A connection that outlives the power: what was on its way is in doubt, and its members join again.
 *
 * @example
 * ```ts
 * const transport = powerLossTransport(new PowerLossBroker({ flushMs: 3 }))
 * ```
 */
export function powerLossTransport(broker: PowerLossBroker): Transport {
  const disk = memoryTransport(broker.disk)
  const { trim } = disk
  return {
    ...disk,
    name: "powerLoss",
    capabilities: powerLossCapabilities(broker.disk.options),
    openWriter: (topic) =>
      Effect.flatMap(disk.openWriter(topic), (writer) => writerOf("powerLoss", powerLossWriter(broker, writer))),
    subscribe: (subscription) => subscribe(broker, disk, subscription),
    ...(trim === undefined
      ? {}
      : { trim: (topic, partition, before) => broker.write("trim", trim(topic, partition, before)) })
  }
}

/**
 * The driver that route documents call `powerLoss`. Its cluster section has no fields of its own.
 *
 * @example
 * ```ts
 * const leat = yield* Leat.make({ source: "test", routes, drivers: [powerLossDriver(broker)] })
 * ```
 */
export function powerLossDriver(broker: PowerLossBroker): Driver {
  return {
    name: "powerLoss",
    inspect: () => ({ capabilities: powerLossCapabilities(broker.disk.options) }),
    open: () => Effect.succeed(powerLossTransport(broker))
  }
}

function powerLossWriter(broker: PowerLossBroker, writer: Writer): EffectWriter {
  return {
    partitions: writer.partitions,
    send: (partition, batch, from, to) =>
      Effect.suspend((): Effect.Effect<ReadonlyArray<Run>> => {
        const count = to - from
        // The page cache has bytes of its own.
        const copy = batch.copy(from, to)
        const moved = (runs: ReadonlyArray<Run>) =>
          runs.map((run) => ({ ...run, from: run.from + from, to: run.to + from }))
        const written = broker.write(
          "send",
          Effect.map(sendEffect(writer, partition, copy, 0, count, timeoutMs), moved)
        )
        if (broker.acknowledges === "written")
          return Effect.as(Effect.forkDetach(Effect.ignore(written)), [{ from, to, fate: "stored" as const }])
        return written.pipe(Effect.catch((error) => Effect.succeed([{ from, to, fate: "unknown" as const, error }])))
      }),
    // Behind everything that was written before it.
    fence: (partition) => broker.write("fence", writer.fence(partition))
  }
}

function subscribe(
  broker: PowerLossBroker,
  disk: Transport,
  subscription: Subscription
): Stream.Stream<Lane, TransportError, Scope.Scope> {
  let running: Fiber.Fiber<void, TransportError> | undefined
  let isLeaving = false
  return Stream.fromEffect(
    Effect.gen(function* () {
      const lanes = yield* Queue.unbounded<Lane>()
      const takeNoMore = Effect.gen(function* () {
        isLeaving = true
        if (running !== undefined) yield* Fiber.interrupt(running)
        // Nobody else would give back what was not taken.
        for (const lane of yield* Queue.clear(lanes)) yield* lane.release
      })
      const offer = (lane: Lane) => (isLeaving ? lane.release : Effect.asVoid(Queue.offer(lanes, lane)))
      // One membership after another, each until the power is lost.
      const member = Effect.gen(function* () {
        const scope = yield* broker.membership
        const gone = yield* Deferred.make<void>()
        yield* Scope.addFinalizer(scope, Deferred.succeed(gone, undefined))
        running = yield* disk.subscribe(subscription).pipe(
          Stream.runForEach((lane) => offer(durableLane(broker, lane))),
          Effect.forkIn(scope),
          Scope.provide(scope)
        )
        if (isLeaving) yield* takeNoMore
        yield* Deferred.await(gone)
      }).pipe(Effect.scoped)
      yield* Effect.forkScoped(Effect.forever(member))
      // One at a time: of several in one array, who is interrupted would never see the last ones.
      const pull = Effect.map(Queue.take(lanes), (lane) => [lane] as const)
      return Stream.ensuring(Stream.fromPull(Effect.succeed(pull)), takeNoMore)
    })
  ).pipe(Stream.flatMap((lanes) => lanes))
}

/** What is settled is in the page cache too, until it is flushed. */
function durableLane(broker: PowerLossBroker, lane: Lane): Lane {
  return { ...lane, settle: (position) => broker.write("settle", lane.settle(position)) }
}

function lostError(operation: string): TransportError {
  const detail = "the power was lost before it was flushed"
  return new TransportError({ reason: "Disconnected", transport: "powerLoss", operation, detail })
}
