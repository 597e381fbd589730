/**
 * The incarnations whose event ids the log has: when each wrote last, and which of its ids are still kept. A row stays when the ids are
 * deleted, so that nobody takes an event whose id was deleted for one that was never stored.
 */
import { Buffer } from "node:buffer"
import type { Database } from "./Database.ts"
import type { Quarantine } from "./Quarantine.ts"
import { rowSum } from "./rowSum.ts"

/** Which ids of an incarnation are kept. */
export type Kept = "all" | "some" | "none"

export interface Writer {
  readonly incarnation: Buffer
  /** Time of its last write, as `AgeClock` has it, up to `precisionMs` too early; in epoch milliseconds. */
  lastMs: number
  kept: Kept
}

/** A writer's row is not written again within this time, in milliseconds. */
const precisionMs = 3_600_000

export class Writers {
  readonly #quarantine: Quarantine
  readonly #get
  readonly #put
  readonly #old
  readonly #known = new Map<string, Writer>()
  /** A row could not be read or written: until the log is opened again, none is. */
  #isLost = false
  #isAtWork = false

  constructor(db: Database, quarantine: Quarantine) {
    this.#quarantine = quarantine
    this.#get = db.prepare("SELECT * FROM writer WHERE incarnation = ?")
    this.#put = db.prepare("INSERT OR REPLACE INTO writer VALUES (?, ?, ?, ?)")
    this.#old = db.prepare("SELECT * FROM writer WHERE last_ms < ? AND kept <> 'none' LIMIT 1")
  }

  /** The writer of an incarnation; one that has no row yet has never written. */
  of(incarnation: Uint8Array): Writer {
    const id = Buffer.from(incarnation)
    const key = id.toString("latin1")
    const known = this.#known.get(key)
    if (known !== undefined) return known
    if (this.#isLost) return { incarnation: id, lastMs: Number.NEGATIVE_INFINITY, kept: "some" }
    this.#isAtWork = true
    const row = this.#get.get(id)
    this.#isAtWork = false
    const writer =
      row === undefined
        ? { incarnation: id, lastMs: Number.NEGATIVE_INFINITY, kept: "all" as const }
        : this.#verified(row)
    this.#known.set(key, writer)
    return writer
  }

  /** The incarnation writes, inside a write. */
  note(writer: Writer, nowMs: number): void {
    const { lastMs, kept } = writer
    // A time ahead is corrected too: the clock was wrong then.
    if (kept !== "none" && Math.abs(nowMs - lastMs) < precisionMs) return
    writer.lastMs = nowMs
    writer.kept = kept === "none" ? "some" : kept
    this.save(writer)
  }

  /** Some ids of a writer are not kept, inside a write. One without a row gets it by `note`. */
  lessen(writer: Writer): void {
    if (writer.kept !== "all") return
    writer.kept = "some"
    if (Number.isFinite(writer.lastMs)) this.save(writer)
  }

  /** A writer that has not written for `idsMs`, and of which ids are kept; undefined if there is none. */
  due(nowMs: number, idsMs: number): Writer | undefined {
    const row = this.#old.get(nowMs - idsMs - precisionMs)
    return row === undefined ? undefined : this.#verified(row)
  }

  /** Inside a write. */
  save(writer: Writer): void {
    if (this.#isLost) return
    const { incarnation, lastMs, kept } = writer
    this.#isAtWork = true
    this.#put.run(incarnation, lastMs, kept, sumOf(writer))
    this.#isAtWork = false
  }

  /** After damage: whether it was met here. */
  giveUp(): boolean {
    if (!this.#isAtWork) return false
    this.#isLost = true
    this.report()
    return true
  }

  report(): void {
    this.#quarantine.report({ partition: -1, base: 0, end: 0, what: "ids" })
  }

  /** Another process has committed, or a write was rolled back. */
  forget(): void {
    this.#isAtWork = false
    this.#known.clear()
  }

  /** Of a row that does not verify nobody knows which ids are kept. */
  #verified(row: Record<string, unknown>): Writer {
    const id = row["incarnation"]
    const incarnation = Buffer.from(id instanceof Uint8Array ? id : [])
    const writer = { incarnation, lastMs: Number(row["last_ms"]), kept: keptOf(row["kept"]) }
    if (row["sum"] === sumOf(writer)) return writer
    this.report()
    return { ...writer, kept: "some" }
  }
}

function keptOf(value: unknown): Kept {
  return value === "all" || value === "none" ? value : "some"
}

function sumOf({ incarnation, lastMs, kept }: Writer): number {
  return rowSum(incarnation, lastMs, kept)
}
