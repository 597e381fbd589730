import assert from "node:assert/strict"
import { Effect, Exit } from "effect"
import { formatEventId, formatUuid } from "../../record/EventId.ts"
import { readHeaders } from "../../record/Headers.ts"
import { RecordBatch } from "../../record/RecordBatch.ts"
import { noHeaders } from "../../record/ContextHeaders.ts"
import { wireWriter } from "../../record/WireWriter.ts"
import { batchOf, type PlainRecord } from "../../record/batchOf.ts"
import { sendEffect } from "../../transport/Sending.ts"
import { waitUntil } from "../waitUntil.ts"
import {
  assertCovers,
  boundsOf,
  numbered,
  readAll,
  store,
  testCase,
  textOf,
  timeoutMs,
  type TransportCase,
  valuesOf
} from "./TransportCase.ts"

const text = new TextEncoder()

/** Events in the compact wire, their values the text of their sequences. */
function events(
  seqs: ReadonlyArray<number>,
  epoch = 1,
  { bucket = 3, incarnation = 7 }: { readonly bucket?: number; readonly incarnation?: number } = {}
): ReadonlyArray<PlainRecord> {
  const identity = { incarnation: new Uint8Array(16).fill(incarnation), source: "s", stream: "t", type: "t", epoch }
  const writer = wireWriter("compact", identity)
  return seqs.map((seq) => {
    const batch = new RecordBatch(writer.size(bucket, seq, noHeaders))
    batch.place(bucket, seq, Float64Array.of(1_700_000_000_000))
    writer.write(batch, 0, noHeaders)
    return { key: "k", value: `${seq}`, headers: readHeaders(batch.arena, 0) }
  })
}

/** One event as a CloudEvent. */
function cloudEvents(stream: string, seq: number): ReadonlyArray<PlainRecord> {
  const id = formatEventId({ incarnation: formatUuid(new Uint8Array(16).fill(7)), stream, bucket: 3, seq })
  return [{ key: "k", value: "v", headers: [["ce_id", text.encode(id)]] }]
}

/** Topics, and what becomes of what is sent. */
export const writingCases: ReadonlyArray<TransportCase> = [
  testCase("ensure creates a topic once, and tells how one that is there differs", ({ transport, topic }) =>
    Effect.gen(function* () {
      const again = yield* transport.ensure({ topic, partitions: 2 })
      assert.deepEqual(again, { status: "exists", partitions: 2 })
      const other = yield* transport.ensure({ topic, partitions: 5 })
      assert.equal(other.status, "differs")
      assert.equal(other.partitions, 2, "nothing may be changed by asking")
      const differences = other.status === "differs" ? other.differences : []
      assert.ok(
        differences.some(({ property, asked, found }) => property === "partitions" && asked === "5" && found === "2")
      )
    })
  ),

  testCase(
    "a topic that is to keep everything keeps it, and is found to be so",
    ({ transport, topic }) =>
      Effect.gen(function* () {
        const kept = `${topic}-kept`
        const forEver = { timeMs: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY }
        const made = yield* transport.ensure({ topic: kept, partitions: 1, retention: forEver })
        assert.deepEqual(made, { status: "created", partitions: 1 })
        const again = yield* transport.ensure({ topic: kept, partitions: 1, retention: forEver })
        assert.deepEqual(again, { status: "exists", partitions: 1 })
        const bounded = yield* transport.ensure({ topic: kept, partitions: 1, retention: { bytes: 4096 } })
        assert.equal(bounded.status, "differs", "a topic that keeps everything is not one with a bound")
        const writer = yield* transport.openWriter(kept)
        const value = "v".repeat(500)
        for (let sent = 0; sent < 20; sent++) yield* store(writer, 0, [{ key: "k", value, headers: [] }])
        const [bounds] = yield* transport.bounds(kept)
        assert.deepEqual([bounds?.start, bounds?.end], [0n, 20n])
      }),
    // What can be a spill.
    { applies: ({ acks, ephemeral }) => acks.includes("fsync") || ephemeral }
  ),

  testCase("a transport that tells which topics there are tells those that were made", ({ transport, topic }) =>
    Effect.gen(function* () {
      const { topics } = transport
      if (topics === undefined) return
      const isTold = Effect.map(topics, (names) => names.includes(topic))
      // A broker may hear of a new topic late.
      yield* waitUntil("the topic is told", isTold, { withinMs: 10_000 })
    })
  ),

  testCase("a writer tells how many partitions its topic has", ({ writer }) =>
    Effect.sync(() => assert.equal(writer.partitions, 2))
  ),

  testCase("what is told stored can be read back as it was, in order", (bench) =>
    Effect.gen(function* () {
      yield* store(bench.writer, 0, numbered(100, "a"))
      yield* store(bench.writer, 0, numbered(100, "b"))
      const values = valuesOf(yield* readAll(bench, 0))
      assert.deepEqual(
        values,
        [...numbered(100, "a"), ...numbered(100, "b")].map(({ value }) => value)
      )
    })
  ),

  testCase("T11 a record stands in the partition that was asked for, and in no other", (bench) =>
    Effect.gen(function* () {
      yield* store(bench.writer, 0, numbered(3, "zero"))
      yield* store(bench.writer, 1, numbered(5, "one"))
      assert.equal((yield* readAll(bench, 0)).length, 3)
      assert.equal((yield* readAll(bench, 1)).length, 5)
    })
  ),

  testCase("T10 a partition that does not exist takes nothing", (bench) =>
    Effect.gen(function* () {
      const runs = yield* sendEffect(bench.writer, 7, batchOf(numbered(3)), 0, 3, timeoutMs)
      assertCovers(runs, 0, 3)
      for (const { fate } of runs) assert.equal(fate, "notStored")
      assert.equal((yield* readAll(bench, 0)).length + (yield* readAll(bench, 1)).length, 0)
    })
  ),

  testCase("a range of a batch is sent, and only that", (bench) =>
    Effect.gen(function* () {
      const runs = yield* sendEffect(bench.writer, 0, batchOf(numbered(10)), 3, 7, timeoutMs)
      assertCovers(runs, 3, 7)
      assert.deepEqual(valuesOf(yield* readAll(bench, 0)), ["3", "4", "5", "6"])
    })
  ),

  testCase("keys, values and headers are bytes: none is bent, and empty is not absent", (bench) =>
    Effect.gen(function* () {
      const { headers } = bench.transport.capabilities
      const bytes = Uint8Array.from({ length: 256 }, (_, index) => index)
      const list = [["plain", text.encode("text")] as const, ["empty", new Uint8Array(0)] as const]
      yield* store(bench.writer, 0, [
        {
          key: bytes,
          value: bytes,
          headers: headers.binary ? [...list, ["binary", bytes] as const] : list,
          timeMs: 1_700_000_000_000
        },
        { key: null, value: "no key" },
        { key: "key", value: new Uint8Array(0) }
      ])
      const [first, second, third] = yield* readAll(bench, 0)
      assert.deepEqual(first?.key === null ? null : Array.from(first?.key ?? []), Array.from(bytes))
      assert.deepEqual(Array.from(first?.value ?? []), Array.from(bytes))
      assert.deepEqual(
        first?.headers.map(([name]) => name),
        headers.binary ? ["plain", "empty", "binary"] : ["plain", "empty"]
      )
      assert.deepEqual(
        first?.headers.map(([, value]) => value.length),
        headers.binary ? [4, 0, 256] : [4, 0]
      )
      assert.equal(second?.key, null)
      assert.equal(third?.value?.length, 0, "an empty value is no tombstone")
    })
  ),

  testCase(
    "T37 headers of one name are all kept, in order",
    (bench) =>
      Effect.gen(function* () {
        const headers = ["1", "2", "3"].map((value) => ["same", text.encode(value)] as const)
        yield* store(bench.writer, 0, [{ key: "k", value: "v", headers }])
        const [record] = yield* readAll(bench, 0)
        assert.deepEqual(
          record?.headers.map(([name, value]) => [name, textOf(value)]),
          [
            ["same", "1"],
            ["same", "2"],
            ["same", "3"]
          ]
        )
      }),
    { applies: ({ headers }) => headers.duplicates }
  ),

  testCase(
    "T34 a tombstone stays a tombstone",
    (bench) =>
      Effect.gen(function* () {
        yield* store(bench.writer, 0, [
          { key: "k", value: null },
          { key: "j", value: "v" }
        ])
        assert.deepEqual(valuesOf(yield* readAll(bench, 0)), [null, "v"])
      }),
    { applies: ({ compaction }) => compaction, compacted: true }
  ),

  testCase(
    "a stored run says at which position it begins",
    (bench) =>
      Effect.gen(function* () {
        yield* store(bench.writer, 0, numbered(4, "before"))
        const runs = yield* store(bench.writer, 0, numbered(6, "x"))
        const records = yield* readAll(bench, 0)
        for (const { from, base } of runs)
          assert.equal(textOf(records.find(({ position }) => position === base)?.value ?? null), `x${from}`)
      }),
    { applies: ({ appendWithPosition }) => appendWithPosition }
  ),

  testCase("the bytes of a batch may be used again once its send has been answered", (bench) =>
    Effect.gen(function* () {
      const batch = batchOf(numbered(10, "value"))
      const runs = yield* sendEffect(bench.writer, 0, batch, 0, 10, timeoutMs)
      assert.equal(runs[0]?.fate, "stored")
      batch.arena.fill(0)
      assert.deepEqual(
        valuesOf(yield* readAll(bench, 0)),
        numbered(10, "value").map(({ value }) => value)
      )
    })
  ),

  testCase("T15 a send changes nothing of the batch", (bench) =>
    Effect.gen(function* () {
      const batch = batchOf(numbered(10))
      const before = Buffer.from(batch.arena)
      yield* sendEffect(bench.writer, 0, batch, 2, 8, timeoutMs)
      assert.equal(batch.count, 10)
      assert.ok(before.equals(batch.arena))
    })
  ),

  testCase("a record over the limit is refused as TooLarge, and is not stored", (bench) =>
    Effect.gen(function* () {
      const { recordBytesMax } = bench.transport.capabilities
      const value = new Uint8Array(recordBytesMax + 1)
      const runs = yield* sendEffect(bench.writer, 0, batchOf([{ key: "k", value }]), 0, 1, timeoutMs)
      assertCovers(runs, 0, 1)
      assert.equal(runs[0]?.fate, "notStored")
      assert.equal(runs[0]?.error?.reason, "TooLarge")
      assert.equal((yield* readAll(bench, 0)).length, 0)
    })
  ),

  testCase(
    "a batch with one record that is refused stores nothing of it",
    (bench) =>
      Effect.gen(function* () {
        const value = new Uint8Array(bench.transport.capabilities.recordBytesMax + 1)
        const batch = batchOf([...numbered(2), { key: "k", value }, ...numbered(2)])
        const runs = yield* sendEffect(bench.writer, 0, batch, 0, 5, timeoutMs)
        assertCovers(runs, 0, 5)
        for (const { fate } of runs) assert.equal(fate, "notStored")
        assert.equal((yield* readAll(bench, 0)).length, 0)
      }),
    { applies: ({ batch }) => batch === "atomic" }
  ),

  testCase(
    "T4 sends of one partition that overlap do not overtake each other",
    (bench) =>
      Effect.gen(function* () {
        const sends = Array.from({ length: 20 }, (_, index) =>
          store(bench.writer, 0, numbered(index % 2 === 0 ? 50 : 1, `${index}/`))
        )
        yield* Effect.all(sends, { concurrency: "unbounded" })
        const values = valuesOf(yield* readAll(bench, 0))
        const batches = values.map((value) => Number(value?.split("/")[0]))
        assert.deepEqual(
          batches,
          batches.toSorted((left, right) => left - right)
        )
      }),
    { applies: ({ ordering }) => ordering === "perPartition" }
  ),

  testCase(
    "after a fence nothing sent earlier can land, and the end stands behind it",
    (bench) =>
      Effect.gen(function* () {
        yield* store(bench.writer, 0, numbered(5))
        const end = yield* bench.writer.fence(0)
        assert.equal((yield* boundsOf(bench, 0)).end, end)
        yield* store(bench.writer, 0, numbered(1, "after"))
        const records = yield* readAll(bench, 0)
        assert.deepEqual(valuesOf(records.filter(({ position }) => position >= end)), ["after0"])
      }),
    { applies: ({ fencing }) => fencing !== "none" }
  ),

  testCase(
    "a fence that cannot be kept is refused",
    ({ writer }) =>
      Effect.gen(function* () {
        assert.ok(Exit.isFailure(yield* Effect.exit(writer.fence(0))))
      }),
    { applies: ({ fencing }) => fencing === "none" }
  ),

  testCase(
    "an event that its partition has taken is told stored, and not stored again",
    (bench) =>
      Effect.gen(function* () {
        yield* store(bench.writer, 0, events([0, 1, 2, 5]))
        const other = yield* (yield* bench.connect).openWriter(bench.topic)
        const runs = yield* store(other, 0, events([2, 3, 4, 5, 5, 7], 9))
        for (const index of [0, 3, 4]) {
          const run = runs.find(({ from, to }) => from <= index && index < to)
          assert.equal(run?.base, undefined, "an event that was there already was given a position")
        }
        yield* store(bench.writer, 0, events([0, 1, 6, 7, 8]))
        const values = valuesOf(yield* readAll(bench, 0))
        assert.deepEqual(values, ["0", "1", "2", "5", "3", "4", "7", "6", "8"])
        const records = yield* readAll(bench, 0)
        for (const { from, to, base } of runs) {
          if (base === undefined) continue
          const found = records.find(({ position }) => position === base)
          assert.equal(textOf(found?.value ?? null), ["2", "3", "4", "5", "5", "7"][from], `a base of [${from}, ${to})`)
        }
      }),
    { applies: ({ dedupe }) => dedupe.kind === "messageId" }
  ),

  testCase(
    "another event is stored: of another bucket, another process, another stream, another partition, or none",
    (bench) =>
      Effect.gen(function* () {
        yield* store(bench.writer, 0, events([0]))
        yield* store(bench.writer, 1, events([0]))
        yield* store(bench.writer, 0, events([0], 1, { bucket: 4 }))
        yield* store(bench.writer, 0, events([0], 1, { incarnation: 8 }))
        yield* store(bench.writer, 0, cloudEvents("some.stream", 0))
        yield* store(bench.writer, 0, cloudEvents("other.stream", 0))
        yield* store(bench.writer, 0, cloudEvents("other.stream", 0))
        yield* store(bench.writer, 0, numbered(2))
        yield* store(bench.writer, 0, numbered(2))
        assert.equal((yield* readAll(bench, 0)).length, 9)
        assert.equal((yield* readAll(bench, 1)).length, 1)
      }),
    { applies: ({ dedupe }) => dedupe.kind === "messageId" }
  ),

  testCase("two connections see one backend", (bench) =>
    Effect.gen(function* () {
      const other = yield* bench.connect
      const writer = yield* other.openWriter(bench.topic)
      yield* store(bench.writer, 0, numbered(2, "a"))
      yield* store(writer, 0, numbered(2, "b"))
      assert.deepEqual(valuesOf(yield* readAll({ ...bench, transport: other }, 0)), ["a0", "a1", "b0", "b1"])
    })
  )
]
