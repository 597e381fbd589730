/**
 * A file beside the database that holds some of the volume's last space. What other programs write takes all that is free, and a log that has nothing
 * left cannot even delete. So this file is removed then: its space is the write-ahead log of what deletes. It is written again as soon as
 * there is room for it. Only whoever holds the log for a write removes or writes it, so that each process reckons with the same.
 */
import { randomBytes } from "node:crypto"
import { closeSync, openSync, rmSync, statSync, writeSync } from "node:fs"

/** Enough for the deletion of a single row, which changes about a dozen pages, more than twice. */
export const reserveBytes = 128 * 1024

export class Reserve {
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  /** What the volume has back when it is removed. */
  get bytes(): number {
    return statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0
  }

  remove(): void {
    rmSync(this.#path, { force: true })
  }

  /** Writes so much of it. */
  put(bytes: number): void {
    const file = openSync(this.#path, "w")
    try {
      // No zeros: a file system that makes a hole of them would keep nothing.
      writeSync(file, randomBytes(bytes))
    } finally {
      closeSync(file)
    }
  }
}
