/** What a process that is closed has said of its drops that no record announces: which events of each bucket they were. */
import type { UnannouncedRange } from "../ledger/Unannounced.ts"
import type { BucketAudit } from "./BucketAudit.ts"
import type { SequenceRange } from "./SequenceAudit.ts"

/** Of what is not there, the part that it has said to be dropped, and the rest. */
export interface SaidParts {
  readonly said: ReadonlyArray<SequenceRange>
  readonly rest: Array<SequenceRange>
}

export class SaidAtClose {
  readonly #ranges = new Map<number, Array<readonly [from: number, to: number]>>()
  /** Events that no record announced, as far as the records are there, and of these such as are there themselves. */
  readonly events: number
  readonly there: number

  /** `buckets`: what records show, these drops not counted. */
  constructor(ranges: ReadonlyArray<UnannouncedRange>, buckets: ReadonlyMap<number, BucketAudit>) {
    let events = 0
    let there = 0
    for (const [bucket, from, to] of ranges) {
      const own = this.#ranges.get(bucket) ?? []
      own.push([from, to])
      this.#ranges.set(bucket, own)
      const audit = buckets.get(bucket)
      // A marker that nobody had an answer for may have arrived, and announces them too.
      const announced = audit?.announcedWithin(from, to) ?? 0
      events += to - from - announced
      there += (audit?.presentWithin(from, to) ?? 0) - announced + (audit?.droppedWithin(from, to) ?? 0)
    }
    for (const own of this.#ranges.values()) own.sort(([one], [other]) => one - other)
    this.events = events
    this.there = there
  }

  parts(missing: ReadonlyArray<SequenceRange>): SaidParts {
    const said: Array<SequenceRange> = []
    const rest: Array<SequenceRange> = []
    for (const range of missing) {
      let at = range.from
      for (const [from, to] of this.#ranges.get(range.bucket) ?? []) {
        if (to <= at || from >= range.to) continue
        if (from > at) rest.push({ ...range, from: at, to: from })
        said.push({ ...range, from: Math.max(at, from), to: Math.min(to, range.to) })
        at = Math.min(to, range.to)
      }
      if (at < range.to) rest.push({ ...range, from: at, to: range.to })
    }
    return { said, rest }
  }
}
