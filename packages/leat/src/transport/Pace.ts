import { Effect } from "effect"

/** Pages per second: what goes out at once is a tenth of a second's share. */
const pagesPerSecond = 10

/** A rate that is kept over all that goes out, of however many senders: events per second, or none. It may change meanwhile. */
export class Pace {
  readonly #nowMs: () => number
  readonly #rate: () => number | undefined
  /** When the next may go out, in milliseconds of the monotonic clock. */
  #dueMs = 0

  constructor(nowMs: () => number, rate: () => number | undefined) {
    this.#nowMs = nowMs
    this.#rate = rate
  }

  /** How many may go out at once, of `most`. */
  pageMax(most: number): number {
    const rate = this.#rate()
    return rate === undefined ? most : Math.min(most, Math.max(1, Math.floor(rate / pagesPerSecond)))
  }

  /** Waits until so many may go out. What took longer than its share is not made up for. */
  wait(count: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      // Nobody takes a time before it has come: with another rate the next one is another.
      for (let hasWaited = false; ; hasWaited = true) {
        const rate = this.#rate()
        if (rate === undefined) return
        const nowMs = this.#nowMs()
        if (this.#dueMs <= nowMs) {
          this.#dueMs = (hasWaited ? this.#dueMs : nowMs) + (count * 1000) / rate
          return
        }
        yield* Effect.sleep(Math.ceil(this.#dueMs - nowMs))
      }
    })
  }
}
