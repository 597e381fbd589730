/**
 * The record of damage: each range that does not verify is noted once, skipped, and left in place. Retention deletes it with its
 * neighbours; until then its bytes can be salvaged from the file.
 */
import { wallMs } from "../../clock.ts"
import { isDamage } from "../../Fault.ts"
import type { Database } from "./Database.ts"

export interface Damage {
  /** Partition of the log; -1 for rows of no partition. */
  readonly partition: number
  /** Positions [base, end) that cannot be read; equal if no record is lost. */
  readonly base: number
  readonly end: number
  /** `block`: bytes of a batch. `index`: its row. `head`, `lane`, `ids`: rows of these tables. `clock`: by which ages are reckoned. `tail`: commits that are gone. */
  readonly what: "block" | "index" | "head" | "lane" | "ids" | "clock" | "tail"
}

export class Quarantine {
  readonly #db: Database
  readonly #seen = new Set<string>()
  readonly #isReadOnly: boolean
  #pending: Array<Damage> = []
  /** Its own table is damaged. */
  #isLost = false
  #isAtWork = false
  #whenReported: (() => void) | undefined

  constructor(db: Database, isReadOnly: boolean) {
    this.#db = db
    this.#isReadOnly = isReadOnly
  }

  /** Calls `then` when there is damage to save. */
  onReport(then: () => void): void {
    this.#whenReported = then
  }

  report(damage: Damage): void {
    const key = `${damage.partition}/${damage.base}/${damage.what}`
    if (this.#isReadOnly || this.#seen.has(key)) return
    this.#seen.add(key)
    this.#pending.push(damage)
    this.#whenReported?.()
  }

  /** Saves the damage that was found, inside a write. */
  save(): void {
    if (this.#isLost) return
    const insert = this.#db.prepare("INSERT OR IGNORE INTO quarantine VALUES (?, ?, ?, ?, ?)")
    const nowMs = wallMs()
    this.#isAtWork = true
    for (const { partition, base, end, what } of this.#pending) insert.run(partition, base, end, what, nowMs)
    this.#isAtWork = false
  }

  /** After a write that has failed: whether it failed for this table, which must not block other writes. It can be done again, without it. */
  giveUp(error: unknown): boolean {
    const isHere = this.#isAtWork && isDamage(error)
    this.#isAtWork = false
    this.#isLost ||= isHere
    return isHere
  }

  /** What `save` wrote is committed. */
  saved(): void {
    this.#pending = []
  }
}
