/**
 * What counters read at past moments, by slot. One row of numbers for each slot: ten thousand streams are read in the order in which their
 * counters stand in memory.
 */
export class Readings {
  /** By slot: what each counter read, in the order in which they were added. Of counters that came later there is nothing: they were 0. */
  readonly #rows: Array<Float64Array | undefined> = []
  /** What counters read now. */
  #now = new Float64Array(16)
  #count = 0

  /** Adds a counter; returns its index. */
  add(): number {
    if (this.#count === this.#now.length) {
      const larger = new Float64Array(this.#count * 2)
      larger.set(this.#now)
      this.#now = larger
    }
    return this.#count++
  }

  /** A counter reads so much now. */
  set(index: number, count: number): void {
    this.#now[index] = count
  }

  /** Keeps what counters read now, in the place of what the slots held. */
  keep(slots: ReadonlyArray<number>): void {
    const now = this.#now.subarray(0, this.#count)
    for (const slot of slots) {
      const row = this.#rows[slot]
      if (row?.length === now.length) row.set(now)
      else this.#rows[slot] = now.slice()
    }
  }

  /** What a counter read in a slot; undefined for a slot or a counter: 0. */
  at(index: number | undefined, slot: number | undefined): number {
    return index === undefined || slot === undefined ? 0 : (this.#rows[slot]?.[index] ?? 0)
  }
}
