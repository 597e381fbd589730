import assert from "node:assert/strict"
import { Effect, Exit, Result } from "effect"
import type { TransportError } from "../../transport/index.ts"
import {
  boundsOf,
  numbered,
  readAll,
  recordsOf,
  store,
  testCase,
  type TransportCase,
  valuesOf
} from "./TransportCase.ts"

/** Reading without a group, and bounds. */
export const readingCases: ReadonlyArray<TransportCase> = [
  testCase("bounds tell the start and end of every partition", (bench) =>
    Effect.gen(function* () {
      const before = yield* boundsOf(bench, 0)
      assert.equal(before.start, before.end)
      yield* store(bench.writer, 0, numbered(3))
      const after = yield* boundsOf(bench, 0)
      assert.ok(after.end >= before.end + 3n)
      assert.equal(after.settled, undefined)
      assert.equal((yield* bench.transport.bounds(bench.topic)).length, 2)
    })
  ),

  testCase(
    "bounds tell the end as it is when they are asked: also of what another connection has just stored",
    (bench) =>
      Effect.gen(function* () {
        const reader = { ...bench, transport: yield* bench.connect }
        for (let round = 0; round < 5; round++) {
          const before = yield* boundsOf(reader, 0)
          yield* store(bench.writer, 0, numbered(2))
          const { end } = yield* boundsOf(reader, 0)
          assert.ok(
            end >= before.end + 2n,
            `the end is told as ${end}, and was ${before.end} before 2 more were stored`
          )
        }
      })
  ),

  testCase("a topic that does not exist cannot be read", ({ transport, topic }) =>
    Effect.gen(function* () {
      const read = yield* Effect.exit(recordsOf(transport.read(`${topic}-none`, 0, { fromPosition: 0n })))
      const bounds = yield* Effect.exit(transport.bounds(`${topic}-none`))
      assert.ok(Exit.isFailure(read) && Exit.isFailure(bounds))
    })
  ),

  testCase("the partitions of a topic, or those it would be created with, are told, and nothing is created", (bench) =>
    Effect.gen(function* () {
      const { transport, topic } = bench
      assert.equal(yield* transport.partitionsOf(topic), 2)
      const missing = `${topic}-none`
      const told = yield* Effect.result(transport.partitionsOf(missing))
      assert.equal(reasonOf(yield* Effect.result(transport.bounds(missing))), "UnknownTopic", "the topic was created")
      const opened = yield* Effect.result(transport.openWriter(missing))
      if (Result.isSuccess(told))
        return assert.equal(Result.isSuccess(opened) && opened.success.partitions, told.success)
      assert.equal(told.failure.reason, "UnknownTopic")
      assert.equal(reasonOf(opened), "UnknownTopic", "a topic that openWriter creates has partitions already")
    })
  ),

  testCase("T10 a partition that does not exist cannot be read", ({ transport, topic }) =>
    Effect.gen(function* () {
      assert.ok(Exit.isFailure(yield* Effect.exit(recordsOf(transport.read(topic, 7, { fromPosition: 0n })))))
    })
  ),

  testCase(
    "a range of positions is read half open, and ends",
    (bench) =>
      Effect.gen(function* () {
        yield* store(bench.writer, 0, numbered(10))
        const positions = (yield* readAll(bench, 0)).map(({ position }) => position)
        const [third = 0n, seventh = 0n] = [positions[3], positions[7]]
        const range = { fromPosition: third, toPosition: seventh }
        assert.deepEqual(valuesOf(yield* recordsOf(bench.transport.read(bench.topic, 0, range))), ["3", "4", "5", "6"])
        const tail = bench.transport.read(bench.topic, 0, { fromPosition: seventh })
        assert.deepEqual(valuesOf(yield* recordsOf(tail)), ["7", "8", "9"])
        const none = bench.transport.read(bench.topic, 0, { fromPosition: third, toPosition: third })
        assert.equal((yield* recordsOf(none)).length, 0)
      }),
    { applies: ({ replay }) => replay.offset }
  ),

  testCase(
    "a range of times is read half open, and ends",
    (bench) =>
      Effect.gen(function* () {
        const startMs = 1_700_000_000_000
        const records = Array.from({ length: 10 }, (_, index) => ({
          key: "k",
          value: `${index}`,
          timeMs: startMs + index * 1000
        }))
        for (const record of records) yield* store(bench.writer, 0, [record])
        const range = { fromTimeMs: startMs + 3000, toTimeMs: startMs + 7000 }
        assert.deepEqual(valuesOf(yield* recordsOf(bench.transport.read(bench.topic, 0, range))), ["3", "4", "5", "6"])
        const later = bench.transport.read(bench.topic, 0, { fromTimeMs: startMs + 60_000 })
        assert.equal((yield* recordsOf(later)).length, 0)
      }),
    { applies: ({ replay }) => replay.time }
  ),

  testCase("many records come in batches that a reader can hold", (bench) =>
    Effect.gen(function* () {
      const value = new Uint8Array(1000)
      for (let sent = 0; sent < 10; sent++)
        yield* store(
          bench.writer,
          0,
          Array.from({ length: 500 }, () => ({ key: "k", value }))
        )
      assert.equal((yield* readAll(bench, 0)).length, 5000)
    })
  ),

  testCase(
    "a trim, where there is one, deletes what stands before a position, and nothing else, for everybody",
    (bench) =>
      Effect.gen(function* () {
        const { trim } = bench.transport
        // No capability says it: the member is there or not.
        if (trim === undefined) return
        const other = { ...bench, transport: yield* bench.connect }
        yield* store(bench.writer, 0, numbered(4))
        yield* store(bench.writer, 0, numbered(4, "more "))
        yield* store(bench.writer, 1, numbered(2))
        const positions = (yield* readAll(bench, 0)).map(({ position }) => position)
        const [first = 0n, third = 0n, last = 0n] = [positions[0], positions[2], positions[7]]
        const expectFrom = Effect.fnUntraced(function* (position: bigint, values: ReadonlyArray<string>) {
          for (const one of [bench, other]) {
            assert.equal((yield* boundsOf(one, 0)).start, position, "the start is where it was trimmed to")
            const found = yield* recordsOf(one.transport.read(one.topic, 0, { fromPosition: first }))
            assert.deepEqual(valuesOf(found), values, "what stands behind the trim, and only that, is read")
          }
        })
        yield* trim(bench.topic, 0, third)
        yield* expectFrom(third, ["2", "3", "more 0", "more 1", "more 2", "more 3"])
        yield* trim(bench.topic, 0, first)
        yield* expectFrom(third, ["2", "3", "more 0", "more 1", "more 2", "more 3"])
        yield* trim(bench.topic, 0, last)
        yield* expectFrom(last, ["more 3"])
        assert.equal((yield* readAll(bench, 1)).length, 2, "another partition was trimmed too")
        const { end } = yield* boundsOf(bench, 0)
        yield* trim(bench.topic, 0, end + 1000n)
        yield* expectFrom(end, [])
        yield* store(bench.writer, 0, numbered(3, "new "))
        yield* expectFrom(end, ["new 0", "new 1", "new 2"])
      })
  ),

  testCase("a trim of a topic or partition that does not exist fails, and creates nothing", ({ transport, topic }) =>
    Effect.gen(function* () {
      const { trim } = transport
      if (trim === undefined) return
      assert.equal(reasonOf(yield* Effect.result(trim(topic, 7, 1n))), "UnknownTopic")
      assert.equal(reasonOf(yield* Effect.result(trim(`${topic}-none`, 0, 1n))), "UnknownTopic")
      assert.equal(reasonOf(yield* Effect.result(transport.bounds(`${topic}-none`))), "UnknownTopic")
    })
  )
]

function reasonOf(result: Result.Result<unknown, TransportError>): string {
  return Result.isSuccess(result) ? "none" : result.failure.reason
}
