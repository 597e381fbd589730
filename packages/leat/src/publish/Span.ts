/** Records of one batch that have had the same fate so far, and the batch in the queue of its lane. */
import type { PendingPlace } from "../ledger/Ledger.ts"
import type { DroppedRange } from "../record/DropNotice.ts"
import type { RecordBatch } from "../record/RecordBatch.ts"
import type { Halted } from "./LaneHome.ts"

/** Records [from, to) of a batch: what is sent, answered and tried again together. */
export interface Span {
  readonly queued: Queued
  readonly from: number
  readonly to: number
  /** `ended`: stored, set aside, dropped, or replaced by its parts. */
  state: PendingPlace | "ended"
  attempts: number
  /** Of the monotonic clock, in milliseconds. */
  firstSentMs: number
  /** Whether any attempt had an unknown outcome: the record may be stored whatever comes later. */
  mayBeStored: boolean
  /** Whether its last answer of the spill was lost: it may stand there. */
  mayBeSpilled: boolean
  /** Why it failed last; undefined where it has not. */
  failed: Halted | undefined
  /** When its failure was counted last as a sign of an outage; milliseconds of the monotonic clock. */
  countedMs: number
  /** The drops that its first record announces: a retry of what may be stored says the same. */
  said: ReadonlyArray<DroppedRange>
  /** The same as it was sent; empty where it announces nothing. */
  notice: Uint8Array
  /** Ranges of drops that it may announce: fewer than there are once the backend has found it too large with what it said. */
  saidMax: number
}

/** Whose queue a batch stands in: the lane. */
export interface QueueOwner {
  /** Drops the records of a batch; returns their number. */
  readonly dropBatch: (queued: Queued, reason: string) => number
}

/** A batch in the queue of its lane. */
export class Queued {
  readonly batch: RecordBatch
  readonly owner: QueueOwner
  /** What of it has not ended, in order; undefined until it is first sent. */
  spans: Array<Span> | undefined
  /** Whether nobody outside can hold views of the arena. */
  isReusable = true
  /** Whether its lane passes it over without a look: all of it is on its way to the dead letters. */
  isPassed = false
  /** Its neighbours in the `Backlog`. */
  older: Queued | undefined
  newer: Queued | undefined

  constructor(batch: RecordBatch, owner: QueueOwner) {
    this.batch = batch
    this.owner = owner
  }

  /** As `spans`: it is sent, or ends. */
  get sent(): Array<Span> {
    return (this.spans ??= [wholeOf(this)])
  }

  /** Whether nothing of it is on its way or may be stored. */
  get isDroppable(): boolean {
    if (this.batch.count === 0) return false
    const { spans } = this
    return spans === undefined || spans.every(({ mayBeStored, state }) => !mayBeStored && state === "queued")
  }
}

const nothing: ReadonlyArray<DroppedRange> = []
const noNotice = new Uint8Array(0)

/** All of a batch, before its first attempt. */
export function wholeOf(queued: Queued): Span {
  return {
    queued,
    from: 0,
    to: queued.batch.count,
    state: "queued",
    attempts: 0,
    firstSentMs: 0,
    mayBeStored: false,
    mayBeSpilled: false,
    failed: undefined,
    countedMs: Number.NEGATIVE_INFINITY,
    said: nothing,
    notice: noNotice,
    saidMax: Number.POSITIVE_INFINITY
  }
}

/** Ranges of drops that one attempt says while a refused record is looked for: all there are, thousands, cost a millisecond each time. */
const saidMaxOfHalves = 64

/** Halving is no attempt. */
export function halvesOf(part: Span): ReadonlyArray<Span> {
  const middle = part.from + ((part.to - part.from) >> 1)
  const attempts = part.attempts - 1
  const saidMax = Math.min(part.saidMax, saidMaxOfHalves)
  return [
    { ...part, to: middle, attempts, saidMax },
    { ...part, from: middle, attempts, saidMax, said: [] }
  ]
}

/** A range in parts that follow each other: records of which `of` says the same. What it announces its first record does. */
export function partsOf(span: Span, of: (index: number) => unknown): ReadonlyArray<Span> {
  const parts: Array<Span> = []
  for (let from = span.from; from < span.to;) {
    let to = from + 1
    while (to < span.to && of(to) === of(from)) to++
    parts.push({ ...span, from, to, said: from === span.from ? span.said : nothing })
    from = to
  }
  return parts
}

export function isInFlight({ state }: Span): boolean {
  return state === "inFlight"
}

export function isQueued({ state }: Span): boolean {
  return state === "queued"
}

/** Whether it is to be sent again, because the spill may hold it. */
export function isOwed({ mayBeSpilled, state }: Span): boolean {
  return mayBeSpilled && (state === "queued" || state === "inDoubt" || state === "inFlight")
}

export function isDeadLettering({ state }: Span): boolean {
  return state === "deadLettering"
}
