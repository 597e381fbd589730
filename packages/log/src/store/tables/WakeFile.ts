/**
 * How other processes learn of a commit: a few bytes written after it, on which they have a watch. What stands in them is also
 * the only witness outside of SQLite of how far the log reached: a write-ahead log that was cut is otherwise simply shorter.
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

  /** Tells everybody that this much is committed. Never fails: the log itself has everything already. */
  touch({ lastId, positions }: Reach): void {
    try {
      // Without truncation: who reads it in between must not find it empty.
      this.#file ??= openSync(this.#path, constants.O_RDWR | constants.O_CREAT)
      this.#bytes.writeDoubleLE(lastId, 0)
      this.#bytes.writeDoubleLE(positions, 8)
      this.#bytes.writeUInt32LE(crc32c(this.#bytes, 0, sumAt), sumAt)
      writeSync(this.#file, this.#bytes, 0, length, 0)
    } catch {
      // A full disk, mostly. The others find the commit by their slow look.
    }
  }

  /** What was announced last; undefined when the file is not there or does not verify. */
  read(): Reach | undefined {
    try {
      const bytes = readFileSync(this.#path)
      if (bytes.length < length || bytes.readUInt32LE(sumAt) !== crc32c(bytes, 0, sumAt)) return undefined
      return { lastId: bytes.readDoubleLE(0), positions: bytes.readDoubleLE(8) }
    } catch {
      return undefined
    }
  }

  /** Calls `then` when anybody commits. Returns false where the system gives no more watches. */
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
