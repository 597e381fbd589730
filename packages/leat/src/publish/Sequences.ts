/**
 * The next sequence of each bucket of one stream. Kept in pages that come with the first event of one of their buckets: most
 * streams use few of their buckets, and there may be ten thousand streams.
 */
import type { BucketNext } from "../transport/Announcement.ts"

const pageBits = 6
const pageBuckets = 1 << pageBits

export class Sequences {
  readonly #pages: Array<Float64Array | undefined> = []

  /** The sequence that the next event of the bucket gets. */
  next(bucket: number): number {
    return this.#pages[bucket >> pageBits]?.[bucket & (pageBuckets - 1)] ?? 0
  }

  /** The next sequence of the bucket is taken. */
  advance(bucket: number): void {
    const page = (this.#pages[bucket >> pageBits] ??= new Float64Array(pageBuckets))
    const place = bucket & (pageBuckets - 1)
    page[place] = (page[place] ?? 0) + 1
  }

  /** Buckets that have had an event, with the sequence that the next one will get. */
  get used(): ReadonlyArray<BucketNext> {
    return this.#pages.flatMap((page = new Float64Array(0), index) =>
      Array.from(page, (next, place): BucketNext => [index * pageBuckets + place, next]).filter(([, next]) => next > 0)
    )
  }
}
