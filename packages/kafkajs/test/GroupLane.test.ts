import { Effect, Stream } from "effect"
import { describe, expect, it } from "vitest"
import { GroupLane } from "../src/group/GroupLane.ts"

const batch = (next: bigint) => ({ records: [], next, gap: "control" as const })
const nothing = () => undefined

function laneOver(hasRoom: () => void = nothing): GroupLane {
  return new GroupLane({ topic: "t", group: "g", commit: () => Promise.resolve(), hasRoom, over: nothing }, 0, 0n)
}

describe("a lane of a group", () => {
  it("fetches ahead of who pulls it up to a bound, and more when it was pulled", async () => {
    let rooms = 0
    const lane = laneOver(() => rooms++)
    lane.received(batch(1n), 1024 ** 2 - 1)
    expect(lane.wantsMore).toBe(true)
    lane.received(batch(2n), 1)
    expect([lane.wantsMore, rooms]).toEqual([false, 0])
    await Effect.runPromise(Stream.runDrain(Stream.take(lane.held.lane.batches, 1)))
    expect([lane.wantsMore, rooms]).toEqual([true, 1])
  })

  it("forgets what was fetched ahead when it is revoked, and takes nothing that comes late", async () => {
    const lane = laneOver()
    lane.received(batch(1n), 10)
    lane.held.revoke()
    lane.received(batch(2n), 10)
    expect([lane.read(), lane.next, lane.wantsMore]).toEqual([undefined, 1n, false])
  })
})
