/** Tells whoever waits for something of a sink that it may have come. Costs nothing while nobody waits. */
import { Effect, type Scheduler } from "effect"
import { Wake } from "../Wake.ts"
import { meanwhile } from "./meanwhile.ts"

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
      const look: Effect.Effect<void> = Effect.suspend(() => (isSo() ? Effect.void : Effect.andThen(wake.wait, look)))
      const wait = () => void (this.#waiting ??= new Set()).add(wake)
      const forget = () => {
        this.#waiting?.delete(wake)
        if (this.#waiting?.size === 0) this.#waiting = undefined
      }
      return meanwhile(wait, look, forget)
    })
  }
}
