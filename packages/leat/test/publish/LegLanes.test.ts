import { describe, expect, it } from "vitest"
import { Ledger } from "../../src/ledger/Ledger.js"
import { type LaneMaker, LegLanes } from "../../src/publish/LegLanes.js"
import type { PumpedLane } from "../../src/publish/Pumped.js"
import { type DroppedRange, forgotten } from "../../src/record/DropNotice.js"
import type { RecordBatch } from "../../src/record/RecordBatch.js"

describe("the lanes of a leg", () => {
  it("are not made for a record that finds no room", () => {
    const made: Array<number> = []
    const maker: LaneMaker = {
      partitions: 4,
      makeLane: (_, partition) => void made.push(partition),
      hasRoom: () => false,
      makeRoom: () => undefined,
      appended: () => undefined,
      flushLane: () => undefined,
      ready: () => undefined,
      moveOut: () => [],
      moveIn: () => undefined
    }
    const lanes = new LegLanes(new Ledger().account("s", "memory/t", 1), maker)
    for (const partition of [0, 1, 2, 3]) expect(lanes.room(partition, 100)).toBeUndefined()
    expect(made).toEqual([])
  })

  it("all say that there were drops which nobody remembers: whose they were is not known", () => {
    const told: Array<readonly [partition: number, buckets: ReadonlyArray<number>]> = []
    const announce = (partition: number) => (ranges: ReadonlyArray<DroppedRange>) =>
      void told.push([partition, ranges.map(({ bucket }) => bucket)])
    const maker: LaneMaker = {
      partitions: 3,
      makeLane: (_, partition) => ({ announce: announce(partition) }) as unknown as PumpedLane,
      hasRoom: () => true,
      makeRoom: () => undefined,
      appended: () => undefined,
      flushLane: () => undefined,
      ready: () => undefined,
      moveOut: () => [],
      moveIn: () => undefined
    }
    const lanes = new LegLanes(new Ledger().account("s", "memory/t", 1), maker)
    const range = { bucket: 4, from: 0, to: 1, reason: "Unavailable" }
    lanes.announce([range])
    expect(told.splice(0)).toEqual([[1, [4]]])
    lanes.announce([range, forgotten])
    expect(told).toEqual([
      [0, [-1]],
      [1, [4, -1]],
      [2, [-1]]
    ])
  })

  it("take a record into the batch that is open only where it has room for all of it", () => {
    const open = { room: 99 }
    const next = { room: 1000 }
    const maker: LaneMaker = {
      partitions: 1,
      makeLane: () => undefined,
      hasRoom: () => true,
      makeRoom: () => next as RecordBatch,
      appended: () => undefined,
      flushLane: () => undefined,
      ready: () => undefined,
      moveOut: () => [],
      moveIn: () => undefined
    }
    const lanes = new LegLanes(new Ledger().account("s", "memory/t", 1), maker)
    lanes.keep(0, { open } as PumpedLane)
    expect([lanes.room(0, 98), lanes.room(0, 99), lanes.room(0, 100)]).toEqual([open, open, next])
  })
})
