/** What a driver sees of a batch that it is to send: it may read everything and change nothing. */
import type { Header } from "./Headers.ts"

/** Records as whole columns, for drivers that copy ranges and not records. All are views. */
export interface RecordColumns {
  /** The records' bytes, one after another. */
  readonly bytes: Uint8Array
  /** What the offsets below count from: the byte at `bytes[0]` is at this offset. */
  readonly origin: number
  /** Offset at which the headers block of each record starts; its key ends there. */
  readonly headersAt: Int32Array
  /** Offset at which the value of each record starts; its headers end there. */
  readonly valueAt: Int32Array
  /** Offset after each record, which is where the next one starts. */
  readonly end: Int32Array
  /** Bit 0: no key. Bit 1: the value is null. Bit 2: a marker. */
  readonly flags: Uint8Array
  /** Epoch milliseconds at which each event was offered. */
  readonly timeMs: Float64Array
}

/**
 * Many records in one arena of bytes. What it gives are views: `copy` is for drivers that keep records after they have answered.
 *
 * @example
 * ```ts
 * for (let index = from; index < to; index++) {
 *   client.send({ key: batch.key(index), value: batch.value(index), headers: batch.headers(index) })
 * }
 * ```
 */
export interface OutgoingBatch {
  /** Number of records. */
  readonly count: number
  /** Bytes of all records; the same object when the same range comes again after an unknown outcome. */
  readonly arena: Uint8Array
  /** Key bytes; null: no key. */
  readonly key: (index: number) => Uint8Array | null
  /** Value bytes; null: a tombstone. */
  readonly value: (index: number) => Uint8Array | null
  /** Headers in order. */
  readonly headers: (index: number) => ReadonlyArray<Header>
  /** Epoch milliseconds at which the event was offered. */
  readonly timeMs: (index: number) => number
  /** Bytes of key, headers block and value together. */
  readonly recordBytes: (index: number) => number
  /** Bytes of records [from, to), without what `noticeBytes` counts. */
  readonly rangeBytes: (from: number, to: number) => number
  /** Bytes of the one header that a record may have been given after it was encoded; 0 without one. */
  readonly noticeBytes: number
  /** Records [from, to) as columns. */
  readonly columns: (from: number, to: number) => RecordColumns
  /** Records [from, to) in an arena of their own, for whoever keeps them after the answer. */
  readonly copy: (from: number, to: number) => OutgoingBatch
}
