/** A member of a group as tests have it: lanes come one by one, and what a lane gives is pulled by count. */
import { Cause, Effect, Exit, Fiber, Queue, type Scope, Stream } from "effect"
import { type From, type Lane, type ReceivedRecord, type Transport, TransportError } from "leat/transport"

export interface Held extends Lane {
  /** Pulls until `count` records have come. */
  readonly take: (count: number) => Effect.Effect<ReadonlyArray<ReceivedRecord>, unknown>
  /** Pulls on, until the stream ends or fails. */
  readonly over: Effect.Effect<Exit.Exit<unknown, unknown>>
}

export interface Joined {
  readonly next: Effect.Effect<Held, unknown, Scope.Scope>
  readonly given: () => number
  readonly takeNoMore: Effect.Effect<void>
  readonly failure: Effect.Effect<unknown>
}

/** Joins a group; the member leaves with the scope. */
export const join = Effect.fnUntraced(function* (
  transport: Transport,
  topic: string,
  group: string,
  { from = "earliest", drainMs = 5000 }: { readonly from?: From; readonly drainMs?: number } = {}
): Effect.fn.Return<Joined, TransportError, Scope.Scope> {
  const lanes = yield* Queue.unbounded<Lane>()
  let given = 0
  const running = yield* transport.subscribe({ topic, group, from, drainMs }).pipe(
    Stream.runForEach((lane) => {
      given++
      return Queue.offer(lanes, lane)
    }),
    Effect.forkScoped
  )
  return {
    next: Effect.flatMap(Effect.timeout(Queue.take(lanes), "20 seconds"), hold),
    given: () => given,
    takeNoMore: Fiber.interrupt(running),
    failure: Effect.flip(Fiber.join(running)) as Effect.Effect<unknown>
  }
})

const hold = Effect.fnUntraced(function* (lane: Lane): Effect.fn.Return<Held, never, Scope.Scope> {
  const pull = yield* Stream.toPull(lane.batches)
  let left: ReadonlyArray<ReceivedRecord> = []
  const take = Effect.fnUntraced(function* (count: number) {
    while (left.length < count) for (const { records } of yield* pull) left = [...left, ...records]
    const taken = left.slice(0, count)
    left = left.slice(count)
    return taken
  })
  const over = Effect.gen(function* () {
    for (;;) {
      const exit = yield* Effect.exit(pull)
      if (Exit.isFailure(exit)) return exit
    }
  })
  return { ...lane, take, over }
})

export const reasonOf = (exit: Exit.Exit<unknown, unknown>): string | undefined => {
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  return error instanceof TransportError ? error.reason : undefined
}

/** How far a group has settled a partition. */
export const settledOf = (transport: Transport, topic: string, group: string, partition = 0) =>
  Effect.map(transport.bounds(topic, group), (bounds) => bounds[partition]?.settled)
