/**
 * Detects gone processes by heartbeats that do not change. Processes compare only the number of the beat, never a time: each measures on
 * its own monotonic clock for how long a beat has not changed.
 */
import { monotonicMs } from "../../clock.ts"

interface Seen {
  readonly beat: number
  lookedMs: number
  stillMs: number
}

export class Beats {
  readonly #seen = new Map<string, Seen>()
  readonly #nowMs: () => number

  constructor(nowMs = monotonicMs) {
    this.#nowMs = nowMs
  }

  /**
   * Notes a heartbeat; returns whether it has not changed for `leaseMs`. The time between two calls counts for half a lease at most: a
   * process that was paused itself must see the beat unchanged after its pause too.
   */
  isStill(name: string, beat: number, leaseMs: number): boolean {
    const nowMs = this.#nowMs()
    const seen = this.#seen.get(name)
    if (seen === undefined || seen.beat !== beat) {
      this.#seen.set(name, { beat, lookedMs: nowMs, stillMs: 0 })
      return false
    }
    seen.stillMs += Math.min(nowMs - seen.lookedMs, leaseMs / 2)
    seen.lookedMs = nowMs
    return seen.stillMs >= leaseMs
  }

  forget(name: string): void {
    this.#seen.delete(name)
  }
}
