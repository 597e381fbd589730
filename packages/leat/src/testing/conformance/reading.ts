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
  )
]

function reasonOf(result: Result.Result<unknown, TransportError>): string {
  return Result.isSuccess(result) ? "none" : result.failure.reason
}
