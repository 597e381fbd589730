import type { Clock } from "effect"
import type { Scheduler } from "effect/Scheduler"
import { monotonicMs } from "../Wake.ts"

/** Events after which a turn that does not end looks at the clock again. */
const eventsMax = 64

/**
 * The times of an event, read once per turn and not once per event: looking at the system's clock costs as much as hashing a key
 * three times. In a loop that never gives way they are read again after some events.
 */
export class TurnClock {
  /** Epoch milliseconds, in a cell: see `RecordBatch.place`. */
  readonly timeMs = new Float64Array(1)
  /** Milliseconds of the monotonic clock: what linger counts from. */
  monotonicMs = 0
  #events = eventsMax
  #isReset = true
  readonly #clock: Clock.Clock
  readonly #schedule: () => void
  readonly #looks: ((nowMs: number) => void) | undefined

  /** `looks` is called with the time of the monotonic clock whenever that is read: before the event is counted for which it is. */
  constructor(clock: Clock.Clock, scheduler: Scheduler, looks?: (nowMs: number) => void) {
    this.#clock = clock
    this.#looks = looks
    const dispatcher = scheduler.makeDispatcher()
    const reset = () => {
      this.#isReset = true
      this.#events = eventsMax
    }
    this.#schedule = () => dispatcher.scheduleTask(reset, 0)
  }

  /** Makes the times good for one more event. */
  tick(): void {
    if (this.#events++ >= eventsMax) this.#read()
  }

  #read(): void {
    this.timeMs[0] = this.#clock.currentTimeMillisUnsafe()
    this.monotonicMs = monotonicMs(this.#clock)
    this.#looks?.(this.monotonicMs)
    this.#events = 1
    if (!this.#isReset) return
    this.#isReset = false
    this.#schedule()
  }
}
