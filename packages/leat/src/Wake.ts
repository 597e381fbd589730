import { type Clock, Effect } from "effect"
import type { Scheduler } from "effect/Scheduler"
import { idleSleep } from "./idleSleep.ts"

/**
 * Milliseconds of the monotonic clock, whole ones: what every delay, deadline and time-out is measured by. The wall clock may be set at any
 * moment; it stamps events and nothing else.
 */
export function monotonicMs(clock: Clock.Clock): number {
  return Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)
}

/**
 * Wakes one fiber. `signal` costs next to nothing while the fiber is awake and otherwise schedules it, never running it inside
 * the caller's stack: many signals in one turn are one wake-up, and that is what makes batches form by themselves.
 */
export class Wake {
  #isSignalled = false
  #resume: (() => void) | undefined
  readonly #schedule: (task: () => void) => void

  constructor(scheduler: Scheduler) {
    const dispatcher = scheduler.makeDispatcher()
    this.#schedule = (task) => dispatcher.scheduleTask(task, 0)
  }

  signal(): void {
    if (this.#isSignalled) return
    this.#isSignalled = true
    const resume = this.#resume
    if (resume === undefined) return
    this.#resume = undefined
    this.#schedule(resume)
  }

  /** Waits for a signal; one that came since the last wait counts. */
  readonly wait: Effect.Effect<void> = Effect.callback<void>((resume) => {
    let isWaiting = true
    const wake = () => {
      // Scheduled for somebody whose time was over meanwhile. The flag is not his any more: it stays for who waits next.
      if (!isWaiting) return
      this.#isSignalled = false
      resume(Effect.void)
    }
    if (this.#isSignalled) return wake()
    this.#resume = wake
    return Effect.sync(() => {
      isWaiting = false
      if (this.#resume === wake) this.#resume = undefined
    })
  })

  /** Waits for a signal, or for so many milliseconds. */
  waitFor(ms: number): Effect.Effect<void> {
    return this.#isSignalled ? this.wait : Effect.raceFirst(this.wait, Effect.sleep(Math.max(0, ms)))
  }

  /** As `waitFor`, and keeps no process: for looks now and then. */
  idleFor(ms: number): Effect.Effect<void> {
    return this.#isSignalled ? this.wait : Effect.raceFirst(this.wait, idleSleep(ms))
  }
}
