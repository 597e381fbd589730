/**
 * The next sequence of each bucket of one stream. Most streams use few of their buckets, and there may be ten thousand streams: a table of
 * the used ones grows with them, until a column of all buckets is not much larger and is faster.
 */
import type { BucketRange } from "../ledger/BucketRange.ts"
import type { BucketNext } from "../transport/Announcement.ts"

/** Pairs that the table begins with; a power of two, as later. */
const pairsMin = 4

/** A column is made when one bucket of so many is used. */
const columnPart = 16

export class Sequences {
  readonly #buckets: number
  /** Pairs of a bucket and its next sequence, which is 0 where the pair is free; a bucket stands at its place or behind. */
  #table: Array<number> = []
  #used = 0
  #column: Float64Array | undefined

  /** Of a stream with so many buckets. */
  constructor(buckets: number) {
    this.#buckets = buckets
  }

  /** The sequence that the next event of the bucket gets. */
  next(bucket: number): number {
    const column = this.#column
    if (column !== undefined) return column[bucket] ?? 0
    return this.#used === 0 ? 0 : (this.#table[this.#find(bucket) + 1] ?? 0)
  }

  /** The next sequence of the bucket is taken. */
  advance(bucket: number): void {
    const column = this.#column
    if (column !== undefined) {
      column[bucket] = (column[bucket] ?? 0) + 1
      return
    }
    if (this.#used === 0) this.#table = freePairs(pairsMin)
    const at = this.#find(bucket)
    const next = (this.#table[at + 1] ?? 0) + 1
    this.#table[at] = bucket
    this.#table[at + 1] = next
    if (next === 1) this.#grow()
  }

  /** Buckets that have had an event, with the sequence that the next one will get. */
  get used(): ReadonlyArray<BucketNext> {
    if (this.#column !== undefined)
      return Array.from(this.#column, (next, bucket): BucketNext => [bucket, next]).filter(([, next]) => next > 0)
    const used: Array<BucketNext> = []
    this.#each((bucket, next) => used.push([bucket, next]))
    return used.toSorted(([left], [right]) => left - right)
  }

  /** How many sequences of these buckets are taken. */
  takenIn({ from, to }: BucketRange): number {
    let taken = 0
    for (let bucket = from; bucket < to; bucket++) taken += this.next(bucket)
    return taken
  }

  /** Where the pair of the bucket is, or is to be. */
  #find(bucket: number): number {
    const table = this.#table
    const last = table.length - 2
    let at = (bucket * 2) & last
    while (table[at] !== bucket && table[at + 1] !== 0) at = (at + 2) & last
    return at
  }

  /** One more bucket is used: at least a quarter of the pairs stays free. */
  #grow(): void {
    this.#used++
    if (this.#used * columnPart > this.#buckets) {
      const column = new Float64Array(this.#buckets)
      this.#each((bucket, next) => (column[bucket] = next))
      this.#column = column
      this.#table = []
    } else if (this.#used * 8 > this.#table.length * 3) {
      const pairs: Array<number> = []
      this.#each((bucket, next) => pairs.push(bucket, next))
      this.#table = freePairs(this.#table.length)
      for (let index = 0; index < pairs.length; index += 2) {
        const at = this.#find(pairs[index] ?? 0)
        this.#table[at] = pairs[index] ?? 0
        this.#table[at + 1] = pairs[index + 1] ?? 0
      }
    }
  }

  #each(visit: (bucket: number, next: number) => void): void {
    const table = this.#table
    for (let at = 0; at < table.length; at += 2) if (table[at + 1] !== 0) visit(table[at] ?? 0, table[at + 1] ?? 0)
  }
}

/** So many pairs of a bucket that there is not, and no sequence. */
function freePairs(count: number): Array<number> {
  const table: Array<number> = []
  for (let index = 0; index < count; index++) table.push(-1, 0)
  return table
}
