/** What a `WriteModel` holds: batches of ranges of records, and what is said to it. */

import type { DroppedRange } from "../../src/record/DropNotice.ts"

export interface ModelRecord {
  readonly bucket: number
  readonly seq: number
  readonly isMarker: boolean
  /** Epoch milliseconds. */
  timeMs: number
  /** Who waits for it: indexes into `waiters`. */
  readonly waiters: Array<number>
}

/** What somebody who waits was told. */
export interface ModelWaiter {
  pending: number
  stored: number
  deadLettered: Record<string, number>
  dropped: Record<string, number>
  mayBeStored: number
}

/** Records that are sent together. */
export interface Range {
  readonly records: ReadonlyArray<ModelRecord>
  state: "queued" | "inFlight" | "inDoubt" | "deadLettering" | "ended"
  attempts: number
  firstMs: number
  mayBeStored: boolean
  /** What its first record announces, one text for each drop. */
  said: ReadonlyArray<string>
  /** In how many ranges the record announces it, and in how many at most. */
  saidIn: number
  saidMax: number
}

export interface Batch {
  readonly id: number
  ranges: Array<Range>
  bytes: number
  isReusable: boolean
}

export interface ModelRules {
  readonly lingerMs: number
  readonly batchBytes: number
  readonly batchRecords: number
  readonly canFence: boolean
  readonly lettersMax: number
}

/** A part of a range, counted from its first record, and what became of it. */
export interface Answer {
  readonly count: number
  readonly fate: "stored" | "notStored" | "unknown"
  /** Whether the driver said why. */
  readonly isExplained: boolean
  readonly tag: string
  readonly detail: string
}

/** What the policy of the test says, by hand: again in so many milliseconds, dropped, set aside, or the lane halts. */
export type Ruling = (tag: string, attempts: number, elapsedMs: number) => number | "drop" | "deadLetter" | "halt"

export function rangeOf(records: ReadonlyArray<ModelRecord>): Range {
  return {
    records,
    state: "queued",
    attempts: 0,
    firstMs: 0,
    mayBeStored: false,
    said: [],
    saidIn: 0,
    saidMax: Infinity
  }
}

export function countOf({ ranges }: Batch): number {
  return ranges.reduce((sum, { records }) => sum + records.length, 0)
}

/** One text for each drop, as `said` has them; a range has at least one. */
export function textsOf(ranges: ReadonlyArray<DroppedRange>): Array<string> {
  const texts: Array<string> = []
  for (const { bucket, from, to, reason } of ranges) {
    if (!(from < to)) texts.push(`${bucket}:none:${reason}`)
    for (let seq = from; seq < to; seq++) texts.push(`${bucket}:${seq}:${reason}`)
  }
  return texts.toSorted()
}
