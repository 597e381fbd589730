/**
 * Tells an outage from poison. When most of the records that a subscription, or a sink, ended lately would be dead letters, what fails is not the
 * records but what their handlers need, or the cluster: then they wait instead, and a topic is not drained into its dead letters. Where little
 * happens, it is one when as many have failed one after the other, however long that took.
 */

/** How many of the latest records are looked at; for an answer there must be so many. */
const latestMax = 50
const latestMin = 20

/** What ended longer ago is not looked at, in milliseconds. */
const windowMs = 600_000

/** How often one is let through behind which nothing stands, in milliseconds: only to show that it is the record, in a topic where nothing else happens. */
const idleProbeMs = 3_600_000

export class OutageWatch {
  readonly #failed = new Uint8Array(latestMax)
  readonly #atMs = new Float64Array(latestMax).fill(Number.NEGATIVE_INFINITY)
  readonly #onChanged: (isOutage: boolean) => void
  #next = 0
  /** How many have failed since something was handled last. */
  #inARow = 0
  #isOutage = false
  /** Something was handled since the outage began. */
  #hasHandled = false
  /** When one of those that wait is let through. */
  #probeAtMs = Number.POSITIVE_INFINITY

  constructor(onChanged: (isOutage: boolean) => void) {
    this.#onChanged = onChanged
  }

  /** So many records were handled; 0 of a batch that failed as a whole. */
  handled(count: number, nowMs: number): void {
    if (count === 0) return
    this.#inARow = 0
    if (count === 1) this.#note(0, nowMs)
    else for (let left = Math.min(count, latestMax); left > 0; left--) this.#note(0, nowMs)
    if (!this.#isOutage) return
    this.#hasHandled = true
    this.#look(nowMs)
  }

  /**
   * So many records have failed for good, as they did before at `countedMs`, when that was counted last. A record that waits and fails again
   * is one record of what failed lately. Returns when they were counted.
   */
  failed(nowMs: number, countedMs: number, count = 1): number {
    if (countedMs >= nowMs - windowMs) return countedMs
    for (let left = Math.min(count, latestMax); left > 0; left--) this.#note(1, nowMs)
    this.#inARow += count
    this.#look(nowMs)
    return nowMs
  }

  /**
   * As `failed`, of a record that has failed before, and was moved to be tried later: most of these fail again, so they do not count beside others. But
   * where nothing else is handled they do.
   */
  failedAgain(nowMs: number, countedMs: number): number {
    if (countedMs >= nowMs - windowMs) return countedMs
    this.#inARow++
    this.#look(nowMs)
    return nowMs
  }

  /**
   * Whether what has failed for good is to wait. Once in ten minutes it says no: where everything stands behind what waits (`isAhead`), nothing could be
   * handled otherwise, and nothing would show that the outage is none. Where nothing stands behind it, once in an hour.
   */
  isOutage(nowMs: number, isAhead = true): boolean {
    if (!this.#isOutage) return false
    this.#look(nowMs)
    const probeAtMs = isAhead ? this.#probeAtMs : this.#probeAtMs - windowMs + idleProbeMs
    if (!this.#isOutage || nowMs < probeAtMs) return this.#isOutage
    this.#probeAtMs = nowMs + windowMs
    return false
  }

  #note(failed: number, nowMs: number): void {
    this.#failed[this.#next] = failed
    this.#atMs[this.#next] = nowMs
    this.#next = this.#next === latestMax - 1 ? 0 : this.#next + 1
  }

  #look(nowMs: number): void {
    let count = 0
    let failed = 0
    for (let index = 0; index < latestMax; index++) {
      if ((this.#atMs[index] ?? 0) < nowMs - windowMs) continue
      count++
      failed += this.#failed[index] ?? 0
    }
    // While nothing is handled, nothing says that what failed has ended, however long ago it was looked at.
    const lasts = this.#isOutage && !this.#hasHandled
    const isOutage = count >= latestMin ? failed * 2 > count : lasts || this.#inARow >= latestMin
    if (isOutage === this.#isOutage) return
    this.#isOutage = isOutage
    this.#hasHandled = false
    this.#probeAtMs = nowMs + windowMs
    this.#onChanged(isOutage)
  }
}
