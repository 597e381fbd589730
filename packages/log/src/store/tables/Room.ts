/**
 * The space that a write must leave on the volume. A checkpoint copies the write-ahead log into the database, which grows; only then can the
 * write-ahead log shrink. A log that lets it take the last space is full for good, however little is stored. So:
 *
 * - No write may leave less than the next checkpoint needs. It is asked for inside the write, where no other process writes; and once more when its
 *   works have run and the file's new size is known.
 * - What makes the file grow leaves the reserve beside. What fits into its free pages leaves nothing: its write-ahead log is given back by the next checkpoint.
 *   So deletions give room however little the volume has.
 * - Part of the reserve is a file (`Reserve`), which nobody else can take.
 */
import { statfsSync, statSync } from "node:fs"
import type { Database } from "./Database.ts"
import { Reserve, reserveBytes } from "./Reserve.ts"

/** Pages that one write changes beside its blocks: trees of batches, ids, heads and lanes, and what splits of them take. */
const pagesOfWrite = 8
/** Pages that each work of it changes: the one that it puts, and those of the two that an append deletes where space is short. */
const pagesOfWork = 3

/** Left by appends that let the file grow: this part of the volume, and at most so many bytes. */
const reservedShare = 1 / 24
const reservedBytesMax = 2 * 1024 * 1024
/** Left by other works that let it grow (topics, members, lanes): enough for the deletion of a row. */
const lastBytes = 64 * 1024
/** A reserve of which less is missing stays as it is. */
const lessBytes = 16 * 1024

/** Of SQLite's files: what stands beside the bytes of a page, and how large a part of the index of a write-ahead log is. */
const overflowHeaderBytes = 4
const frameHeaderBytes = 24
const walHeaderBytes = 32
const indexBytes = 32 * 1024
const indexPages = 4096
const indexHeaderPages = 34

/** Where the volume has less, others may fill it between two looks. */
const watchedBytes = 64 * 1024 * 1024

/** A log is nearly full where it has less than this part of its size left. */
const nearlyFullShare = 1 / 8

/** What a transaction is going to write. */
export interface Need {
  readonly works: number
  /** Of the batches to be appended; 0: no append. */
  readonly bytes: number
  /** Pages that rows which are deleted or rewritten lie on: at most so many change. */
  readonly pages: number
}

/** What was found at the begin of a write. */
interface Found {
  readonly need: Need
  freeBytes: number
  /** Pages of the database with what is in the write-ahead log. */
  readonly pages: number
  /** By how much the next checkpoint lets the database grow. */
  readonly unwrittenBytes: number
  /** By how much the write-ahead log and its index grow at most. */
  readonly walBytes: number
}

export interface Volume {
  readonly freeBytes: number
  readonly totalBytes: number
}

export class Room {
  readonly #db: Database
  readonly #reserve: Reserve
  readonly #pages
  readonly #freePages
  readonly #pagesMax
  readonly #pageBytes: number
  #isShort = false
  #found: Found | undefined
  /** Of blocks that this write puts in place of others. */
  #putBytes = 0
  /** An append was refused since the last pass of maintenance. */
  wasRefused = false

  constructor(db: Database) {
    this.#db = db
    this.#reserve = new Reserve(db.paths.reserve)
    this.#pages = db.prepare("PRAGMA page_count")
    this.#freePages = db.prepare("PRAGMA freelist_count")
    this.#pagesMax = db.prepare("PRAGMA max_page_count")
    this.#pageBytes = numberOf(db.prepare("PRAGMA page_size").get())
  }

  /** Whether the last that was asked for had to be reckoned: what a write deletes beside changes pages too, and these are not there to be had. */
  get isShort(): boolean {
    return this.#isShort
  }

  /**
   * Whether a transaction has room. Inside of it, before anything is written. Where nobody can tell, it has: the write says why. `isCheckpointed`: a
   * checkpoint was made for it, so there is no more to be had.
   */
  has(need: Need, isCheckpointed: boolean): boolean {
    this.#found = undefined
    this.#putBytes = 0
    try {
      const found = this.#look(need)
      this.#isShort = found !== undefined
      if (found === undefined) return true
      this.#found = found
      // By its blocks alone: how much it is with all that stands around them is known when its works have run.
      const grown = Math.max(0, this.#pagesOfBlocks(need) - numberOf(this.#freePages.get()))
      return this.#isEnough(found, grown) || (isCheckpointed && grown === 0 && this.#isHarmless(found))
    } catch {
      return true
    }
  }

  /** The same when its works have run: by how many pages the file grows is known then. */
  stillHas(): boolean {
    const found = this.#found
    if (found === undefined) return true
    try {
      const grown = numberOf(this.#pages.get()) - found.pages
      return grown <= 0 || this.#isEnough(found, grown)
    } catch {
      return true
    }
  }

  /** Whether a block has room in place of others that are deleted, inside a write, beside those that were asked for before. */
  fits(bytes: number): boolean {
    const all = this.#putBytes + bytes
    const found = this.#look({ works: 1, bytes: all, pages: 0 })
    const fits = found === undefined || this.#isEnough(found, 0)
    if (fits) this.#putBytes = all
    return fits
  }

  /** Gives the space of the write-ahead log back, as far as other processes allow. Outside of a transaction. */
  checkpoint(): void {
    this.#db.checkpoint()
    try {
      if (this.#unwrittenBytes() <= (this.volume()?.freeBytes ?? 0) || this.#reserve.bytes === 0) return
      // Others have taken what the database needs for it.
      this.#db.begin(0)
      this.#reserve.remove()
      this.#db.rollback()
      this.#db.checkpoint()
    } catch {
      // Another process holds the log.
    }
  }

  /**
   * Outside of a transaction: where space is short, the database takes at once what it is going to need at the next checkpoint, and the reserve is
   * written again.
   */
  settle(): void {
    if (this.#isShort) this.#settle()
  }

  /** The same from time to time, for others take space too. */
  keep(): void {
    const volume = this.volume()
    if (volume === undefined || volume.freeBytes > watchedBytes || this.#db.presence.missing() !== undefined) return
    this.#settle()
  }

  #settle(): void {
    try {
      if (this.#unwrittenBytes() > 0) this.#db.checkpoint("PASSIVE")
      if (this.#reserve.bytes < reserveBytes) this.#putReserve()
    } catch {
      // Another process holds the log, or somebody else was faster: the next one does it.
    }
  }

  /** Whether little is left for appends, on the volume or up to `bytesMax`. */
  isNearlyFull(): boolean {
    const volume = this.volume()
    const fileBytes = sizeOf(this.#db.paths.database)
    const free =
      volume === undefined ? Number.POSITIVE_INFINITY : volume.freeBytes + this.#walBytes() - reservedOf(volume)
    const usedBytes = numberOf(this.#pages.get()) * this.#pageBytes
    const mostBytes = Math.min(fileBytes + free, numberOf(this.#pagesMax.get()) * this.#pageBytes)
    const leftBytes = mostBytes - usedBytes + numberOf(this.#freePages.get()) * this.#pageBytes
    return leftBytes < nearlyFullShare * usedBytes
  }

  /** Space of the volume; undefined where it does not say. */
  volume(): Volume | undefined {
    try {
      const { blocks, bsize, bfree, bavail } = statfsSync(this.#db.paths.directory)
      // Some network volumes have no such number. Some blocks are for root only.
      const free = process.getuid?.() === 0 ? bfree : bavail
      return blocks === 0 ? undefined : { freeBytes: bsize * free, totalBytes: bsize * blocks }
    } catch {
      return undefined
    }
  }

  /** Undefined where there is room for anything, which is told without a statement. */
  #look(need: Need): Found | undefined {
    const volume = this.volume()
    if (volume === undefined) return undefined
    const pages = this.#pagesOf(need)
    const oldBytes = this.#walBytes()
    if (volume.freeBytes > 4 * (pages * this.#pageBytes + reservedOf(volume)) + oldBytes) return undefined
    const frameBytes = this.#pageBytes + frameHeaderBytes
    const indexes = 1 + Math.floor((oldBytes / frameBytes + pages + indexHeaderPages) / indexPages)
    const index = Math.max(0, indexes * indexBytes - sizeOf(`${this.#db.paths.database}-shm`))
    // The size of the file before the free space: a checkpoint of another process moves from one to the other.
    const unwrittenBytes = this.#unwrittenBytes()
    const freeBytes = (this.volume() ?? volume).freeBytes
    const found = { need, freeBytes, unwrittenBytes, pages: numberOf(this.#pages.get()) }
    return { ...found, walBytes: walHeaderBytes + pages * frameBytes + index }
  }

  /** Whether the next checkpoint is possible behind a write by which the file grows so, and what has to be left is left. */
  #isEnough(found: Found, grownPages: number): boolean {
    const { need, freeBytes, unwrittenBytes, walBytes } = found
    const taken = walBytes + unwrittenBytes + grownPages * this.#pageBytes
    const volume = this.volume()
    const appended = volume === undefined ? reserveBytes : reservedOf(volume)
    // What goes into the write-ahead log is an estimate, and must not take what the next checkpoint needs.
    const least = unwrittenBytes > 0 || grownPages > 0 ? lastBytes : 0
    const left = grownPages > 0 && need.bytes > 0 ? appended : least
    const reserved = this.#reserve.bytes
    if (freeBytes + reserved < taken + left) return false
    if (freeBytes >= taken) return true
    this.#reserve.remove()
    found.freeBytes += reserved
    return true
  }

  /**
   * Whether a single work may be tried although there may be too little for its write-ahead log, which is an estimate. All that a work leaves that fails,
   * the next checkpoint gives back, as long as that one needs nothing itself. Deletions of many rows are not: fewer of them are next.
   */
  #isHarmless({ need, unwrittenBytes }: Found): boolean {
    const { works, bytes, pages } = need
    if (works > 1 || unwrittenBytes > 0 || (bytes === 0 && pages > 0)) return false
    this.#reserve.remove()
    return true
  }

  /** Pages that a write changes at most. */
  #pagesOf(need: Need): number {
    return this.#pagesOfBlocks(need) + need.works * pagesOfWork + pagesOfWrite + need.pages
  }

  #pagesOfBlocks({ bytes }: Need): number {
    return Math.ceil(bytes / (this.#pageBytes - overflowHeaderBytes))
  }

  /** As a write, so that no other process reckons with what it takes. */
  #putReserve(): void {
    if ((this.volume()?.freeBytes ?? 0) < reserveBytes) this.#db.checkpoint()
    this.#db.begin(0)
    try {
      const there = this.#reserve.bytes
      const spare = there + (this.volume()?.freeBytes ?? 0) - this.#unwrittenBytes()
      const bytes = Math.min(reserveBytes, spare)
      if (bytes - there >= lessBytes) this.#reserve.put(bytes)
    } finally {
      this.#db.rollback()
    }
  }

  /** By how much the database grows at a checkpoint now. */
  #unwrittenBytes(): number {
    return Math.max(0, numberOf(this.#pages.get()) * this.#pageBytes - sizeOf(this.#db.paths.database))
  }

  #walBytes(): number {
    return sizeOf(`${this.#db.paths.database}-wal`)
  }
}

/** What appends that let the file grow leave: as large may the write-ahead log of one be that fits into free pages. */
function reservedOf({ totalBytes }: Volume): number {
  return Math.min(reservedBytesMax, Math.max(reserveBytes, totalBytes * reservedShare))
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

/** The value of a pragma. */
function numberOf(row: Record<string, unknown> | undefined): number {
  return Number(Object.values(row ?? {})[0] ?? 0)
}
