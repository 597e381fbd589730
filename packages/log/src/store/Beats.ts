/**
 * Tells who is gone by heartbeats that stand still, on this process's own monotonic clock: wall clocks jump, and after a restart
 * of the machine monotonic ones begin anew.
 */
export class Beats {
  readonly #seen = new Map<string, { beat: number; sinceMs: number }>()

  /** Notes a heartbeat; returns whether it has not moved for `leaseMs`. */
  isStill(name: string, beat: number, leaseMs: number): boolean {
    const nowMs = performance.now()
    const seen = this.#seen.get(name)
    if (seen !== undefined && seen.beat === beat) return nowMs - seen.sinceMs >= leaseMs
    this.#seen.set(name, { beat, sinceMs: nowMs })
    return false
  }

  forget(name: string): void {
    this.#seen.delete(name)
  }
}
