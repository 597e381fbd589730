import { type Clock, Effect } from "effect"
import { monotonicMs } from "../Wake.ts"

/** Pages per second: what goes out at once is a tenth of a second's share. */
const pagesPerSecond = 10

/** A rate that is kept over all that goes out: events per second, or none. */
export class Pace {
  readonly #clock: Clock.Clock
  readonly #rate: number | undefined
  /** When the next may go out, in milliseconds of the monotonic clock. */
  #dueMs = 0

  constructor(clock: Clock.Clock, rate: number | undefined) {
    this.#clock = clock
    this.#rate = rate
  }

  /** How many may go out at once, of `most`. */
  pageMax(most: number): number {
    return this.#rate === undefined ? most : Math.min(most, Math.max(1, Math.floor(this.#rate / pagesPerSecond)))
  }

  /** Waits until so many may go out. What took longer than its share is not made up for. */
  wait(count: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.#rate === undefined) return Effect.void
      const nowMs = monotonicMs(this.#clock)
      const atMs = Math.max(nowMs, this.#dueMs)
      this.#dueMs = atMs + (count * 1000) / this.#rate
      return atMs > nowMs ? Effect.sleep(atMs - nowMs) : Effect.void
    })
  }
}
