import assert from "node:assert/strict"
import { Clock, Context, type Duration, Effect, Exit, Fiber, Pull, Queue, type Scope, Stream } from "effect"
import type {
  Capabilities,
  From,
  Lane,
  ReceivedBatch,
  ReceivedRecord,
  Run,
  Transport,
  TransportError,
  Writer
} from "../../transport/index.ts"
import { batchOf, type PlainRecord } from "../../record/batchOf.ts"
import { sendEffect } from "../../transport/Sending.ts"

/**
 * What the suite is run against.
 *
 * @example
 * ```ts
 * const layer = Layer.succeed(TransportUnderTest, { connect: logTransport({ directory: "./data" }) })
 * ```
 */
export class TransportUnderTest extends Context.Service<
  TransportUnderTest,
  {
    /** A connection of its own to the same backend, as another process would have. */
    readonly connect: Effect.Effect<Transport, TransportError, Scope.Scope>
    /** Lets the backend compact its topics now, where a test can make it do so. */
    readonly compact?: Effect.Effect<void>
  }
>()("leat/testing/TransportUnderTest") {}

/** One promise of a transport and how it is tested. */
export interface TransportCase {
  /** What is promised, as a sentence; the trap of docs/traps.md in front, where it is one. */
  readonly name: string
  /** Whether a transport that declares this is held to it. */
  readonly applies: (capabilities: Capabilities) => boolean
  /** How long it may take; 20 seconds when absent. */
  readonly within?: Duration.Input
  /** Fails, or dies of an assertion, when the promise is not kept. */
  readonly run: Effect.Effect<void, unknown, TransportUnderTest | Scope.Scope>
}

/** What a case works with: a connection, a topic and a group of its own. */
export interface Bench {
  readonly transport: Transport
  readonly connect: Effect.Effect<Transport, TransportError, Scope.Scope>
  readonly compact: Effect.Effect<void> | undefined
  readonly topic: string
  /** New to the backend: where cases run side by side, members of one group would rebalance each other. */
  readonly group: string
  readonly writer: Writer
}

let topics = 0

export interface CaseOptions {
  readonly applies?: (capabilities: Capabilities) => boolean
  readonly partitions?: number
  readonly compacted?: boolean
  readonly within?: Duration.Input
}

/** A case over a new topic of two partitions, unless it says otherwise. */
export function testCase<E>(
  name: string,
  run: (bench: Bench) => Effect.Effect<void, E, Scope.Scope>,
  { applies = () => true, partitions = 2, compacted = false, ...more }: CaseOptions = {}
): TransportCase {
  return {
    name,
    applies,
    ...more,
    run: Effect.gen(function* () {
      const { connect, compact } = yield* TransportUnderTest
      const transport = yield* connect
      const nowMs = yield* Clock.currentTimeMillis
      const topic = `suite-${nowMs.toString(36)}-${topics++}`
      yield* transport.ensure({ topic, partitions, ...(compacted ? { compacted } : {}) })
      const writer = yield* transport.openWriter(topic)
      yield* run({ transport, connect, compact, topic, group: `${topic}-group`, writer })
    })
  }
}

/** How long a send may take, in milliseconds. */
export const timeoutMs = 10_000

/** Sends all of the records as one batch and expects all of them to be stored. */
export const store = Effect.fnUntraced(function* (
  writer: Writer,
  partition: number,
  records: ReadonlyArray<PlainRecord>
) {
  const runs = yield* sendEffect(writer, partition, batchOf(records), 0, records.length, timeoutMs)
  assertCovers(runs, 0, records.length)
  for (const { fate, error } of runs) assert.equal(fate, "stored", error?.message)
  return runs
})

/** Runs are disjoint, in order, and cover exactly what was sent. */
export function assertCovers(runs: ReadonlyArray<Run>, from: number, to: number): void {
  let at = from
  for (const run of runs) {
    assert.equal(run.from, at, "the runs have a hole, or overlap")
    assert.ok(run.to > run.from, "a run is empty")
    at = run.to
  }
  assert.equal(at, to, "the runs do not cover what was sent")
}

/** `count` records with the key `key` and the values `PREFIX0`, `PREFIX1`, ... */
export function numbered(count: number, prefix = "", key: string | null = "k"): ReadonlyArray<PlainRecord> {
  return Array.from({ length: count }, (_, index) => ({ key, value: `${prefix}${index}` }))
}

/** Everything that stands in a partition now. */
export const readAll = (bench: Bench, partition: number) =>
  Effect.gen(function* () {
    const { start, end } = yield* boundsOf(bench, partition)
    const range = { fromPosition: start, toPosition: end }
    return yield* recordsOf(bench.transport.read(bench.topic, partition, range))
  })

export const recordsOf = <E>(batches: Stream.Stream<ReceivedBatch, E>) =>
  Effect.map(Stream.runCollect(batches), (all) => Array.from(all).flatMap(({ records }) => records))

export const boundsOf = ({ transport, topic }: Bench, partition: number, group?: string) =>
  Effect.map(transport.bounds(topic, group), (bounds) => {
    const found = bounds.find((one) => one.partition === partition)
    assert.ok(found, `bounds tell nothing of partition ${partition}`)
    return found
  })

export function textOf(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : new TextDecoder().decode(bytes)
}

export function valuesOf(records: ReadonlyArray<ReceivedRecord>): ReadonlyArray<string | null> {
  return records.map(({ value }) => textOf(value))
}

/** A member of a group: the lanes it was given, in the order in which they came. */
export interface Member {
  /** The next lane that is given. */
  readonly lane: Effect.Effect<PulledLane, never, Scope.Scope>
  /** Lanes that were given and not taken yet. */
  readonly waiting: Effect.Effect<number>
  /** The first step of leaving: the stream of lanes is no longer run. */
  readonly takeNoMore: Effect.Effect<void>
}

export interface PulledLane extends Lane {
  /** Pulls until `count` records have come. */
  readonly take: (count: number) => Effect.Effect<ReadonlyArray<ReceivedRecord>, unknown>
  /** Pulls once more; dies when anything comes, succeeds when the stream has ended, and fails when it failed. */
  readonly end: Effect.Effect<void, unknown>
}

/** Dies with what was promised when it does not happen in time, before the case as a whole is over. */
export const soon = <A, E, R>(promise: string, happens: Effect.Effect<A, E, R>, seconds = 10): Effect.Effect<A, E, R> =>
  Effect.timeoutOrElse(happens, {
    duration: `${seconds} seconds`,
    orElse: () => Effect.sync(() => assert.fail(`${promise}: not within ${seconds} seconds`))
  })

/** Joins a group; the member leaves with the scope. */
export const join = Effect.fnUntraced(function* (
  transport: Transport,
  topic: string,
  group: string,
  { from = "earliest", drainMs = 5000 }: { readonly from?: From; readonly drainMs?: number } = {}
): Effect.fn.Return<Member, TransportError, Scope.Scope> {
  const lanes = yield* Queue.unbounded<Lane>()
  const running = yield* transport.subscribe({ topic, group, from, drainMs }).pipe(
    Stream.runForEach((lane) => Queue.offer(lanes, lane)),
    Effect.forkScoped
  )
  return {
    lane: Effect.flatMap(soon("a lane is given", Queue.take(lanes), 15), (lane) => hold(lane)),
    waiting: Queue.size(lanes),
    takeNoMore: Fiber.interrupt(running)
  }
})

const hold = Effect.fnUntraced(function* (lane: Lane): Effect.fn.Return<PulledLane, never, Scope.Scope> {
  const pull = yield* Stream.toPull(lane.batches)
  let left: ReadonlyArray<ReceivedRecord> = []
  let next = lane.start
  const take = (count: number) =>
    Effect.gen(function* () {
      while (left.length < count) {
        const batches = yield* soon(`record ${left.length + 1} of ${count} comes`, pull)
        for (const batch of batches) {
          next = assertRising(batch, next)
          left = [...left, ...batch.records]
        }
      }
      const taken = left.slice(0, count)
      left = left.slice(count)
      return taken
    })
  const end = Effect.gen(function* () {
    const exit = yield* Effect.exit(pull)
    if (Exit.isSuccess(exit)) return assert.fail("a batch came from a lane that had ended")
    return Pull.isDoneCause(exit.cause) ? undefined : yield* Effect.failCause(exit.cause)
  })
  return { ...lane, take, end }
})

/** Positions rise strictly, inside a batch and from one to the next, and `next` stands behind all of them. */
function assertRising({ records, next }: ReceivedBatch, from: bigint): bigint {
  let at = from
  for (const { position } of records) {
    assert.equal(typeof position, "bigint")
    assert.ok(position >= at, `position ${position} came after ${at}`)
    at = position + 1n
  }
  assert.ok(next >= at, `a batch that reaches to ${at} says that ${next} is next`)
  return next
}
