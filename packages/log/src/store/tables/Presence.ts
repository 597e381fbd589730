/**
 * Whether the files that a log has open still are what its path names: SQLite goes on with files that were removed or replaced, and
 * what it writes there is gone with the process. Nothing is remembered of a failure: put back in place, the log goes on.
 */
import { type BigIntStats, statSync } from "node:fs"
import { Refusal, systemCode } from "../../Fault.ts"
import { monotonicMs } from "../../clock.ts"
import type { LogPaths } from "./Directory.ts"

/** How old a check may be that a read relies on, in milliseconds: a read promises nothing. */
const readMs = 100

interface Named {
  readonly path: string
  readonly device: bigint
  readonly inode: bigint
}

export class Presence {
  readonly #directory: string
  readonly #files: ReadonlyArray<Named>
  #checkedMs: number

  /** Notes which files are open now. SQLite creates and removes the last two itself, but not while a writer is open. */
  constructor({ directory, database }: LogPaths, isReadOnly: boolean) {
    const paths = isReadOnly ? [directory, database] : [directory, database, `${database}-wal`, `${database}-shm`]
    this.#directory = directory
    this.#files = paths.map((path) => {
      const { dev: device, ino: inode } = statSync(path, { bigint: true })
      return { path, device, inode }
    })
    this.#checkedMs = monotonicMs()
  }

  /** Throws when a file is not there, or is another. */
  check(): void {
    const missing = this.missing()
    if (missing !== undefined) throw new Refusal("Unavailable", `${missing}, so nothing was written; ${this.#advice}`)
  }

  /** The same for a read, now and then. */
  checkForRead(): void {
    const nowMs = monotonicMs()
    if (nowMs - this.#checkedMs < readMs) return
    const missing = this.missing()
    if (missing !== undefined) throw new Refusal("Unavailable", `${missing}; ${this.#advice}`)
    this.#checkedMs = nowMs
  }

  /** The fault of a write that is committed to files that were gone by then. */
  lost(missing: string): Refusal {
    return new Refusal("Disconnected", `${missing} while it was written; ${this.#advice}`)
  }

  /** Which file is gone, as the beginning of a sentence; undefined: all are there. */
  missing(): string | undefined {
    for (const { path, device, inode } of this.#files) {
      const found = lookAt(path)
      if (found === undefined) return `${path} was removed or renamed`
      if (typeof found === "string") return `${path} cannot be reached (${found})`
      if (found.dev !== device || found.ino !== inode) return `${path} was replaced by another`
    }
    return undefined
  }

  get #advice(): string {
    return `put the open log back in its place at ${this.#directory}, or open it again (restart) to use the one that is there`
  }
}

/** What stands at a path; a code where the system does not say. */
function lookAt(path: string): BigIntStats | string | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false })
  } catch (error) {
    return systemCode(error) ?? String(error)
  }
}
