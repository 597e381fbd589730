/** Tells when dead letters wait long to be stored: once for their topic, until nothing of it waits any more. */

/** How long they may wait until that is told, in milliseconds. */
const tellMs = 10_000

export class StorageWatch {
  /** Since when each partition waits, in milliseconds of the monotonic clock. */
  readonly #sinceMs = new Map<number, number>()
  #isTold = false

  /** An attempt to store letters of a partition has failed. Says whether that is to be told now. */
  failed(partition: number, nowMs: number): boolean {
    const sinceMs = this.#sinceMs.get(partition) ?? nowMs
    this.#sinceMs.set(partition, sinceMs)
    if (this.#isTold || nowMs - sinceMs < tellMs) return false
    this.#isTold = true
    return true
  }

  /** Letters of a partition have their answer, or nobody wants them any more. */
  ended(partition: number): void {
    this.#sinceMs.delete(partition)
    if (this.#sinceMs.size === 0) this.#isTold = false
  }
}
