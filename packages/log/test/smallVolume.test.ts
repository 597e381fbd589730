import { type LogOptions, logTransport } from "@leat/log"
import { Deferred, Effect, type Scope, Stream } from "effect"
import { type Lane, sendEffect, type Transport } from "leat/transport"
import { batchOf, waitUntil } from "leat/testing"
import { Buffer } from "node:buffer"
import { closeSync, openSync, statSync, writeSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, expect, it } from "vitest"
import { type Need, Room } from "../src/store/tables/Room.ts"
import { noLimits, storeWithTopic } from "./support/openStore.ts"
import { smallVolume } from "./support/mounts.ts"
import { temporaryDirectory } from "./support/temporary.ts"

const eventBytes = 2000
const megabytes = 3

/** Sends single events until one is not stored, or all are; returns the number of those that were, and the outcome of the last. */
const send = Effect.fnUntraced(function* (transport: Transport, events: number, bytes = eventBytes) {
  const writer = yield* transport.openWriter("t")
  const event = batchOf([{ key: "k", value: new Uint8Array(bytes) }])
  for (let stored = 0; ; stored++) {
    const [run] = yield* sendEffect(writer, stored % writer.partitions, event, 0, 1, 20_000)
    if (run?.fate !== "stored" || stored + 1 === events) return { stored, run }
  }
})

/** Sends single events until one is not stored: first as many at once as there are partitions, which is ten times as fast, and one by one to the end. */
const fill = Effect.fnUntraced(function* (transport: Transport, bytes: number) {
  const writer = yield* transport.openWriter("t")
  const event = batchOf([{ key: "k", value: new Uint8Array(bytes) }])
  const partitions = Array.from({ length: writer.partitions }, (_, partition) => partition)
  const sendAll = Effect.forEach(partitions, (partition) => sendEffect(writer, partition, event, 0, 1, 20_000), {
    concurrency: "unbounded"
  })
  let before = 0
  for (let isRoom = true; isRoom;) {
    const fates = (yield* sendAll).map(([run]) => run?.fate)
    before += fates.filter((fate) => fate === "stored").length
    isRoom = fates.every((fate) => fate === "stored")
  }
  const { stored, run } = yield* send(transport, 30_000, bytes)
  return { stored: before + stored, run }
})

const trimAll = Effect.fnUntraced(function* (transport: Transport) {
  const trim = transport.trim ?? (() => Effect.die("it cannot trim"))
  for (const { partition, end } of yield* transport.bounds("t")) yield* trim("t", partition, end)
})

/** Writes a file that takes all that is left on its volume. */
function fillVolume(path: string): void {
  const file = openSync(path, "w")
  try {
    for (;;) writeSync(file, Buffer.alloc(4096, 1))
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error
  } finally {
    closeSync(file)
  }
}

const full = { fate: "notStored", error: { reason: "Full" } }

/** SQLite's own threshold for a checkpoint is 4 MB. */
describe.skipIf(smallVolume === undefined)("a log on a volume of 3 MB", () => {
  const onVolume = <A>(
    options: Partial<LogOptions>,
    use: (transport: Transport, database: string) => Effect.Effect<A, unknown, Scope.Scope>
  ) =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const volume = smallVolume?.(yield* temporaryDirectory, megabytes) ?? Effect.die("no volume")
          const directory = join(yield* volume, "log")
          yield* use(yield* logTransport({ directory, ...options }), join(directory, "log.sqlite"))
        })
      )
    )

  it("is full when its events fill it, not when its write-ahead log does", () =>
    onVolume({}, (transport, database) =>
      Effect.gen(function* () {
        const { stored, run } = yield* send(transport, 5000)
        expect(run).toMatchObject(full)
        expect(run?.error?.detail).toContain("bytes left")
        expect(statSync(database).size).toBeGreaterThan(0.9 * megabytes * 1024 ** 2)
        const bounds = yield* transport.bounds("t")
        expect(bounds.reduce((sum, { end }) => sum + end, 0n)).toBe(BigInt(stored))
      })
    ))

  it("takes events for ever where it keeps less than the volume holds", () =>
    onVolume({ retention: { bytes: 200_000 } }, (transport) =>
      Effect.gen(function* () {
        expect((yield* send(transport, 3000)).run).toMatchObject({ fate: "stored" })
      })
    ))

  it.for([{ bytes: 20 }, { bytes: 300 }, { bytes: 9000 }])(
    "has its room back when what fills it is trimmed, time after time: events of $bytes bytes",
    { timeout: 90_000 },
    ({ bytes }) =>
      onVolume({}, (transport) =>
        Effect.gen(function* () {
          const trim = transport.trim ?? (() => Effect.die("it cannot trim"))
          const counts: Array<number> = []
          for (let round = 0; round < 2; round++) {
            const { stored, run } = yield* fill(transport, bytes)
            expect(run).toMatchObject(full)
            counts.push(stored)
            for (const { partition, end } of yield* transport.bounds("t")) yield* trim("t", partition, end)
          }
          const [first = 0, ...later] = counts
          for (const count of later) expect(count).toBeGreaterThan(0.8 * first)
        })
      )
  )

  it(
    "has its room back where later values of its keys fill it, although partitions share its pages",
    { timeout: 90_000 },
    () =>
      onVolume({}, (transport) =>
        Effect.gen(function* () {
          yield* transport.ensure({ topic: "t", partitions: 2, compacted: true })
          // The same few keys, again and again.
          expect((yield* send(transport, 30_000, 1500)).run).toMatchObject(full)
          // Each pass gives some back, and the next one needs less room.
          yield* waitUntil(
            "it takes a hundred more, one behind the other",
            Effect.map(Effect.orDie(send(transport, 100, 1500)), ({ run }) => run?.fate === "stored"),
            { withinMs: 60_000, everyMs: 500 }
          )
        })
      )
  )

  it(
    "has its room back although another topic has batches that are too large to be rewritten",
    { timeout: 90_000 },
    () =>
      onVolume({}, (transport) =>
        Effect.gen(function* () {
          for (const topic of ["large", "t"]) yield* transport.ensure({ topic, partitions: 1, compacted: true })
          const writer = yield* transport.openWriter("large")
          for (const round of ["a", "b"]) {
            const keys = ["same", ...Array.from({ length: 9 }, (_, index) => `${round}${index}`)]
            const large = batchOf(keys.map((key) => ({ key, value: new Uint8Array(60_000) })))
            const [run] = yield* sendEffect(writer, 0, large, 0, large.count, 20_000)
            expect(run).toMatchObject({ fate: "stored" })
          }
          expect((yield* send(transport, 30_000, 1500)).run).toMatchObject(full)
          yield* waitUntil(
            "it takes more",
            Effect.map(Effect.orDie(send(transport, 1, 1500)), ({ run }) => run?.fate === "stored"),
            { withinMs: 40_000, everyMs: 500 }
          )
        })
      )
  )

  it("has room again for what is trimmed, in each of the logs that filled it together", { timeout: 90_000 }, () =>
    onVolume({}, (transport, database) =>
      Effect.gen(function* () {
        const others = [transport, yield* logTransport({ directory: dirname(database) })]
        yield* Effect.forEach(others, (one) => send(one, 200, 120_000), { concurrency: "unbounded" })
        yield* Effect.forEach(others, (one) => send(one, 30_000, 9000), { concurrency: "unbounded" })
        yield* trimAll(transport)
        for (const one of others) expect((yield* send(one, 50, 9000)).run).toMatchObject({ fate: "stored" })
      })
    )
  )

  it("has room again for what is trimmed where others fill the rest of the volume", { timeout: 90_000 }, () =>
    onVolume({}, (transport, database) =>
      Effect.gen(function* () {
        const directory = dirname(database)
        expect((yield* send(transport, 30_000, 9000)).run).toMatchObject(full)
        fillVolume(join(directory, "..", "others"))
        yield* trimAll(transport)
        expect((yield* send(transport, 50, 9000)).run).toMatchObject({ fate: "stored" })
        yield* trimAll(transport)
        expect((yield* send(transport, 50, 9000)).run).toMatchObject({ fate: "stored" })
      })
    )
  )

  it(
    "can be opened and trimmed where others have filled the volume while nobody had it open",
    { timeout: 90_000 },
    () =>
      Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const volume = yield* smallVolume?.(yield* temporaryDirectory, megabytes) ?? Effect.die("no volume")
            const directory = join(volume, "log")
            yield* Effect.scoped(
              Effect.flatMap(logTransport({ directory }), (transport) => send(transport, 30_000, 9000))
            )
            fillVolume(join(volume, "others"))
            const transport = yield* logTransport({ directory })
            yield* trimAll(transport)
            expect((yield* send(transport, 50, 9000)).run).toMatchObject({ fate: "stored" })
          })
        )
      )
  )

  it("commits positions when it is full, more often than its last space would take", () =>
    onVolume({}, (transport) =>
      Effect.gen(function* () {
        expect((yield* send(transport, 5000)).run).toMatchObject(full)
        const given = yield* Deferred.make<Lane>()
        yield* transport.subscribe({ topic: "t", group: "g", from: "earliest", drainMs: 100 }).pipe(
          Stream.runForEach((lane) => Deferred.succeed(given, lane)),
          Effect.forkScoped
        )
        const lane = yield* Deferred.await(given)
        let position = 0n
        yield* lane.batches.pipe(
          Stream.takeUntil(({ next }) => next >= 150n),
          Stream.runForEach(
            Effect.fnUntraced(function* ({ next }) {
              while (position < next) yield* lane.settle(++position)
            })
          )
        )
        expect(position).toBeGreaterThanOrEqual(150n)
        yield* lane.release
      })
    ))
})

describe("the room of a log", () => {
  const pages = (count: number) => count * 4096

  it("is what a checkpoint frees, and what appends leave to others", () => {
    using open = storeWithTopic()
    const wal = `${open.store.db.paths.database}-wal`
    let freeBytes = pages(1000)
    const room = new Room(open.store.db)
    room.volume = () => ({ freeBytes, totalBytes: pages(512) })
    const asks = (need: Need, isCheckpointed = false) => {
      open.store.db.begin()
      const has = room.has(need, isCheckpointed)
      open.store.db.rollback()
      return has
    }
    const walBytes = statSync(wal).size
    expect(walBytes).toBeGreaterThan(0)
    expect(asks({ works: 1, bytes: pages(10), pages: 0 })).toBe(true)
    freeBytes = pages(60)
    expect(asks({ works: 1, bytes: pages(10), pages: 0 })).toBe(false)
    open.store.db.checkpoint()
    expect(statSync(wal).size).toBe(0)
    expect(asks({ works: 1, bytes: pages(10), pages: 0 })).toBe(false)
    expect(asks({ works: 1, bytes: 1, pages: 0 })).toBe(true)
    freeBytes = 0
    expect(asks({ works: 1, bytes: 0, pages: 0 })).toBe(false)
    expect(asks({ works: 1, bytes: 0, pages: 0 }, true)).toBe(true)
    expect(asks({ works: 2, bytes: 0, pages: 0 }, true)).toBe(false)
    expect(asks({ works: 1, bytes: 1, pages: 0 }, true)).toBe(false)
  })

  it("is not taken by what an append deletes beside: two rows where it is short, and many where there is room", () => {
    using open = storeWithTopic()
    const one = [{ key: "k", value: "v" }]
    const limits = { ...noLimits, retentionBytes: 0 }
    for (let index = 0; index < 60; index++) open.append(one)
    const startAfter = (freeBytes: number) => {
      open.store.room.volume = () => ({ freeBytes, totalBytes: pages(512) })
      open.store.room.has({ works: 1, bytes: 100, pages: 0 }, false)
      open.append(one, limits)
      return open.store.heads.get(0).start
    }
    expect([startAfter(pages(60)), startAfter(pages(60)), startAfter(pages(10_000))]).toEqual([2, 4, 62])
  })
})
