/**
 * The circuit breaker of one destination, as a synchronous state machine without a clock of its own. It opens when most of the destination fails,
 * and lets probes through until one is answered. Its rules:
 *
 * - it opens when, of the latest `minSends` sends, all answered within the window, at least the failure rate has failed, and so has the last send of
 *   as large a share of the partitions; where there is more than one partition, two have to fail. So a sick partition that is tried again and
 *   again opens nothing for its neighbours;
 * - while it is open, one probe is on its way at a time. The first comes after `waitMs`, and after each that fails the pause is twice as long, up
 *   to `maxWaitMs`;
 * - partitions that wait are probed in the order in which they came to wait: one that stays sick goes to the end of the line;
 * - a probe that is answered closes it, and nothing of the time before counts any more. Only what may pass, and no answer, are failures: a cluster
 *   that refuses a record has answered.
 *
 * @example
 * ```ts
 * const breaker = new Breaker(64, { failureRate: 0.8, windowMs: 30_000, minSends: 20, waitMs: 1000, maxWaitMs: 10_000 })
 * breaker.answered(partition, true, nowMs)
 * if (breaker.state !== "closed" && !breaker.admits(partition, nowMs)) return
 * ```
 */
import type { BreakerSettings } from "../routes/Route.ts"

/** `halfOpen`: a probe is on its way. */
export type BreakerState = "closed" | "open" | "halfOpen"

/** What was counted when it opened. */
export interface BreakerCounts {
  readonly sends: number
  readonly failed: number
  /** Partitions with an answer in the window, and those of them whose last send failed. */
  readonly partitions: number
  readonly sick: number
}

export class Breaker {
  #settings: BreakerSettings
  #state: BreakerState = "closed"
  /** Of the latest sends, whether each has failed, and when it was answered. */
  #failed: Uint8Array
  #atMs: Float64Array
  #next = 0
  #failures = 0
  /** Of each partition the same of its last send. */
  readonly #lastFailed: Uint8Array
  readonly #lastAtMs: Float64Array
  /** Partitions that wait, in the order of their probes. */
  readonly #line = new Set<number>()
  #pauseMs = 0
  #pausedAtMs = 0
  #probeAtMs = 0
  #probes = 0
  #counts: BreakerCounts = { sends: 0, failed: 0, partitions: 0, sick: 0 }

  constructor(partitions: number, settings: BreakerSettings) {
    this.#settings = settings
    this.#failed = new Uint8Array(settings.minSends)
    this.#atMs = new Float64Array(settings.minSends).fill(Number.NEGATIVE_INFINITY)
    this.#lastFailed = new Uint8Array(partitions)
    this.#lastAtMs = new Float64Array(partitions).fill(Number.NEGATIVE_INFINITY)
  }

  get state(): BreakerState {
    return this.#state
  }

  /** When the next probe may be sent, in milliseconds of the monotonic clock. */
  get probeAtMs(): number {
    return this.#probeAtMs
  }

  /** Probes since it opened. */
  get probes(): number {
    return this.#probes
  }

  /** What was counted when it opened last. */
  get counts(): BreakerCounts {
    return this.#counts
  }

  /** The partition whose probe is next; undefined: nobody waits. */
  get first(): number | undefined {
    for (const partition of this.#line) return partition
    return undefined
  }

  /** Takes other settings over. Whether it is open stays; what was counted goes when another number of sends is looked at. */
  configure(settings: BreakerSettings): void {
    const { minSends } = this.#settings
    this.#settings = settings
    this.#pauseMs = Math.min(this.#pauseMs, settings.maxWaitMs)
    this.#probeAtMs = Math.min(this.#probeAtMs, this.#pausedAtMs + this.#pauseMs)
    if (settings.minSends === minSends) return
    this.#failed = new Uint8Array(settings.minSends)
    this.#atMs = new Float64Array(settings.minSends)
    this.#forget()
  }

  /**
   * Whether a range of the partition may be sent. Of an open breaker it is a probe then, whose answer is to be given to `probed`; a partition that
   * may not has a place in the line.
   */
  admits(partition: number, nowMs: number): boolean {
    if (this.#state === "closed") return true
    const isNext = (this.first ?? partition) === partition
    if (this.#state === "open" && nowMs >= this.#probeAtMs && isNext) {
      this.#line.delete(partition)
      this.#state = "halfOpen"
      this.#probes++
      return true
    }
    this.#line.add(partition)
    return false
  }

  /** The partition has nothing to send after all, or may not: its place goes to the next one. */
  leave(partition: number): void {
    this.#line.delete(partition)
  }

  /** A send that is no probe was answered. Returns whether that opened it. */
  answered(partition: number, hasFailed: boolean, nowMs: number): boolean {
    if (this.#state !== "closed") return false
    const at = this.#next
    const failed = hasFailed ? 1 : 0
    this.#failures += failed - (this.#failed[at] ?? 0)
    this.#failed[at] = failed
    this.#atMs[at] = nowMs
    this.#next = at + 1 === this.#failed.length ? 0 : at + 1
    this.#lastFailed[partition] = failed
    this.#lastAtMs[partition] = nowMs
    return hasFailed && this.#opens(nowMs)
  }

  /** The probe was answered. Returns whether that closed it. */
  probed(hasFailed: boolean, nowMs: number): boolean {
    if (this.#state !== "halfOpen") return false
    if (!hasFailed) return this.close()
    this.#state = "open"
    this.#pause(Math.min(this.#pauseMs * 2, this.#settings.maxWaitMs), nowMs)
    return false
  }

  /** The destination is known to answer. Returns whether it was not closed. */
  close(): boolean {
    if (this.#state === "closed") return false
    this.#state = "closed"
    this.#line.clear()
    this.#forget()
    return true
  }

  /** The next probe is due, however long the pause is. */
  probeNow(nowMs: number): void {
    this.#probeAtMs = Math.min(this.#probeAtMs, nowMs)
  }

  #opens(nowMs: number): boolean {
    const { failureRate, minSends, windowMs, waitMs, maxWaitMs } = this.#settings
    const sinceMs = nowMs - windowMs
    // What is next to be written over is the oldest.
    if (this.#failures < failureRate * minSends || (this.#atMs[this.#next] ?? 0) <= sinceMs) return false
    let partitions = 0
    let sick = 0
    for (let partition = 0; partition < this.#lastAtMs.length; partition++) {
      if ((this.#lastAtMs[partition] ?? 0) <= sinceMs) continue
      partitions++
      sick += this.#lastFailed[partition] ?? 0
    }
    if (sick < failureRate * partitions || sick < Math.min(2, this.#lastAtMs.length)) return false
    this.#counts = { sends: minSends, failed: this.#failures, partitions, sick }
    this.#state = "open"
    this.#probes = 0
    this.#pause(Math.min(waitMs, maxWaitMs), nowMs)
    return true
  }

  #pause(pauseMs: number, nowMs: number): void {
    this.#pauseMs = pauseMs
    this.#pausedAtMs = nowMs
    this.#probeAtMs = nowMs + pauseMs
  }

  #forget(): void {
    this.#failed.fill(0)
    this.#atMs.fill(Number.NEGATIVE_INFINITY)
    this.#next = 0
    this.#failures = 0
    this.#lastFailed.fill(0)
    this.#lastAtMs.fill(Number.NEGATIVE_INFINITY)
  }
}
