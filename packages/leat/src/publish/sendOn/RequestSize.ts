/**
 * How many bytes are sent on at once: a batch of the leg, or less where the destination has refused less as too large. That is kept for a while, or
 * each portion would find it anew, with requests that are refused.
 */

/** How long it is kept, in milliseconds: a destination may be told to take more. */
const keptMs = 600_000

export class RequestSize {
  readonly #batchBytes: () => number
  #refusedMax = Number.POSITIVE_INFINITY
  /** Of the monotonic clock. */
  #untilMs = 0

  /** `batchBytes`: as the table in force says. */
  constructor(batchBytes: () => number) {
    this.#batchBytes = batchBytes
  }

  /** A record that is larger is sent alone. */
  bytesMax(nowMs: number): number {
    if (nowMs >= this.#untilMs) this.#refusedMax = Number.POSITIVE_INFINITY
    return Math.min(this.#batchBytes(), this.#refusedMax)
  }

  /** Several records of so many bytes together were too large. */
  refused(bytes: number, nowMs: number): void {
    this.#refusedMax = Math.min(this.bytesMax(nowMs), Math.floor(bytes / 2))
    this.#untilMs = nowMs + keptMs
  }
}
