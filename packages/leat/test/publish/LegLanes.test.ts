import { describe, expect, it } from "vitest"
import { Ledger } from "../../src/ledger/Ledger.js"
import { type LaneMaker, LegLanes } from "../../src/publish/LegLanes.js"

describe("the lanes of a leg", () => {
  it("are not made for a record that finds no room", () => {
    const made: Array<number> = []
    const maker: LaneMaker = {
      partitions: 4,
      makeLane: (_, partition) => void made.push(partition),
      hasRoom: () => false,
      makeRoom: () => undefined,
      appended: () => undefined,
      flushLane: () => undefined
    }
    const lanes = new LegLanes(new Ledger().account("s", "memory/t", 1), maker)
    for (const partition of [0, 1, 2, 3]) expect(lanes.room(partition, 100)).toBeUndefined()
    expect(made).toEqual([])
  })
})
