import { type DescEnum, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf"

/** How one kind of scalar is spelled in TypeScript, written, read, and what it is when absent. */
export interface ScalarSpelling {
  readonly type: string
  /** Suffix of the codec's functions: `write${codec}`, `read${codec}`. */
  readonly codec: string
  readonly zero: string
  readonly wireType: 0 | 1 | 2 | 5
}

const numeric = (codec: string, wireType: 0 | 1 | 5): ScalarSpelling => ({ type: "number", codec, zero: "0", wireType })
const bigint = (codec: string, wireType: 0 | 1): ScalarSpelling => ({ type: "bigint", codec, zero: "0n", wireType })

const spellings: Readonly<Record<ScalarType, ScalarSpelling>> = {
  [ScalarType.DOUBLE]: numeric("Double", 1),
  [ScalarType.FLOAT]: numeric("Float", 5),
  [ScalarType.INT64]: bigint("Int64", 0),
  [ScalarType.UINT64]: bigint("Uint64", 0),
  [ScalarType.INT32]: numeric("Int32", 0),
  [ScalarType.FIXED64]: bigint("Fixed64", 1),
  [ScalarType.FIXED32]: numeric("Fixed32", 5),
  [ScalarType.BOOL]: { type: "boolean", codec: "Bool", zero: "false", wireType: 0 },
  [ScalarType.STRING]: { type: "string", codec: "String", zero: '""', wireType: 2 },
  [ScalarType.BYTES]: { type: "Uint8Array", codec: "Bytes", zero: "new Uint8Array(0)", wireType: 2 },
  [ScalarType.UINT32]: numeric("Uint32", 0),
  [ScalarType.SFIXED32]: numeric("Sfixed32", 5),
  [ScalarType.SFIXED64]: bigint("Sfixed64", 1),
  [ScalarType.SINT32]: numeric("Sint32", 0),
  [ScalarType.SINT64]: bigint("Sint64", 0)
}

/** One value: of a singular field, of a list's element, or of a map's value. */
export type ValueKind =
  | { readonly kind: "scalar"; readonly spelling: ScalarSpelling }
  | { readonly kind: "enum"; readonly spelling: ScalarSpelling; readonly desc: DescEnum }
  | { readonly kind: "message"; readonly desc: DescMessage }

export function scalarKind(type: ScalarType): ValueKind {
  return { kind: "scalar", spelling: spellings[type] }
}

/** The kind of a field's values. */
export function valueKind(field: DescField): ValueKind {
  const { scalar, message, enum: desc } = field
  if (message !== undefined) return { kind: "message", desc: message }
  if (desc !== undefined) return { kind: "enum", spelling: { ...spellings[ScalarType.INT32], codec: "Enum" }, desc }
  if (scalar !== undefined) return scalarKind(scalar)
  throw new Error("a field is a scalar, a message or an enum")
}

export function wireTypeOf(kind: ValueKind): 0 | 1 | 2 | 5 {
  return kind.kind === "message" ? 2 : kind.spelling.wireType
}

/** Tag of a field: number and wire type. */
export function tagOf(number: number, wireType: number): number {
  return ((number << 3) | wireType) >>> 0
}
