/**
 * The records of one pulled batch of a retry topic, in the order in which they stand there, each of them until it is due: a synchronous state
 * machine. A record passes none that stands before it.
 *
 * A due time is a wall time of whoever wrote it. It is compared with the wall clock once, when the batch comes, and what is left of it is bounded by
 * the delay of the tier: a wrong clock makes an attempt early, or late by one delay. From there on the time is monotonic.
 */
import type { Position, ReceivedBatch, ReceivedRecord } from "../transport/index.ts"
import { readMoved } from "../record/movedRecord.ts"

/** The longest that any record waits, in milliseconds: a day, as the longest delay. */
const delayMsMax = 86_400_000

/** Both clocks, in milliseconds. */
export interface Clocks {
  readonly wallMs: number
  readonly nowMs: number
}

interface Waiting {
  readonly record: ReceivedRecord
  readonly dueMs: number
}

export class DueLine {
  #waiting: Array<Waiting> = []
  #next: Position = 0n
  #gap: ReceivedBatch["gap"]
  /** When the batch came. */
  #clocks: Clocks = { wallMs: 0, nowMs: 0 }
  #delayMs: number | undefined

  /** Takes a batch; what was there before has gone. `delayMs`: of the tier as it is set now; undefined: it is not listed. */
  received({ records, next, gap }: ReceivedBatch, clocks: Clocks, delayMs: number | undefined): void {
    this.#next = next
    this.#gap = gap
    this.#clocks = clocks
    this.#delayMs = delayMs
    this.#waiting = records.map((record) => this.#waitingOf(record))
  }

  /** The tier has another delay, which counts from when the records were moved. */
  configure(delayMs: number | undefined): void {
    if (delayMs === this.#delayMs) return
    this.#delayMs = delayMs
    this.#waiting = this.#waiting.map(({ record }) => this.#waitingOf(record))
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  /** When the first of them is due; at once when there is none. */
  get dueMs(): number {
    return this.#waiting[0]?.dueMs ?? Number.NEGATIVE_INFINITY
  }

  /** Takes out those that are due. What comes last stands for the rest of the batch too. */
  take(nowMs: number): ReceivedBatch {
    const count = this.#waiting.findIndex(({ dueMs }) => dueMs > nowMs)
    const records = this.#waiting.splice(0, count === -1 ? this.#waiting.length : count).map(({ record }) => record)
    const last = records.at(-1)
    const next = this.isEmpty || last === undefined ? this.#next : last.position + 1n
    return { records, next, ...(this.#gap === undefined ? {} : { gap: this.#gap }) }
  }

  #waitingOf(record: ReceivedRecord): Waiting {
    const { wallMs, nowMs } = this.#clocks
    return { record, dueMs: nowMs + waitMs(record, wallMs, this.#delayMs) }
  }
}

/** How long a record waits from now on. One that does not say when it is due is due. */
function waitMs({ headers }: ReceivedRecord, wallMs: number, delayMs = delayMsMax): number {
  const moved = readMoved(headers)
  if (moved === undefined) return 0
  const { dueMs, letter } = moved
  const movedAtMs = letter.atMs ?? dueMs
  // Of a tier whose delay was shortened the shorter one counts, from when the record was moved.
  const boundMs = Math.min(delayMs, dueMs - movedAtMs)
  const leftMs = Math.min(movedAtMs + boundMs - wallMs, boundMs)
  // Both clocks show whole milliseconds: without one more it could be given one before its time.
  return leftMs > 0 ? leftMs + 1 : 0
}
