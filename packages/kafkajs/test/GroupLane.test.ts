import { Effect, Exit, Stream } from "effect"
import { describe, expect, it } from "vitest"
import { GroupLane } from "../src/group/GroupLane.ts"

const batch = (next: bigint) => ({ records: [], next, gap: "control" as const })

function laneOver(commit: (position: bigint) => Promise<void> = () => Promise.resolve()): GroupLane {
  return new GroupLane({ commit: (_, position) => commit(position), changed: () => undefined }, "t", 0, 0n)
}

describe("a lane of a group", () => {
  it("fetches ahead of who pulls it up to a bound, and more when it was pulled", async () => {
    const lane = laneOver()
    lane.received(batch(1n), 1024 ** 2 - 1)
    expect(lane.wantsMore).toBe(true)
    lane.received(batch(2n), 1)
    expect(lane.wantsMore).toBe(false)
    await Effect.runPromise(Stream.runDrain(Stream.take(lane.lane.batches, 1)))
    expect(lane.wantsMore).toBe(true)
  })

  it("ends at once when it is revoked, although more has been fetched, and takes nothing that comes late", async () => {
    const lane = laneOver()
    lane.received(batch(1n), 10)
    lane.revoke()
    lane.received(batch(2n), 10)
    expect(await Effect.runPromise(Stream.runCollect(lane.lane.batches))).toEqual([])
    expect([lane.next, lane.wantsMore]).toEqual([1n, false])
  })

  it("T35 commits one settle after another, and none that is lower than one before", async () => {
    const committed: Array<bigint> = []
    let running = 0
    const lane = laneOver(async (position) => {
      expect(++running).toBe(1)
      await new Promise((resolve) => setTimeout(resolve, 5))
      committed.push(position)
      running--
    })
    lane.received(batch(10n), 1)
    await Effect.runPromise(Stream.runDrain(Stream.take(lane.lane.batches, 1)))
    const settles = [5n, 3n, 8n, 7n].map((position) => lane.lane.settle(position))
    await Effect.runPromise(Effect.all(settles, { concurrency: "unbounded" }))
    expect(committed).toEqual([5n, 8n])
  })

  it("has settled down only when the last settle is answered, lost or not", async () => {
    const answer = Promise.withResolvers<void>()
    const lane = laneOver(() => answer.promise)
    lane.received(batch(10n), 1)
    await Effect.runPromise(Stream.runDrain(Stream.take(lane.lane.batches, 1)))
    const settling = Effect.runPromiseExit(lane.lane.settle(5n))
    await new Promise((resolve) => setTimeout(resolve, 1))
    lane.lose()
    let isDown = false
    void lane.settledDown.then(() => {
      isDown = true
    })
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(isDown).toBe(false)
    answer.resolve()
    expect(Exit.isSuccess(await settling)).toBe(true)
    await lane.settledDown
    expect(Exit.isFailure(await Effect.runPromiseExit(lane.lane.settle(6n)))).toBe(true)
  })
})
