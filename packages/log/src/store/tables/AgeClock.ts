/**
 * How old records are, at least. The wall clock may be wrong when something is stored, and when somebody looks; neither may delete what is
 * young, nor keep anything for ever. So times are those of the monotonic clock, which no setting of the time moves, with the number of that
 * clock: each boot has its own (`Clocks`).
 *
 * - What this boot has stored is as old as the monotonic clock says.
 * - Two boots are compared by the wall clock, if each of them has seen it run evenly for an hour. A time that was wrong for less is never used.
 * - Whatever the wall clock says, what a boot has stored is older than the begin of the next one.
 *
 * While the machine is suspended the monotonic clock may stand: what this boot has stored is kept for that much longer.
 */
import type { ClockSource } from "../../clock.ts"
import { Clocks, type ClockRow, toleranceMs } from "./Clocks.ts"
import type { Database } from "./Database.ts"
import type { Quarantine } from "./Quarantine.ts"

/** For how long a time must have run evenly to be believed, in milliseconds. */
const doubtMs = 3_600_000

/** The latest time of a clock is not written again within this time, in milliseconds. */
const precisionMs = 600_000

/** A moment, as a clock has it. */
export interface Stamp {
  /** Number of the clock; -1 if the table of clocks is damaged. */
  readonly clock: number
  /** Near to epoch milliseconds, if the wall clock was right. */
  readonly ms: number
}

/** The age of what was stored at a moment: at least so many milliseconds. Undefined if nothing is known but its order among others. */
export type AgeOf = (stored: Stamp) => number | undefined

interface Present {
  readonly rows: ReadonlyArray<ClockRow>
  /** The clock of this process, which may not be written yet. */
  readonly own: ClockRow
  readonly nowMs: number
}

export class AgeClock {
  readonly #clocks: Clocks
  readonly #source: ClockSource
  #ownId: number | undefined
  /** Of the wall clock from the monotonic one, when this process saw it change last, and when that was on the monotonic clock. */
  #offsetMs: number
  #sinceMs: number
  #hasJumped = false

  constructor(db: Database, quarantine: Quarantine, source: ClockSource) {
    this.#clocks = new Clocks(db, quarantine)
    this.#source = source
    this.#sinceMs = source.monotonicMs()
    this.#offsetMs = source.wallMs() - this.#sinceMs
  }

  /** The present moment, for what is stored now. Inside a write. */
  stamp(): Stamp {
    const present = this.#look()
    if (present === undefined) return { clock: -1, ms: this.#source.wallMs() }
    const { rows, own, nowMs } = present
    const found = rows.find(({ id }) => id === own.id)
    const isSaid =
      found?.seenMs === own.seenMs &&
      found.shiftMs === own.shiftMs &&
      found.mostMs === own.mostMs &&
      Math.abs(nowMs - found.toMs) < precisionMs
    if (!isSaid) this.#clocks.save({ ...own, toMs: nowMs })
    this.#ownId = own.id
    return { clock: own.id, ms: nowMs }
  }

  /** How to tell ages, for this moment and this transaction. */
  get ageOf(): AgeOf {
    const present = this.#look()
    if (present === undefined) return () => undefined
    const timeline = new Timeline(present)
    return (stored) => {
      const latestMs = timeline.latestMs(stored)
      return latestMs === undefined ? undefined : Math.max(0, present.nowMs - latestMs)
    }
  }

  giveUp(error: unknown): boolean {
    return this.#clocks.giveUp(error)
  }

  /** Another process has committed, or a write was rolled back. */
  forget(): void {
    this.#clocks.forget()
  }

  #look(): Present | undefined {
    const monotonicMs = this.#source.monotonicMs()
    const offsetMs = this.#source.wallMs() - monotonicMs
    if (Math.abs(offsetMs - this.#offsetMs) > toleranceMs) {
      this.#offsetMs = offsetMs
      this.#sinceMs = monotonicMs
      this.#hasJumped = true
    }
    const { known } = this.#clocks
    if (known === undefined) return undefined
    const { rows, nextId } = known
    const row = this.#find(rows, monotonicMs) ?? this.#make(nextId, monotonicMs)
    return { rows, own: this.#watched(row, monotonicMs), nowMs: monotonicMs + row.refMs }
  }

  /** The row of the clock that this process reads. One without a name is told by the time at which it began. */
  #find(rows: ReadonlyArray<ClockRow>, monotonicMs: number): ClockRow | undefined {
    const name = this.#source.name ?? ""
    if (name !== "") return rows.findLast((row) => row.name === name)
    const last = rows.at(-1)
    if (last === undefined || last.name !== "") return undefined
    if (last.id === this.#ownId) return last
    const isSame = Math.abs(this.#offsetMs - last.refMs - last.seenMs) <= toleranceMs
    return isSame && monotonicMs + last.refMs >= last.toMs ? last : undefined
  }

  #make(id: number, monotonicMs: number): ClockRow {
    const name = this.#source.name ?? ""
    const refMs = this.#offsetMs
    const fromMs = monotonicMs + refMs
    const sinceMs = this.#sinceMs + refMs
    return { id, firstId: id, name, refMs, fromMs, toMs: fromMs, seenMs: 0, sinceMs, shiftMs: undefined, mostMs: 0 }
  }

  /** With what the wall clock says now: believed once it has said so for long enough. */
  #watched(row: ClockRow, monotonicMs: number): ClockRow {
    const seenMs = this.#offsetMs - row.refMs
    const changedMs = this.#sinceMs + row.refMs
    if (Math.abs(seenMs - row.seenMs) > toleranceMs)
      return believed({ ...row, seenMs, sinceMs: changedMs, mostMs: Math.max(row.mostMs, seenMs) }, monotonicMs)
    // Another time between two looks of others, which this process has seen.
    const sinceMs = this.#hasJumped ? Math.max(row.sinceMs, changedMs) : row.sinceMs
    return believed({ ...row, sinceMs }, monotonicMs)
  }
}

function believed(row: ClockRow, monotonicMs: number): ClockRow {
  return monotonicMs + row.refMs - row.sinceMs >= doubtMs ? { ...row, shiftMs: row.seenMs, mostMs: row.seenMs } : row
}

/** The times of all clocks, as those of the present one: the latest that they can have been. */
class Timeline {
  readonly #present: Present
  readonly #rows: ReadonlyArray<ClockRow>
  readonly #right: ReadonlySet<number>
  /** What the wall clock is ahead of the times of the present clock; the least, if it changes now. */
  readonly #shiftMs: number | undefined

  constructor(present: Present) {
    const { rows, own } = present
    this.#present = present
    this.#rows = [...rows.filter(({ id }) => id !== own.id), own].toSorted((a, b) => a.id - b.id)
    this.#shiftMs = own.shiftMs === undefined ? undefined : Math.min(own.shiftMs, own.seenMs)
    this.#right = this.#rightOnes()
  }

  /** Undefined if no row tells anything of it. */
  latestMs({ clock, ms }: Stamp): number | undefined {
    const { own } = this.#present
    if (clock === own.id) return ms
    const at = clock < 0 ? -1 : this.#rows.findIndex(({ id }) => id >= clock)
    const row = this.#rows[at]
    if (row === undefined) return undefined
    // Its clock is not known any more.
    if (clock < row.firstId) return this.#beginOf(row)
    const next = this.#rows.find(({ name }, index) => index > at && !isSameBoot(name, row.name))
    const bounds: Array<number> = []
    // The clock went on running until the latest time that is known of it, and the next one began after that.
    const moreMs = clock === row.id ? Math.max(0, row.toMs - ms) : 0
    if (next !== undefined) bounds.push((this.#beginOf(next) ?? Number.POSITIVE_INFINITY) - moreMs)
    if (this.#shiftMs !== undefined && this.#right.has(row.id) && this.#right.has(own.id))
      bounds.push(ms + Math.max(row.shiftMs ?? 0, row.mostMs) - this.#shiftMs + 2 * toleranceMs)
    return bounds.length === 0 ? undefined : Math.min(...bounds)
  }

  #beginOf({ firstId, fromMs }: ClockRow): number | undefined {
    return this.latestMs({ clock: firstId, ms: fromMs })
  }

  /** The clocks whose wall clock is believed, and not refuted: by the present one, which none can be ahead of, or by one before it. */
  #rightOnes(): ReadonlySet<number> {
    const { own, nowMs } = this.#present
    const presentMs = nowMs + (this.#shiftMs ?? 0)
    const right = new Set<number>()
    let reachedMs = Number.NEGATIVE_INFINITY
    for (const { id, fromMs, shiftMs } of this.#rows) {
      if (shiftMs === undefined) continue
      const beganMs = fromMs + (id === own.id ? (this.#shiftMs ?? 0) : shiftMs)
      if (beganMs > presentMs + toleranceMs || beganMs < reachedMs - toleranceMs) continue
      right.add(id)
      reachedMs = beganMs
    }
    return right
  }
}

/** The name of a clock begins with the boot; a container may have a clock of its own beside it. */
function isSameBoot(one: string, other: string): boolean {
  return one !== "" && one.split(" ")[0] === other.split(" ")[0]
}
