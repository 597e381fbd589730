import type { Clock } from "effect"
import type { Scheduler } from "effect/Scheduler"
import { describe, expect, it } from "vitest"
import { TurnClock } from "../../src/publish/TurnClock.js"

/** A clock and a scheduler that the test moves. */
function world() {
  let nowMs = 0
  let reads = 0
  const tasks: Array<() => void> = []
  const clock = {
    currentTimeMillisUnsafe: () => {
      reads++
      return nowMs
    },
    monotonicTimeNanosUnsafe: () => BigInt(nowMs) * 1_000_000n
  } as Clock.Clock
  const dispatcher = { scheduleTask: (task: () => void) => void tasks.push(task), flush: () => undefined }
  const scheduler: Scheduler = {
    executionMode: "async",
    shouldYield: () => false,
    makeDispatcher: () => dispatcher
  }
  return {
    turnClock: new TurnClock(clock, scheduler),
    pass: (ms: number) => void (nowMs += ms),
    endTurn: () => tasks.splice(0).forEach((task) => task()),
    reads: () => reads,
    scheduled: () => tasks.length
  }
}

describe("the clock of a turn", () => {
  it("is read once in a turn, and again in the next", () => {
    const { turnClock, pass, endTurn, reads, scheduled } = world()
    for (let event = 0; event < 10; event++) {
      turnClock.tick()
      pass(1)
    }
    expect([turnClock.timeMs[0], reads(), scheduled()]).toEqual([0, 1, 1])
    endTurn()
    turnClock.tick()
    expect([turnClock.timeMs[0], turnClock.monotonicMs, reads(), scheduled()]).toEqual([10, 10, 2, 1])
  })

  it("is read again within a turn that is long", () => {
    const { turnClock, pass, reads, scheduled } = world()
    for (let event = 0; event < 130; event++) {
      turnClock.tick()
      pass(1)
    }
    expect([turnClock.timeMs[0], reads(), scheduled()]).toEqual([128, 3, 1])
  })
})
