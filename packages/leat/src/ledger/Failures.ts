/** What the handlers of a group failed with, for whoever asks why: the last, and the first of each name. */

/** Names that are kept. */
const tagsMax = 20

export interface SeenFailure {
  readonly tag: string
  readonly detail?: string
  /** As it was thrown. */
  readonly error?: unknown
}

export class Failures {
  #last: SeenFailure | undefined
  readonly #first = new Map<string, SeenFailure>()

  get last(): SeenFailure | undefined {
    return this.#last
  }

  /** The first of its name, if it is kept. */
  firstOf(tag: string): SeenFailure | undefined {
    return this.#first.get(tag)
  }

  /** From now on others are the first of their names. */
  forget(): void {
    this.#first.clear()
    this.#last = undefined
  }

  note(failure: SeenFailure): void {
    this.#last = failure
    if (this.#first.size < tagsMax && !this.#first.has(failure.tag)) this.#first.set(failure.tag, failure)
  }
}
