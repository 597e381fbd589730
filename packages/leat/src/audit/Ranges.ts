/** Sequences [from, to), and what is known of them. */
export interface Range<A> {
  readonly from: number
  readonly to: number
  readonly of: A
}

/** Disjoint ranges of sequences, in rising order. */
export class Ranges<A> {
  readonly #ranges: Array<Range<A>> = []

  get all(): ReadonlyArray<Range<A>> {
    return this.#ranges
  }

  /** Adds a range of which nothing is there yet; one without sequences is none. */
  add(from: number, to: number, of: A): void {
    if (from < to) this.#ranges.splice(this.#firstEndingAfter(from), 0, { from, to, of })
  }

  /** What is there of [from, to). */
  within(from: number, to: number): ReadonlyArray<Range<A>> {
    const found: Array<Range<A>> = []
    for (let index = this.#firstEndingAfter(from); ; index++) {
      const range = this.#ranges[index]
      if (range === undefined || range.from >= to) return found
      found.push({ ...range, from: Math.max(range.from, from), to: Math.min(range.to, to) })
    }
  }

  /** Takes out what is there of [from, to), and returns it. */
  take(from: number, to: number): ReadonlyArray<Range<A>> {
    const taken = this.within(from, to)
    if (taken.length === 0) return taken
    const at = this.#firstEndingAfter(from)
    const first = this.#ranges[at]
    const last = this.#ranges[at + taken.length - 1]
    const left: Array<Range<A>> = []
    if (first !== undefined && first.from < from) left.push({ ...first, to: from })
    if (last !== undefined && last.to > to) left.push({ ...last, from: to })
    this.#ranges.splice(at, taken.length, ...left)
    return taken
  }

  /** Index of the first range that ends behind `seq`. */
  #firstEndingAfter(seq: number): number {
    let low = 0
    for (let high = this.#ranges.length; low < high;) {
      const middle = (low + high) >> 1
      if ((this.#ranges[middle]?.to ?? 0) > seq) high = middle
      else low = middle + 1
    }
    return low
  }
}
