/**
 * Many records in one arena of bytes, with offset columns beside it. Events are encoded straight into the arena of the lane
 * they belong to; a retry is a range of indexes; a driver asks for views only where its client needs objects.
 *
 * Layout of one record in the arena: key bytes, headers block (see `Headers.ts`), value bytes; records follow each other
 * without gaps, so one column of ends gives the starts too.
 */
import { Buffer } from "node:buffer"
import { type Header, readHeaders, sizeOfHeader, writeHeader, writeLength } from "./Headers.ts"
import type { OutgoingBatch, RecordColumns } from "./OutgoingBatch.ts"
import type { Waiter } from "../ledger/Waiter.ts"

/** Bytes of a record in all columns together. */
const columnBytes = 33

const noKey = 1
const tombstone = 2
const marker = 4

/** A header that a record was given after it was encoded. */
interface Notice {
  readonly index: number
  readonly name: string
  readonly value: Uint8Array
}

/** A range of records somebody waits for. */
interface Awaited {
  readonly from: number
  to: number
  readonly waiter: Waiter
}

/**
 * A batch being filled, or on its way to a driver, which sees it as an `OutgoingBatch`.
 *
 * @example
 * ```ts
 * const batch: OutgoingBatch = batchOf([{ key: "b7", value: bytes }])
 * batch.count // 1
 * ```
 */
export class RecordBatch implements OutgoingBatch {
  /** Bytes of all records. A `Buffer`, because protobufjs writes longer strings only into one. */
  arena: Buffer
  /** Number of records. */
  count = 0
  /** Bytes of the arena in use. */
  bytes = 0
  /** Bucket of each record. */
  bucket: Int32Array
  /** Sequence in the bucket; exact to 2^53. */
  seq: Float64Array
  /** Epoch milliseconds at which the event was offered. */
  time: Float64Array
  /** Whether its events may be stored where they were to be written before. */
  isDoubtful = false
  #awaited: Array<Awaited> = []
  /** Who published each record and waits for it; a column, because there may be one for each. */
  #waiters: Array<Waiter | undefined> | undefined
  #headersAt: Int32Array
  #valueAt: Int32Array
  #end: Int32Array
  #flags: Uint8Array
  #notice: Notice | undefined
  #view: DataView | undefined
  /** W3C trace context of each record that has one. */
  #traceparents: Array<string | undefined> | undefined

  /** `origins`: whether bucket and seq are kept too; those who store a batch need neither. */
  constructor(arenaBytes: number, recordsExpected = 64, origins: "withOrigins" | "withoutOrigins" = "withOrigins") {
    const originsExpected = origins === "withOrigins" ? recordsExpected : 0
    this.arena = Buffer.allocUnsafeSlow(arenaBytes)
    this.bucket = new Int32Array(originsExpected)
    this.seq = new Float64Array(originsExpected)
    this.time = new Float64Array(recordsExpected)
    this.#headersAt = new Int32Array(recordsExpected)
    this.#valueAt = new Int32Array(recordsExpected)
    this.#end = new Int32Array(recordsExpected)
    this.#flags = new Uint8Array(recordsExpected)
  }

  /** The same bytes, for writing several at a time. Made when it is first asked for: who stores a batch needs none. */
  get view(): DataView {
    return (this.#view ??= viewOf(this.arena))
  }

  /** Free bytes of the arena. */
  get room(): number {
    return this.arena.length - this.bytes
  }

  /**
   * Says what the next record is, before its bytes are written: wires read it from the columns at `count`. The time comes in a
   * cell, because a number of that size would be boxed on its way through a call. `commit` makes it a record.
   */
  place(bucket: number, seq: number, timeMs: Float64Array): void {
    const index = this.count
    if (index === this.#end.length) this.#widen()
    this.bucket[index] = bucket
    this.seq[index] = seq
    this.time[index] = timeMs[0] ?? 0
  }

  /** Makes the written bytes [this.bytes, end) the record that was placed. The caller has filled the arena. */
  commit(
    hasKey: boolean,
    headersAt: number,
    valueAt: number,
    end: number,
    kind: "event" | "tombstone" | "marker"
  ): void {
    const index = this.count
    this.#headersAt[index] = headersAt
    this.#valueAt[index] = valueAt
    this.#end[index] = end
    this.#flags[index] = (hasKey ? 0 : noKey) | (kind === "event" ? 0 : tombstone) | (kind === "marker" ? marker : 0)
    this.bytes = end
    this.count = index + 1
  }

  /** Moves the records to a larger arena, a new one unless one is given. Never while a send holds views of the old one. */
  grow(arenaBytes: number, larger: Buffer = Buffer.allocUnsafeSlow(arenaBytes)): void {
    this.arena.copy(larger, 0, 0, this.bytes)
    this.arena = larger
    this.#view = undefined
  }

  /** As `grow`, into the arena and the columns of an empty batch, which gets those of this one. */
  exchange(empty: RecordBatch): void {
    const arena = this.arena
    this.grow(empty.arena.length, empty.arena)
    empty.arena = arena
    empty.#view = undefined
    if (empty.#end.length <= this.#end.length) return
    const { count } = this
    this.bucket = swapped(empty.bucket, this.bucket, count, (column) => (empty.bucket = column))
    this.seq = swapped(empty.seq, this.seq, count, (column) => (empty.seq = column))
    this.time = swapped(empty.time, this.time, count, (column) => (empty.time = column))
    this.#headersAt = swapped(empty.#headersAt, this.#headersAt, count, (column) => (empty.#headersAt = column))
    this.#valueAt = swapped(empty.#valueAt, this.#valueAt, count, (column) => (empty.#valueAt = column))
    this.#end = swapped(empty.#end, this.#end, count, (column) => (empty.#end = column))
    this.#flags = swapped(empty.#flags, this.#flags, count, (column) => (empty.#flags = column))
  }

  /** Bytes that the batch takes, its columns included. */
  get capacityBytes(): number {
    return this.arena.length + this.#end.length * columnBytes
  }

  /** Empties the batch for its next use. */
  reset(): void {
    this.count = 0
    this.bytes = 0
    this.#awaited.length = 0
    this.#waiters = undefined
    this.#traceparents = undefined
    this.#notice = undefined
    this.isDoubtful = false
  }

  /** Key bytes, a view; null: no key. */
  key(index: number): Uint8Array | null {
    return ((this.#flags[index] ?? 0) & noKey) !== 0
      ? null
      : this.arena.subarray(this.#start(index), this.#headersAt[index])
  }

  /** Value bytes, a view; null: a tombstone. */
  value(index: number): Uint8Array | null {
    return ((this.#flags[index] ?? 0) & tombstone) !== 0
      ? null
      : this.arena.subarray(this.#valueAt[index], this.#end[index])
  }

  /** Headers in order, their values views. */
  headers(index: number): ReadonlyArray<Header> {
    const headers = readHeaders(this.arena, this.#headersAt[index] ?? 0)
    if (this.#notice?.index === index) headers.push([this.#notice.name, this.#notice.value])
    return headers
  }

  /** The headers block of a record, a view, without a notice. */
  headersBlock(index: number): Buffer {
    return this.arena.subarray(this.#headersAt[index], this.#valueAt[index])
  }

  /** Epoch milliseconds at which the event was offered. */
  timeMs(index: number): number {
    return this.time[index] ?? 0
  }

  /** Sets later times of records [from, to) to this one, in epoch milliseconds. Never of records that a driver holds. */
  limitTime(from: number, to: number, latestMs: number): void {
    for (let index = from; index < to; index++) if ((this.time[index] ?? 0) > latestMs) this.time[index] = latestMs
  }

  /** Bytes of key, headers block and value together. */
  recordBytes(index: number): number {
    const bytes = (this.#end[index] ?? 0) - this.#start(index)
    return this.#notice?.index === index ? bytes + this.noticeBytes : bytes
  }

  /** Bytes of the notice as a header; 0 without one. */
  get noticeBytes(): number {
    const notice = this.#notice
    return notice === undefined ? 0 : sizeOfHeader(Buffer.byteLength(notice.name), notice.value.length)
  }

  /** Bytes of records [from, to), without a notice. */
  rangeBytes(from: number, to: number): number {
    return to > from ? (this.#end[to - 1] ?? 0) - this.#start(from) : 0
  }

  /** Whether the record only announces drops and is no event. */
  isMarker(index: number): boolean {
    return ((this.#flags[index] ?? 0) & marker) !== 0
  }

  /** Records [from, to) in an arena of their own, for whoever keeps them after the send. */
  copy(from: number, to: number): RecordBatch {
    const start = this.#start(from)
    const bytes = this.rangeBytes(from, to)
    const copy = new RecordBatch(bytes, Math.max(1, to - from), "withoutOrigins")
    this.arena.copy(copy.arena, 0, start, start + bytes)
    copy.bytes = bytes
    copy.count = to - from
    copy.#headersAt.set(this.#headersAt.subarray(from, to))
    copy.#valueAt.set(this.#valueAt.subarray(from, to))
    copy.#end.set(this.#end.subarray(from, to))
    copy.#flags.set(this.#flags.subarray(from, to))
    copy.time.set(this.time.subarray(from, to))
    if (start > 0) for (const column of [copy.#headersAt, copy.#valueAt, copy.#end]) moveBack(column, start)
    const notice = this.#notice
    if (notice !== undefined && notice.index >= from && notice.index < to)
      copy.#notice = { ...notice, index: notice.index - from }
    return copy
  }

  /** Records [from, to) as columns. A notice stands in the bytes as any other header. */
  columns(from: number, to: number): RecordColumns {
    const notice = this.#notice
    if (notice !== undefined && notice.index >= from && notice.index < to)
      return this.#withNotice(from, to, notice).columns(0, to - from)
    const origin = this.#start(from)
    return {
      bytes: this.arena.subarray(origin, origin + this.rangeBytes(from, to)),
      origin,
      headersAt: this.#headersAt.subarray(from, to),
      valueAt: this.#valueAt.subarray(from, to),
      end: this.#end.subarray(from, to),
      flags: this.#flags.subarray(from, to),
      timeMs: this.time.subarray(from, to)
    }
  }

  /** A copy of records [from, to) whose arena has the notice written out. */
  #withNotice(from: number, to: number, { index, name, value }: Notice): RecordBatch {
    const copy = new RecordBatch(this.rangeBytes(from, to) + name.length * 3 + value.length + 32, to - from)
    const { arena } = copy
    for (let at = from; at < to; at++) {
      const keyAt = copy.bytes
      let headersAt = keyAt + this.arena.copy(arena, keyAt, this.#start(at), this.#headersAt[at])
      const startsAt = headersAt
      if (at === index) {
        const headers = this.headers(index)
        headersAt = writeLength(arena, headersAt, headers.length)
        for (const [text, bytes] of headers) headersAt = writeHeader(arena, headersAt, Buffer.from(text), bytes)
      } else headersAt += this.arena.copy(arena, headersAt, this.#headersAt[at], this.#valueAt[at])
      const end = headersAt + this.arena.copy(arena, headersAt, this.#valueAt[at], this.#end[at])
      const flags = this.#flags[at] ?? 0
      copy.place(0, 0, this.time.subarray(at))
      copy.commit(true, startsAt, headersAt, end, "event")
      copy.#flags[at - from] = flags
    }
    return copy
  }

  /** Says in which trace a record was published. */
  trace(index: number, traceparent: string): void {
    this.#traceparents ??= []
    this.#traceparents[index] = traceparent
  }

  /** The trace contexts of records [from, to), at most so many. */
  traces(from: number, to: number, max: number): ReadonlyArray<string> {
    const all = this.#traceparents?.slice(from, to).filter((one) => one !== undefined)
    return all === undefined ? [] : all.slice(0, max)
  }

  /** Adds one more header to a record after it was encoded; a later notice replaces the earlier. */
  notice(index: number, name: string, value: Uint8Array): void {
    this.#notice = { index, name, value }
  }

  /** Takes the notice back. */
  withdrawNotice(): void {
    this.#notice = undefined
  }

  /** Tells `waiter` what becomes of the record committed last. */
  awaitLast(waiter: Waiter): void {
    const { count } = this
    const waiters = (this.#waiters ??= [])
    while (waiters.length < count - 1) waiters.push(undefined)
    waiters[count - 1] = waiter
  }

  /** Tells one more what becomes of records [from, to). Who has given up meanwhile is forgotten here: this is where they gather. */
  await(from: number, to: number, waiter: Waiter): void {
    if (this.#awaited.some((one) => one.waiter.isForgotten))
      this.#awaited = this.#awaited.filter((one) => !one.waiter.isForgotten)
    this.#awaited.push({ from, to, waiter })
  }

  /** The record committed last was a record of another batch: whoever waits for that one waits for this, and it is of the same trace. */
  follow(other: RecordBatch, index: number): void {
    const last = this.count - 1
    const traceparent = other.#traceparents?.[index]
    if (traceparent !== undefined) this.trace(last, traceparent)
    const own = other.#waiters?.[index]
    if (own !== undefined) this.awaitLast(own)
    for (const { from, to, waiter } of other.#awaited) {
      if (index < from || index >= to || waiter.isForgotten) continue
      const before = this.#awaited.find((one) => one.to === last && one.waiter === waiter)
      if (before === undefined) this.#awaited.push({ from: last, to: last + 1, waiter })
      else before.to++
    }
  }

  /** Whether somebody waits for any record. */
  get isAwaited(): boolean {
    return this.#waiters !== undefined || this.#awaited.length > 0
  }

  /** Calls `tell` for each waiter of records in [from, to) with how many of them it waits for. */
  awaited(from: number, to: number, tell: (waiter: Waiter, count: number) => void): void {
    for (const entry of this.#awaited) {
      const overlap = Math.min(to, entry.to) - Math.max(from, entry.from)
      if (overlap > 0) tell(entry.waiter, overlap)
    }
    const waiters = this.#waiters
    if (waiters === undefined) return
    for (let index = from; index < to;) {
      const waiter = waiters[index]
      const start = index++
      while (index < to && waiters[index] === waiter) index++
      if (waiter !== undefined) tell(waiter, index - start)
    }
  }

  #start(index: number): number {
    return index === 0 ? 0 : (this.#end[index - 1] ?? 0)
  }

  #widen(): void {
    const length = this.#end.length * 2
    this.bucket = widened(this.bucket, new Int32Array(length))
    this.seq = widened(this.seq, new Float64Array(length))
    this.time = widened(this.time, new Float64Array(length))
    this.#headersAt = widened(this.#headersAt, new Int32Array(length))
    this.#valueAt = widened(this.#valueAt, new Int32Array(length))
    this.#end = widened(this.#end, new Int32Array(length))
    this.#flags = widened(this.#flags, new Uint8Array(length))
  }
}

function moveBack(column: Int32Array, by: number): void {
  for (let index = 0; index < column.length; index++) column[index] = (column[index] ?? 0) - by
}

function viewOf({ buffer, byteOffset, length }: Buffer): DataView {
  return new DataView(buffer, byteOffset, length)
}

/** The larger column, with what the smaller one holds, which is given away. */
function swapped<A extends { set(source: A): void; subarray(from: number, to: number): A }>(
  larger: A,
  smaller: A,
  count: number,
  give: (smaller: A) => void
): A {
  larger.set(smaller.subarray(0, count))
  give(smaller)
  return larger
}

function widened<A extends { set(source: A): void }>(from: A, into: A): A {
  into.set(from)
  return into
}
