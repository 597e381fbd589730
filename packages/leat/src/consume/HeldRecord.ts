/** What a `ReadLane` holds: positions that end together, and of them those that a handler gets. */
import type { Position, ReceivedRecords } from "../transport/index.ts"
import { ownRecord } from "../transport/ReceivedRecords.ts"

/** What ended positions: taken back if the lane is given up before the watermark has passed them. */
export interface End {
  readonly term: "done" | "duplicate" | "moved" | "deadLettered" | "dropped" | "skipped"
  readonly reason: string
  /** Of the positions of one that is done those whose effect was there already. */
  readonly copies?: number
}

/** Made once: most records end so. */
export const doneEnd: End = { term: "done", reason: "done" }

/** Records [from, to) of one batch that was received, and those of the next batches that go with them. */
export interface Slice {
  readonly records: ReceivedRecords
  readonly from: number
  to: number
  following: Slice | undefined
}

/** One record, or one bundle of records, that a handler gets; also positions without a record, which have ended already. */
export class HeldRecord {
  slice: Slice | undefined
  /** Key bytes as text, one char per byte: exact, and usable in a map. */
  readonly key: string
  /** Counts up in the order of the lane. */
  readonly order: number
  /** How many positions it stands for. */
  span: number
  bytes: number
  ended: End | undefined
  state: "waiting" | "running" | "parked" | "setAside" | "ended" = "waiting"
  /** Attempts begun so far, the running one included. */
  attempts = 0
  firstAttemptMs = 0
  retryAtMs = 0
  /** How often it has waited because it may not be the record that is at fault. */
  waits = 0
  /** When its failure was counted last as a sign of that. */
  failedAtMs = Number.NEGATIVE_INFINITY
  /** The next one of the same key. */
  following: HeldRecord | undefined = undefined
  /** Whether it keeps no more than its own bytes: it may be held for long. */
  isOwn = false

  constructor(slice: Slice | undefined, key: string, order: number, span: number, bytes: number) {
    this.slice = slice
    this.key = key
    this.order = order
    this.span = span
    this.bytes = bytes
    this.ended = undefined
  }

  /** From now on it keeps its own bytes, and not the batch that it came in, of which others may have ended long ago. */
  own(): void {
    const { slice } = this
    this.isOwn = true
    if (slice === undefined || this.span > 1 || slice.records.length === 1) return
    try {
      this.slice = { records: ownRecord(slice.records, slice.from), from: 0, to: 1, following: undefined }
    } catch {
      // What cannot be read stays as it came: whoever handles it is told why.
    }
  }

  /** Of its first record. */
  get position(): Position {
    const { slice } = this
    return slice === undefined ? 0n : slice.records.position(slice.from)
  }
}

/** What the objects of one that is held cost in V8. */
const objectBytes = 128

/** Bytes a held record stands for, its objects too, so that empty records are bounded. */
export function bytesOf(records: ReceivedRecords, index: number): number {
  return objectBytes + records.bytes(index)
}

/** Positions that no handler gets. */
export function endedAtOnce(end: End, order: number, span: number): HeldRecord {
  const held = new HeldRecord(undefined, "", order, span, objectBytes)
  held.state = "ended"
  held.ended = end
  return held
}

/** Whether this one stands for positions that no handler gets, and that ended so. */
export function endsAlike(held: HeldRecord | undefined, { term, reason }: End): held is HeldRecord {
  return held?.slice === undefined && held?.ended?.term === term && held.ended.reason === reason
}

/**
 * Cuts a bundle behind its first `count` records, 1 or more, in place; returns what stood behind them, which follows it. Undefined when there is
 * nothing. Only the first ones are looked at: a bundle may be cut as often as it has records.
 */
export function cutHeld(held: HeldRecord, count: number): HeldRecord | undefined {
  const { slice: whole, span, bytes } = held
  const rest = whole === undefined ? undefined : cutSlice(whole, count)
  if (rest === undefined) return undefined
  held.span = 0
  held.bytes = 0
  for (let slice = whole; slice !== undefined; slice = slice.following) {
    for (let index = slice.from; index < slice.to; index++) held.bytes += bytesOf(slice.records, index)
    held.span += slice.to - slice.from
  }
  // Of a lane of bundles one is parked at a time: retries never ask which of the two comes first.
  const following = new HeldRecord(rest, held.key, held.order, span - held.span, bytes - held.bytes)
  following.following = held.following
  held.following = following
  return following
}

/**
 * Makes a record of its own of each of a bundle, in order: each follows the one before, and counts the attempts of the bundle. The first is the bundle
 * itself.
 */
export function takeApart(held: HeldRecord): ReadonlyArray<HeldRecord> {
  // Its bytes are those that were counted: its own copy may have others than the batch had for it.
  if (held.span === 1) return [held]
  const { slice: whole, following, attempts, firstAttemptMs } = held
  const singles = [held]
  let last = held
  for (let slice = whole; slice !== undefined; slice = slice.following) {
    for (let index = slice === whole ? slice.from + 1 : slice.from; index < slice.to; index++) {
      const own = { records: slice.records, from: index, to: index + 1, following: undefined }
      const one = new HeldRecord(own, held.key, held.order, 1, bytesOf(slice.records, index))
      one.attempts = attempts
      one.firstAttemptMs = firstAttemptMs
      last.following = one
      last = one
      singles.push(one)
    }
  }
  last.following = following
  if (whole === undefined) return singles
  whole.to = whole.from + 1
  whole.following = undefined
  held.span = 1
  held.bytes = bytesOf(whole.records, whole.from)
  return singles
}

/** Cuts a slice behind its first `count` records, 1 or more, in place; returns what stood behind them. */
function cutSlice(slice: Slice, count: number): Slice | undefined {
  let left = count
  for (let at: Slice | undefined = slice; at !== undefined; at = at.following) {
    const length = at.to - at.from
    if (left > length) {
      left -= length
      continue
    }
    const { following } = at
    const rest = left === length ? following : { records: at.records, from: at.from + left, to: at.to, following }
    at.to = at.from + left
    at.following = undefined
    return rest
  }
  return undefined
}
