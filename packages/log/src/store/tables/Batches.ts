/** The batches of the partitions: find by position, read and verify, insert and delete. */
import { Block } from "../../Block.ts"
import { isDamage } from "../../Fault.ts"
import type { Stamp } from "./AgeClock.ts"
import type { Database } from "./Database.ts"
import { rowSum } from "./rowSum.ts"

/** The index row of a batch: positions [base, end), times in epoch milliseconds. */
export interface BatchRow {
  readonly partition: number
  readonly base: number
  readonly end: number
  readonly firstMs: number
  readonly lastMs: number
  /** Latest time of this batch and all before it. It rises with the position, so a time is found by binary search. */
  readonly highMs: number
  readonly stored: Stamp
  readonly length: number
  readonly id: number
}

const columns = 'partition, base, "end", first_ms, last_ms, high_ms, stored_ms, length, id, sum, clock'

export class Batches {
  readonly #before
  readonly #from
  readonly #insert
  readonly #remove
  readonly #length
  readonly #bytes
  readonly #insertBytes
  readonly #removeBytes

  constructor(db: Database) {
    this.#before = db.prepare(
      `SELECT ${columns} FROM batch WHERE partition = ? AND base <= ? ORDER BY base DESC LIMIT 1`
    )
    this.#from = db.prepare(`SELECT ${columns} FROM batch WHERE partition = ? AND base >= ? ORDER BY base LIMIT 1`)
    this.#insert = db.prepare("INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
    this.#remove = db.prepare("DELETE FROM batch WHERE partition = ? AND base = ?")
    this.#length = db.prepare("SELECT coalesce(sum(length), 0) AS bytes FROM batch WHERE partition = ? AND base >= ?")
    this.#bytes = db.prepare("SELECT block FROM bytes WHERE id = ?")
    this.#insertBytes = db.prepare("INSERT INTO bytes VALUES (?, ?)")
    this.#removeBytes = db.prepare("DELETE FROM bytes WHERE id = ?")
  }

  put(row: BatchRow, block: Block): void {
    const { partition, base, end, firstMs, lastMs, highMs, stored, length, id } = row
    const { clock, ms } = stored
    this.#insertBytes.run(id, block.bytes)
    this.#insert.run(partition, base, end, firstMs, lastMs, highMs, ms, length, id, sumOf(row), clock)
  }

  remove({ partition, base, id }: BatchRow): void {
    this.#remove.run(partition, base)
    try {
      this.#removeBytes.run(id)
    } catch (error) {
      // Its pages cannot be read, so they cannot be freed: they stay in the file without a reference.
      if (!isDamage(error)) throw error
    }
  }

  /** Bytes of the batches from a position on; undefined where their rows cannot be read. */
  bytesFrom(partition: number, position: number): number | undefined {
    try {
      return Number(this.#length.get(partition, position)?.["bytes"])
    } catch (error) {
      if (isDamage(error)) return undefined
      throw error
    }
  }

  /**
   * The first batch that verifies and ends after `position`; undefined if there is none before `end`. Positions between `position` and its
   * base are lost: retention and compaction leave no gaps between batches.
   */
  next(partition: number, position: number, end: number): BatchRow | undefined {
    const covering = attempt(() => this.#before.get(partition, position))
    if (typeof covering === "object" && covering.end > position) return covering
    let bad = position
    for (let step = 1, from = position + 1; from < end; step *= 2, from += step) {
      const row = attempt(() => this.#from.get(partition, from))
      if (row === undefined) return undefined
      if (row !== "damaged") return this.#earliest(partition, bad, from, row)
      bad = from
    }
    // The last step passed the end: the readable part may be shorter than one step.
    const last = attempt(() => this.#before.get(partition, end - 1))
    if (typeof last !== "object" || last.end <= position) return undefined
    return last.base <= bad ? last : this.#earliest(partition, bad, last.base, last)
  }

  /** The readable pages follow the unreadable ones: the border is found by binary search. */
  #earliest(partition: number, badFrom: number, goodFrom: number, found: BatchRow): BatchRow {
    let bad = badFrom
    let good = goodFrom
    let best = found
    while (good - bad > 1) {
      const middle = Math.floor((bad + good) / 2)
      const row = attempt(() => this.#from.get(partition, middle))
      if (typeof row === "object") {
        best = row.base < best.base ? row : best
        good = middle
      } else bad = middle
    }
    return best
  }

  /** The batch itself; undefined if it does not verify, or is not the one of the index row. */
  block({ partition, base, end, id }: BatchRow): Block | undefined {
    try {
      const bytes = this.#bytes.get(id)?.["block"]
      // SQLite returns the bytes in a buffer of their own, which can be transferred to another thread without a copy.
      const block = bytes instanceof Uint8Array ? Block.of(bytes) : undefined
      if (block === undefined || !block.isWhole) return undefined
      return block.partition === partition && block.base === base && block.span === end - base ? block : undefined
    } catch (error) {
      if (isDamage(error)) return undefined
      throw error
    }
  }
}

/** A row that verifies, no row, or a damaged one. */
function attempt(get: () => Record<string, unknown> | undefined): BatchRow | "damaged" | undefined {
  try {
    const raw = get()
    if (raw === undefined) return undefined
    const row = {
      partition: Number(raw["partition"]),
      base: Number(raw["base"]),
      end: Number(raw["end"]),
      firstMs: Number(raw["first_ms"]),
      lastMs: Number(raw["last_ms"]),
      highMs: Number(raw["high_ms"]),
      stored: { clock: Number(raw["clock"]), ms: Number(raw["stored_ms"]) },
      length: Number(raw["length"]),
      id: Number(raw["id"])
    }
    return raw["sum"] === sumOf(row) ? row : "damaged"
  } catch (error) {
    if (isDamage(error)) return "damaged"
    throw error
  }
}

function sumOf({ partition, base, end, firstMs, lastMs, highMs, stored, length, id }: BatchRow): number {
  const values = [partition, base, end, firstMs, lastMs, highMs, stored.ms, length, id]
  // As formats before 5 have it.
  return stored.clock === 0 ? rowSum(...values) : rowSum(...values, stored.clock)
}
