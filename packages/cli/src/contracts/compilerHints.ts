/**
 * What to do about a fault that the compiler tells in its own words, where that is an option of leat, an import that is missing, or the name of a
 * type: those are what a first contract goes wrong by.
 */

/** Where a fault is, and what the compiler says of it. */
interface CompilerFault {
  readonly message: string
  /** The text of its line, and where in it the fault begins, from 0. */
  readonly line: string
  readonly at: number
}

const importOf = (path: string) => `import "${path}.proto";`
const eventImport = importOf("leat/v1/event")

/** The fields of the option, and what each may be. */
export const eventFields: Readonly<Record<string, string>> = {
  stream: 'a text, as "shop.orders"',
  key: 'a text, as "order_id": the path of a field',
  buckets: "a number, as 3840",
  compacted: "true or false",
  unordered: "true or false",
  needs: "a name, as NEED_ORDER, or a list, as [NEED_ORDER, NEED_FSYNC]"
}

export const needs: ReadonlyArray<string> = [
  "NEED_ORDER",
  "NEED_REPLAY",
  "NEED_FSYNC",
  "NEED_QUORUM",
  "NEED_COMPACTION"
]

/** Google's types that events have in fields, by the file that they are in. */
const googleFiles: Readonly<Record<string, string>> = {
  Timestamp: "timestamp",
  Duration: "duration",
  Any: "any",
  Empty: "empty",
  FieldMask: "field_mask",
  Struct: "struct",
  Value: "struct",
  ListValue: "struct"
}

const scalars = "string, bytes, bool, int32, int64, uint32, uint64, sint32, sint64, fixed32, fixed64, float, double"

/**
 * The fault with what to do behind it, where that is known.
 *
 * @example
 * ```ts
 * withHint({ message: "cannot find `leat.v1.event` in this scope", line: "  option (leat.v1.event) = {", at: 10 })
 * // "cannot find `leat.v1.event` in this scope; add import "leat/v1/event.proto";"
 * ```
 */
export function withHint(fault: CompilerFault): string {
  const hint = hintOf(fault)
  return hint === undefined ? fault.message : `${fault.message}; ${hint}`
}

function hintOf({ message, line, at }: CompilerFault): string | undefined {
  const [, missing] = /^cannot find `([^`]+)` in this scope$/.exec(message) ?? []
  if (missing !== undefined) return missingName(missing, line)
  const fields = Object.keys(eventFields).join(", ")
  if (message === "cannot resolve message field name for `leat.v1.Event`") {
    const [word] = /^\w+/.exec(line.slice(at)) ?? []
    return `${word === undefined ? "it" : `${word} is no field of leat.v1.event, which`} has ${fields}`
  }
  if (message.startsWith("cannot find message field `leat` in"))
    return "write its name in parentheses, as option (leat.v1.event) = { ... } and [(leat.v1.personal) = true]"
  if (message === "imported file does not exist")
    return `a path begins at the folder of the .proto files; that of leat's options is ${eventImport}`
  if (message !== "mismatched types") return undefined
  const [, field = ""] = /(\w+)\s*:\s*\[?\s*$/.exec(line.slice(0, at)) ?? []
  return Object.hasOwn(eventFields, field) ? `${field} is ${eventFields[field]}` : undefined
}

function missingName(name: string, line: string): string | undefined {
  if (name === "leat.v1.event" || name === "leat.v1.personal") return `add ${eventImport}`
  if (name.startsWith("leat.")) return "there is leat.v1.event, for messages, and leat.v1.personal, for fields"
  if (name.startsWith("NEED_") || /\bneeds\s*:/.test(line)) return `needs are ${needs.join(", ")}`
  const [, google = ""] = /^google\.protobuf\.(\w+)$/.exec(name) ?? []
  const file = Object.hasOwn(googleFiles, google) ? googleFiles[google] : undefined
  if (file !== undefined) return `add ${importOf(`google/protobuf/${file}`)}`
  if (/^\w+Value$/.test(google)) return `add ${importOf("google/protobuf/wrappers")}`
  if (name.includes(".")) return "import the file that it is in, and write its package before it"
  return `no message or enum of this package has that name; types of fields are ${scalars}`
}
