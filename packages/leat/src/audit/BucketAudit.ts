/** What a topic shows of one bucket of one incarnation: which of its sequences are there, announced as dropped, or neither. */
import { type Range, Ranges } from "./Ranges.ts"

/** What a record shows of sequences that are not there. */
export interface Finding {
  /** Partition of the record. */
  readonly partition: number
  /** Epoch milliseconds of the record. */
  readonly timeMs: number
  /** The same of the record before, which showed what is below; negative infinity where there is none. */
  readonly sinceMs: number
  /** True: retention or compaction may have taken them away, and nobody can tell. */
  readonly isTakenAway: boolean
  /** Why they were dropped, where that is announced. */
  readonly reason?: string
}

/** `copy`: its sequence was there before. `late`: not, but a higher one was. `dropped`: it had been announced as dropped. */
export type Sighting = "first" | "copy" | "late" | "dropped"

export class BucketAudit {
  readonly #missing = new Ranges<Finding>()
  readonly #dropped = new Ranges<Finding>()
  /** Announced as dropped, whether it is there or not. */
  readonly #announced = new Ranges<Finding>()
  /** The latest that a record of it says: 0 where none says any. */
  epoch = 0
  /** From how many places something was known to be taken away when its last record was read. */
  cuts = 0
  /** Whether a record of it was read. A notice says nothing of where what is behind it stands. */
  isSeen = false
  #next = 0
  #lastMs = Number.NEGATIVE_INFINITY
  /** Of its last record, and the highest sequence that stands there. */
  #partition = -1
  #highest = -1

  /** Above all sequences that are there or announced. */
  get next(): number {
    return this.#next
  }

  /** Epoch milliseconds of the record that showed the highest of them; negative infinity where there is none. */
  get lastMs(): number {
    return this.#lastMs
  }

  /** What is neither there nor announced. */
  get missing(): ReadonlyArray<Range<Finding>> {
    return this.#missing.all
  }

  /** What is announced as dropped, and not there. */
  get dropped(): ReadonlyArray<Range<Finding>> {
    return this.#dropped.all
  }

  /** How many different ones of [from, to) are there. */
  presentWithin(from: number, to: number): number {
    const end = Math.min(to, this.#next)
    if (from >= end) return 0
    return end - from - lengthOf(this.#missing.within(from, end)) - this.droppedWithin(from, end)
  }

  /** How many of [from, to) are announced as dropped. */
  announcedWithin(from: number, to: number): number {
    return lengthOf(this.#announced.within(from, to))
  }

  /** How many of [from, to) are announced as dropped, and not there. */
  droppedWithin(from: number, to: number): number {
    return lengthOf(this.#dropped.within(from, to))
  }

  /** A record has the sequence. Everything below it that is not known is missing, until it comes or is announced. */
  see(seq: number, finding: Finding): Sighting {
    this.isSeen = true
    if (finding.partition !== this.#partition) this.#highest = -1
    this.#partition = finding.partition
    const isBehind = seq < this.#highest
    this.#highest = Math.max(this.#highest, seq)
    if (seq >= this.#next) {
      this.#missing.add(this.#next, seq, finding)
      this.#next = seq + 1
      this.#lastMs = finding.timeMs
      return "first"
    }
    // A topic that was given partitions has a bucket in two of them, and partitions are read one after the other.
    if (this.#missing.take(seq, seq + 1).length > 0) return isBehind ? "late" : "first"
    return this.#dropped.take(seq, seq + 1).length > 0 ? "dropped" : "copy"
  }

  /** Sequences [from, to) are announced as dropped. Returns how many of them are there all the same, of which no record before has said so. */
  announce(from: number, to: number, finding: Finding): number {
    // A notice whose record has no answer is repeated by the next one.
    const before = this.announcedWithin(from, to) - this.droppedWithin(from, to)
    this.#announced.take(from, to)
    this.#announced.add(from, to, finding)
    this.#missing.add(this.#next, from, finding)
    this.#next = Math.max(this.#next, from)
    const known = Math.min(to, this.#next)
    for (const range of this.#missing.take(from, known)) this.#dropped.add(range.from, range.to, finding)
    this.#dropped.add(known, to, finding)
    if (to > known) this.#lastMs = finding.timeMs
    this.#next = Math.max(this.#next, to)
    return to - from - this.droppedWithin(from, to) - before
  }
}

function lengthOf(ranges: ReadonlyArray<{ readonly from: number; readonly to: number }>): number {
  return ranges.reduce((sum, { from, to }) => sum + to - from, 0)
}
