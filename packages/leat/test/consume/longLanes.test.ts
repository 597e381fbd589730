import { OutageWatch } from "../../src/consume/OutageWatch.js"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import type { ReceivedBatch } from "leat/transport"
import { describe, expect, it } from "vitest"
import type { HeldRecord } from "../../src/consume/HeldRecord.ts"
import { ReadLane, type ReadLaneSettings } from "../../src/consume/ReadLane.ts"

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void

function heldBytes(): number {
  collect()
  collect()
  return process.memoryUsage().heapUsed
}

const laneWith = (settings: Partial<ReadLaneSettings> = {}) =>
  new ReadLane(
    {
      start: 0n,
      abandoned: 0,
      crashLoop: 3,
      unordered: false,
      random: () => 0,
      outage: new OutageWatch(() => undefined)
    },
    { policy: [], concurrency: 4, bufferBytesMax: 1_000_000, settleEveryMs: 0, ...settings }
  )

/** Each record has a key of its own. */
const many = (from: number, count: number): ReceivedBatch => ({
  records: Array.from({ length: count }, (_, index) => ({
    position: BigInt(from + index),
    key: Buffer.from(`${from + index}`),
    value: null,
    headers: [],
    timeMs: 0
  })),
  next: BigInt(from + count)
})

function nextOf(lane: ReadLane, nowMs = 0): HeldRecord {
  const held = lane.next(nowMs)
  if (held === undefined) throw new Error("there is none")
  return held
}

/** Handles as many records, one after the other; returns their positions. */
function handle(lane: ReadLane, count: number): ReadonlyArray<bigint> {
  return Array.from({ length: count }, () => {
    const held = nextOf(lane)
    lane.finished(held, undefined, 0)
    if (lane.watermark !== held.position + 1n) throw new Error(`${lane.watermark} is not behind ${held.position}`)
    return held.position
  })
}

describe("a lane of many keys", () => {
  it("gives all of them in order, also those that come when many were taken", () => {
    const lane = laneWith()
    lane.received(many(0, 3000))
    const seen = handle(lane, 2900)
    lane.received(many(3000, 3000))
    expect([...seen, ...handle(lane, 3100)]).toEqual(Array.from({ length: 6000 }, (_, index) => BigInt(index)))
    expect([lane.done, lane.next(0)]).toEqual([6000, undefined])
  })

  it.for([100, 1000])("holds what is not handled, and nothing that was, with never less than %i left", (count) => {
    const lane = laneWith()
    const turns = 100_000 / count
    lane.received(many(0, count))
    let before = 0
    for (let turn = 1; turn <= turns; turn++) {
      if (turn === turns / 10) before = heldBytes()
      lane.received(many(turn * count, count))
      handle(lane, count)
    }
    expect(lane.census()).toEqual({ end: BigInt(100_000 + count), parked: 0, inFlight: 0, unread: count })
    // 90,000 records of 100 bytes and more were handled meanwhile.
    expect(heldBytes() - before).toBeLessThan(2_000_000)
  })

  it("begins no other while 1024 are parked, and goes on when one of them has ended", () => {
    const lane = laneWith({ policy: [{ on: ["*"], retry: { baseMs: 10, jitter: 0 }, then: "halt" }] })
    lane.received(many(0, 1026))
    for (let count = 0; count < 1024; count++) lane.finished(nextOf(lane), { tag: "Busy" }, count === 0 ? 0 : 1)
    expect(lane.census().parked).toBe(1024)
    expect(lane.next(9)).toBeUndefined()
    const retried = nextOf(lane, 10)
    expect(retried.position).toBe(0n)
    lane.finished(retried, undefined, 10)
    expect(lane.next(10)?.position).toBe(1024n)
  })
})

describe("a batch that fails", () => {
  it("is taken apart in time that grows with its length, and not with the square of it", () => {
    const policy: ReadLaneSettings["policy"] = [{ on: ["*"], then: "drop" }]
    const records = 40_000
    const batch = many(0, records)
    const ratio = (): number => {
      const lane = new ReadLane(
        {
          start: 0n,
          abandoned: 0,
          crashLoop: 3,
          unordered: false,
          bundleRecords: records,
          random: () => 0,
          outage: new OutageWatch(() => undefined)
        },
        { policy, concurrency: 1, bufferBytesMax: 1_000_000_000, settleEveryMs: 0 }
      )
      const beganMs = performance.now()
      lane.received(batch)
      const receivedMs = performance.now()
      lane.finished(nextOf(lane), { tag: "Poison" }, 0)
      return (performance.now() - receivedMs) / (receivedMs - beganMs)
    }
    // Beside what receiving them takes: 1 to 5, and above 100 where each looks through the rest.
    expect(Math.min(ratio(), ratio(), ratio())).toBeLessThan(25)
  })
})
