/** The table of the clocks that wrote to a log: one row for each boot of a machine. Read again when another process has committed. */
import { isDamage } from "../../Fault.ts"
import type { Database } from "./Database.ts"
import type { Quarantine } from "./Quarantine.ts"
import { rowSum } from "./rowSum.ts"

/**
 * Most rows; beyond it the oldest goes. Clocks that were right are merged, so these are boots at which the time was wrong, or that were over
 * before anybody could tell.
 */
const rowsMax = 100

/** What the wall clock may be set by between two looks, in milliseconds: more is another time. */
export const toleranceMs = 60_000

/**
 * One monotonic clock. Its times are that clock plus `refMs`, which was right if the wall clock was when it was first read. They are compared with
 * those of other clocks by `shiftMs`.
 */
export interface ClockRow {
  /** Rises with time. The row stands for the clocks `firstId` to `id`: those before it were merged into it. */
  readonly id: number
  readonly firstId: number
  /** `clockName` of the processes that use it; empty if there is none. */
  readonly name: string
  readonly refMs: number
  /** First time of the clock, and the latest that is known. */
  readonly fromMs: number
  readonly toMs: number
  /** What the wall clock is ahead of these times, as it was read last, and since when it has been so. */
  readonly seenMs: number
  readonly sinceMs: number
  /** The latest of these that lasted long enough to be believed; undefined if there is none. */
  readonly shiftMs: number | undefined
  /** The most that was seen since then. It may have been right: what was stored then is not older. */
  readonly mostMs: number
}

/** Which rows there are. */
interface Known {
  /** In the order of their ids. */
  readonly rows: ReadonlyArray<ClockRow>
  /** The id of the next clock: no damaged row has it either. */
  readonly nextId: number
}

export class Clocks {
  readonly #quarantine: Quarantine
  readonly #all
  readonly #put
  readonly #remove
  #known: Known | undefined
  /** The table cannot be read or written, until the log is opened again. */
  #isLost = false
  #isAtWork = false

  constructor(db: Database, quarantine: Quarantine) {
    this.#quarantine = quarantine
    this.#all = db.prepare("SELECT * FROM clock ORDER BY id")
    this.#put = db.prepare("INSERT OR REPLACE INTO clock VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
    this.#remove = db.prepare("DELETE FROM clock WHERE id = ?")
  }

  /** Undefined if the table is damaged. */
  get known(): Known | undefined {
    return this.#isLost ? undefined : (this.#known ??= this.#load())
  }

  /** Writes a clock, inside a write. A new one has `nextId`. */
  save(row: ClockRow): void {
    const { rows, nextId } = this.known ?? { rows: [], nextId: row.id }
    const isNew = row.id === nextId
    const next = isNew
      ? [...mergedAtEnd(rows), row].slice(-rowsMax)
      : rows.map((one) => (one.id === row.id ? row : one))
    this.#isAtWork = true
    for (const { id } of rows) if (!next.some((one) => one.id === id)) this.#remove.run(id)
    for (const one of next) {
      if (rows.includes(one)) continue
      const { id, firstId, name, refMs, fromMs, toMs, seenMs, sinceMs, shiftMs = null, mostMs } = one
      this.#put.run(id, firstId, name, refMs, fromMs, toMs, seenMs, sinceMs, shiftMs, mostMs, sumOf(one))
    }
    this.#isAtWork = false
    this.#known = { rows: next, nextId: isNew ? nextId + 1 : nextId }
  }

  /** After damage: whether it was met here. Other writes must not wait for it. */
  giveUp(error: unknown): boolean {
    if (!this.#isAtWork || !isDamage(error)) return false
    this.#isLost = true
    this.#report()
    return true
  }

  /** Another process has committed, or a write was rolled back. */
  forget(): void {
    this.#isAtWork = false
    this.#known = undefined
  }

  #load(): Known {
    this.#isAtWork = true
    const found = this.#all.all()
    this.#isAtWork = false
    const rows = found.map(clockOf)
    // A damaged row counts as one that is missing: what its clock has stamped is as old as the begin of the next one.
    const whole = rows.filter((row, at) => found[at]?.["sum"] === sumOf(row))
    if (whole.length < rows.length) this.#report()
    return { rows: whole, nextId: Math.max(0, ...rows.map(({ id }) => id)) + 1 }
  }

  #report(): void {
    this.#quarantine.report({ partition: -1, base: 0, end: 0, what: "clock" })
  }
}

/** The last two clocks as one, if the times of both are right as they are: else a log would have a row for each boot, for ever. */
function mergedAtEnd(rows: ReadonlyArray<ClockRow>): ReadonlyArray<ClockRow> {
  const [older, newer] = rows.slice(-2)
  if (older === undefined || newer === undefined || !isExact(older) || !isExact(newer)) return rows
  const ends = rows.slice(0, -2).map(({ toMs, shiftMs = Number.NEGATIVE_INFINITY }) => toMs + shiftMs)
  // One that contradicts another stays by itself.
  if (newer.fromMs < older.toMs - toleranceMs || older.fromMs < Math.max(...ends) - toleranceMs) return rows
  return [...rows.slice(0, -2), { ...newer, firstId: older.firstId, fromMs: older.fromMs }]
}

function isExact({ shiftMs, mostMs }: ClockRow): boolean {
  return shiftMs === 0 && mostMs === 0
}

function clockOf(row: Record<string, unknown>): ClockRow {
  return {
    id: Number(row["id"]),
    firstId: Number(row["first_id"]),
    name: String(row["name"]),
    refMs: Number(row["ref_ms"]),
    fromMs: Number(row["from_ms"]),
    toMs: Number(row["to_ms"]),
    seenMs: Number(row["seen_ms"]),
    sinceMs: Number(row["since_ms"]),
    shiftMs: typeof row["shift_ms"] === "number" ? row["shift_ms"] : undefined,
    mostMs: Number(row["most_ms"])
  }
}

function sumOf({ id, firstId, name, refMs, fromMs, toMs, seenMs, sinceMs, shiftMs, mostMs }: ClockRow): number {
  return rowSum(id, firstId, name, refMs, fromMs, toMs, seenMs, sinceMs, shiftMs ?? null, mostMs)
}
