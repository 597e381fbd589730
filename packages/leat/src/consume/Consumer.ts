/**
 * Who takes the deliveries of a subscription in his own time, where there is no handler. Whoever ends the subscription waits for what he has in his
 * hands, as for a handler that runs; but for nothing once he has gone.
 */
export class Consumer {
  #isGone = false
  readonly #told = new Set<() => void>()

  get isGone(): boolean {
    return this.#isGone
  }

  /** He takes and ends nothing more. */
  goes(): void {
    this.#isGone = true
    for (const gone of this.#told) gone()
  }

  /** Calls `gone` when he goes; returns how to stop that. */
  whenGone(gone: () => void): () => void {
    this.#told.add(gone)
    return () => void this.#told.delete(gone)
  }
}
