/**
 * A reader of record batches (magic 2) in a fetch answer. Keys, values and header values are views of the answer. Checksums are verified, which
 * kafkajs does not do. Control records and records of aborted transactions are left out.
 */
import { crc32c, readHeaders, type ReceivedRecord, TransportError } from "leat/transport"
import { gunzipSync, zstdDecompressSync } from "node:zlib"
import { failure } from "../client/failureOf.ts"
import { BytesReader } from "./BytesReader.ts"

/** The records of one partition of an answer. */
export interface Fetched {
  readonly records: Array<ReceivedRecord>
  /** Position after the last whole batch; the requested position if there is none. */
  readonly next: bigint
  /** Control records or records of aborted transactions were left out. */
  readonly hasControl: boolean
}

/** An aborted transaction; its records begin at `first`. */
export interface Aborted {
  readonly producer: bigint
  readonly first: bigint
}

/** Bytes of a batch before its records. */
const batchHeaderBytes = 61

const transactionalFlag = 16
const controlFlag = 32
const appendTimeFlag = 8

/** Reads whole batches and keeps records [from, to); the last batch of an answer may be cut off. */
export function readRecordBatches(
  bytes: Buffer,
  from: bigint,
  to: bigint,
  aborted: ReadonlyArray<Aborted>,
  where: string
): Fetched {
  const records: Array<ReceivedRecord> = []
  const transactions = new Transactions(aborted)
  let next = from
  let hasControl = false
  let at = 0
  while (bytes.length - at >= 17) {
    const base = bytes.readBigInt64BE(at)
    const end = at + 12 + bytes.readInt32BE(at + 8)
    if (end > bytes.length) break
    const magic = bytes[at + 16]
    if (magic !== 2)
      throw failure("Unsupported", "fetch", `${where}: position ${base} has a record format of Kafka before 0.11`)
    if (end < at + batchHeaderBytes)
      throw failure("Corrupt", "fetch", `${where}: the batch at position ${base} ends in its header`)
    if (bytes.readUInt32BE(at + 17) !== crc32c(bytes, at + 21, end))
      throw failure("Corrupt", "fetch", `${where}: the batch at position ${base} does not verify`)
    const attributes = bytes.readInt16BE(at + 21)
    const afterBatch = base + BigInt(bytes.readInt32BE(at + 23)) + 1n
    const isControl = (attributes & controlFlag) !== 0
    const isLeftOut = transactions.leavesOut(bytes, at, attributes, isControl)
    if (isLeftOut) hasControl = true
    else readWhole(() => readRecords(bytes, at, end, attributes, base, from, to, records, where), base, where)
    if (afterBatch > next) next = afterBatch < to ? afterBatch : to
    at = end
    if (next >= to) break
  }
  return { records, next, hasControl }
}

/** Tracks which producers are in an aborted transaction, as Kafka's own consumers do. */
class Transactions {
  readonly #aborted: Array<Aborted>
  readonly #open = new Set<bigint>()

  constructor(aborted: ReadonlyArray<Aborted>) {
    this.#aborted = aborted.toSorted((left, right) =>
      left.first < right.first ? -1 : left.first > right.first ? 1 : 0
    )
  }

  leavesOut(bytes: Buffer, at: number, attributes: number, isControl: boolean): boolean {
    if ((attributes & transactionalFlag) === 0) return isControl
    const last = bytes.readBigInt64BE(at) + BigInt(bytes.readInt32BE(at + 23))
    const producer = bytes.readBigInt64BE(at + 43)
    while (this.#aborted[0] !== undefined && this.#aborted[0].first <= last) {
      const begun = this.#aborted.shift()
      if (begun !== undefined) this.#open.add(begun.producer)
    }
    if (isControl) {
      this.#open.delete(producer)
      return true
    }
    return this.#open.has(producer)
  }
}

/** What is wrong inside of a batch whose checksum holds was written so, by whoever wrote it. */
function readWhole(read: () => void, base: bigint, where: string): void {
  try {
    read()
  } catch (error) {
    if (error instanceof TransportError) throw error
    const why = error instanceof Error ? error.message : String(error)
    throw failure("Corrupt", "fetch", `${where}: the batch at position ${base} cannot be read: ${why}`)
  }
}

function readRecords(
  bytes: Buffer,
  at: number,
  end: number,
  attributes: number,
  base: bigint,
  from: bigint,
  to: bigint,
  into: Array<ReceivedRecord>,
  where: string
): void {
  const firstMs = Number(bytes.readBigInt64BE(at + 27))
  const appendedMs = (attributes & appendTimeFlag) === 0 ? undefined : Number(bytes.readBigInt64BE(at + 35))
  const count = bytes.readInt32BE(at + 57)
  const body = bytes.subarray(at + batchHeaderBytes, end)
  const reader = new BytesReader(decompressed(body, attributes & 7, where))
  for (let index = 0; index < count; index++) {
    const length = reader.varint()
    const stop = reader.at + length
    if (length < 0 || stop > reader.bytes.length) throw new RangeError("a record does not end")
    reader.at++
    const timeMs = firstMs + reader.varlong()
    const position = base + BigInt(reader.varint())
    if (position >= from && position < to) {
      const key = part(reader)
      const value = part(reader)
      if (reader.at > stop) throw new RangeError("a record is longer than it says")
      const headers = readHeaders(reader.bytes, reader.at)
      into.push({ position, key, value, headers, timeMs: appendedMs ?? timeMs })
    }
    reader.at = stop
  }
}

function part(reader: BytesReader): Uint8Array | null {
  const length = reader.varint()
  if (length < 0) return null
  reader.at += length
  return reader.bytes.subarray(reader.at - length, reader.at)
}

function decompressed(body: Buffer, codec: number, where: string): Buffer {
  if (codec === 0) return body
  if (codec === 1) return gunzipSync(body)
  if (codec === 4) return zstdDecompressSync(body)
  const name = codec === 2 ? "snappy" : codec === 3 ? "lz4" : `codec ${codec}`
  throw failure("Unsupported", "fetch", `${where}: records are compressed with ${name}; gzip and zstd can be read`)
}
