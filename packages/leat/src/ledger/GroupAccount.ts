/** What one group has done here with one stream: the rows of its lanes, those that are read now and those that were given back. */
import { added, type Counts, watchReasons } from "./Counts.ts"
import { Failures } from "./Failures.ts"
import type { ReadRow } from "./Ledger.ts"

/** Counters of a lane by reason. */
export type ReadTerm = "moved" | "deadLettered" | "dropped"

const terms: ReadonlyArray<ReadTerm> = ["moved", "deadLettered", "dropped"]

export class GroupAccount {
  readonly group: string
  readonly stream: string
  /** What its handlers failed with here. */
  readonly failures = new Failures()
  /** Events that were handled although dedupe cannot know whether they were before: they are older than what it looks through. */
  unchecked = 0
  /** Called with a reason that one of its lanes has counted for the first time. */
  began: ((term: ReadTerm, reason: string) => void) | undefined
  /** Called when it is known how many records wait in a retry topic of the group, and when nobody here knows any more. */
  tierChanged: ((tier: number, isKnown: boolean) => void) | undefined
  /** By tier of its retry topics, from 1: records that wait there, as they were counted last. */
  readonly #waiting = new Map<number, number>()
  readonly #reading = new Set<() => ReadRow>()
  /** By lane, of those that were given back. */
  readonly #read = new Map<string, ReadRow>()

  constructor(group: string, stream: string) {
    this.group = group
    this.stream = stream
  }

  /** Registers a lane being read; returns how to close its row when the lane is given back. */
  watch(row: () => ReadRow, counts: Readonly<Record<ReadTerm, Counts>> | undefined): () => void {
    this.#reading.add(row)
    if (counts !== undefined)
      for (const term of terms) watchReasons(counts[term], (reason) => this.began?.(term, reason))
    return () => {
      this.#reading.delete(row)
      const last = row()
      this.#read.set(last.lane, merged(this.#read.get(last.lane), last))
    }
  }

  /** So many records wait in a tier; undefined: nobody here counts them any more. */
  waits(tier: number, records: number | undefined): void {
    const isNew = !this.#waiting.has(tier)
    if (records !== undefined) this.#waiting.set(tier, records)
    else if (!this.#waiting.delete(tier)) return
    if (records === undefined || isNew) this.tierChanged?.(tier, records !== undefined)
  }

  waitingIn(tier: number): number {
    return this.#waiting.get(tier) ?? 0
  }

  /** One row for each lane. */
  get rows(): ReadonlyArray<ReadRow> {
    const read = new Map(this.#read)
    for (const row of this.#reading) {
      const now = row()
      read.set(now.lane, merged(read.get(now.lane), now))
    }
    return Array.from(read.values())
  }

  /** Over all lanes. */
  total(of: (row: ReadRow) => number): number {
    let total = 0
    for (const row of this.#read.values()) total += of(row)
    for (const row of this.#reading) total += of(row())
    return total
  }
}

/** A lane held twice is one row: all counts add up, because one holder may still end while the next one reads; the range is the latest. */
function merged(earlier: ReadRow | undefined, later: ReadRow): ReadRow {
  if (earlier === undefined) return later
  return {
    ...later,
    positions: earlier.positions + later.positions,
    done: earlier.done + later.done,
    moved: added(earlier.moved, later.moved),
    deadLettered: added(earlier.deadLettered, later.deadLettered),
    dropped: added(earlier.dropped, later.dropped),
    duplicate: earlier.duplicate + later.duplicate,
    skipped: added(earlier.skipped, later.skipped),
    parked: earlier.parked + later.parked,
    inFlight: earlier.inFlight + later.inFlight,
    unread: earlier.unread + later.unread,
    balanced: earlier.balanced && later.balanced
  }
}
