/** Records of one batch that have had the same fate so far, and the batch in the queue of its lane. */
import type { DroppedRange } from "../record/DropNotice.ts"
import type { RecordBatch } from "../record/RecordBatch.ts"

/** Records [from, to) of a batch: what is sent, answered and tried again together. */
export interface Span {
  readonly from: number
  readonly to: number
  /** `ended`: stored, dropped, or replaced by its parts. */
  state: "queued" | "inFlight" | "inDoubt" | "ended"
  attempts: number
  /** Of the monotonic clock, in milliseconds. */
  firstSentMs: number
  /** Whether any attempt had an unknown outcome: the record may be stored whatever comes later. */
  mayBeStored: boolean
  /** The drops that its first record announces: a retry of what may be stored says the same. */
  said: ReadonlyArray<DroppedRange>
}

export interface Queued {
  readonly batch: RecordBatch
  /** What of it has not ended, in order; undefined until it is first sent. */
  spans: Array<Span> | undefined
  /** Whether nobody outside can hold views of the arena. */
  isReusable: boolean
}

/** All of a batch, before its first attempt. */
export function wholeOf({ count }: RecordBatch): Span {
  return { from: 0, to: count, state: "queued", attempts: 0, firstSentMs: 0, mayBeStored: false, said: [] }
}

/** Whether nothing of the batch is on its way or may be stored. */
export function isDroppable({ batch, spans }: Queued): boolean {
  if (batch.count === 0) return false
  return spans === undefined || spans.every(({ mayBeStored, state }) => !mayBeStored && state === "queued")
}
