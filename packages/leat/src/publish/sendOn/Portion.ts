/**
 * Records of a spill or a fallback that are sent on together, in order, until each has ended: which of them are sent next, and what an answer says of them.
 * A driver may say of each record what became of it; what is stored behind one that is not ends after it, and is not sent again.
 */
import { batchOf } from "../../record/batchOf.ts"
import type { RecordBatch } from "../../record/RecordBatch.ts"
import type { LaneRules } from "../LaneRules.ts"
import type { Position, ReceivedRecord, Run } from "../../transport/index.ts"
import { isRefused, Refusals } from "./Refusals.ts"

/** What an answer says of the records that were sent. */
export interface Answered {
  /** They have ended, one behind the other. */
  readonly stored: ReadonlyArray<ReceivedRecord>
  /** Position behind the last record that may be stored, and is not known to be; undefined: there is none. */
  readonly doubtEnd: Position | undefined
  /** Whether something has no answer: the destination has to be fenced. */
  readonly isUnknown: boolean
  /** Why the first one that has not ended is not stored; undefined: it was not sent, or failed because of one behind it, and is sent without that. */
  readonly failed: Run | undefined
}

export class Portion {
  readonly records: ReadonlyArray<ReceivedRecord>
  readonly refusals: Refusals
  batch: RecordBatch
  #from = 0
  /** Stored, behind one that is not. */
  readonly #stored = new Set<number>()

  /** `most`: records that are sent at once. */
  constructor(records: ReadonlyArray<ReceivedRecord>, rules: Pick<LaneRules, "policy" | "outage">, most: number) {
    this.records = records
    this.refusals = new Refusals(rules, most)
    this.batch = batchOf(records)
  }

  /** The first record that has not ended; undefined: all have. */
  get first(): ReceivedRecord | undefined {
    return this.records[this.#from]
  }

  /** What is sent next: at most so many, and so many bytes; one that is larger alone. */
  next(most: number, bytesMax: number): { readonly from: number; readonly to: number } {
    const from = this.#from
    const limit = this.refusals.until(from, Math.min(this.records.length, from + most))
    let to = from + 1
    while (to < limit && !this.#stored.has(to) && this.batch.rangeBytes(from, to + 1) <= bytesMax) to++
    return { from, to }
  }

  answered(runs: ReadonlyArray<Run>, nowMs: number): Answered {
    for (const run of runs)
      if (run.fate === "stored") for (let index = run.from; index < run.to; index++) this.#stored.add(index)
    const stored = this.#passed()
    if (stored.length > 0) this.refusals.stored(stored.length, nowMs)
    const behind = runs.findLast(({ fate, to }) => to > this.#from && fate !== "notStored")
    const last = behind === undefined ? undefined : this.records[behind.to - 1]
    return {
      stored,
      doubtEnd: last === undefined ? undefined : last.position + 1n,
      isUnknown: runs.some(({ fate }) => fate === "unknown"),
      failed: this.#failed(runs)
    }
  }

  #failed(runs: ReadonlyArray<Run>): Run | undefined {
    const failed = runs.find(({ fate, to }) => fate !== "stored" && to > this.#from)
    if (failed?.fate !== "notStored" || failed.error !== undefined) return failed
    const cause = runs.find((run) => run.from > this.#from && isRefused(run))
    if (cause === undefined) return failed
    this.refusals.limit(cause.from - this.#from)
    return undefined
  }

  /** The first record has ended otherwise than stored. Returns those behind it that end with it, because they are stored already. */
  ended(): ReadonlyArray<ReceivedRecord> {
    this.refusals.ended()
    this.#from++
    return this.#passed()
  }

  #passed(): ReadonlyArray<ReceivedRecord> {
    const from = this.#from
    while (this.#stored.delete(this.#from)) this.#from++
    return this.records.slice(from, this.#from)
  }

  /** Goes on after a halt. No record that stands before a position is later than `timeMs`. */
  resume(before: Position, timeMs: number): void {
    this.refusals.resume()
    this.limitTimes(before, timeMs)
  }

  /** Made anew for other times: a driver may hold the batch before. */
  limitTimes(before: Position, timeMs: number): void {
    this.batch = batchOf(this.records)
    this.batch.limitTime(0, this.records.filter(({ position }) => position < before).length, timeMs)
  }
}
