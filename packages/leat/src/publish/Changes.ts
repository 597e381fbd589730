/** Tells whoever waits for something of a sink that it may have come. Costs nothing while nobody waits. */
import { Effect, type Scheduler } from "effect"
import { Wake } from "../Wake.ts"

export class Changes {
  readonly #scheduler: Scheduler.Scheduler
  #waiting: Set<Wake> | undefined
  /** How often something has changed. */
  count = 0

  constructor(scheduler: Scheduler.Scheduler) {
    this.#scheduler = scheduler
  }

  /** Something has changed. Nobody is told within this call. */
  signal(): void {
    this.count++
    if (this.#waiting !== undefined) for (const wake of this.#waiting) wake.signal()
  }

  /** Completes once it is so. It is asked now, and after each change. */
  until(isSo: () => boolean): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (isSo()) return Effect.void
      const wake = new Wake(this.#scheduler)
      const waiting = (this.#waiting ??= new Set())
      waiting.add(wake)
      const look: Effect.Effect<void> = Effect.suspend(() => (isSo() ? Effect.void : Effect.andThen(wake.wait, look)))
      const forget = Effect.sync(() => {
        waiting.delete(wake)
        if (waiting.size === 0 && this.#waiting === waiting) this.#waiting = undefined
      })
      return Effect.ensuring(look, forget)
    })
  }
}
