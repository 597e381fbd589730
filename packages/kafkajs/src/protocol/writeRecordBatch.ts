/**
 * A writer of record batches (magic 2), from leat's columns straight into the request. leat's headers have Kafka's layout already and are copied,
 * so their names, order and repetitions are kept; kafkajs would turn them into an object.
 */
import { crc32c } from "leat/transport"
import type { RecordColumns } from "leat/transport"

/** Bytes of a record batch before its first record. */
const batchHeaderBytes = 61

const noKey = 1
const tombstone = 2

/** The most bytes that the batch can take. Around the parts of each record are its length, attributes, two deltas and two lengths. */
export function batchBytesMax(columns: RecordColumns): number {
  return batchHeaderBytes + columns.bytes.length + columns.end.length * (5 + 1 + 10 + 5 + 5 + 5)
}

/** Writes the batch at `at` and returns the offset behind it. A record time of 0 becomes `nowMs`. */
export function writeRecordBatch(target: Buffer, at: number, columns: RecordColumns, nowMs: number): number {
  const { bytes, origin, headersAt, valueAt, end, flags, timeMs } = columns
  const count = end.length
  const base = timeMs[0] || nowMs
  let latest = base
  let position = at + batchHeaderBytes
  let start = 0
  for (let index = 0; index < count; index++) {
    const time = timeMs[index] || nowMs
    if (time > latest) latest = time
    const flag = flags[index] ?? 0
    const headersFrom = (headersAt[index] ?? 0) - origin
    const valueFrom = (valueAt[index] ?? 0) - origin
    const stop = (end[index] ?? 0) - origin
    const keyLength = (flag & noKey) !== 0 ? -1 : headersFrom - start
    const valueLength = (flag & tombstone) !== 0 ? -1 : stop - valueFrom
    const delta = time - base
    const around = 1 + sizeOfVarlong(delta) + sizeOfVarint(index) + sizeOfVarint(keyLength) + sizeOfVarint(valueLength)
    const length = around + Math.max(0, keyLength) + (valueFrom - headersFrom) + Math.max(0, valueLength)
    position = writeVarint(target, position, length)
    target[position++] = 0
    position = writeVarlong(target, position, delta)
    position = writeVarint(target, position, index)
    position = writeVarint(target, position, keyLength)
    if (keyLength > 0) position = copy(bytes, start, headersFrom, target, position)
    position = writeVarint(target, position, valueLength)
    if (valueLength > 0) position = copy(bytes, valueFrom, stop, target, position)
    position = copy(bytes, headersFrom, valueFrom, target, position)
    start = stop
  }
  writeHeader(target, at, position, count, base, latest)
  return position
}

function writeHeader(target: Buffer, at: number, end: number, count: number, base: number, latest: number): void {
  target.writeBigInt64BE(0n, at)
  target.writeInt32BE(end - at - 12, at + 8)
  target.writeInt32BE(-1, at + 12)
  target[at + 16] = 2
  target.writeInt16BE(0, at + 21)
  target.writeInt32BE(count - 1, at + 23)
  target.writeBigInt64BE(BigInt(base), at + 27)
  target.writeBigInt64BE(BigInt(latest), at + 35)
  // No producer id: idempotence is not used.
  target.writeBigInt64BE(-1n, at + 43)
  target.writeInt16BE(-1, at + 51)
  target.writeInt32BE(-1, at + 53)
  target.writeInt32BE(count, at + 57)
  target.writeUInt32BE(crc32c(target, at + 21, end), at + 17)
}

/** Below this many bytes a loop is faster than a call. */
const loopBytes = 48

function copy(from: Uint8Array, start: number, end: number, target: Buffer, at: number): number {
  const length = end - start
  if (length > loopBytes) target.set(from.subarray(start, end), at)
  else for (let index = 0; index < length; index++) target[at + index] = from[start + index] ?? 0
  return at + length
}

function sizeOfVarint(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  return zigzag < 128 ? 1 : zigzag < 16_384 ? 2 : zigzag < 2_097_152 ? 3 : zigzag < 268_435_456 ? 4 : 5
}

function writeVarint(target: Buffer, at: number, value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0
  while (rest > 127) {
    target[at++] = (rest & 127) | 128
    rest >>>= 7
  }
  target[at++] = rest
  return at
}

/** Exact up to 2^52, which is enough for times. */
const zigzagOf = (value: number): number => (value < 0 ? -value * 2 - 1 : value * 2)

function sizeOfVarlong(value: number): number {
  let size = 1
  for (let rest = zigzagOf(value); rest > 127; rest = Math.floor(rest / 128)) size++
  return size
}

function writeVarlong(target: Buffer, at: number, value: number): number {
  let rest = zigzagOf(value)
  while (rest > 127) {
    target[at++] = (rest % 128) | 128
    rest = Math.floor(rest / 128)
  }
  target[at++] = rest
  return at
}
