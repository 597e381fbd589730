/**
 * Somebody who waits for the fate of some legs: one publish, a whole `publishAll`, a flush. One object for all of its legs,
 * so that waiting for a thousand events costs what waiting for one costs.
 */

/** How legs ended, for whoever waited for them: counted in legs, so an event with two required legs counts twice. */
export interface Outcome {
  /** Legs acknowledged at the cluster's declared durability. */
  readonly stored: number
  /** Legs set aside by a policy, by reason: not stored where they were meant to be, and not lost. */
  readonly deadLettered: Readonly<Record<string, number>>
  /** Where those are: `cluster/topic` of each topic of dead letters. */
  readonly deadLetters: ReadonlyArray<string>
  /** Legs given up, by reason. */
  readonly dropped: Readonly<Record<string, number>>
  /** Of the dead-lettered, dropped and spilled: legs that may nevertheless be stored, because their last answer never came. */
  readonly mayBeStored: number
  /**
   * Legs that are in the spill and are not followed any more: left on disk when this leat was closed, or among so many that nobody waits for
   * that only the latest 100,000 of a sink are followed.
   */
  readonly spilled: number
  /** Legs acknowledged by the fallback in place of their cluster. */
  readonly fellBack: number
}

/** As plain data: whoever waited is given this, and not the waiter. */
export function outcomeOf(told: Outcome): Outcome {
  const { stored, deadLettered, deadLetters, dropped, mayBeStored, spilled, fellBack } = told
  return { stored, deadLettered, deadLetters, dropped, mayBeStored, spilled, fellBack }
}

type Told = (outcome: Outcome) => void

type Unstored = Omit<Outcome, "stored">

/** Of most. One object for all: there may be a waiter for each event. */
const nothing: Unstored = Object.freeze({
  deadLettered: Object.freeze({}),
  deadLetters: Object.freeze([]),
  dropped: Object.freeze({}),
  mayBeStored: 0,
  spilled: 0,
  fellBack: 0
})

export class Waiter implements Outcome {
  stored = 0
  /** Legs whose fate is still open. */
  pending = 0
  /** Of these: legs that are on disk. */
  onDisk = 0
  /** Whoever waits was promised that what is told outlives the process. */
  readonly isForDurable: boolean
  /** Mostly there is one. */
  #done: Told | Set<Told> | undefined
  /** Whoever waits until what is pending is on disk. */
  #durable: Told | undefined
  #unstored = nothing

  constructor(isForDurable = false) {
    this.isForDurable = isForDurable
  }

  get deadLettered(): Readonly<Record<string, number>> {
    return this.#unstored.deadLettered
  }

  get deadLetters(): ReadonlyArray<string> {
    return this.#unstored.deadLetters
  }

  get dropped(): Readonly<Record<string, number>> {
    return this.#unstored.dropped
  }

  get mayBeStored(): number {
    return this.#unstored.mayBeStored
  }

  get spilled(): number {
    return this.#unstored.spilled
  }

  get fellBack(): number {
    return this.#unstored.fellBack
  }

  /** Legs stand in the fallback: they have ended. */
  tellFellBack(count: number): void {
    this.#unstored = { ...this.#unstored, fellBack: this.fellBack + count }
    this.#settle(count)
  }

  tellStored(count: number): void {
    this.stored += count
    this.#settle(count)
  }

  tellDropped(count: number, reason: string, mayBeStored: boolean): void {
    const dropped = added(this.dropped, reason, count)
    this.#unstored = { ...this.#unstored, dropped, mayBeStored: this.mayBeStored + (mayBeStored ? count : 0) }
    this.#settle(count)
  }

  /** `topic`: where they are, as `cluster/topic`. */
  tellDeadLettered(count: number, reason: string, topic: string, mayBeStored: boolean): void {
    this.#unstored = {
      ...this.#unstored,
      deadLettered: added(this.deadLettered, reason, count),
      deadLetters: [...new Set([...this.deadLetters, topic])],
      mayBeStored: this.mayBeStored + (mayBeStored ? count : 0)
    }
    this.#settle(count)
  }

  /** Legs are in the spill: on disk, and not stored yet. */
  tellOnDisk(count: number): void {
    this.onDisk += count
    this.#lookDurable()
  }

  /** Legs that are in the spill end now, or stay there for another leat to send. */
  tellFromDisk(count: number): void {
    this.onDisk -= count
  }

  /** Legs stay in the spill: this leat is closed. */
  tellSpilled(count: number, mayBeStored: boolean): void {
    this.#unstored = {
      ...this.#unstored,
      spilled: this.spilled + count,
      mayBeStored: this.mayBeStored + (mayBeStored ? count : 0)
    }
    this.#settle(count)
  }

  /** Calls `done` once what is pending is on disk, or nothing is pending. */
  whenDurable(done: Told): void {
    if (this.pending === this.onDisk) done(this)
    else this.#durable = done
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
    if (this.#durable === done) this.#durable = undefined
    else if (this.#done === done) this.#done = new Set()
    else if (typeof this.#done === "object") this.#done.delete(done)
  }

  /** Whether somebody waits for it at this moment. */
  get isAwaited(): boolean {
    return this.#durable !== undefined || (this.#done !== undefined && !this.isForgotten)
  }

  /** Whether somebody asked, and nobody does any more. */
  get isForgotten(): boolean {
    return typeof this.#done === "object" && this.#done.size === 0
  }

  #settle(count: number): void {
    this.pending -= count
    if (this.pending > 0) return this.#lookDurable()
    this.#lookDurable()
    const done = this.#done
    this.#done = undefined
    if (typeof done === "function") done(this)
    else for (const one of done ?? []) one(this)
  }

  #lookDurable(): void {
    const done = this.#durable
    if (done === undefined || this.pending > this.onDisk) return
    this.#durable = undefined
    done(this)
  }
}

function added(counts: Readonly<Record<string, number>>, reason: string, count: number) {
  const before = Object.hasOwn(counts, reason) ? (counts[reason] ?? 0) : 0
  return { ...counts, [reason]: before + count }
}
