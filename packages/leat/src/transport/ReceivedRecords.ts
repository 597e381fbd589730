/**
 * Records that came together, by index. What reads them asks for one field of one record; objects are made only for who wants them
 * (`ReceivedBatch.records`). Two forms: columns over one buffer, and a list of objects.
 */
import { Buffer } from "node:buffer"
import { type Header, ownHeaders, readHeaders } from "../record/Headers.ts"
import type { RecordColumns } from "../record/OutgoingBatch.ts"
import { saysOnlyEvent, saysOnlyEventAt } from "../record/Wire.ts"
import type { Position, ReceivedBatch, ReceivedRecord } from "./index.ts"

/** Records of one batch, asked for by index: from 0 to `length` - 1. */
export interface ReceivedRecords {
  readonly length: number
  readonly position: (index: number) => Position
  /** Key bytes; null: the record has no key. */
  readonly key: (index: number) => Uint8Array | null
  /** Key bytes as text, one char per byte: exact, and usable in a map. Empty without a key. */
  readonly keyText: (index: number) => string
  /** Value bytes; null: a tombstone. */
  readonly value: (index: number) => Uint8Array | null
  readonly headers: (index: number) => ReadonlyArray<Header>
  readonly timeMs: (index: number) => number
  /** Bytes of key, headers and value together, about. */
  readonly bytes: (index: number) => number
  /** Whether the headers say "an event of this stream" and nothing else; see `saysOnlyEvent`. */
  readonly isPlainEvent: (index: number, stream: string) => boolean
  /** Position of the first record, where the others follow without gaps; undefined where they may not. */
  readonly contiguousFrom: Position | undefined
}

/** `Buffer`'s own, which Node's types leave out: text of bytes of any array, without a view of them. */
const { latin1Slice } = Buffer.prototype as unknown as {
  readonly latin1Slice: (this: Uint8Array, from: number, to: number) => string
}

/** Records as objects, as drivers give them that have no other. */
class ObjectRecords implements ReceivedRecords {
  readonly contiguousFrom = undefined
  readonly #records: ReadonlyArray<ReceivedRecord>

  constructor(records: ReadonlyArray<ReceivedRecord>) {
    this.#records = records
  }

  get length(): number {
    return this.#records.length
  }

  position(index: number): Position {
    return this.#at(index).position
  }

  key(index: number): Uint8Array | null {
    return this.#at(index).key
  }

  keyText(index: number): string {
    const { key } = this.#at(index)
    return key === null ? "" : latin1Slice.call(key, 0, key.length)
  }

  value(index: number): Uint8Array | null {
    return this.#at(index).value
  }

  headers(index: number): ReadonlyArray<Header> {
    return this.#at(index).headers
  }

  timeMs(index: number): number {
    return this.#at(index).timeMs
  }

  bytes(index: number): number {
    const { key, value, headers } = this.#at(index)
    let bytes = (key?.length ?? 0) + (value?.length ?? 0)
    for (const [name, header] of headers) bytes += name.length + header.length
    return bytes
  }

  isPlainEvent(index: number, stream: string): boolean {
    return saysOnlyEvent(this.#at(index).headers, stream)
  }

  #at(index: number): ReceivedRecord {
    const record = this.#records[index]
    if (record === undefined) throw new RangeError(`no record ${index} of ${this.#records.length}`)
    return record
  }
}

/** Records as columns over one buffer, in positions without gaps. What is given out are views. */
class ColumnRecords implements ReceivedRecords {
  readonly length: number
  readonly contiguousFrom: Position
  readonly #columns: RecordColumns

  constructor(columns: RecordColumns, first: Position) {
    this.#columns = columns
    this.length = columns.end.length
    this.contiguousFrom = first
  }

  position(index: number): Position {
    return this.contiguousFrom + BigInt(index)
  }

  key(index: number): Uint8Array | null {
    const { bytes, flags } = this.#columns
    return ((flags[index] ?? 0) & 1) !== 0 ? null : bytes.subarray(this.#keyAt(index), this.#headersAt(index))
  }

  keyText(index: number): string {
    return latin1Slice.call(this.#columns.bytes, this.#keyAt(index), this.#headersAt(index))
  }

  value(index: number): Uint8Array | null {
    const { bytes, flags, valueAt, end, origin } = this.#columns
    if (((flags[index] ?? 0) & 2) !== 0) return null
    return bytes.subarray((valueAt[index] ?? 0) - origin, (end[index] ?? 0) - origin)
  }

  headers(index: number): ReadonlyArray<Header> {
    return readHeaders(this.#columns.bytes, this.#headersAt(index))
  }

  timeMs(index: number): number {
    return this.#columns.timeMs[index] ?? 0
  }

  bytes(index: number): number {
    return (this.#columns.end[index] ?? 0) - this.#columns.origin - this.#keyAt(index)
  }

  isPlainEvent(index: number, stream: string): boolean {
    return saysOnlyEventAt(this.#columns.bytes, this.#headersAt(index), stream)
  }

  #keyAt(index: number): number {
    return index === 0 ? 0 : (this.#columns.end[index - 1] ?? 0) - this.#columns.origin
  }

  #headersAt(index: number): number {
    return (this.#columns.headersAt[index] ?? 0) - this.#columns.origin
  }
}

/** One record alone, in bytes of its own: views keep the buffer that they are of, which may be that of thousands. */
export function ownRecord(records: ReceivedRecords, index: number): ReceivedRecords {
  const copied = (bytes: Uint8Array | null) => (bytes === null ? null : new Uint8Array(bytes))
  const headers = ownHeaders(records.headers(index))
  const [position, timeMs] = [records.position(index), records.timeMs(index)]
  const [key, value] = [copied(records.key(index)), copied(records.value(index))]
  return new ObjectRecords([{ position, key, value, headers, timeMs }])
}

/** The records of a batch by index, whichever form it has. */
export function recordsOf(batch: Omit<ReceivedBatch, "gap">): ReceivedRecords {
  return batch.columns ?? new ObjectRecords(batch.records)
}

/**
 * A batch as columns, for drivers that keep or receive whole ranges; its records are made when somebody asks for them.
 *
 * @example
 * ```ts
 * const { bytes, ...columns } = stored.columns(from, to)
 * return new ColumnBatch({ ...columns, bytes: new Uint8Array(bytes) }, base + BigInt(from))
 * ```
 */
export class ColumnBatch implements ReceivedBatch {
  /** As in `ReceivedBatch`: the position after the last record. */
  readonly next: Position
  /** As in `ReceivedBatch`. */
  readonly gap?: NonNullable<ReceivedBatch["gap"]>
  readonly #columns: ColumnRecords
  #records: ReadonlyArray<ReceivedRecord> | undefined

  /** The bytes are the reader's from now on. `first`: position of the first record. `gap`: why positions before it are missing, when some are. */
  constructor(columns: RecordColumns, first: Position, gap?: ReceivedBatch["gap"]) {
    this.#columns = new ColumnRecords(columns, first)
    this.next = this.#columns.position(this.#columns.length)
    if (gap !== undefined) this.gap = gap
  }

  /** The records by index. */
  get columns(): ReceivedRecords {
    return this.#columns
  }

  /** The records as objects, made when they are asked for first. */
  get records(): ReadonlyArray<ReceivedRecord> {
    this.#records ??= Array.from({ length: this.#columns.length }, (_, index) => ({
      position: this.#columns.position(index),
      key: this.#columns.key(index),
      value: this.#columns.value(index),
      headers: this.#columns.headers(index),
      timeMs: this.#columns.timeMs(index)
    }))
    return this.#records
  }
}
