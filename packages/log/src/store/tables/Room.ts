/**
 * The space that a write must leave on the volume. A checkpoint copies the write-ahead log into the database, which grows; only then can the
 * write-ahead log shrink. A log that lets it take the last space is full for good, however little is stored. So a checkpoint comes
 * before that, and a write after which none would be possible is refused.
 */
import { statfsSync, statSync } from "node:fs"
import type { Database } from "./Database.ts"

/** Pages that one write changes beside its blocks: trees of batches, ids, heads and lanes, and what splits of them take. */
const pagesOfWrite = 8
/** Pages that each work of it changes: the one that it puts, and those of the two that an append deletes where space is short. */
const pagesOfWork = 3
/** Left by appends for the writes that free space or keep a group alive: retention, commits of positions, heartbeats. */
const reservedPages = 32

/** What a transaction is going to write. */
export interface Need {
  readonly works: number
  /** Of the batches to be appended; 0: no append. */
  readonly bytes: number
  /** Pages that rows which are deleted or rewritten lie on: at most so many change. */
  readonly pages: number
}

export class Room {
  readonly #db: Database
  readonly #pages
  readonly #freePages
  readonly #pageBytes: number
  #isShort = false

  constructor(db: Database) {
    this.#db = db
    this.#pages = db.prepare("PRAGMA page_count")
    this.#freePages = db.prepare("PRAGMA freelist_count")
    this.#pageBytes = numberOf(db.prepare("PRAGMA page_size").get())
  }

  /** Whether the last that was asked for had to be reckoned: what a write deletes beside changes pages too, and these are not there to be had. */
  get isShort(): boolean {
    return this.#isShort
  }

  /** Whether a transaction has room, if necessary after a checkpoint. Outside of a transaction. Where nobody can tell, it has: the write says why. */
  has(need: Need): boolean {
    try {
      if (this.#isEnough(need)) return true
      this.#db.checkpoint()
      // What is no append, and has no pages to its name, frees space in the end, or is small.
      return (need.bytes === 0 && need.pages === 0) || this.#isEnough(need)
    } catch {
      return true
    }
  }

  /** Bytes that the volume has left; undefined where it does not say. */
  freeBytes(): number | undefined {
    try {
      const { blocks, bsize, bfree, bavail } = statfsSync(this.#db.paths.directory)
      // Some network volumes have no such number. Some blocks are for root only.
      return blocks === 0 ? undefined : bsize * (process.getuid?.() === 0 ? bfree : bavail)
    } catch {
      return undefined
    }
  }

  #isEnough({ works, bytes, pages }: Need): boolean {
    const free = this.freeBytes()
    if (free === undefined) return true
    const written = bytes + (works * pagesOfWork + pagesOfWrite + pages) * this.#pageBytes
    const reserved = bytes === 0 ? 0 : reservedPages * this.#pageBytes
    // Without statements as long as there is room for anything.
    this.#isShort = free <= 4 * (written + reserved) + this.#walBytes()
    if (!this.#isShort) return true
    const grown = Math.max(0, written - numberOf(this.#freePages.get()) * this.#pageBytes)
    return free >= written + grown + this.#unwrittenBytes() + reserved
  }

  /** By how much the database grows at a checkpoint now. */
  #unwrittenBytes(): number {
    return Math.max(0, numberOf(this.#pages.get()) * this.#pageBytes - sizeOf(this.#db.paths.database))
  }

  #walBytes(): number {
    return sizeOf(`${this.#db.paths.database}-wal`)
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

/** The value of a pragma. */
function numberOf(row: Record<string, unknown> | undefined): number {
  return Number(Object.values(row ?? {})[0] ?? 0)
}
