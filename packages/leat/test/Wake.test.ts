import { Effect, Option } from "effect"
import type { Scheduler } from "effect/Scheduler"
import { describe, expect, it } from "vitest"
import { Wake } from "../src/Wake.ts"

/** Keeps what is scheduled until the test lets it run. */
function held() {
  const tasks: Array<() => void> = []
  const scheduler = {
    executionMode: "async",
    shouldYield: () => false,
    makeDispatcher: () => ({ scheduleTask: (task: () => void) => void tasks.push(task), flush: () => undefined })
  } satisfies Scheduler
  return { scheduler, tasks }
}

const comes = (wait: Effect.Effect<void>) =>
  Effect.runPromise(Effect.map(Effect.timeoutOption(wait, 50), (told) => Option.isSome(told)))

describe("a wake", () => {
  it("counts a signal that came since the last wait, once", async () => {
    const wake = new Wake(held().scheduler)
    wake.signal()
    wake.signal()
    expect(await comes(wake.wait)).toBe(true)
    expect(await comes(wake.wait)).toBe(false)
  })

  it("wakes who waits", async () => {
    const { scheduler, tasks } = held()
    const wake = new Wake(scheduler)
    const waiting = comes(wake.wait)
    wake.signal()
    for (const task of tasks.splice(0)) task()
    expect(await waiting).toBe(true)
  })

  it("loses no signal to a wait whose time was over before its wake-up ran", async () => {
    const { scheduler, tasks } = held()
    const wake = new Wake(scheduler)
    const waiting = comes(wake.waitFor(1))
    wake.signal()
    // The time wins: the wake-up is still scheduled, for nobody.
    expect(await waiting).toBe(true)
    expect(await comes(wake.wait)).toBe(true)
    wake.signal()
    for (const task of tasks.splice(0)) task()
    expect(await comes(wake.wait)).toBe(true)
  })
})
