/** Start and end of each partition. Cached until another process commits. */
import { Refusal } from "../../Fault.ts"
import type { Database } from "./Database.ts"
import type { Quarantine } from "./Quarantine.ts"
import { rowSum } from "./rowSum.ts"
import type { Reach } from "./WakeFile.ts"

export interface Head {
  readonly partition: number
  start: number
  /** Position of the next record. */
  end: number
  /** Bytes of all blocks. */
  bytes: number
  /** Latest record time that was ever stored, in epoch milliseconds. */
  highMs: number
  /** Highest block id that was stored here; retention never lowers it. */
  lastId: number
  /** Everything before this position is compacted. */
  cleaned: number
}

export class Heads {
  readonly #quarantine: Quarantine
  readonly #get
  readonly #set
  readonly #reach
  readonly #ends
  readonly #cache = new Map<number, Head>()
  #reached: { lastId: number; positions: number } | undefined

  constructor(db: Database, quarantine: Quarantine) {
    this.#quarantine = quarantine
    this.#get = db.prepare("SELECT * FROM head WHERE partition = ?")
    this.#set = db.prepare(
      'UPDATE head SET start = ?2, "end" = ?3, bytes = ?4, high_ms = ?5, last_id = ?6, cleaned = ?7, sum = ?8 WHERE partition = ?1'
    )
    this.#reach = db.prepare('SELECT max(last_id) AS id, sum("end") AS positions FROM head')
    this.#ends = db.prepare(
      'SELECT min(base) AS start, max("end") AS "end", sum(length) AS bytes, max(high_ms) AS high, max(id) AS id FROM batch WHERE partition = ?'
    )
  }

  get(partition: number): Head {
    const known = this.#cache.get(partition)
    if (known !== undefined) return known
    const row = this.#get.get(partition)
    const head = {
      partition,
      start: Number(row?.["start"]),
      end: Number(row?.["end"]),
      bytes: Number(row?.["bytes"]),
      highMs: Number(row?.["high_ms"]),
      lastId: Number(row?.["last_id"]),
      cleaned: Number(row?.["cleaned"])
    }
    const found = row !== undefined && row["sum"] === sumOf(head) ? head : this.#recover(partition)
    this.#cache.set(partition, found)
    return found
  }

  /** Writes a changed head, inside a write. */
  save(head: Head): void {
    const { partition, start, end, bytes, highMs, lastId, cleaned } = head
    const { positions } = this.reach()
    this.#reached = { ...this.reach(), positions: positions + end - this.get(partition).end }
    this.#set.run(partition, start, end, bytes, highMs, lastId, cleaned, sumOf(head))
    this.#cache.set(partition, head)
  }

  /** A new block id, inside a write. */
  takeId(): number {
    const { lastId, positions } = this.reach()
    this.#reached = { lastId: lastId + 1, positions }
    return lastId + 1
  }

  /** How far all partitions reach together. */
  reach(): Reach {
    if (this.#reached === undefined) {
      const row = this.#reach.get()
      this.#reached = { lastId: Number(row?.["id"] ?? 0), positions: Number(row?.["positions"] ?? 0) }
    }
    return this.#reached
  }

  /** Another process has committed, or a write was rolled back. */
  forget(): void {
    this.#cache.clear()
    this.#reached = undefined
  }

  /** A head that does not verify is rebuilt from the batches. Without a head, positions could be assigned twice. */
  #recover(partition: number): Head {
    const row = this.#ends.get(partition)
    const end = row?.["end"]
    if (row === undefined || typeof end !== "number")
      throw new Refusal(
        "Corrupt",
        `where partition ${partition} of the log ends does not verify, and it holds no batch to tell; restore a backup`
      )
    this.#quarantine.report({ partition, base: end, end, what: "head" })
    return {
      partition,
      start: Number(row["start"]),
      end,
      bytes: Number(row["bytes"]),
      highMs: Number(row["high"]),
      lastId: Number(row["id"]),
      cleaned: 0
    }
  }
}

function sumOf({ partition, start, end, bytes, highMs, lastId, cleaned }: Head): number {
  return rowSum(partition, start, end, bytes, highMs, lastId, cleaned)
}
