/**
 * A check that the open files of a log are still those at its path, and that nobody has emptied them. SQLite goes on writing to files that were
 * removed, replaced or emptied, and those writes are lost when the process ends. A failed check is not remembered: once the files are back, the
 * log goes on.
 */
import { type BigIntStats, closeSync, openSync, readSync, statSync } from "node:fs"
import { Refusal, systemCode } from "../../Fault.ts"
import { monotonicMs } from "../../clock.ts"
import type { LogPaths } from "./Directory.ts"

/** How old the last check may be for a read, in milliseconds. Reads acknowledge nothing. */
const readMs = 100

/** The first bytes of a write-ahead log that holds something; the last bit says in which order checksums are computed. */
const walMagic = 0x377f_0683

interface Named {
  readonly path: string
  readonly device: bigint
  readonly inode: bigint
}

export class Presence {
  readonly #directory: string
  readonly #database: string
  readonly #files: ReadonlyArray<Named>
  readonly #writeAheadLog: { readonly path: string; readonly file: number; readonly first: Buffer } | undefined
  #checkedMs: number

  /** Records device and inode of the open files. SQLite creates and removes the last two, but not while a writer is open. */
  constructor({ directory, database }: LogPaths, isReadOnly: boolean) {
    const log = `${database}-wal`
    const paths = isReadOnly ? [directory, database] : [directory, database, log, `${database}-shm`]
    this.#directory = directory
    this.#database = database
    this.#files = paths.map((path) => {
      const { dev: device, ino: inode } = statSync(path, { bigint: true })
      return { path, device, inode }
    })
    this.#writeAheadLog = isReadOnly ? undefined : { path: log, file: openSync(log, "r"), first: Buffer.alloc(4) }
    this.#checkedMs = monotonicMs()
  }

  /** Throws if a file is missing or was replaced. */
  check(): void {
    const missing = this.missing()
    if (missing !== undefined) throw new Refusal("Unavailable", `${missing}, so nothing was written; ${this.#advice}`)
  }

  /** The same for a read, at most every `readMs`. */
  checkForRead(): void {
    const nowMs = monotonicMs()
    if (nowMs - this.#checkedMs < readMs) return
    const missing = this.missing()
    if (missing !== undefined) throw new Refusal("Unavailable", `${missing}; ${this.#advice}`)
    this.#checkedMs = nowMs
  }

  /** The failure of a write whose files were gone when it was committed. */
  lost(missing: string): Refusal {
    return new Refusal("Disconnected", `${missing} while it was written; ${this.#advice}`)
  }

  /** What happened to the first file that is gone, as the beginning of a sentence; undefined if all are in place. */
  missing(): string | undefined {
    for (const { path, device, inode } of this.#files) {
      const found = lookAt(path)
      if (found === undefined) return `${path} was removed or renamed`
      if (typeof found === "string") return `${path} cannot be reached (${found})`
      if (found.dev !== device || found.ino !== inode) return `${path} was replaced by another`
      const isEmptied = attempt(() => this.#isEmptied(path, found.size))
      if (typeof isEmptied === "string") return `${path} cannot be read (${isEmptied})`
      if (isEmptied) return `${path} was emptied or overwritten by another program`
    }
    return undefined
  }

  close(): void {
    if (this.#writeAheadLog !== undefined) closeSync(this.#writeAheadLog.file)
  }

  /**
   * Whether a file lacks what it holds while the log is open. A write-ahead log is empty after a checkpoint, and otherwise begins with its magic
   * number; in one that was emptied SQLite goes on behind the hole. Only this file is opened here: closing one of the others would give up the
   * locks that SQLite has on it.
   */
  #isEmptied(path: string, size: bigint): boolean {
    if (path === this.#database) return size === 0n
    if (this.#writeAheadLog?.path !== path || size === 0n) return false
    const { file, first } = this.#writeAheadLog
    return readSync(file, first, 0, first.length, 0) === first.length && (first.readUInt32BE() | 1) !== walMagic
  }

  get #advice(): string {
    return `put the open log back in its place at ${this.#directory}, or open it again (restart) to use the one that is there`
  }
}

/** The file at a path; undefined if there is none, or an error code if the system does not say. */
function lookAt(path: string): BigIntStats | string | undefined {
  return attempt(() => statSync(path, { bigint: true, throwIfNoEntry: false }))
}

/** What `look` returns, or the code of its error. */
function attempt<A>(look: () => A): A | string {
  try {
    return look()
  } catch (error) {
    return systemCode(error) ?? String(error)
  }
}
