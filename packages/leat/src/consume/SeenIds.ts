/**
 * The ids that a lane has seen: a publisher that sends again what may be stored already, to a cluster that does not know ids, stores a second copy. In
 * one lane the first copies of a bucket rise in sequence, so the highest one tells every later copy.
 */
import { readMeta } from "../record/Wire.ts"
import type { ReceivedRecords } from "../transport/index.ts"

/** Publishers that are remembered, those that wrote last: each opening of a leat is one, with a number for each of its buckets. */
const incarnationsMax = 256

export class SeenIds {
  readonly #stream: string
  /** By incarnation, the one that wrote last behind the others: the highest sequence of each bucket. */
  readonly #highest = new Map<string, Map<number, number>>()
  #last: { readonly incarnation: string; readonly buckets: Map<number, number> } | undefined

  constructor(stream: string) {
    this.#stream = stream
  }

  /** Whether the event of a record was seen before; it is from now on. Records come in the order of the lane. */
  see(records: ReceivedRecords, index: number): boolean {
    const { id, isOtherStream, replays } = readMeta(records.headers(index), this.#stream)
    // What somebody replays is to be handled again.
    if (id === undefined || isOtherStream === true || replays !== undefined) return false
    const buckets = this.#bucketsOf(id.incarnation)
    const highest = buckets.get(id.bucket)
    if (highest !== undefined && id.seq <= highest) return true
    buckets.set(id.bucket, id.seq)
    return false
  }

  #bucketsOf(incarnation: string): Map<number, number> {
    if (this.#last?.incarnation === incarnation) return this.#last.buckets
    const buckets = this.#highest.get(incarnation) ?? new Map<number, number>()
    this.#highest.delete(incarnation)
    this.#highest.set(incarnation, buckets)
    if (this.#highest.size > incarnationsMax) {
      const [oldest] = this.#highest.keys()
      if (oldest !== undefined) this.#highest.delete(oldest)
    }
    this.#last = { incarnation, buckets }
    return buckets
  }
}
