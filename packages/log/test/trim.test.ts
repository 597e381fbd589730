import { type LogOptions, logTransport } from "@leat/log"
import { Effect, Fiber, type Scope, Stream } from "effect"
import fc from "fast-check"
import { batchOf } from "leat/testing"
import { sendEffect, type Transport } from "leat/transport"
import { statSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { settingsOf, transportOf } from "../src/LogTransport.ts"
import { LogWorker } from "../src/LogWorker.ts"
import { positionAt } from "../src/store/read.ts"
import { retain, trim } from "../src/store/retention.ts"
import { compact } from "./support/compact.js"
import { noLimits, type OpenStore, storeWithTopic } from "./support/openStore.ts"
import { temporaryDirectory } from "./support/temporary.ts"
import { Wire } from "./support/Wire.ts"

const positionsOf = (open: OpenStore) =>
  open.read().flatMap(({ records }) => records.map(({ position }) => Number(position)))
const from = (start: number, end: number) => Array.from({ length: end - start }, (_, index) => start + index)
const batchesIn = (open: OpenStore) => Number(open.store.db.prepare("SELECT count(*) AS n FROM batch").get()?.["n"])
const blocksIn = (open: OpenStore) => Number(open.store.db.prepare("SELECT count(*) AS n FROM bytes").get()?.["n"])
const bytesIn = (open: OpenStore) =>
  Number(open.store.db.prepare("SELECT coalesce(sum(length), 0) AS n FROM batch").get()?.["n"])

/** Most batches that one write deletes. */
const rowsMax = 256

/** Trims as the worker does, and appends a record between two writes; returns the number of writes. */
function trimAll(open: OpenStore, before: number, between: () => void = () => undefined): number {
  let writes = 0
  for (let to: number | undefined = before; to !== undefined;) {
    const position: number = to
    to = open.write((store) => trim(store, 0, position, rowsMax))
    writes++
    if (to !== undefined) between()
  }
  return writes
}

describe("a trim", () => {
  it("starts reading at its position, wherever the batches begin, and takes the whole batches before it", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 12 })
    const trims = fc.array(fc.integer({ min: -2, max: 80 }), { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(sizes, trims, fc.nat(80), (batches, positions, timeMs) => {
        using open = storeWithTopic()
        let end = 0
        const append = (size: number) => {
          open.append(from(end, end + size).map((one) => ({ key: "k", value: "v", timeMs: one })))
          end += size
          return end
        }
        const ends = batches.map(append)
        let start = 0
        for (const before of positions) {
          trimAll(open, before)
          start = Math.max(start, Math.min(before, end))
          expect(open.store.heads.get(0)).toMatchObject({ start, end, bytes: bytesIn(open) })
          const kept = ends.filter((one) => one > start).length
          expect([batchesIn(open), blocksIn(open)]).toEqual([kept, kept])
          open.reopen()
          expect(positionsOf(open)).toEqual(from(start, end))
          const found = Math.min(end, Math.max(start, timeMs))
          expect(open.store.look(() => positionAt(open.store, 0, timeMs))).toBe(found)
          ends.push(append(1))
        }
      }),
      { numRuns: 60 }
    )
  })

  it("of many batches is several writes, and takes nothing that is stored between two of them", () => {
    using open = storeWithTopic()
    const one = [{ key: "k", value: "v" }]
    const count = 2 * rowsMax + 3
    for (let index = 0; index < count; index++) open.append(one)
    let appended = 0
    const writes = trimAll(open, Number.MAX_SAFE_INTEGER, () => {
      open.append(one)
      appended++
    })
    expect([writes, appended]).toEqual([3, 2])
    expect(positionsOf(open)).toEqual([count, count + 1])
  })

  it("inside of a batch leaves retention and compaction their work", () => {
    for (const compacted of [false, true]) {
      using open = storeWithTopic(compacted)
      const keys = ["a", "b", "a", "b"]
      open.append(keys.map((key, index) => ({ key, value: `${index}` })))
      open.append([{ key: "b", value: "4" }])
      trimAll(open, 1)
      if (compacted) compact(open)
      expect(positionsOf(open)).toEqual(compacted ? [2, 4] : [1, 2, 3, 4])
      expect(open.store.heads.get(0)).toMatchObject({ start: 1, end: 5, bytes: bytesIn(open) })
      if (compacted) continue
      // By age: the newest is never deleted for its size.
      const limits = { ...noLimits, retentionMs: -1 }
      open.write((store) => store.heads.save(retain(store, store.topics.get("t"), store.heads.get(0), limits, 9)))
      expect(open.store.heads.get(0)).toMatchObject({ start: 5, end: 5, bytes: 0 })
      expect([batchesIn(open), blocksIn(open)]).toEqual([0, 0])
    }
  })

  it("keeps the event ids of what it deletes: an event that comes again is told stored, and not stored", () => {
    using open = storeWithTopic()
    open.append([Wire.event(0, 0), Wire.event(0, 1)])
    trimAll(open, 2)
    expect(open.append([Wire.event(0, 1), Wire.event(0, 2)]).duplicates).toEqual([0])
    expect(positionsOf(open)).toEqual([2])
  })
})

const inDirectory = <A, E>(run: (directory: string) => Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.scoped(Effect.flatMap(temporaryDirectory, run)))

/** Sends batches until one is not stored, or all are; returns the number of those that were. */
const fill = Effect.fnUntraced(function* (transport: Transport, batches: number) {
  const writer = yield* transport.openWriter("t")
  const batch = batchOf(Array.from({ length: 10 }, () => ({ key: "k", value: new Uint8Array(2000) })))
  for (let stored = 0; stored < batches; stored++) {
    const [run] = yield* sendEffect(writer, 0, batch, 0, 10, 20_000)
    if (run?.fate !== "stored") return { stored, reason: run?.error?.reason }
  }
  return { stored: batches, reason: undefined }
})

const countIn = (transport: Transport) =>
  Stream.runFold(
    transport.read("t", 0, { fromPosition: 0n }),
    () => 0,
    (count, { records }) => count + records.length
  )

describe("a log that is trimmed", () => {
  const opened = (directory: string, options: Partial<LogOptions> = {}) =>
    logTransport({ directory, partitions: 1, ...options })

  it("has the room again, by its own limit and in its file", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        const transport = yield* opened(directory, { bytesMax: 2 * 1024 ** 2 })
        for (let round = 0; round < 4; round++) {
          const { stored, reason } = yield* fill(transport, 400)
          expect(reason).toBe("Full")
          expect(stored).toBeGreaterThan(50)
          const [bounds] = yield* transport.bounds("t")
          yield* transport.trim("t", 0, (bounds?.end ?? 0n) - 3n)
          expect(yield* countIn(transport)).toBe(3)
        }
        expect(statSync(join(directory, "log.sqlite")).size).toBeLessThanOrEqual(2 * 1024 ** 2)
      })
    ))

  it("is trimmed for good, and for other connections at once", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        const other = yield* opened(directory)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const transport = yield* opened(directory)
            yield* fill(transport, 2)
            expect(yield* countIn(other)).toBe(20)
            yield* transport.trim("t", 0, 13n)
            expect(yield* countIn(other)).toBe(7)
          })
        )
        const again = yield* opened(directory)
        expect((yield* again.bounds("t"))[0]).toMatchObject({ start: 13n, end: 20n })
        const [first] = yield* Stream.runCollect(again.read("t", 0, { fromPosition: 2n }))
        expect(first).toEqual({ records: [], next: 13n, gap: "expired" })
      })
    ))

  it("ends a trim that was asked for before it is closed", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const transport = yield* opened(directory)
            const writer = yield* transport.openWriter("t")
            const one = batchOf([{ key: "k", value: "v" }])
            const sent = from(0, 2 * rowsMax).map(() => sendEffect(writer, 0, one, 0, 1, 20_000))
            yield* Effect.all(sent, { concurrency: "unbounded", discard: true })
            const trimming = yield* Effect.forkChild(transport.trim("t", 0, 500n), { startImmediately: true })
            yield* Fiber.interrupt(trimming)
          })
        )
        expect((yield* (yield* opened(directory)).bounds("t"))[0]).toMatchObject({ start: 500n })
      })
    ))

  it("is not trimmed by who opened it for reading", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        yield* Effect.scoped(Effect.flatMap(opened(directory), (transport) => fill(transport, 1)))
        const reading = transportOf(yield* LogWorker.open(settingsOf({ directory }, true)), { directory })
        const error = yield* Effect.flip(reading.trim("t", 0, 5n))
        expect(error).toMatchObject({ reason: "Unauthorized", transport: "@leat/log", operation: "trim" })
        expect(yield* countIn(reading)).toBe(10)
      })
    ))

  it("gives a group that had settled less what there is from the trim on", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        const transport = yield* opened(directory)
        yield* fill(transport, 2)
        yield* transport.trim("t", 0, 13n)
        const batches = yield* Stream.runCollect(
          transport.subscribe({ topic: "t", group: "g", from: { position: 0n }, drainMs: 100 }).pipe(
            Stream.flatMap((lane) => lane.batches),
            Stream.takeUntil(({ next }) => next >= 20n)
          )
        )
        const positions = batches.flatMap(({ records }) => records.map(({ position }) => position))
        expect(positions).toEqual(from(13, 20).map(BigInt))
      })
    ))
})
