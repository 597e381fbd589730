import { OutageWatch } from "../../src/OutageWatch.js"
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

/** Headers of some 400 kB. */
const large = (): ReadonlyArray<readonly [string, Uint8Array]> => Array.from({ length: 50_000 }, () => header)
const header = ["h", new Uint8Array()] as const

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
    const turns = 400_000 / count
    lane.received(many(0, count))
    let before = 0
    for (let turn = 1; turn <= turns; turn++) {
      if (turn === turns / 10) before = heldBytes()
      lane.received(many(turn * count, count))
      handle(lane, count)
    }
    expect(lane.census()).toEqual({ end: BigInt(400_000 + count), parked: 0, inFlight: 0, unread: count })
    // 360,000 records were handled meanwhile: their places in a list alone are 2.9 MB.
    expect(heldBytes() - before).toBeLessThan(2_000_000)
  })

  it.for([
    ["handled at once", 1],
    ["of which the next one is always there", 2]
  ] as const)("keeps no batch of records that were handled and are behind the watermark: %s", ([, count]) => {
    const lane = laneWith()
    const pull = (at: number) => {
      const { records, next } = many(at * count, count)
      lane.received({ records: Array.from(records, (one) => ({ ...one, headers: large() })), next })
    }
    const before = heldBytes()
    pull(0)
    for (let turn = 1; turn <= 100; turn++) {
      if (count === 1) handle(lane, 1)
      pull(turn)
      if (count > 1) handle(lane, count)
    }
    // 100 or 200 batches of 400 kB each were handled.
    expect(heldBytes() - before).toBeLessThan(4_000_000)
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

/** A lane that has one batch of so many records, and how often it has looked at one of them. */
function laneOfBatch(records: number) {
  let looks = 0
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
    { policy: [{ on: ["*"], then: "drop" }], concurrency: 1, bufferBytesMax: 1_000_000_000, settleEveryMs: 0 }
  )
  const { records: plain, next } = many(0, records)
  const counted = Array.from(plain, (one) => ({
    ...one,
    get value() {
      looks++
      return null
    }
  }))
  return { lane, receive: () => lane.received({ records: counted, next }), looks: () => looks }
}

describe("a long batch takes work that grows with its length, and not with the square of it,", () => {
  it("when it fails and is taken apart", () => {
    const ratio = () => {
      const { lane, receive } = laneOfBatch(40_000)
      const beganMs = performance.now()
      receive()
      const receivedMs = performance.now()
      lane.finished(nextOf(lane), { tag: "Poison" }, 0)
      return (performance.now() - receivedMs) / (receivedMs - beganMs)
    }
    // Beside what receiving them takes: 1 to 5, and above 100 where each looks through the rest.
    expect(Math.min(ratio(), ratio(), ratio())).toBeLessThan(25)
  })

  it("when every second of its records is no event for it", () => {
    const { lane, receive, looks } = laneOfBatch(2000)
    receive()
    for (let held = lane.next(0); held !== undefined; held = lane.next(0)) {
      lane.split(held, 1)
      lane.finished(held, held.position % 2n === 0n ? undefined : { skip: "otherStream" }, 0)
    }
    expect([lane.done, lane.skipped]).toEqual([1000, { otherStream: 1000 }])
    expect(looks()).toBeLessThan(10_000)
  })
})
