/** Every place of an event that holds a value, with what must not stand there: for events that are wrong in one place. */
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf"
import { typeName } from "../src/names.js"
import { type Fields, isOptional } from "./oracle.js"

export interface Place {
  /** As `InvalidEvent` tells it: `Kinds.places[2].code`. */
  readonly path: string
  readonly wrong: ReadonlyArray<unknown>
  /** The event with another value in this place. */
  readonly put: (value: unknown) => Fields
}

const noNumber = [null, undefined, "1", true, {}, [1], Symbol("one"), Object.create(null), () => 1]
const noInt32 = [...noNumber, 1.7, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 32, -(2 ** 31) - 1, 1n, new Date(0)]
const noInt64 = [...noNumber, 0, 1.5, 2n ** 64n, -(2n ** 63n) - 1n, -(2n ** 200n)]
const int32 = [...noInt32, 2 ** 31]
const uint32 = [...noInt32, -1]
const int64 = [...noInt64, 2n ** 63n]
const uint64 = [...noInt64, -1n]

const wrongScalars: Readonly<Record<ScalarType, ReadonlyArray<unknown>>> = {
  [ScalarType.DOUBLE]: [...noNumber, 1n],
  [ScalarType.FLOAT]: [...noNumber, 1n, 0.1, 1e39, 2 ** 24 + 1, 5e-324],
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
  [ScalarType.BOOL]: [null, undefined, 0, 1, "true", {}, [], 1n],
  [ScalarType.STRING]: [null, undefined, 1, {}, ["a"], Symbol("a"), 1n, "\uD800", "a\uDC00b", new String("a")],
  [ScalarType.BYTES]: [
    null,
    undefined,
    "AA==",
    [1, 2],
    {},
    new ArrayBuffer(2),
    new Uint16Array(1),
    new DataView(new ArrayBuffer(1))
  ]
}
/** Beyond what protobuf says of the fields of its own types. */
const outOfRange: Readonly<Record<string, ReadonlyArray<unknown>>> = {
  "google.protobuf.Timestamp.seconds": [-62_135_596_801n, 253_402_300_800n, 2n ** 63n - 1n],
  "google.protobuf.Timestamp.nanos": [-1, 1_000_000_000, 2_000_000_000],
  "google.protobuf.Duration.seconds": [315_576_000_001n, -315_576_000_001n],
  "google.protobuf.Duration.nanos": [1_000_000_000, -1_000_000_000]
}
const wrongMessages = [null, undefined, 1, "", true, [], () => ({}), 1n, Symbol("a")]
const wrongLists = [null, undefined, {}, "ab", new Set([1]), new Map(), { length: 0 }, new Uint8Array(1)]
const wrongMaps = [null, undefined, {}, [], [["a", 1]], new Set(), "a", new WeakMap()]
const wrongChoices = [null, 1, "text", [], {}, { value: 1 }]
const wrongCases = [null, undefined, "", "nothing", 1, "toString", "__proto__"]

/** All places of an event. */
export function placesOf(desc: DescMessage, event: Fields): ReadonlyArray<Place> {
  return inMessage(desc, event, typeName(desc), (whole) => whole)
}

function inMessage(
  desc: DescMessage,
  event: Fields,
  path: string,
  put: (value: Fields) => Fields
): ReadonlyArray<Place> {
  return desc.members.flatMap((member): ReadonlyArray<Place> => {
    const { localName } = member
    const at = `${path}.${localName}`
    const held = event[localName]
    const putHere = (value: unknown) => put({ ...event, [localName]: value })
    if (member.kind === "oneof") return inOneof(member.fields, held as Choice | undefined, at, putHere)
    if (member.fieldKind === "list") return inList(member, held as ReadonlyArray<unknown>, at, putHere)
    if (member.fieldKind === "map") return inMap(member, held as ReadonlyMap<unknown, unknown>, at, putHere)
    return inValue(member, held, at, putHere, isOptional(member))
  })
}

interface Choice {
  readonly case: string
  readonly value: unknown
}

function inOneof(
  fields: ReadonlyArray<DescField>,
  held: Choice | undefined,
  path: string,
  put: (value: unknown) => Fields
): ReadonlyArray<Place> {
  const itself = {
    path,
    wrong: wrongChoices.filter((one) => typeof one !== "object" || one === null || Array.isArray(one)),
    put
  }
  const { value } = held ?? {}
  const unknown = { path: `${path}.case`, wrong: wrongCases.map((one) => ({ case: one, value })), put }
  const field = fields.find((one) => one.localName === held?.case)
  if (field === undefined) return [itself, unknown]
  const inside = inValue(
    field,
    value,
    `${path}.${field.localName}`,
    (one) => put({ case: field.localName, value: one }),
    false
  )
  return [itself, unknown, ...inside]
}

function inList(
  field: DescField,
  held: ReadonlyArray<unknown>,
  path: string,
  put: (value: unknown) => Fields
): ReadonlyArray<Place> {
  const items = held.flatMap((item, index) =>
    inValue(field, item, `${path}[${index}]`, (one) => put(held.with(index, one)), false)
  )
  return [{ path, wrong: wrongLists, put }, ...items]
}

function inMap(
  field: DescField & { readonly fieldKind: "map" },
  held: ReadonlyMap<unknown, unknown>,
  path: string,
  put: (value: unknown) => Fields
): ReadonlyArray<Place> {
  const entries = [...held]
  const inside = entries.flatMap(([key, value], index) => {
    const at = `${path}[${index}]`
    const putEntry = (entry: [unknown, unknown]) => put(new Map(entries.with(index, entry)))
    return [
      { path: `${at} key`, wrong: wrongScalars[field.mapKey], put: (one: unknown) => putEntry([one, value]) },
      ...inValue(field, value, at, (one) => putEntry([key, one]), false)
    ]
  })
  return [{ path, wrong: wrongMaps, put }, ...inside]
}

function inValue(
  field: DescField,
  held: unknown,
  path: string,
  put: (value: unknown) => Fields,
  isAbsentAllowed: boolean
): ReadonlyArray<Place> {
  const allowed = (wrong: ReadonlyArray<unknown>) => wrong.filter((one) => one !== undefined || !isAbsentAllowed)
  if (field.message === undefined) {
    const beyond = outOfRange[`${field.parent.typeName}.${field.name}`] ?? []
    return [{ path, wrong: [...allowed(wrongScalars[field.scalar ?? ScalarType.INT32]), ...beyond], put }]
  }
  const inside = held === undefined ? [] : inMessage(field.message, held as Fields, path, put)
  return [{ path, wrong: allowed(wrongMessages), put }, ...inside]
}
