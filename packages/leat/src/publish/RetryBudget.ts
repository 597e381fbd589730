/**
 * How many retries a destination may be sent: a share of the first sends to it, so that a broker that is sick is not stormed with what it could
 * not take before. One retry in a second goes through in any case: otherwise nothing would show that it is well again. A send is a request: a
 * range of one batch.
 *
 * Whoever gets no retry is told when to ask again, each a millisecond after the one before: so they take turns, and thousands that wait do not
 * ask at once.
 */

import type { Span } from "./Span.ts"

/** One retry goes through after so many milliseconds, whatever the share is. */
const probeMs = 1000

/** Retries that are saved up at most: a destination that was well for a day is not sent a day's worth of them. */
const savedMax = 100

/** Shares are counted in millionths, because tenths do not add up to one. */
const one = 1_000_000

export class RetryBudget {
  #earned: number
  #saved = 0
  #probeAtMs = Number.NEGATIVE_INFINITY
  /** Since the last probe. */
  #refused = 0

  constructor(share: number) {
    this.#earned = Math.round(share * one)
  }

  /** Takes another share over; what is saved stays. */
  configure(share: number): void {
    this.#earned = Math.round(share * one)
  }

  /** When a range may be sent, in milliseconds of the monotonic clock. One that is sent again in halves, or because another failed, is neither. */
  admit({ attempts, firstSentMs }: Pick<Span, "attempts" | "firstSentMs">, nowMs: number): number {
    if (attempts > 0) return this.spend(nowMs)
    if (firstSentMs === 0) this.earn()
    return nowMs
  }

  /** Whether one of these is a retry on its way: what came behind it would fail with it. */
  isBehind(spans: ReadonlyArray<Span>): boolean {
    return spans.some(({ state, attempts }) => state === "inFlight" && attempts > 1)
  }

  /** Something is sent for the first time. */
  earn(): void {
    this.#saved = Math.min(this.#saved + this.#earned, savedMax * one)
  }

  /** Asks for one retry: when it may be sent, in milliseconds of the monotonic clock. Later than now: it has to ask again then. */
  spend(nowMs: number): number {
    if (this.#saved >= one) {
      this.#saved -= one
      return nowMs
    }
    if (nowMs < this.#probeAtMs) return this.#probeAtMs + this.#refused++
    this.#probeAtMs = nowMs + probeMs
    this.#refused = 0
    return nowMs
  }
}
