/**
 * Bytes that say something valid in ways that no careful writer would: fields in any order, several times, cut in pieces,
 * packed and unpacked, numbers longer than they need be, fields that nobody knows.
 */
import { Buffer } from "node:buffer"
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf"
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire"
import fc from "fast-check"
import { anyScalar } from "./anyEvent.js"

type Bytes = fc.Arbitrary<Uint8Array>

/** The fields of one message. */
export function anyWire(desc: DescMessage, levels = 2): Bytes {
  const known = desc.fields.filter((field) => field.message === undefined || levels > 0)
  const records = [...known.map((field) => anyRecord(field, levels)), anyUnknown(desc, 2)]
  return fc.array(fc.oneof(...records), { maxLength: 8 }).map(concatenated)
}

function anyRecord(field: DescField, levels: number): Bytes {
  const { number } = field
  if (field.fieldKind === "map") return anyEntry(field, levels).map((entry) => delimited(number, entry))
  const one = valueOf(field, levels)
  const single = one.map((value) => concatenated([tag(number, wireTypeOf(field)), value]))
  if (field.fieldKind !== "list" || wireTypeOf(field) === WireType.LengthDelimited) return single
  return fc.oneof(
    single,
    fc.array(one, { maxLength: 4 }).map((values) => delimited(number, concatenated(values)))
  )
}

/** A map's entry, with key and value in any order, missing or repeated. */
function anyEntry(field: DescField & { readonly fieldKind: "map" }, levels: number): Bytes {
  const key = scalarWire(field.mapKey).map((value) => concatenated([tag(1, scalarWireType(field.mapKey)), value]))
  const value = valueOf(field, levels).map((bytes) => concatenated([tag(2, wireTypeOf(field)), bytes]))
  return fc.array(fc.oneof(key, value, value), { maxLength: 4 }).map(concatenated)
}

/** A value without its tag; messages with their length. */
function valueOf(field: DescField, levels: number): Bytes {
  if (field.message !== undefined) {
    return anyWire(field.message, levels - 1).map((bytes) => new BinaryWriter().bytes(bytes).finish())
  }
  return scalarWire(field.scalar ?? ScalarType.INT32)
}

function scalarWire(type: ScalarType): Bytes {
  const exact = anyScalar(type).map((value) => scalarBytes(type, value))
  if (scalarWireType(type) !== WireType.Varint) return exact
  return fc.tuple(exact, fc.integer({ min: 0, max: 10 })).map(([bytes, length]) => lengthened(bytes, length))
}

function scalarBytes(type: ScalarType, value: unknown): Uint8Array {
  const writer = new BinaryWriter()
  switch (type) {
    case ScalarType.DOUBLE:
      return writer.double(value as number).finish()
    case ScalarType.FLOAT:
      return writer.float(value as number).finish()
    case ScalarType.INT32:
      return writer.int32(value as number).finish()
    case ScalarType.INT64:
      return writer.int64(value as bigint).finish()
    case ScalarType.UINT32:
      return writer.uint32(value as number).finish()
    case ScalarType.UINT64:
      return writer.uint64(value as bigint).finish()
    case ScalarType.SINT32:
      return writer.sint32(value as number).finish()
    case ScalarType.SINT64:
      return writer.sint64(value as bigint).finish()
    case ScalarType.FIXED32:
      return writer.fixed32(value as number).finish()
    case ScalarType.FIXED64:
      return writer.fixed64(value as bigint).finish()
    case ScalarType.SFIXED32:
      return writer.sfixed32(value as number).finish()
    case ScalarType.SFIXED64:
      return writer.sfixed64(value as bigint).finish()
    case ScalarType.BOOL:
      return writer.bool(value as boolean).finish()
    case ScalarType.STRING:
      return writer.string(value as string).finish()
    case ScalarType.BYTES:
      return writer.bytes(value as Uint8Array).finish()
  }
}

/** Fields that the message does not have, groups among them. */
function anyUnknown(desc: DescMessage, levels: number): Bytes {
  const numbers = new Set(desc.fields.map(({ number }) => number))
  const number = fc
    .oneof(fc.integer({ min: 1, max: 2 ** 29 - 1 }), fc.nat(3000))
    .filter((one) => one > 0 && !numbers.has(one))
  return number.chain((one) => {
    const plain = fc.oneof(
      scalarWire(ScalarType.UINT64).map((value) => concatenated([tag(one, WireType.Varint), value])),
      scalarWire(ScalarType.FIXED64).map((value) => concatenated([tag(one, WireType.Bit64), value])),
      scalarWire(ScalarType.FIXED32).map((value) => concatenated([tag(one, WireType.Bit32), value])),
      scalarWire(ScalarType.BYTES).map((value) => concatenated([tag(one, WireType.LengthDelimited), value]))
    )
    if (levels === 0) return plain
    const group = fc
      .array(anyUnknown(desc, levels - 1), { maxLength: 3 })
      .map((inside) => concatenated([tag(one, WireType.StartGroup), ...inside, tag(one, WireType.EndGroup)]))
    return fc.oneof({ weight: 3, arbitrary: plain }, { weight: 1, arbitrary: group })
  })
}

/** The same varint with more bytes. */
function lengthened(bytes: Uint8Array, length: number): Uint8Array {
  if (length <= bytes.length) return bytes
  const longer = new Uint8Array(length).fill(0x80)
  longer.set(bytes.map((byte) => byte | 0x80))
  longer[length - 1] = 0
  return longer
}

export function wireTypeOf(field: DescField): WireType {
  if (field.message !== undefined) return WireType.LengthDelimited
  return scalarWireType(field.scalar ?? ScalarType.INT32)
}

function scalarWireType(type: ScalarType): WireType {
  switch (type) {
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return WireType.Bit64
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return WireType.Bit32
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WireType.LengthDelimited
    case ScalarType.INT32:
    case ScalarType.INT64:
    case ScalarType.UINT32:
    case ScalarType.UINT64:
    case ScalarType.SINT32:
    case ScalarType.SINT64:
    case ScalarType.BOOL:
      return WireType.Varint
  }
}

export function tag(number: number, wireType: WireType): Uint8Array {
  return new BinaryWriter().tag(number, wireType).finish()
}

export function delimited(number: number, bytes: Uint8Array): Uint8Array {
  return new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(bytes).finish()
}

export function concatenated(parts: ReadonlyArray<Uint8Array>): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}
