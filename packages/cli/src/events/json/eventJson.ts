/**
 * Protobuf's JSON mapping, made exact: integers as they are written, whether as numbers or as text, and faults where protobuf-es would
 * take what is not JSON of the type (`"0x10"`, base64 with line feeds, `"1s later"`, 30 February).
 */
import { type DescEnum, type DescField, type DescMessage, type JsonValue, ScalarType } from "@bufbuild/protobuf"
import { type ExactJson, isExactObject, JsonNumber, plainJson } from "./ExactJson.ts"
import { exactInteger, integerRanges, isJsonNumber } from "./integers.ts"

/** JSON that `fromJson` reads as the event that was written; throws what is wrong, with the path of the field. */
export function exactForm(desc: DescMessage, json: ExactJson): JsonValue {
  return messageForm(desc, json, "")
}

function messageForm(desc: DescMessage, json: ExactJson, path: string): JsonValue {
  if (desc.typeName === "google.protobuf.Timestamp") checkTimestamp(json, path)
  if (desc.typeName === "google.protobuf.Duration") checkDuration(json, path)
  if (!isExactObject(json) || desc.typeName.startsWith("google.protobuf.")) return plain(json)
  const members = [...json].map(([name, value]): [string, JsonValue] => {
    const field = desc.fields.find((one) => one.name === name || one.jsonName === name)
    // What is not known is refused by `fromJson`, with the name.
    return [name, field === undefined ? plain(value) : fieldForm(field, value, path === "" ? name : `${path}.${name}`)]
  })
  return Object.fromEntries(members)
}

function fieldForm(field: DescField, value: ExactJson, path: string): JsonValue {
  if (field.fieldKind === "list" && Array.isArray(value)) {
    return value.map((item: ExactJson, index) => valueForm(field, item, `${path}[${index}]`))
  }
  if (field.fieldKind === "map" && isExactObject(value)) {
    const keys = integerRanges.get(field.mapKey)
    const entries = [...value].map(([key, item], index): [string, JsonValue] => {
      const at = `${path}[${index}]`
      return [keys === undefined ? key : String(said(at, () => exactInteger(key, keys))), valueForm(field, item, at)]
    })
    // Two texts of one number: the later would replace the earlier in silence.
    if (new Set(entries.map(([key]) => key)).size < entries.length) throw new Error(`${path}: it has one key twice`)
    return Object.fromEntries(entries)
  }
  return valueForm(field, value, path)
}

/** One value: of a singular field, a list's element, a map's value. */
function valueForm({ message, scalar, enum: named }: DescField, value: ExactJson, path: string): JsonValue {
  if (message !== undefined) return messageForm(message, value, path)
  const integers = integerRanges.get(named === undefined ? (scalar ?? ScalarType.STRING) : ScalarType.INT32)
  if (integers !== undefined) {
    // Text is the name of an enum's value.
    const source = value instanceof JsonNumber ? value.source : named === undefined ? value : undefined
    if (named !== undefined && typeof value === "string") checkName(named, value, path)
    if (typeof source !== "string") return plain(value)
    const exact = said(path, () => exactInteger(source, integers))
    return integers.most > BigInt(Number.MAX_SAFE_INTEGER) ? String(exact) : Number(exact)
  }
  if (typeof value === "string") checkText(scalar, value, path)
  return plain(value)
}

/** Most names that a sentence lists. */
const namesMax = 20

/** TypeScript calls the values by shorter names, without that of the enum. */
function checkName({ typeName, values }: DescEnum, text: string, path: string): void {
  const names = values.map(({ name }) => name)
  if (names.includes(text)) return
  const told = names.length > namesMax ? [...names.slice(0, namesMax), "..."] : names
  throw new Error(`${path}: ${JSON.stringify(text)} is no value of ${typeName}; there is ${told.join(", ")}`)
}

function checkText(scalar: ScalarType | undefined, text: string, path: string): void {
  if (scalar === ScalarType.BYTES && !isBase64(text)) throw new Error(`${path}: it is no base64`)
  if (scalar !== ScalarType.DOUBLE && scalar !== ScalarType.FLOAT) return
  if (!isJsonNumber(text) && !["NaN", "Infinity", "-Infinity"].includes(text))
    throw new Error(`${path}: ${JSON.stringify(text)} is no number`)
}

/** Standard or URL-safe, with padding or without. */
function isBase64(text: string): boolean {
  if (!/^(?:[\w-]*|[A-Za-z\d+/]*)={0,2}$/.test(text)) return false
  return text.endsWith("=") ? text.length % 4 === 0 : text.length % 4 !== 1
}

/** Days that do not exist are moved into the next month by `Date.parse`, and 24:00 into the next day. */
function checkTimestamp(json: ExactJson, path: string): void {
  const [, date] = (typeof json === "string" && /^(\d{4}-\d\d-\d\d)T(?!24)/.exec(json)) || []
  const ms = date === undefined ? Number.NaN : Date.parse(`${date}T00:00:00Z`)
  const isDay = !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(`${date}T`)
  if (json !== null && !isDay) throw new Error(`${path}: it is no time; write it like "2026-11-24T09:00:00Z"`)
}

function checkDuration(json: ExactJson, path: string): void {
  if (json === null || (typeof json === "string" && /^-?\d+(\.\d{1,9})?s$/.test(json))) return
  throw new Error(`${path}: it is no duration; write it like "1.5s"`)
}

function said<A>(path: string, read: () => A): A {
  try {
    return read()
  } catch (error) {
    throw new Error(`${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

function plain(json: ExactJson): JsonValue {
  // What was JSON is JSON.
  return plainJson(json) as JsonValue
}
