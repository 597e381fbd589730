const sleepMs = 10

/**
 * The time that a test gets: counts sleeps that end beside it. While the machine is busy with something else both stand still, so that a
 * bound on this clock holds there too. Runs until it is disposed of.
 */
export class SleptClock implements Disposable {
  #sleeps = 0
  readonly #timer = setInterval(() => this.#sleeps++, sleepMs)

  get ms(): number {
    return this.#sleeps * sleepMs
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }
}
