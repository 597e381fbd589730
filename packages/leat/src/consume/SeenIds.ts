/**
 * The ids that a lane has seen: a publisher that sends again what may be stored already, to a cluster that does not know ids, stores a second copy. In
 * one lane the first copies of a bucket rise in sequence, so the highest one tells every later copy. Only what a person has resumed comes late: an
 * event that was set aside, and whose dead letter was refused too. It fills a gap that nothing announced, and such gaps are remembered.
 */
import { readMeta } from "../record/Wire.ts"
import type { ReceivedRecords } from "../transport/index.ts"

/** Publishers that are remembered, those that wrote last: each opening of a leat is one, with a number for each of its buckets. */
const incarnationsMax = 256

/** Gaps that are remembered, of all publishers together; the bucket whose first gap is the oldest is forgotten first. */
const gapsMax = 4096

/** Announced ranges of one bucket that are kept for the gap which its next record opens. */
const announcedMax = 64

/** Sequences [from, to): of a gap those that were not seen, below one that was. */
interface Gap {
  readonly from: number
  readonly to: number
}

interface Bucket {
  highest: number
  /** A gap too, from 0 on: what lies below the first that came. It is opened by what fills it: most buckets have it, and nothing ever does. */
  unseenBelow: number
  /** In rising order. */
  gaps: ReadonlyArray<Gap>
  /** Dropped above the highest: the record that says so is mostly of another bucket, and comes before the next one of this. */
  announced: ReadonlyArray<Gap>
}

/** An event is old that was offered so long before what was looked at begins, in milliseconds: clocks differ, and batches take turns. */
const olderMs = 60_000

const none: ReadonlyArray<Gap> = []

export class SeenIds {
  readonly #stream: string
  /** By incarnation, the one that wrote last behind the others. */
  readonly #publishers = new Map<string, Map<number, Bucket>>()
  /** Those with gaps, in the order in which the first one of each began. */
  readonly #gapped = new Set<Bucket>()
  #gaps = 0
  /** When what was looked at begins, in epoch milliseconds; undefined: with the log, or nothing was looked at yet. */
  #fromMs: number | undefined
  #isCut = false
  readonly #onOld: () => void
  #last: { readonly incarnation: string; readonly buckets: Map<number, Bucket> } | undefined

  /** `onOld`: an event is taken for new that was offered before what was looked at begins: its first copy may lie there. */
  constructor(stream: string, onOld: () => void = () => undefined) {
    this.#stream = stream
    this.#onOld = onOld
  }

  /** What is looked at does not begin with the log. Said before the first record is. */
  cut(): void {
    this.#isCut = true
  }

  /** Whether the event of a record was seen before; it is from now on. Records come in the order of the lane. */
  see(records: ReceivedRecords, index: number): boolean {
    return this.#seeRecord(records, index, false)
  }

  /** Learns from a record before the lane, which others lie before: what is below the first of its bucket was there. */
  lookBackAt(records: ReceivedRecords, index: number): void {
    this.#seeRecord(records, index, true)
  }

  #seeRecord(records: ReceivedRecords, index: number, isBefore: boolean): boolean {
    const { id, isOtherStream, replays, dropped, timeMs } = readMeta(records.headers(index), this.#stream)
    // What somebody replays is to be handled again.
    if (id === undefined || isOtherStream === true || replays !== undefined) return false
    if (this.#isCut) this.#fromMs ??= records.timeMs(index)
    const buckets = this.#bucketsOf(id.incarnation)
    const isOld = !isBefore && this.#fromMs !== undefined && (timeMs ?? Infinity) < this.#fromMs - olderMs
    if (isOld && !buckets.has(id.bucket)) this.#onOld()
    const isSeen = this.#see(buckets, id.bucket, id.seq, isBefore)
    for (const { bucket: number, ...range } of dropped) {
      const bucket = buckets.get(number)
      if (bucket === undefined) continue
      this.#close(bucket, range.from, range.to)
      if (range.to >= bucket.unseenBelow) bucket.unseenBelow = Math.min(bucket.unseenBelow, range.from)
      if (range.to > bucket.highest) bucket.announced = [...bucket.announced, range].slice(-announcedMax)
    }
    return isSeen
  }

  #see(buckets: Map<number, Bucket>, number: number, seq: number, isBefore: boolean): boolean {
    const bucket = buckets.get(number)
    if (bucket === undefined)
      buckets.set(number, { highest: seq, unseenBelow: isBefore ? 0 : seq, gaps: none, announced: none })
    else if (seq <= bucket.highest) {
      this.#openBelow(bucket, seq)
      return !this.#close(bucket, seq, seq + 1)
    } else {
      const { announced } = bucket
      if (seq > bucket.highest + 1) {
        let opened: ReadonlyArray<Gap> = [{ from: bucket.highest + 1, to: seq }]
        for (const { from, to } of announced) opened = without(opened, from, to)
        this.#remember(bucket, [...bucket.gaps, ...opened])
      }
      bucket.highest = seq
      if (announced.length > 0) bucket.announced = announced.filter(({ to }) => to > seq)
    }
    return false
  }

  /** What comes below the first of its bucket makes the gap there one of those that are counted. */
  #openBelow(bucket: Bucket, seq: number): void {
    const to = bucket.unseenBelow
    if (seq >= to) return
    bucket.unseenBelow = 0
    this.#remember(bucket, [{ from: 0, to }, ...bucket.gaps])
  }

  /** Sequences [from, to) are in no gap any more. Returns whether any was. */
  #close(bucket: Bucket, from: number, to: number): boolean {
    if (!bucket.gaps.some((gap) => gap.from < to && from < gap.to)) return false
    this.#remember(bucket, without(bucket.gaps, from, to))
    return true
  }

  #remember(bucket: Bucket, gaps: ReadonlyArray<Gap>): void {
    this.#gaps += gaps.length - bucket.gaps.length
    bucket.gaps = gaps
    if (gaps.length === 0) this.#gapped.delete(bucket)
    else this.#gapped.add(bucket)
    const [oldest] = this.#gapped
    if (this.#gaps > gapsMax && oldest !== undefined) this.#remember(oldest, none)
  }

  #bucketsOf(incarnation: string): Map<number, Bucket> {
    if (this.#last?.incarnation === incarnation) return this.#last.buckets
    const buckets = this.#publishers.get(incarnation) ?? new Map<number, Bucket>()
    this.#publishers.delete(incarnation)
    this.#publishers.set(incarnation, buckets)
    if (this.#publishers.size > incarnationsMax) {
      const [oldest] = this.#publishers.keys()
      if (oldest !== undefined) this.#publishers.delete(oldest)
    }
    this.#last = { incarnation, buckets }
    return buckets
  }
}

function without(gaps: ReadonlyArray<Gap>, from: number, to: number): ReadonlyArray<Gap> {
  const left = gaps.flatMap((gap) => [
    { from: gap.from, to: Math.min(gap.to, from) },
    { from: Math.max(gap.from, to), to: gap.to }
  ])
  return left.filter((gap) => gap.from < gap.to)
}
