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

/** As plain data: whoever waited is given this, and not the waiter. */
export function outcomeOf({ stored, dropped, mayBeStored }: Outcome): Outcome {
  return { stored, dropped, mayBeStored }
}

type Told = (outcome: Outcome) => void

/** Of most: nothing was given up. */
const nothing: Readonly<Record<string, number>> = Object.freeze({})

export class Waiter implements Outcome {
  stored = 0
  dropped = nothing
  mayBeStored = 0
  /** Legs whose fate is still open. */
  pending = 0
  /** Mostly there is one. */
  #done: Told | Set<Told> | undefined

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
  whenDone(done: Told): void {
    if (this.pending === 0) done(this)
    else if (this.#done === undefined) this.#done = done
    else if (typeof this.#done === "function") this.#done = new Set([this.#done, done])
    else this.#done.add(done)
  }

  /** Does not call `done` any more. */
  forget(done: Told): void {
    if (this.#done === done) this.#done = new Set()
    else if (typeof this.#done === "object") this.#done.delete(done)
  }

  /** Whether somebody asked, and nobody does any more. */
  get isForgotten(): boolean {
    return typeof this.#done === "object" && this.#done.size === 0
  }

  #settle(count: number): void {
    this.pending -= count
    if (this.pending > 0) return
    const done = this.#done
    this.#done = undefined
    if (typeof done === "function") done(this)
    else for (const one of done ?? []) one(this)
  }
}
