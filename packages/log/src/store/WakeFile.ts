/**
 * How other processes learn of a commit: 16 bytes written after it, on which they have a watch. The number in it is also the
 * only witness outside of SQLite of how far the log reached: a write-ahead log that was cut is otherwise simply shorter.
 */
import { Buffer } from "node:buffer"
import { closeSync, constants, openSync, readFileSync, type FSWatcher, watch, writeSync } from "node:fs"
import { crc32c } from "../crc32c.ts"

export class WakeFile {
  readonly #path: string
  readonly #bytes = Buffer.alloc(16)
  #file: number | undefined
  #watcher: FSWatcher | undefined

  constructor(path: string) {
    this.#path = path
  }

  /** Tells everybody that batches up to `lastId` are committed. Never fails: the log itself has everything already. */
  touch(lastId: number): void {
    try {
      // Without truncation: who reads it in between must not find it empty.
      this.#file ??= openSync(this.#path, constants.O_RDWR | constants.O_CREAT)
      this.#bytes.writeDoubleLE(lastId, 0)
      this.#bytes.writeUInt32LE(crc32c(this.#bytes, 0, 8), 8)
      writeSync(this.#file, this.#bytes, 0, 16, 0)
    } catch {
      // A full disk, mostly. The others find the commit by their slow look.
    }
  }

  /** The highest batch that anybody announced; 0 when the file is not there or does not verify. */
  read(): number {
    try {
      const bytes = readFileSync(this.#path)
      if (bytes.length < 12 || bytes.readUInt32LE(8) !== crc32c(bytes, 0, 8)) return 0
      return bytes.readDoubleLE(0)
    } catch {
      return 0
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
