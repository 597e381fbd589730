import { batchOf } from "leat/transport"
import { expect, it } from "vitest"
import type { Brokers } from "../src/client/Brokers.ts"
import { failure } from "../src/client/failureOf.ts"
import { Fetcher } from "../src/group/Fetcher.ts"
import { GroupLane } from "../src/group/GroupLane.ts"
import { BytesReader } from "../src/protocol/BytesReader.ts"
import { batchBytesMax, writeRecordBatch } from "../src/protocol/writeRecordBatch.ts"

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const nothing = () => undefined
const holder = { topic: "t", group: "g", commit: () => Promise.resolve(), hasRoom: nothing, over: nothing }

it("asks for leaders no more often for having been refused, and goes on when it no longer is", async () => {
  let asked = 0
  let isDown = true
  let fetches = 0
  const brokers = {
    settings: { requestMs: 5000 },
    topic: async () => ({ id: undefined }),
    leader: async () => {
      asked++
      await sleep(2 * asked)
      if (isDown) throw failure("Unavailable", "connect", "nobody listens")
      return 1
    },
    link: () => {
      fetches++
      return new Promise(() => undefined)
    },
    forget: () => undefined
  }
  const lanes = Array.from({ length: 8 }, (_, partition) => new GroupLane(holder, partition, 0n))
  const fetcher = new Fetcher(brokers as unknown as Brokers, "t", "fetch", () => lanes)
  fetcher.wake()
  await sleep(1000)
  // Once in 100 ms for each of them, at most.
  expect(asked).toBeGreaterThan(8)
  expect(asked).toBeLessThanOrEqual(8 * 11)
  isDown = false
  await expect.poll(() => fetches, { timeout: 3000 }).toBe(1)
  fetcher.stop()
})

/** A broker that answers fetches with one record for each partition, and notes in which order partitions are named. */
class Fetched {
  readonly orders: Array<ReadonlyArray<number>> = []
  readonly link = {
    versions: {},
    frame: (_key: number, apiVersion: number, _name: string, bytes: number) => ({
      apiVersion,
      bytes: Buffer.alloc(bytes),
      bodyAt: 0
    }),
    exchange: async ({ bytes }: { readonly bytes: Buffer }) => {
      const asked = new BytesReader(bytes)
      asked.at = 4 + 4 + 4 + 4 + 1 + 4 + 4 + 4
      asked.string()
      const wanted = asked.array(() => {
        const partition = asked.int32()
        asked.int32()
        const position = asked.int64()
        asked.int64()
        asked.int32()
        return { partition, position }
      })
      this.orders.push(wanted.map(({ partition }) => partition))
      const parts = wanted.map(({ partition, position }) => {
        const columns = batchOf([{ key: null, value: Buffer.alloc(1000) }]).columns(0, 1)
        const records = Buffer.alloc(batchBytesMax(columns))
        const end = writeRecordBatch(records, 0, columns, 0)
        records.writeBigInt64BE(position, 0)
        const head = Buffer.alloc(4 + 2 + 24 + 4 + 4 + 4)
        head.writeInt32BE(partition, 0)
        head.writeInt32BE(-1, 30)
        head.writeInt32BE(end, 38)
        return Buffer.concat([head, records.subarray(0, end)])
      })
      const head = Buffer.alloc(4 + 2 + 4 + 4 + 2 + 1 + 4)
      head.writeInt32BE(1, 10)
      head.writeInt16BE(1, 14)
      head.write("t", 16)
      head.writeInt32BE(parts.length, 17)
      // Not of the pool of small buffers, as what comes off a socket is not either.
      const answer = Buffer.concat([head, ...parts])
      const payload = Buffer.from(new ArrayBuffer(answer.length))
      answer.copy(payload)
      return { payload }
    }
  }
  readonly brokers = {
    settings: { requestMs: 5000 },
    topic: async () => ({ id: undefined }),
    leader: async () => 1,
    link: async () => this.link,
    forget: () => undefined
  } as unknown as Brokers
}

it("names another partition first in each request: one whose next batch is large gets it", async () => {
  const fetched = new Fetched()
  const lanes = Array.from({ length: 4 }, (_, partition) => new GroupLane(holder, partition, 0n))
  const fetcher = new Fetcher(fetched.brokers, "t", "fetch", () => lanes)
  fetcher.wake()
  await expect.poll(() => fetched.orders.length).toBeGreaterThanOrEqual(4)
  fetcher.stop()
  expect(new Set(fetched.orders.slice(0, 4).map(([first]) => first))).toEqual(new Set([0, 1, 2, 3]))
  for (const order of fetched.orders.slice(0, 4)) expect(new Set(order).size).toBe(4)
})

it("keeps of an answer no more than the bytes of a partition with its records", async () => {
  const fetched = new Fetched()
  const lanes = Array.from({ length: 20 }, (_, partition) => new GroupLane(holder, partition, 0n))
  const fetcher = new Fetcher(fetched.brokers, "t", "fetch", () => lanes)
  fetcher.wake()
  await expect.poll(() => fetched.orders.length).toBeGreaterThan(0)
  let batch: ReturnType<GroupLane["read"]>
  await expect.poll(() => (batch ??= lanes[3]?.read())).toBeDefined()
  fetcher.stop()
  const value = batch?.records[0]?.value
  expect(value).toHaveLength(1000)
  // Each of the twenty has some 1,070 bytes.
  expect(value?.buffer.byteLength).toBeLessThan(2200)
})
