/** Random events of any message type, in leat's shape. */
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf"
import fc from "fast-check"
import { type Fields, isOptional } from "./oracle.js"

const int32 = fc.oneof(fc.integer(), fc.constantFrom(0, 1, -1, 127, 128, -(2 ** 31), 2 ** 31 - 1))
const uint32 = fc.oneof(fc.nat(), fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.constantFrom(2 ** 31, 2 ** 32 - 1))
/** Numbers of every length as a varint, and both sides of each. */
const bits = fc.tuple(fc.integer({ min: 0, max: 64 }), fc.integer({ min: -2, max: 2 }))
const int64 = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  bits.map(([shift, by]) => BigInt.asIntN(64, (1n << BigInt(shift)) + BigInt(by)))
)
const uint64 = int64.map((value) => BigInt.asUintN(64, value))
/** Short ones, ones that protobufjs writes in another way (40 and 128 characters and more), and what is odd in JavaScript. */
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.string({ unit: "grapheme", maxLength: 200 }),
  fc.string({ unit: fc.constantFrom("a", "é", "€", "😀", "\uFEFF", "\0"), maxLength: 60 }),
  fc.constantFrom("__proto__", "constructor", "", "x".repeat(127), "x".repeat(128), "é".repeat(1000))
)

const scalars: Readonly<Record<ScalarType, fc.Arbitrary<unknown>>> = {
  [ScalarType.DOUBLE]: fc.double(),
  [ScalarType.FLOAT]: fc.float(),
  [ScalarType.INT32]: int32,
  [ScalarType.SINT32]: int32,
  [ScalarType.SFIXED32]: int32,
  [ScalarType.UINT32]: uint32,
  [ScalarType.FIXED32]: uint32,
  [ScalarType.INT64]: int64,
  [ScalarType.SINT64]: int64,
  [ScalarType.SFIXED64]: int64,
  [ScalarType.UINT64]: uint64,
  [ScalarType.FIXED64]: uint64,
  [ScalarType.BOOL]: fc.boolean(),
  [ScalarType.STRING]: text,
  [ScalarType.BYTES]: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 120, maxLength: 300 }))
}

const nanos = fc.oneof(fc.nat(999_999_999), fc.constantFrom(0, 1, 999_999_999))
const timestamp = plain({
  seconds: fc.oneof(
    fc.bigInt({ min: -62_135_596_800n, max: 253_402_300_799n }),
    fc.constantFrom(0n, -1n, -62_135_596_800n, 253_402_300_799n)
  ),
  nanos
})
const duration = fc
  .tuple(
    fc.oneof(fc.bigInt({ min: 0n, max: 315_576_000_000n }), fc.constantFrom(0n, 315_576_000_000n)),
    nanos,
    fc.boolean()
  )
  .map(([seconds, part, isBack]) => (isBack ? { seconds: -seconds, nanos: 0 - part } : { seconds, nanos: part }))

/** Any event of a type; messages inside each other stop at `levels`. */
export function anyEvent(desc: DescMessage, levels = 2): fc.Arbitrary<Fields> {
  if (desc.typeName === "google.protobuf.Timestamp") return timestamp
  if (desc.typeName === "google.protobuf.Duration") return duration
  const properties: Record<string, fc.Arbitrary<unknown>> = {}
  const optional: Array<string> = []
  for (const member of desc.members) {
    const { localName } = member
    if (member.kind === "oneof") {
      const cases = member.fields.filter((field) => isAllowed(field, levels))
      optional.push(localName)
      properties[localName] = fc.oneof(
        ...cases.map((field) => plain({ case: fc.constant(field.localName), value: anyValue(field, levels) }))
      )
    } else if (member.fieldKind === "list") {
      const maxLength = isAllowed(member, levels) ? 4 : 0
      properties[localName] = fc.array(maxLength === 0 ? fc.constant(0) : anyValue(member, levels), { maxLength })
    } else if (member.fieldKind === "map") {
      const maxLength = isAllowed(member, levels) ? 3 : 0
      const value = maxLength === 0 ? fc.constant(0) : anyValue(member, levels)
      properties[localName] = fc
        .array(fc.tuple(scalars[member.mapKey], value), { maxLength })
        .map((entries) => new Map(entries))
    } else if (isAllowed(member, levels)) {
      if (isOptional(member)) optional.push(localName)
      properties[localName] = anyValue(member, levels)
    }
  }
  const requiredKeys = Object.keys(properties).filter((name) => !optional.includes(name))
  return plain(properties, requiredKeys)
}

/** Any value of a field, of a list's element, or of a map's value. */
export function anyValue(field: DescField, levels: number): fc.Arbitrary<unknown> {
  if (field.message !== undefined) return anyEvent(field.message, levels - 1)
  if (field.enum !== undefined) {
    return fc.oneof(fc.constantFrom(...field.enum.values.map(({ number }) => number)), int32)
  }
  return field.scalar === undefined ? fc.constant(undefined) : scalars[field.scalar]
}

export function anyScalar(type: ScalarType): fc.Arbitrary<unknown> {
  return scalars[type]
}

function isAllowed(field: DescField, levels: number): boolean {
  return field.message === undefined || levels > 0
}

/** An object literal, as what is decoded is one: without noNullPrototype some would have no prototype. */
function plain(properties: Record<string, fc.Arbitrary<unknown>>, requiredKeys = Object.keys(properties)) {
  return fc.record(properties, { requiredKeys, noNullPrototype: true })
}
