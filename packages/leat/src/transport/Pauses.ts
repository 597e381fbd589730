/** The pauses between one attempt and the next, of several that try: whoever cannot wait for them any more ends all that are on. */
import { Effect } from "effect"

export class Pauses {
  readonly #ends = new Set<() => void>()

  /** Over after so many milliseconds, or when all are ended. */
  of(ms: number): Effect.Effect<void> {
    const ended = Effect.callback<void>((resume) => {
      const end = () => resume(Effect.void)
      this.#ends.add(end)
      return Effect.sync(() => this.#ends.delete(end))
    })
    return Effect.raceFirst(Effect.sleep(ms), ended)
  }

  /** Ends those that are on; later ones have their time. */
  end(): void {
    for (const end of this.#ends) end()
  }
}
