import { Buffer } from "node:buffer"
import { type Header, sizeOfHeader, sizeOfLength, writeHeader, writeLength } from "./Headers.ts"
import { RecordBatch } from "./RecordBatch.ts"

/** A record to be sent as it stands: bytes, or text for its UTF-8. */
export interface PlainRecord {
  /** Null: no key. */
  readonly key: string | Uint8Array | null
  /** Null: a tombstone. */
  readonly value: string | Uint8Array | null
  /** None when absent. */
  readonly headers?: ReadonlyArray<Header>
  /** Epoch milliseconds; 0 when absent. */
  readonly timeMs?: number
}

/**
 * A batch of records as they stand: for forwarding bytes, and for tests of drivers.
 *
 * @example
 * ```ts
 * const batch = batchOf([{ key: "b7", value: "-61 dBm" }, { key: "b8", value: null, headers: [["x", new Uint8Array(1)]] }])
 * const runs = yield* sendEffect(writer, 0, batch, 0, batch.count, timeoutMs)
 * ```
 */
export function batchOf(records: ReadonlyArray<PlainRecord>): RecordBatch {
  const batch = new RecordBatch(
    Math.max(
      64,
      records.reduce((total, record) => total + sizeOf(record), 0)
    )
  )
  for (const [index, { key, value, headers = [], timeMs = 0 }] of records.entries()) {
    const keyBytes = bytesOf(key)
    const valueBytes = bytesOf(value)
    const { arena } = batch
    arena.set(keyBytes, batch.bytes)
    const headersAt = batch.bytes + keyBytes.length
    let valueAt = writeLength(arena, headersAt, headers.length)
    for (const [name, bytes] of headers) valueAt = writeHeader(arena, valueAt, Buffer.from(name), bytes)
    arena.set(valueBytes, valueAt)
    const kind = value === null ? "tombstone" : "event"
    batch.place(0, index, Float64Array.of(timeMs))
    batch.commit(key !== null, headersAt, valueAt, valueAt + valueBytes.length, kind)
  }
  return batch
}

function bytesOf(value: string | Uint8Array | null): Uint8Array {
  if (value === null) return new Uint8Array(0)
  return typeof value === "string" ? Buffer.from(value) : value
}

/** Bytes of a record with its headers. */
export function sizeOf({ key, value, headers = [] }: PlainRecord): number {
  const ofHeaders = headers.map(([name, bytes]) => sizeOfHeader(Buffer.byteLength(name), bytes.length))
  return ofHeaders.reduce(
    (total, size) => total + size,
    bytesOf(key).length + bytesOf(value).length + sizeOfLength(headers.length)
  )
}
