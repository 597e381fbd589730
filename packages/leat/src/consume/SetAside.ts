/**
 * Records of a lane that are to be moved to a retry topic, or to become dead letters: those to be handed over, those on their way, and those that
 * cannot be stored there, whose keys stand still until somebody resumes the lane.
 */
import type { HeldRecord } from "./HeldRecord.ts"
import type { ReadHalted } from "./Failure.ts"

/** A retry topic, from 1, and how long a record waits there. */
export interface NextTier {
  readonly tier: number
  readonly delayMs: number
}

/** The one behind a tier, as it is set; 0: the first. Undefined behind the last, and behind one that is not listed any more. */
export function nextTierOf(
  { retryDelaysMs }: { readonly retryDelaysMs: ReadonlyArray<number> },
  tier: number
): NextTier | undefined {
  const delayMs = retryDelaysMs[tier]
  return delayMs === undefined ? undefined : { tier: tier + 1, delayMs }
}

/** One record, and why it is set aside. */
export interface ToSetAside {
  readonly held: HeldRecord
  /** Tag of the failure. */
  readonly tag: string
  readonly detail: string
  /** What its handler failed with. */
  readonly error?: unknown
  /** Absent: as a dead letter. */
  readonly move?: NextTier
}

export class SetAside {
  #queued: Array<ToSetAside> = []
  readonly #moving = new Map<HeldRecord, ToSetAside>()
  readonly #standing = new Map<HeldRecord, ReadHalted>()

  /** Records that are not stored yet where they are set aside. */
  get moving(): number {
    return this.#moving.size
  }

  /** Records that cannot be stored there. */
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
