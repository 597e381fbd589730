/**
 * The incarnations whose event ids the log has: when each wrote last, and which of its ids are still kept. A row stays when the ids are
 * deleted, so that nobody takes an event whose id was deleted for one that was never stored.
 */
import { Buffer } from "node:buffer"
import type { AgeClock, Stamp } from "./AgeClock.ts"
import type { Database } from "./Database.ts"
import type { Quarantine } from "./Quarantine.ts"
import { rowSum } from "./rowSum.ts"

/** Which ids of an incarnation are kept. */
export type Kept = "all" | "some" | "none"

export interface Writer {
  readonly incarnation: Buffer
  /** Its last write, up to `precisionMs` too early; undefined if it has never written. */
  last: Stamp | undefined
  kept: Kept
}

const never: Stamp = { clock: -1, ms: 0 }

/** A writer's row is not written again within this time, in milliseconds. */
const precisionMs = 3_600_000

export class Writers {
  readonly #quarantine: Quarantine
  readonly #get
  readonly #put
  readonly #oldest
  readonly #known = new Map<string, Writer>()
  /** A row could not be read or written: until the log is opened again, none is. */
  #isLost = false
  #isAtWork = false

  constructor(db: Database, quarantine: Quarantine) {
    this.#quarantine = quarantine
    this.#get = db.prepare("SELECT * FROM writer WHERE incarnation = ?")
    this.#put = db.prepare("INSERT OR REPLACE INTO writer VALUES (?, ?, ?, ?, ?)")
    // Times of a later clock are later. Those of no clock (-1) are of no use.
    this.#oldest = db.prepare(
      "SELECT * FROM writer WHERE kept <> 'none' AND clock >= 0 ORDER BY clock, last_ms LIMIT 1"
    )
  }

  /** The writer of an incarnation; one that has no row yet has never written. */
  of(incarnation: Uint8Array): Writer {
    const id = Buffer.from(incarnation)
    const key = id.toString("latin1")
    const known = this.#known.get(key)
    if (known !== undefined) return known
    if (this.#isLost) return { incarnation: id, last: undefined, kept: "some" }
    this.#isAtWork = true
    const row = this.#get.get(id)
    this.#isAtWork = false
    const writer = row === undefined ? { incarnation: id, last: undefined, kept: "all" as const } : this.#verified(row)
    this.#known.set(key, writer)
    return writer
  }

  /** The incarnation writes, inside a write. */
  note(writer: Writer, now: Stamp): void {
    const { last, kept } = writer
    if (kept !== "none" && last?.clock === now.clock && Math.abs(now.ms - last.ms) < precisionMs) return
    writer.last = now
    writer.kept = kept === "none" ? "some" : kept
    this.save(writer)
  }

  /** Some ids of a writer are not kept, inside a write. One without a row gets it by `note`. */
  lessen(writer: Writer): void {
    if (writer.kept !== "all") return
    writer.kept = "some"
    if (writer.last !== undefined) this.save(writer)
  }

  /** A writer that has not written for `idsMs`, and of which ids are kept; undefined if there is none. */
  due(ages: AgeClock, idsMs: number): Writer | undefined {
    const row = this.#oldest.get()
    const age = row === undefined ? undefined : ages.ageOf(stampOf(row))
    return row === undefined || age === undefined || age <= idsMs + precisionMs ? undefined : this.#verified(row)
  }

  /** Inside a write. */
  save(writer: Writer): void {
    if (this.#isLost) return
    const { incarnation, last = never, kept } = writer
    this.#isAtWork = true
    this.#put.run(incarnation, last.ms, kept, sumOf(writer), last.clock)
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
    const writer = { incarnation, last: stampOf(row), kept: keptOf(row["kept"]) }
    if (row["sum"] === sumOf(writer)) return writer
    this.report()
    return { ...writer, kept: "some" }
  }
}

function keptOf(value: unknown): Kept {
  return value === "all" || value === "none" ? value : "some"
}

function stampOf(row: Record<string, unknown>): Stamp {
  return { clock: Number(row["clock"]), ms: Number(row["last_ms"]) }
}

function sumOf({ incarnation, last = never, kept }: Writer): number {
  // Without a clock, as formats before 5 have it.
  return last.clock === 0 ? rowSum(incarnation, last.ms, kept) : rowSum(incarnation, last.ms, kept, last.clock)
}
