import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const home = fileURLToPath(new URL("../../../../.leat/demo", import.meta.url))

/**
 * The runs over one set of input files, numbered, below the repository's `.leat/demo`. All processes that are started without a
 * directory take the newest; who finds that one finished begins the next, and the others follow.
 */
export class RunFolder {
  readonly #folder: string

  constructor(inputDigest: string, parent = home) {
    this.#folder = join(parent, inputDigest)
  }

  /** Directory of the newest run; created when there is none. */
  current(): string {
    return this.#at(this.#numbers().at(-1) ?? 1)
  }

  /** Directory of the run behind a finished one, which is removed. */
  after(finished: string): string {
    const next = this.beside(finished)
    this.#remove(numberOf(finished))
    return next
  }

  /** Directory of the newest run behind another, which stays; created when there is none. */
  beside(other: string): string {
    return this.#at(Math.max(numberOf(other) + 1, this.#numbers().at(-1) ?? 1))
  }

  #at(number: number): string {
    const directory = join(this.#folder, `run-${number}`)
    mkdirSync(directory, { recursive: true })
    return directory
  }

  /** Renamed first, so that nobody ever opens half of a run. */
  #remove(number: number): void {
    const gone = join(this.#folder, `finished-${number}-${process.pid}`)
    try {
      renameSync(join(this.#folder, `run-${number}`), gone)
    } catch (error) {
      // Another process was first.
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return
      throw error
    }
    rmSync(gone, { recursive: true, force: true })
  }

  #numbers(): ReadonlyArray<number> {
    mkdirSync(this.#folder, { recursive: true })
    return readdirSync(this.#folder)
      .flatMap((name) => /^run-(\d+)$/.exec(name)?.[1] ?? [])
      .map(Number)
      .toSorted((a, b) => a - b)
  }
}

function numberOf(directory: string): number {
  return Number(/\d+$/.exec(directory)?.[0] ?? 0)
}
