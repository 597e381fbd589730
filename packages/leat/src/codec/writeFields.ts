/** Writes fields of one value, and elements of packed lists. Fields with implicit presence are left out at their default. */
import type { Writer } from "protobufjs/minimal.js"
import { InvalidEvent } from "./CodecError.ts"
import { checkFloat, checkInt32, checkInt64, checkUint32, checkUint64 } from "./exact.ts"
import { halves } from "./halves.ts"
import { rawFixed64, rawInt32, rawSint64, rawVarint64 } from "./varint.ts"

/** Writes a string; lone surrogates are refused. */
export function writeString(writer: Writer, tag: number, value: string, path: string, isOptional: boolean): void {
  if (typeof value !== "string") throw new InvalidEvent(path, value, "a string")
  if (!value.isWellFormed()) throw new InvalidEvent(path, value, "a string without lone surrogates")
  if (isOptional || value !== "") writer.uint32(tag).string(value)
}

/** Writes bytes. */
export function writeBytes(writer: Writer, tag: number, value: Uint8Array, path: string, isOptional: boolean): void {
  if (!(value instanceof Uint8Array)) throw new InvalidEvent(path, value, "a Uint8Array")
  if (isOptional || value.length > 0) writer.uint32(tag).bytes(value)
}

/** Writes a bool. */
export function writeBool(writer: Writer, tag: number, value: boolean, path: string, isOptional: boolean): void {
  if (typeof value !== "boolean") throw new InvalidEvent(path, value, "a boolean")
  if (isOptional || value) writer.uint32(tag).bool(value)
}

/** Writes an int32. */
export function writeInt32(writer: Writer, tag: number, value: number, path: string, isOptional: boolean): void {
  checkInt32(value, path)
  if (isOptional || value !== 0) rawInt32(writer.uint32(tag), value)
}

/** Writes a uint32. */
export function writeUint32(writer: Writer, tag: number, value: number, path: string, isOptional: boolean): void {
  checkUint32(value, path)
  if (isOptional || value !== 0) writer.uint32(tag).uint32(value)
}

/** Writes a sint32 (zig-zag). */
export function writeSint32(writer: Writer, tag: number, value: number, path: string, isOptional: boolean): void {
  checkInt32(value, path)
  if (isOptional || value !== 0) writer.uint32(tag).sint32(value)
}

/** Writes a fixed32. */
export function writeFixed32(writer: Writer, tag: number, value: number, path: string, isOptional: boolean): void {
  checkUint32(value, path)
  if (isOptional || value !== 0) writer.uint32(tag).fixed32(value)
}

/** Writes an sfixed32. */
export function writeSfixed32(writer: Writer, tag: number, value: number, path: string, isOptional: boolean): void {
  checkInt32(value, path)
  if (isOptional || value !== 0) writer.uint32(tag).sfixed32(value)
}

/** Writes an int64. */
export function writeInt64(writer: Writer, tag: number, value: bigint, path: string, isOptional: boolean): void {
  checkInt64(value, path)
  if (isOptional || value !== 0n) rawVarint64(writer.uint32(tag), halves[0] ?? 0, halves[1] ?? 0)
}

/** Writes a uint64. */
export function writeUint64(writer: Writer, tag: number, value: bigint, path: string, isOptional: boolean): void {
  checkUint64(value, path)
  if (isOptional || value !== 0n) rawVarint64(writer.uint32(tag), halves[0] ?? 0, halves[1] ?? 0)
}

/** Writes a sint64 (zig-zag). */
export function writeSint64(writer: Writer, tag: number, value: bigint, path: string, isOptional: boolean): void {
  checkInt64(value, path)
  if (isOptional || value !== 0n) rawSint64(writer.uint32(tag))
}

/** Writes a fixed64. */
export function writeFixed64(writer: Writer, tag: number, value: bigint, path: string, isOptional: boolean): void {
  checkUint64(value, path)
  if (isOptional || value !== 0n) rawFixed64(writer.uint32(tag))
}

/** Writes an sfixed64. */
export function writeSfixed64(writer: Writer, tag: number, value: bigint, path: string, isOptional: boolean): void {
  checkInt64(value, path)
  if (isOptional || value !== 0n) rawFixed64(writer.uint32(tag))
}

/** Writes a double. */
export function writeDouble(writer: Writer, tag: number, value: number, path: string, isOptional: boolean): void {
  if (typeof value !== "number") throw new InvalidEvent(path, value, "a number")
  if (isOptional || value !== 0 || Object.is(value, -0)) writer.uint32(tag).double(value)
}

/** Writes a float; what 32 bits do not hold exactly is refused. */
export function writeFloat(writer: Writer, tag: number, value: number, path: string, isOptional: boolean): void {
  checkFloat(value, path)
  if (isOptional || value !== 0 || Object.is(value, -0)) writer.uint32(tag).float(value)
}

/** Writes an enum; enums are open: a number without a name comes back as it was. */
export const writeEnum = writeInt32

// Elements of packed lists: checked as above, without a tag.
/** Writes an element of a packed list: an int32. */
export function packedInt32(writer: Writer, value: number, path: string): void {
  checkInt32(value, path)
  rawInt32(writer, value)
}

/** Writes an element of a packed list: an enum. */
export const packedEnum = packedInt32

/** Writes an element of a packed list: a uint32. */
export function packedUint32(writer: Writer, value: number, path: string): void {
  checkUint32(value, path)
  writer.uint32(value)
}

/** Writes an element of a packed list: a sint32 (zig-zag). */
export function packedSint32(writer: Writer, value: number, path: string): void {
  checkInt32(value, path)
  writer.sint32(value)
}

/** Writes an element of a packed list: a fixed32. */
export function packedFixed32(writer: Writer, value: number, path: string): void {
  checkUint32(value, path)
  writer.fixed32(value)
}

/** Writes an element of a packed list: an sfixed32. */
export function packedSfixed32(writer: Writer, value: number, path: string): void {
  checkInt32(value, path)
  writer.sfixed32(value)
}

/** Writes an element of a packed list: an int64. */
export function packedInt64(writer: Writer, value: bigint, path: string): void {
  checkInt64(value, path)
  rawVarint64(writer, halves[0] ?? 0, halves[1] ?? 0)
}

/** Writes an element of a packed list: a uint64. */
export function packedUint64(writer: Writer, value: bigint, path: string): void {
  checkUint64(value, path)
  rawVarint64(writer, halves[0] ?? 0, halves[1] ?? 0)
}

/** Writes an element of a packed list: a sint64 (zig-zag). */
export function packedSint64(writer: Writer, value: bigint, path: string): void {
  checkInt64(value, path)
  rawSint64(writer)
}

/** Writes an element of a packed list: a fixed64. */
export function packedFixed64(writer: Writer, value: bigint, path: string): void {
  checkUint64(value, path)
  rawFixed64(writer)
}

/** Writes an element of a packed list: an sfixed64. */
export function packedSfixed64(writer: Writer, value: bigint, path: string): void {
  checkInt64(value, path)
  rawFixed64(writer)
}

/** Writes an element of a packed list: a bool. */
export function packedBool(writer: Writer, value: boolean, path: string): void {
  if (typeof value !== "boolean") throw new InvalidEvent(path, value, "a boolean")
  writer.bool(value)
}

/** Writes an element of a packed list: a double. */
export function packedDouble(writer: Writer, value: number, path: string): void {
  if (typeof value !== "number") throw new InvalidEvent(path, value, "a number")
  writer.double(value)
}

/** Writes an element of a packed list: a float. */
export function packedFloat(writer: Writer, value: number, path: string): void {
  checkFloat(value, path)
  writer.float(value)
}
