/**
 * The time by which records grow old. It is the wall clock, but for one that jumps ahead: a wrong time for a minute must not take away
 * what is to be kept for a week. What is ahead counts only after an hour, in which somebody may set it right; a machine that was suspended, or got the
 * time from the network only after its start, keeps its records for that hour longer.
 */
import { monotonicMs, wallMs } from "../../clock.ts"

/** What a clock may be set forward between two looks, in milliseconds: more is a jump. */
const toleranceMs = 60_000

/** For how long a jump is not believed, in milliseconds. */
const doubtMs = 3_600_000

export class AgeClock {
  readonly #monotonicMs: () => number
  /** Of the wall clock from the monotonic one, as it is believed. */
  #offsetMs: number
  #aheadSinceMs: number | undefined

  constructor(monotonic = monotonicMs) {
    this.#monotonicMs = monotonic
    this.#offsetMs = wallMs() - monotonic()
  }

  /** Epoch milliseconds. */
  get nowMs(): number {
    const monotonic = this.#monotonicMs()
    const offsetMs = wallMs() - monotonic
    const isAhead = offsetMs - this.#offsetMs > toleranceMs
    if (isAhead) this.#aheadSinceMs ??= monotonic
    if (!isAhead || monotonic - (this.#aheadSinceMs ?? monotonic) >= doubtMs) {
      this.#offsetMs = offsetMs
      this.#aheadSinceMs = undefined
    }
    return monotonic + this.#offsetMs
  }
}
