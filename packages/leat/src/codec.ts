/**
 * What generated code stands on: writing and reading protobuf fields over protobufjs's minimal Writer and Reader, with every
 * value checked. A value that would not come back as it was is rejected (`InvalidEvent`), never bent; bytes that are not a
 * message of the type are refused (`MalformedEvent`), never guessed.
 *
 * Fields with implicit presence are left out when they hold their default, as proto3 says. `-0` counts as a value of its own
 * in floating-point fields and is 0 in integer fields.
 */
import protobuf from "protobufjs/minimal.js"
import { InvalidEvent, MalformedEvent } from "./CodecError.ts"

export { InvalidEvent, MalformedEvent } from "./CodecError.ts"
export {
  type Duration,
  readDuration,
  readTimestamp,
  type Timestamp,
  writeDuration,
  writeTimestamp
} from "./WellKnown.ts"

export type Writer = protobuf.Writer
export type Reader = protobuf.Reader

/** Messages inside messages that a decoder follows; protobuf's own implementations stop at 100 too. */
const depthMax = 100

/** A 64-bit integer and its halves, without an object per value. */
const long = new BigInt64Array(1)
const unsignedLong = new BigUint64Array(long.buffer)
const halves = new Uint32Array(long.buffer)
const float = new Float32Array(1)

// --- writing -----------------------------------------------------------------------------------------------------------

export function writeString(writer: Writer, tag: number, value: string, path: string, isOptional: boolean): void {
  if (typeof value !== "string") throw new InvalidEvent(path, value, "a string")
  if (!value.isWellFormed()) throw new InvalidEvent(path, value, "a string without lone surrogates")
  if (isOptional || value !== "") writer.uint32(tag).string(value)
}

export function writeBytes(writer: Writer, tag: number, value: Uint8Array, path: string, isOptional: boolean): void {
  if (!(value instanceof Uint8Array)) throw new InvalidEvent(path, value, "a Uint8Array")
  if (isOptional || value.length > 0) writer.uint32(tag).bytes(value)
}

export function writeBool(writer: Writer, tag: number, value: boolean, path: string, isOptional: boolean): void {
  if (typeof value !== "boolean") throw new InvalidEvent(path, value, "a boolean")
  if (isOptional || value) writer.uint32(tag).bool(value)
}

export function writeInt32(writer: Writer, tag: number, value: number, path: string, isOptional: boolean): void {
  checkInt32(value, path)
  if (isOptional || value !== 0) rawInt32(writer.uint32(tag), value)
}

export function writeUint32(writer: Writer, tag: number, value: number, path: string, isOptional: boolean): void {
  checkUint32(value, path)
  if (isOptional || value !== 0) writer.uint32(tag).uint32(value)
}

export function writeSint32(writer: Writer, tag: number, value: number, path: string, isOptional: boolean): void {
  checkInt32(value, path)
  if (isOptional || value !== 0) writer.uint32(tag).sint32(value)
}

export function writeFixed32(writer: Writer, tag: number, value: number, path: string, isOptional: boolean): void {
  checkUint32(value, path)
  if (isOptional || value !== 0) writer.uint32(tag).fixed32(value)
}

export function writeSfixed32(writer: Writer, tag: number, value: number, path: string, isOptional: boolean): void {
  checkInt32(value, path)
  if (isOptional || value !== 0) writer.uint32(tag).sfixed32(value)
}

export function writeInt64(writer: Writer, tag: number, value: bigint, path: string, isOptional: boolean): void {
  checkInt64(value, path)
  if (isOptional || value !== 0n) rawVarint64(writer.uint32(tag), halves[0] ?? 0, halves[1] ?? 0)
}

export function writeUint64(writer: Writer, tag: number, value: bigint, path: string, isOptional: boolean): void {
  checkUint64(value, path)
  if (isOptional || value !== 0n) rawVarint64(writer.uint32(tag), halves[0] ?? 0, halves[1] ?? 0)
}

export function writeSint64(writer: Writer, tag: number, value: bigint, path: string, isOptional: boolean): void {
  checkInt64(value, path)
  if (isOptional || value !== 0n) rawSint64(writer.uint32(tag))
}

export function writeFixed64(writer: Writer, tag: number, value: bigint, path: string, isOptional: boolean): void {
  checkUint64(value, path)
  if (isOptional || value !== 0n) rawFixed64(writer.uint32(tag))
}

export function writeSfixed64(writer: Writer, tag: number, value: bigint, path: string, isOptional: boolean): void {
  checkInt64(value, path)
  if (isOptional || value !== 0n) rawFixed64(writer.uint32(tag))
}

export function writeDouble(writer: Writer, tag: number, value: number, path: string, isOptional: boolean): void {
  if (typeof value !== "number") throw new InvalidEvent(path, value, "a number")
  if (isOptional || value !== 0 || Object.is(value, -0)) writer.uint32(tag).double(value)
}

export function writeFloat(writer: Writer, tag: number, value: number, path: string, isOptional: boolean): void {
  checkFloat(value, path)
  if (isOptional || value !== 0 || Object.is(value, -0)) writer.uint32(tag).float(value)
}

/** Enums are open: a number without a name comes back as it was. */
export const writeEnum = writeInt32

// Elements of packed lists: checked as above, without a tag.
export function packedInt32(writer: Writer, value: number, path: string): void {
  checkInt32(value, path)
  rawInt32(writer, value)
}

export const packedEnum = packedInt32

export function packedUint32(writer: Writer, value: number, path: string): void {
  checkUint32(value, path)
  writer.uint32(value)
}

export function packedSint32(writer: Writer, value: number, path: string): void {
  checkInt32(value, path)
  writer.sint32(value)
}

export function packedFixed32(writer: Writer, value: number, path: string): void {
  checkUint32(value, path)
  writer.fixed32(value)
}

export function packedSfixed32(writer: Writer, value: number, path: string): void {
  checkInt32(value, path)
  writer.sfixed32(value)
}

export function packedInt64(writer: Writer, value: bigint, path: string): void {
  checkInt64(value, path)
  rawVarint64(writer, halves[0] ?? 0, halves[1] ?? 0)
}

export function packedUint64(writer: Writer, value: bigint, path: string): void {
  checkUint64(value, path)
  rawVarint64(writer, halves[0] ?? 0, halves[1] ?? 0)
}

export function packedSint64(writer: Writer, value: bigint, path: string): void {
  checkInt64(value, path)
  rawSint64(writer)
}

export function packedFixed64(writer: Writer, value: bigint, path: string): void {
  checkUint64(value, path)
  rawFixed64(writer)
}

export function packedSfixed64(writer: Writer, value: bigint, path: string): void {
  checkInt64(value, path)
  rawFixed64(writer)
}

export function packedBool(writer: Writer, value: boolean, path: string): void {
  if (typeof value !== "boolean") throw new InvalidEvent(path, value, "a boolean")
  writer.bool(value)
}

export function packedDouble(writer: Writer, value: number, path: string): void {
  if (typeof value !== "number") throw new InvalidEvent(path, value, "a number")
  writer.double(value)
}

export function packedFloat(writer: Writer, value: number, path: string): void {
  checkFloat(value, path)
  writer.float(value)
}

/** Opens a message field; close it with `writer.ldelim()`. */
export function forkMessage(writer: Writer, tag: number, value: object, path: string): void {
  if (typeof value !== "object" || value === null) throw new InvalidEvent(path, value, "a message")
  writer.uint32(tag).fork()
}

export function checkMessage(value: object, path: string): void {
  if (typeof value !== "object" || value === null) throw new InvalidEvent(path, value, "a message")
}

export function checkList(value: ReadonlyArray<unknown>, path: string): void {
  if (!Array.isArray(value)) throw new InvalidEvent(path, value, "an array")
}

export function checkMap(value: ReadonlyMap<unknown, unknown>, path: string): void {
  if (!(value instanceof Map)) throw new InvalidEvent(path, value, "a Map")
}

/** A oneof whose `case` is none of its fields. */
export function unknownCase(value: { readonly case: unknown }, path: string): never {
  throw new InvalidEvent(path, value.case, "the name of one of its fields")
}

function checkInt32(value: number, path: string): void {
  if ((value | 0) !== value) throw new InvalidEvent(path, value, "a whole number of 32 bits")
}

function checkUint32(value: number, path: string): void {
  if (value >>> 0 !== value) throw new InvalidEvent(path, value, "a whole number from 0 to 4294967295")
}

function checkFloat(value: number, path: string): void {
  if (typeof value !== "number") throw new InvalidEvent(path, value, "a number")
  float[0] = value
  if (!Object.is(float[0], value)) {
    throw new InvalidEvent(
      path,
      value,
      "a number that 32 bits hold exactly; round it with Math.fround, or make the field a double"
    )
  }
}

/** Leaves the value in `halves`. */
function checkInt64(value: bigint, path: string): void {
  if (typeof value !== "bigint") throw new InvalidEvent(path, value, "a bigint")
  long[0] = value
  if (long[0] !== value) throw new InvalidEvent(path, value, "a bigint of 64 bits")
}

/** Leaves the value in `halves`. */
function checkUint64(value: bigint, path: string): void {
  if (typeof value !== "bigint") throw new InvalidEvent(path, value, "a bigint")
  unsignedLong[0] = value
  if (unsignedLong[0] !== value) throw new InvalidEvent(path, value, "a bigint from 0 to 2^64 - 1")
}

/** A negative int32 takes ten bytes, as the format has it. */
function rawInt32(writer: Writer, value: number): void {
  if (value < 0) rawVarint64(writer, value >>> 0, 0xffffffff)
  else writer.uint32(value)
}

/**
 * A varint of 64 bits in pieces that the Writer has without making an object: four bytes of seven bits each are one fixed32
 * with all continuation bits set.
 */
function rawVarint64(writer: Writer, low: number, high: number): void {
  if (high === 0) {
    writer.uint32(low)
    return
  }
  writer.fixed32(continued(low))
  const middle = (low >>> 28) | (high << 4)
  if (high >>> 28 === 0) writer.uint32(middle >>> 0)
  else writer.fixed32(continued(middle)).uint32(high >>> 24)
}

function continued(bits28: number): number {
  return (
    ((bits28 & 127) |
      128 |
      ((((bits28 >>> 7) & 127) | 128) << 8) |
      ((((bits28 >>> 14) & 127) | 128) << 16) |
      ((((bits28 >>> 21) & 127) | 128) << 24)) >>>
    0
  )
}

/** Zig-zag of the value in `halves`. */
function rawSint64(writer: Writer): void {
  const low = halves[0] ?? 0
  const high = halves[1] ?? 0
  const sign = high >> 31
  rawVarint64(writer, ((low << 1) ^ sign) >>> 0, (((high << 1) | (low >>> 31)) ^ sign) >>> 0)
}

function rawFixed64(writer: Writer): void {
  writer.fixed32(halves[0] ?? 0).fixed32(halves[1] ?? 0)
}

// --- reading -----------------------------------------------------------------------------------------------------------

/** Decodes a whole message; every fault becomes `MalformedEvent`. */
export function decodeWith<T>(
  name: string,
  bytes: Uint8Array,
  read: (reader: Reader, end: number, depth: number) => T
): T {
  const reader = protobuf.Reader.create(bytes)
  try {
    return read(reader, reader.len, 0)
  } catch (error) {
    if (error instanceof MalformedEvent && error.type !== "") throw error
    throw new MalformedEvent(name, reader.pos, error instanceof Error ? error.message : String(error))
  }
}

/** The next tag; 0 is none that a message can hold. */
export function readTag(reader: Reader, end: number): number {
  const tag = readUint32(reader, end)
  if (tag >>> 3 === 0) throw new MalformedEvent("", reader.pos, "field number 0")
  return tag
}

/** Leaves low and high half of a varint in `halves`. */
function varint(reader: Reader, end: number): void {
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

/** Varints longer than 32 bits are cut to their low half, as the format has it. */
export function readUint32(reader: Reader, end: number): number {
  const first = reader.buf[reader.pos] ?? 0
  if (first < 128 && reader.pos < end) {
    reader.pos++
    return first
  }
  varint(reader, end)
  return halves[0] ?? 0
}

export function readInt32(reader: Reader, end: number): number {
  return readUint32(reader, end) | 0
}

export const readEnum = readInt32

export function readSint32(reader: Reader, end: number): number {
  const value = readUint32(reader, end)
  return (value >>> 1) ^ -(value & 1)
}

export function readBool(reader: Reader, end: number): boolean {
  varint(reader, end)
  return halves[0] !== 0 || halves[1] !== 0
}

export function readInt64(reader: Reader, end: number): bigint {
  varint(reader, end)
  return long[0] ?? 0n
}

export function readUint64(reader: Reader, end: number): bigint {
  varint(reader, end)
  return unsignedLong[0] ?? 0n
}

export function readSint64(reader: Reader, end: number): bigint {
  varint(reader, end)
  const value = unsignedLong[0] ?? 0n
  return (value >> 1n) ^ -(value & 1n)
}

export function readFixed32(reader: Reader, end: number): number {
  need(reader, end, 4)
  return reader.fixed32()
}

export function readSfixed32(reader: Reader, end: number): number {
  need(reader, end, 4)
  return reader.sfixed32()
}

export function readFixed64(reader: Reader, end: number): bigint {
  need(reader, end, 8)
  halves[0] = reader.fixed32()
  halves[1] = reader.fixed32()
  return unsignedLong[0] ?? 0n
}

export function readSfixed64(reader: Reader, end: number): bigint {
  readFixed64(reader, end)
  return long[0] ?? 0n
}

export function readDouble(reader: Reader, end: number): number {
  need(reader, end, 8)
  return reader.double()
}

export function readFloat(reader: Reader, end: number): number {
  need(reader, end, 4)
  return reader.float()
}

/** The end of the length-delimited field that begins here. */
export function readEnd(reader: Reader, end: number): number {
  const length = readUint32(reader, end)
  const fieldEnd = reader.pos + length
  if (fieldEnd > end) throw new MalformedEvent("", reader.pos, `a length of ${length} bytes goes past the end`)
  return fieldEnd
}

/** The end of a message field that begins here; `depth` is how deep the message around it stands. */
export function readMessageEnd(reader: Reader, end: number, depth: number): number {
  if (depth >= depthMax) throw new MalformedEvent("", reader.pos, `messages are nested more than ${depthMax} deep`)
  return readEnd(reader, end)
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

export function readString(reader: Reader, end: number): string {
  const stringEnd = readEnd(reader, end)
  const { buf, pos } = reader
  reader.pos = stringEnd
  if (stringEnd - pos <= 24) {
    let text = ""
    let at = pos
    for (; at < stringEnd; at++) {
      const byte = buf[at] ?? 0
      if (byte > 127) break
      text += String.fromCharCode(byte)
    }
    if (at === stringEnd) return text
  }
  return utf8.decode(buf.subarray(pos, stringEnd))
}

/** A copy: the bytes of the record may be used again. */
export function readBytes(reader: Reader, end: number): Uint8Array {
  const bytesEnd = readEnd(reader, end)
  const bytes = new Uint8Array(reader.buf.subarray(reader.pos, bytesEnd))
  reader.pos = bytesEnd
  return bytes
}

/** Passes over a field that the contract does not know. */
export function skipField(reader: Reader, tag: number, end: number, depth: number): void {
  switch (tag & 7) {
    case 0:
      varint(reader, end)
      return
    case 1:
      need(reader, end, 8)
      reader.pos += 8
      return
    case 2:
      reader.pos = readEnd(reader, end)
      return
    case 3:
      skipGroup(reader, tag, end, depth)
      return
    case 5:
      need(reader, end, 4)
      reader.pos += 4
      return
    default:
      throw new MalformedEvent("", reader.pos, `wire type ${tag & 7} where a field begins`)
  }
}

function skipGroup(reader: Reader, tag: number, end: number, depth: number): void {
  if (depth >= depthMax) throw new MalformedEvent("", reader.pos, `groups are nested more than ${depthMax} deep`)
  for (;;) {
    const inner = readTag(reader, end)
    if ((inner & 7) === 4) {
      if (inner >>> 3 !== tag >>> 3)
        throw new MalformedEvent("", reader.pos, "a group ends with another field's number")
      return
    }
    skipField(reader, inner, end, depth + 1)
  }
}

function need(reader: Reader, end: number, bytes: number): void {
  if (reader.pos + bytes > end) throw new MalformedEvent("", reader.pos, "a number is cut off")
}
