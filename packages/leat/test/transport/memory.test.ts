import { Clock, Effect, Stream } from "effect"
import { TestClock } from "effect/testing"
import { MemoryBroker, memoryTransport } from "leat"
import { batchOf, type PlainRecord, sendEffect } from "leat/transport"
import { describe, expect, it } from "vitest"
import { WallClock } from "../../src/testing/story/WallClock.js"

/** Sends each list in a request of its own to one partition; returns the fates, and what a raw read finds, twice. */
const stored = (
  options: ConstructorParameters<typeof MemoryBroker>[0],
  requests: ReadonlyArray<ReadonlyArray<PlainRecord>>
) =>
  Effect.runPromise(
    Effect.gen(function* () {
      const transport = memoryTransport(new MemoryBroker({ partitions: 1, ...options }))
      const writer = yield* transport.openWriter("t")
      const fates: Array<string> = []
      for (const request of requests) {
        const runs = yield* sendEffect(writer, 0, batchOf(request), 0, request.length, 1000)
        for (const { fate } of runs) fates.push(fate)
      }
      const read = Effect.gen(function* () {
        const [bounds] = yield* transport.bounds("t")
        const range = { fromPosition: bounds?.start ?? 0n, toPosition: bounds?.end ?? 0n }
        const batches = yield* Effect.timeout(Stream.runCollect(transport.read("t", 0, range)), "5 seconds")
        return batches.flatMap(({ records }) => records)
      })
      return { fates, first: yield* read, second: yield* read }
    }).pipe(Effect.scoped)
  )

describe("the memory transport", () => {
  it("takes a record of its limit, and none of a byte more", async () => {
    const record = (bytes: number) => ({ key: null, value: "x".repeat(bytes) })
    const headers = 1
    const [largest, larger] = [record(1000 - headers), record(1001 - headers)]
    const { fates } = await stored({ recordBytesMax: 1000 }, [[largest, largest], [larger], [largest, larger]])
    expect(fates).toEqual(["stored", "notStored", "notStored"])
  })

  it("keeps the newest batches when it is full", async () => {
    const requests = [0, 1, 2, 3].map((index) => [{ key: "k", value: `${index}`.padEnd(2000, ".") }])
    const { first } = await stored({ retentionBytes: 4096 }, requests)
    expect(first.map(({ position }) => position)).toEqual([2n, 3n])
  })

  it("keeps what was appended last although it is larger than all that it keeps", async () => {
    const request = (text: string) => [0, 1].map(() => ({ key: "k", value: text.padEnd(5000, ".") }))
    const { fates, first } = await stored({ retentionBytes: 4096 }, [request("a"), request("b")])
    expect(fates).toEqual(["stored", "stored"])
    expect(first.map(({ position }) => position)).toEqual([2n, 3n])
  })

  it.each([-10, 10])("deletes by age whatever the wall clock says: wrong by %i years for a minute", (years) =>
    Effect.runPromise(
      Effect.gen(function* () {
        const clock = new WallClock(yield* Clock.Clock)
        const wrongMs = years * 365 * 86_400_000
        clock.jump(wrongMs)
        const broker = new MemoryBroker()
        broker.ensure({ topic: "t", partitions: 1, retention: { timeMs: 7 * 86_400_000 } })
        const transport = memoryTransport(broker)
        const writer = yield* transport.openWriter("t").pipe(Effect.provideService(Clock.Clock, clock))
        const startAfter = Effect.fnUntraced(function* (days: number) {
          yield* TestClock.adjust(`${days} days`)
          yield* sendEffect(writer, 0, batchOf([{ key: "k", value: "v" }]), 0, 1, 1000)
          const [bounds] = yield* transport.bounds("t")
          return bounds?.start
        })
        expect(yield* startAfter(0)).toBe(0n)
        clock.jump(-wrongMs)
        expect([yield* startAfter(1), yield* startAfter(6), yield* startAfter(1)]).toEqual([0n, 0n, 1n])
      }).pipe(Effect.scoped, Effect.provide(TestClock.layer()))
    )
  )

  it("gives each reader bytes of its own", async () => {
    const { first, second } = await stored({}, [[{ key: "k", value: "abc", headers: [["own", new Uint8Array(3)]] }]])
    for (const { key, value, headers } of first)
      for (const bytes of [key, value, ...headers.map(([, header]) => header)]) bytes?.fill(7)
    const [record] = second
    expect(Buffer.from(record?.value ?? []).toString()).toBe("abc")
    expect(Buffer.from(record?.key ?? []).toString()).toBe("k")
    expect(record?.headers).toEqual([["own", new Uint8Array(3)]])
  })
})
