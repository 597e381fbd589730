/** Writes fields of one value, and elements of packed lists. Fields with implicit presence are left out at their default. */
import type { Writer } from "protobufjs/minimal.js"
import { InvalidEvent } from "./CodecError.ts"
import { checkFloat, checkInt32, checkInt64, checkUint32, checkUint64 } from "./exact.ts"
import { halves } from "./halves.ts"
import { rawFixed64, rawInt32, rawSint64, rawVarint64 } from "./varint.ts"

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
