/** Lines of a page. */
const pageLines = 4096

/** Repeated lines that are kept by name; more are counted only. */
const twiceMax = 100

/** Lines of one file, a bit each, in pages; by name what is no whole line. */
interface FileLines {
  readonly pages: Map<number, Uint32Array>
  readonly pieces: Set<string>
}

/**
 * Lines of input by their names (`file:17`, or `file:17+2` for a piece), and which of them came more than once. Takes a bit for each line, so
 * that the lines of a file of many gigabytes fit into memory.
 */
export class LineSet {
  readonly #files = new Map<string, FileLines>()
  readonly #twice: Array<string> = []
  #size = 0
  #repeated = 0

  /** Different lines. */
  get size(): number {
    return this.#size
  }

  /** Some of the lines that came more than once. */
  get twice(): ReadonlyArray<string> {
    return this.#twice
  }

  /** How often a line came that was here already. */
  get repeated(): number {
    return this.#repeated
  }

  hasFile(name: string): boolean {
    return this.#files.has(name)
  }

  has(ref: string): boolean {
    const [file, line] = parts(ref)
    const found = this.#files.get(file)
    if (found === undefined) return false
    const number = wholeNumber(line)
    if (number === undefined) return found.pieces.has(line)
    const word = found.pages.get(Math.floor(number / pageLines))?.[(number % pageLines) >>> 5] ?? 0
    return (word & (1 << (number & 31))) !== 0
  }

  add(ref: string): void {
    if (this.has(ref)) {
      this.#repeat(ref)
      return
    }
    const [file, line] = parts(ref)
    const lines = this.#files.get(file) ?? { pages: new Map<number, Uint32Array>(), pieces: new Set<string>() }
    this.#files.set(file, lines)
    this.#size++
    const number = wholeNumber(line)
    if (number === undefined) {
      lines.pieces.add(line)
      return
    }
    const page = Math.floor(number / pageLines)
    const words = lines.pages.get(page) ?? new Uint32Array(pageLines / 32)
    lines.pages.set(page, words)
    const index = (number % pageLines) >>> 5
    words[index] = (words[index] ?? 0) | (1 << (number & 31))
  }

  addAll(other: LineSet): void {
    for (const ref of other) this.add(ref)
    for (const ref of other.twice) this.#repeat(ref)
    this.#repeated += other.repeated - other.twice.length
  }

  *[Symbol.iterator](): Generator<string> {
    for (const [file, { pages, pieces }] of this.#files) {
      for (const [page, words] of pages)
        for (const [index, word] of words.entries())
          for (let bit = 0; word >>> bit !== 0 && bit < 32; bit++)
            if ((word & (1 << bit)) !== 0) yield `${file}:${page * pageLines + index * 32 + bit}`
      for (const piece of pieces) yield `${file}:${piece}`
    }
  }

  #repeat(ref: string): void {
    this.#repeated++
    if (this.#twice.length < twiceMax) this.#twice.push(ref)
  }
}

function parts(ref: string): readonly [file: string, line: string] {
  const at = ref.lastIndexOf(":")
  return [ref.slice(0, Math.max(0, at)), ref.slice(at + 1)]
}

/** Undefined for what is not written as this set writes it. */
function wholeNumber(line: string): number | undefined {
  const number = Number(line)
  return Number.isSafeInteger(number) && number >= 0 && String(number) === line ? number : undefined
}
