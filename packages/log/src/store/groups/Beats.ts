/**
 * Tells who is gone by heartbeats that do not move. Only the number of the beat is compared between processes, never a time: each
 * measures on its own monotonic clock for how long it has seen a beat stand, and wall clocks decide nothing.
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
   * Notes a heartbeat; returns whether it has not moved for `leaseMs`. The time between two looks counts for half a lease at most:
   * who was paused itself, with the whole machine perhaps, must see a beat stand afterwards too.
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
