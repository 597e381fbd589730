/** Reads values, each bounded by the end of the message it stands in: the Reader alone would read on into the next one. */
import { Buffer } from "node:buffer"
import type { Reader } from "protobufjs/minimal.js"
import { MalformedEvent } from "./CodecError.ts"
import { halves, long, unsignedLong } from "./halves.ts"

/** Leaves low and high half of a varint in `halves`. */
export function varint(reader: Reader, end: number): void {
  const { buf } = reader
  let low = 0
  let high = 0
  for (let shift = 0; shift < 70; shift += 7) {
    if (reader.pos >= end) throw new MalformedEvent("", reader.pos, "a number is cut off")
    const byte = buf[reader.pos++] ?? 0
    const bits = byte & 127
    if (shift < 28) low |= bits << shift
    else if (shift === 28) {
      low |= bits << 28
      high = bits >>> 4
    } else if (shift < 63) high |= bits << (shift - 32)
    else high |= (bits & 1) << 31
    if (byte < 128) {
      halves[0] = low
      halves[1] = high
      return
    }
  }
  throw new MalformedEvent("", reader.pos, "a number is longer than ten bytes")
}

/** Reads a uint32; varints longer than 32 bits are cut to their low half, as the format has it. */
export function readUint32(reader: Reader, end: number): number {
  const first = reader.buf[reader.pos] ?? 0
  if (first < 128 && reader.pos < end) {
    reader.pos++
    return first
  }
  varint(reader, end)
  return halves[0] ?? 0
}

/** Reads an int32. */
export function readInt32(reader: Reader, end: number): number {
  return readUint32(reader, end) | 0
}

/** Reads an enum, with or without a name. */
export const readEnum = readInt32

/** Reads a sint32 (zig-zag). */
export function readSint32(reader: Reader, end: number): number {
  const value = readUint32(reader, end)
  return (value >>> 1) ^ -(value & 1)
}

/** Reads a bool: any varint but 0 is true. */
export function readBool(reader: Reader, end: number): boolean {
  varint(reader, end)
  return halves[0] !== 0 || halves[1] !== 0
}

/** Reads an int64. */
export function readInt64(reader: Reader, end: number): bigint {
  varint(reader, end)
  return long[0] ?? 0n
}

/** Reads a uint64. */
export function readUint64(reader: Reader, end: number): bigint {
  varint(reader, end)
  return unsignedLong[0] ?? 0n
}

/** Reads a sint64 (zig-zag). */
export function readSint64(reader: Reader, end: number): bigint {
  varint(reader, end)
  const value = unsignedLong[0] ?? 0n
  return (value >> 1n) ^ -(value & 1n)
}

/** Reads a fixed32. */
export function readFixed32(reader: Reader, end: number): number {
  need(reader, end, 4)
  return reader.fixed32()
}

/** Reads an sfixed32. */
export function readSfixed32(reader: Reader, end: number): number {
  need(reader, end, 4)
  return reader.sfixed32()
}

/** Reads a fixed64. */
export function readFixed64(reader: Reader, end: number): bigint {
  need(reader, end, 8)
  halves[0] = reader.fixed32()
  halves[1] = reader.fixed32()
  return unsignedLong[0] ?? 0n
}

/** Reads an sfixed64. */
export function readSfixed64(reader: Reader, end: number): bigint {
  readFixed64(reader, end)
  return long[0] ?? 0n
}

/** Reads a double. */
export function readDouble(reader: Reader, end: number): number {
  need(reader, end, 8)
  return reader.double()
}

/** Reads a float. */
export function readFloat(reader: Reader, end: number): number {
  need(reader, end, 4)
  return reader.float()
}

/** Reads the next tag: field number and wire type. */
export function readTag(reader: Reader, end: number): number {
  const tag = readSize(reader, end)
  if (tag >>> 3 === 0) throw new MalformedEvent("", reader.pos, "field number 0")
  return tag
}

/** The end of the length-delimited field that begins here. */
export function readEnd(reader: Reader, end: number): number {
  const length = readSize(reader, end)
  const fieldEnd = reader.pos + length
  if (fieldEnd > end) throw new MalformedEvent("", reader.pos, `a length of ${length} bytes goes past the end`)
  return fieldEnd
}

/** A tag or a length: cut to 32 bits it would be another one. */
function readSize(reader: Reader, end: number): number {
  const first = reader.buf[reader.pos] ?? 0
  if (first < 128 && reader.pos < end) {
    reader.pos++
    return first
  }
  varint(reader, end)
  if (halves[1] !== 0) throw new MalformedEvent("", reader.pos, "a tag or a length has more than 32 bits")
  return halves[0] ?? 0
}

/** `Buffer`'s own, which Node's types leave out: bytes that were seen to be ASCII become text without a decoder. */
const { latin1Slice } = Buffer.prototype as unknown as {
  readonly latin1Slice: (this: Uint8Array, from: number, to: number) => string
}
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** Reads a string; bytes that are not UTF-8 are refused. */
export function readString(reader: Reader, end: number): string {
  const stringEnd = readEnd(reader, end)
  const { buf, pos } = reader
  let at = pos
  while (at < stringEnd && (buf[at] ?? 0) < 128) at++
  if (at === stringEnd) {
    reader.pos = at
    return at === pos ? "" : latin1Slice.call(buf, pos, at)
  }
  const text = utf8.decode(buf.subarray(pos, stringEnd))
  reader.pos = stringEnd
  return text
}

/** Reads bytes, as a copy: those of the record may be used again. */
export function readBytes(reader: Reader, end: number): Uint8Array {
  const bytesEnd = readEnd(reader, end)
  const bytes = new Uint8Array(reader.buf.subarray(reader.pos, bytesEnd))
  reader.pos = bytesEnd
  return bytes
}

/** Throws unless a number of so many bytes is there. */
export function need(reader: Reader, end: number, bytes: number): void {
  if (reader.pos + bytes > end) throw new MalformedEvent("", reader.pos, "a number is cut off")
}
