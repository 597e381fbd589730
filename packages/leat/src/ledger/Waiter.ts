/**
 * Somebody who waits for the fate of some legs: one publish, a whole `publishAll`, a flush. One object for all of its legs,
 * so that waiting for a thousand events costs what waiting for one costs.
 */

/** How legs ended, for whoever waited for them: counted in legs, so an event with two required legs counts twice. */
export interface Outcome {
  /** Legs acknowledged at the cluster's declared durability. */
  readonly stored: number
  /** Legs given up, by reason. */
  readonly dropped: Readonly<Record<string, number>>
  /** Of the dropped: legs that may nevertheless be stored, because their last answer never came. */
  readonly mayBeStored: number
}

/** Of most: nothing was given up. */
const nothing: Readonly<Record<string, number>> = Object.freeze({})

export class Waiter implements Outcome {
  stored = 0
  dropped = nothing
  mayBeStored = 0
  /** Legs whose fate is still open. */
  pending = 0
  #done: ((outcome: Outcome) => void) | undefined

  tellStored(count: number): void {
    this.stored += count
    this.#settle(count)
  }

  tellDropped(count: number, reason: string, mayBeStored: boolean): void {
    const before = Object.hasOwn(this.dropped, reason) ? (this.dropped[reason] ?? 0) : 0
    this.dropped = { ...this.dropped, [reason]: before + count }
    if (mayBeStored) this.mayBeStored += count
    this.#settle(count)
  }

  /** Calls `done` once nothing is pending: now, if that is so already. */
  whenDone(done: (outcome: Outcome) => void): void {
    if (this.pending === 0) {
      done(this)
      return
    }
    const earlier = this.#done
    this.#done =
      earlier === undefined
        ? done
        : (outcome) => {
            earlier(outcome)
            done(outcome)
          }
  }

  #settle(count: number): void {
    this.pending -= count
    if (this.pending > 0) return
    const done = this.#done
    this.#done = undefined
    done?.(this)
  }
}
