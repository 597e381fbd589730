/**
 * Records of a lane that are to become dead letters: those to be handed over, those on their way, and those that cannot be dead-lettered, whose
 * keys stand still until somebody resumes the lane.
 */
import type { HeldRecord } from "./HeldRecord.ts"
import type { ReadHalted } from "./ReadLane.ts"

/** One record, and why it is set aside. */
export interface ToSetAside {
  readonly held: HeldRecord
  /** Tag of the failure. */
  readonly tag: string
  readonly detail: string
}

export class SetAside {
  #queued: Array<ToSetAside> = []
  readonly #moving = new Map<HeldRecord, ToSetAside>()
  readonly #standing = new Map<HeldRecord, ReadHalted>()

  /** Records whose dead letters are not stored yet. */
  get moving(): number {
    return this.#moving.size
  }

  /** Records that cannot be dead-lettered. */
  get standing(): number {
    return this.#standing.size
  }

  get halts(): ReadonlyArray<ReadHalted> {
    return Array.from(this.#standing.values())
  }

  add(one: ToSetAside): void {
    this.#queued.push(one)
    this.#moving.set(one.held, one)
  }

  /** What was added since the last call. */
  take(): ReadonlyArray<ToSetAside> {
    if (this.#queued.length === 0) return none
    const queued = this.#queued
    this.#queued = []
    return queued
  }

  /** It is stored, or cannot be: takes it out. Undefined: it is not on its way any more. */
  ended(held: HeldRecord): ToSetAside | undefined {
    const found = this.#moving.get(held)
    this.#moving.delete(held)
    return found
  }

  stand(held: HeldRecord, halt: ReadHalted): void {
    this.#standing.set(held, halt)
  }

  /** Takes those out that stand, to be tried again. */
  resume(): ReadonlyArray<HeldRecord> {
    const held = Array.from(this.#standing.keys())
    this.#standing.clear()
    return held
  }

  clear(): void {
    this.#queued = []
    this.#moving.clear()
    this.#standing.clear()
  }
}

const none: ReadonlyArray<ToSetAside> = []
