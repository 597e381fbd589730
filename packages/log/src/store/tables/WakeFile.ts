/**
 * The file that wakes other processes after a commit: they watch it, and each commit writes a few bytes to it. The bytes also record
 * outside of SQLite how far the log reached: without them a truncated write-ahead log would look complete.
 */
import { crc32c } from "leat/record"
import { Buffer } from "node:buffer"
import { closeSync, constants, openSync, readFileSync, type FSWatcher, watch, writeSync } from "node:fs"

/** How far a log reaches. */
export interface Reach {
  /** The highest block id that was ever stored. */
  readonly lastId: number
  /** Positions given in all partitions together. */
  readonly positions: number
}

const sumAt = 16
const length = 20

export class WakeFile {
  readonly #path: string
  readonly #bytes = Buffer.alloc(length)
  #file: number | undefined
  #watcher: FSWatcher | undefined

  constructor(path: string) {
    this.#path = path
  }

  /** Announces a commit. Never fails: the commit is in the log already. */
  touch({ lastId, positions }: Reach): void {
    try {
      // Without truncation: a reader must never find the file empty.
      this.#file ??= openSync(this.#path, constants.O_RDWR | constants.O_CREAT)
      this.#bytes.writeDoubleLE(lastId, 0)
      this.#bytes.writeDoubleLE(positions, 8)
      this.#bytes.writeUInt32LE(crc32c(this.#bytes, 0, sumAt), sumAt)
      writeSync(this.#file, this.#bytes, 0, length, 0)
    } catch {
      // The disk is full, usually. Other processes find the commit by polling.
    }
  }

  /** The last announcement; undefined if the file is missing or does not verify. */
  read(): Reach | undefined {
    try {
      const bytes = readFileSync(this.#path)
      if (bytes.length < length || bytes.readUInt32LE(sumAt) !== crc32c(bytes, 0, sumAt)) return undefined
      return { lastId: bytes.readDoubleLE(0), positions: bytes.readDoubleLE(8) }
    } catch {
      return undefined
    }
  }

  /** Calls `then` after each commit of any process. Returns false if the system has no more watches. */
  watch(then: () => void): boolean {
    if (this.#watcher !== undefined) return true
    try {
      closeSync(openSync(this.#path, "a"))
      this.#watcher = watch(this.#path, { persistent: false }, then)
      this.#watcher.on("error", () => this.#unwatch())
      return true
    } catch {
      return false
    }
  }

  close(): void {
    this.#unwatch()
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
  }

  #unwatch(): void {
    this.#watcher?.close()
    this.#watcher = undefined
  }
}
