import { Effect, Stream } from "effect"
import { MemoryBroker, memoryTransport } from "leat"
import { batchOf, type PlainRecord, sendEffect } from "leat/transport"
import { describe, expect, it } from "vitest"

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
