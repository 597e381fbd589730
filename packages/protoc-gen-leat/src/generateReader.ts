import type { DescField, DescMessage } from "@bufbuild/protobuf"
import { scalarKind, tagOf, type ValueKind, valueKind, wireTypeOf } from "./fieldTypes.ts"
import { valueType } from "./generateType.ts"
import { isVariableName, typeName } from "./names.ts"
import { hasPresence } from "./presence.ts"
import type { Scope } from "./Scope.ts"

/**
 * The function that reads a message up to `end`. `into` is what an earlier occurrence of the same field gave: protobuf merges
 * them. Unknown fields are passed over.
 */
export function generateReader(message: DescMessage, scope: Scope): string {
  const name = typeName(message)
  const local = localsOf(message, scope)
  const property = (one: string) => (local(one) === one ? one : `${one}: ${local(one)}`)
  const plain = message.fields.filter(({ oneof }) => oneof === undefined)
  const locals = [
    ...plain.map((field) => fieldLocal(field, local(field.localName), scope)),
    ...message.oneofs.map(({ localName: oneof }) => `let ${local(oneof)} = into?.${oneof}`)
  ]
  const cases = message.fields.flatMap((field) => fieldCases(field, local, scope))
  const isEmpty = message.fields.length === 0
  const always = plain.filter((field) => !hasPresence(field)).map(({ localName }) => localName)
  const perhaps = [...plain.filter(hasPresence), ...message.oneofs].map(({ localName }) => localName)
  const result = resultOf(always.map(property), perhaps, local, property)
  return [
    `export function read${name}(reader: codec.Reader, end: number, depth: number, ${isEmpty ? "_into" : "into"}?: ${name}): ${name} {`,
    ...locals.map((line) => `  ${line}`),
    "  while (reader.pos < end) {",
    "    const tag = codec.readTag(reader, end)",
    ...(isEmpty
      ? ["    codec.skipField(reader, tag, end, depth)"]
      : [
          "    switch (tag) {",
          ...cases.map((line) => `      ${line}`),
          "      default:",
          "        codec.skipField(reader, tag, end, depth)",
          "    }"
        ]),
    "  }",
    `  return ${result}`,
    "}"
  ].join("\n")
}

/** The object that is read: what is absent has no property. One that may be absent costs a comparison; more are spread, which takes longer. */
function resultOf(
  always: ReadonlyArray<string>,
  perhaps: ReadonlyArray<string>,
  local: Locals,
  property: (name: string) => string
): string {
  const literal = (properties: ReadonlyArray<string>) =>
    properties.length === 0 ? "{}" : `{ ${properties.join(", ")} }`
  const [first] = perhaps
  if (first !== undefined && perhaps.length === 1)
    return `${local(first)} === undefined ? ${literal(always)} : ${literal([...always, property(first)])}`
  return literal([...always, ...perhaps.map((one) => `...(${local(one)} === undefined ? {} : { ${property(one)} })`)])
}

/** Names that a reader uses itself. */
const taken = `reader end depth into tag key value codec entryEnd entryTag listEnd Uint8Array globalThis`.split(" ")

/** What the variables are called that hold a message's properties while it is read. */
type Locals = (property: string) => string

function localsOf({ fields }: DescMessage, scope: Scope): Locals {
  const readers = fields.flatMap(({ message }) => (message === undefined ? [] : scope.readerOf(message)))
  const isTaken = new Set([...taken, ...readers])
  return (property) => (isTaken.has(property) || !isVariableName(property) ? `${property}_` : property)
}

function fieldLocal(field: DescField, name: string, scope: Scope): string {
  const { localName } = field
  const kind = valueKind(field)
  if (field.fieldKind === "list") return `const ${name} = codec.listSoFar(into?.${localName})`
  if (field.fieldKind === "map") return `const ${name} = codec.mapSoFar(into?.${localName})`
  if (hasPresence(field)) return `let ${name} = into?.${localName}`
  const zero = kind.kind === "message" ? "undefined" : zeroOf(kind, scope)
  return `let ${name}${kind.kind === "enum" ? `: ${valueType(kind, scope)}` : ""} = into === undefined ? ${zero} : into.${localName}`
}

function fieldCases(field: DescField, local: Locals, scope: Scope): ReadonlyArray<string> {
  const { number } = field
  const name = local(field.localName)
  const kind = valueKind(field)
  const tag = tagOf(number, wireTypeOf(kind))
  if (field.fieldKind === "map") return mapCase(name, number, scalarKind(field.mapKey), kind, scope)
  if (field.fieldKind === "list") {
    const one = [`case ${tag}:`, `  ${name}.push(${readValue(kind, scope)})`, "  break"]
    if (kind.kind === "message" || kind.spelling.wireType === 2) return one
    // Writers may choose either form, so both are read.
    const packed = [
      `case ${tagOf(number, 2)}: {`,
      "  const listEnd = codec.readEnd(reader, end)",
      `  while (reader.pos < listEnd) ${name}.push(codec.read${kind.spelling.codec}(reader, listEnd))`,
      "  break",
      "}"
    ]
    return [...one, ...packed]
  }
  if (field.oneof !== undefined) {
    const oneof = local(field.oneof.localName)
    const earlier = `${oneof}?.case === "${field.localName}" ? ${oneof}.value : undefined`
    return [
      `case ${tag}:`,
      `  ${oneof} = { case: "${field.localName}", value: ${readValue(kind, scope, earlier)} }`,
      "  break"
    ]
  }
  return [`case ${tag}:`, `  ${name} = ${readValue(kind, scope, name)}`, "  break"]
}

function mapCase(name: string, number: number, key: ValueKind, value: ValueKind, scope: Scope): ReadonlyArray<string> {
  if (key.kind !== "scalar") throw new Error(`${name} is a map with a key that is no scalar`)
  const zero =
    value.kind === "message" ? `${scope.readerOf(value.desc)}(reader, reader.pos, depth)` : zeroOf(value, scope)
  return [
    `case ${tagOf(number, 2)}: {`,
    "  const entryEnd = codec.readEnd(reader, end)",
    `  let key: ${valueType(key, scope)} = ${key.spelling.zero}`,
    `  let value: ${valueType(value, scope)} | undefined`,
    "  while (reader.pos < entryEnd) {",
    "    const entryTag = codec.readTag(reader, entryEnd)",
    `    if (entryTag === ${tagOf(1, key.spelling.wireType)}) key = codec.read${key.spelling.codec}(reader, entryEnd)`,
    `    else if (entryTag === ${tagOf(2, wireTypeOf(value))}) value = ${readValue(value, scope, "value", "entryEnd")}`,
    "    else codec.skipField(reader, entryTag, entryEnd, depth)",
    "  }",
    `  ${name}.set(key, value ?? ${zero})`,
    "  break",
    "}"
  ]
}

function zeroOf(kind: Exclude<ValueKind, { kind: "message" }>, scope: Scope): string {
  return kind.spelling.type === "Uint8Array" ? `new ${scope.global("Uint8Array")}(0)` : kind.spelling.zero
}

function readValue(kind: ValueKind, scope: Scope, into?: string, end = "end"): string {
  if (kind.kind !== "message") return `codec.read${kind.spelling.codec}(reader, ${end})`
  const rest = into === undefined ? "" : `, ${into}`
  return `${scope.readerOf(kind.desc)}(reader, codec.readMessageEnd(reader, ${end}, depth), depth + 1${rest})`
}
