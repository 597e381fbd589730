/**
 * Records that a partition keeps, as columns over one buffer that grows. Small batches are kept together: a partition that gets a record now
 * and then has one chunk for many of them. What was handed out as views stays as it is: records are only added, and a column that
 * grows is another one.
 */
import { Buffer } from "node:buffer"
import { type Header, readHeaders } from "../../record/Headers.ts"
import type { OutgoingBatch, Position, RecordColumns } from "../index.ts"

const noKey = 1
const tombstone = 2

/** Records that small batches are kept together for, at most. */
const recordsMax = 512

export class MemoryChunk {
  /** Position of the first record. */
  readonly base: Position
  /** When the last of it was stored, by the monotonic clock. */
  storedAtMs = 0
  count = 0
  bytes = 0
  /** Records that compaction took away, by index. */
  removed: Set<number> | undefined
  #arena: Buffer
  #headersAt: Int32Array
  #valueAt: Int32Array
  #end: Int32Array
  #flags: Uint8Array
  #timeMs: Float64Array

  /** As large as its first batch. */
  constructor(base: Position, bytes: number, records: number) {
    this.base = base
    this.#arena = Buffer.allocUnsafeSlow(bytes)
    this.#headersAt = new Int32Array(records)
    this.#valueAt = new Int32Array(records)
    this.#end = new Int32Array(records)
    this.#flags = new Uint8Array(records)
    this.#timeMs = new Float64Array(records)
  }

  /** Whether so many records more are kept here, when a chunk is to have `bytesMax` at most. */
  takes(records: number, bytes: number, bytesMax: number): boolean {
    return this.removed === undefined && this.count + records <= recordsMax && this.bytes + bytes <= bytesMax
  }

  /** Adds a copy of records [from, to). */
  add(batch: OutgoingBatch, from: number, to: number, nowMs: number): void {
    const { bytes, origin, ...columns } = batch.columns(from, to)
    this.#grow(to - from, bytes.length)
    const { count } = this
    this.#arena.set(bytes, this.bytes)
    this.#flags.set(columns.flags, count)
    this.#timeMs.set(columns.timeMs, count)
    const moved = this.bytes - origin
    for (let index = 0; index < to - from; index++) {
      this.#headersAt[count + index] = (columns.headersAt[index] ?? 0) + moved
      this.#valueAt[count + index] = (columns.valueAt[index] ?? 0) + moved
      this.#end[count + index] = (columns.end[index] ?? 0) + moved
    }
    this.count += to - from
    this.bytes += bytes.length
    this.storedAtMs = nowMs
  }

  /** Key bytes, a view; null: no key. */
  key(index: number): Uint8Array | null {
    if (((this.#flags[index] ?? 0) & noKey) !== 0) return null
    return this.#arena.subarray(this.#start(index), this.#headersAt[index])
  }

  /** Value bytes, a view; null: a tombstone. */
  value(index: number): Uint8Array | null {
    if (((this.#flags[index] ?? 0) & tombstone) !== 0) return null
    return this.#arena.subarray(this.#valueAt[index], this.#end[index])
  }

  /** Headers in order, their values views. */
  headers(index: number): ReadonlyArray<Header> {
    return readHeaders(this.#arena, this.#headersAt[index] ?? 0)
  }

  timeMs(index: number): number {
    return this.#timeMs[index] ?? 0
  }

  /** Of the records that are still there, by index; a record without a key is left out. */
  *keys(): Generator<readonly [number, Uint8Array]> {
    for (let index = 0; index < this.count; index++) {
      const key = this.removed?.has(index) === true ? null : this.key(index)
      if (key !== null) yield [index, key]
    }
  }

  /** Takes records away, by index: they are passed over from now on, and have no bytes. */
  remove(more: ReadonlySet<number>): void {
    if (more.size === 0) return
    const removed = new Set([...(this.removed ?? []), ...more])
    let left = 0
    for (let index = 0; index < this.count; index++) left += removed.has(index) ? 0 : this.rangeBytes(index, index + 1)
    const arena = Buffer.allocUnsafeSlow(left)
    const [headersAt, valueAt, end] = [this.#headersAt.slice(), this.#valueAt.slice(), this.#end.slice()]
    for (let index = 0, at = 0; index < this.count; index++) {
      const from = this.#start(index)
      const length = removed.has(index) ? 0 : this.rangeBytes(index, index + 1)
      this.#arena.copy(arena, at, from, from + length)
      headersAt[index] = (headersAt[index] ?? 0) + at - from
      valueAt[index] = (valueAt[index] ?? 0) + at - from
      at += length
      end[index] = at
    }
    this.removed = removed
    this.bytes = left
    this.#arena = arena
    this.#headersAt = headersAt
    this.#valueAt = valueAt
    this.#end = end
  }

  /** Bytes of records [from, to). */
  rangeBytes(from: number, to: number): number {
    return to > from ? (this.#end[to - 1] ?? 0) - this.#start(from) : 0
  }

  /** Records [from, to) as columns: the bytes a copy, because a reader may keep or change them. */
  columns(from: number, to: number): RecordColumns {
    const origin = this.#start(from)
    return {
      bytes: new Uint8Array(this.#arena.subarray(origin, origin + this.rangeBytes(from, to))),
      origin,
      headersAt: this.#headersAt.subarray(from, to),
      valueAt: this.#valueAt.subarray(from, to),
      end: this.#end.subarray(from, to),
      flags: this.#flags.subarray(from, to),
      timeMs: this.#timeMs.subarray(from, to)
    }
  }

  #start(index: number): number {
    return index === 0 ? 0 : (this.#end[index - 1] ?? 0)
  }

  #grow(records: number, bytes: number): void {
    if (this.bytes + bytes > this.#arena.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(this.#arena.length * 2, this.bytes + bytes))
      this.#arena.copy(larger, 0, 0, this.bytes)
      this.#arena = larger
    }
    if (this.count + records <= this.#end.length) return
    const length = Math.max(this.#end.length * 2, this.count + records)
    this.#headersAt = widened(this.#headersAt, new Int32Array(length))
    this.#valueAt = widened(this.#valueAt, new Int32Array(length))
    this.#end = widened(this.#end, new Int32Array(length))
    this.#flags = widened(this.#flags, new Uint8Array(length))
    this.#timeMs = widened(this.#timeMs, new Float64Array(length))
  }
}

function widened<A extends { set(source: A): void }>(from: A, into: A): A {
  into.set(from)
  return into
}
