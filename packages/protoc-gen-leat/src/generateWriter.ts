import type { DescField, DescMessage, DescOneof } from "@bufbuild/protobuf"
import { scalarKind, tagOf, type ValueKind, valueKind, wireTypeOf } from "./fieldTypes.ts"
import { typeName } from "./names.ts"
import { hasPresence } from "./presence.ts"
import type { Scope } from "./Scope.ts"

/** The function that writes a message's fields, in the order of their numbers. */
export function generateWriter(message: DescMessage, scope: Scope): string {
  const name = typeName(message)
  const seen = new Set<DescOneof>()
  const fields = message.fields.toSorted((a, b) => a.number - b.number)
  const lines = fields.flatMap((field) => {
    if (field.oneof === undefined) return fieldLines(field, name, scope)
    if (seen.has(field.oneof)) return []
    seen.add(field.oneof)
    return oneofLines(field.oneof, name, scope)
  })
  const unused = fields.length === 0 ? "_" : ""
  const depth = fields.some((field) => field.message !== undefined) ? ", depth: number" : ""
  return [
    `export function write${name}(${unused}message: ${name}, ${unused}writer: codec.Writer${depth}): void {`,
    ...lines.map((line) => `  ${line}`),
    "}"
  ].join("\n")
}

function fieldLines(field: DescField, owner: string, scope: Scope): ReadonlyArray<string> {
  const access = `message.${field.localName}`
  const path = `${owner}.${field.localName}`
  const kind = valueKind(field)
  if (field.fieldKind === "list") return listLines(field, kind, access, path, scope)
  if (field.fieldKind === "map") return mapLines(field, kind, access, path, scope)
  if (!hasPresence(field)) return valueLines(kind, field.number, access, path, false, scope)
  return guarded(`if (${access} !== undefined)`, valueLines(kind, field.number, access, path, true, scope))
}

function listLines(
  field: DescField & { readonly fieldKind: "list" },
  kind: ValueKind,
  access: string,
  path: string,
  scope: Scope
): ReadonlyArray<string> {
  const check = `codec.checkList(${access}, "${path}")`
  if (!field.packed) {
    const loop = guarded(`for (const value of ${access})`, valueLines(kind, field.number, "value", path, true, scope))
    return [check, ...loop]
  }
  if (kind.kind === "message") throw new Error(`${path} is a packed list of messages, which protobuf does not have`)
  return [
    check,
    `if (${access}.length > 0) {`,
    `  writer.uint32(${tagOf(field.number, 2)}).fork()`,
    `  for (const value of ${access}) codec.packed${kind.spelling.codec}(writer, value, "${path}")`,
    "  writer.ldelim()",
    "}"
  ]
}

function mapLines(
  field: DescField & { readonly fieldKind: "map" },
  kind: ValueKind,
  access: string,
  path: string,
  scope: Scope
): ReadonlyArray<string> {
  return [
    `codec.checkMap(${access}, "${path}")`,
    `for (const [key, value] of ${access}) {`,
    `  writer.uint32(${tagOf(field.number, 2)}).fork()`,
    ...valueLines(scalarKind(field.mapKey), 1, "key", `${path} key`, true, scope).map((line) => `  ${line}`),
    // The entry is a message too: others count it where they bound how deep messages may be.
    ...valueLines(kind, 2, "value", path, true, scope, "depth + 1").map((line) => `  ${line}`),
    "  writer.ldelim()",
    "}"
  ]
}

function oneofLines(oneof: DescOneof, owner: string, scope: Scope): ReadonlyArray<string> {
  const access = `message.${oneof.localName}`
  const path = `${owner}.${oneof.localName}`
  return [
    `if (${access} !== undefined) {`,
    `  codec.checkChoice(${access}, "${path}")`,
    `  switch (${access}.case) {`,
    ...oneof.fields.flatMap((field) => [
      `    case "${field.localName}":`,
      ...valueLines(valueKind(field), field.number, `${access}.value`, `${path}.${field.localName}`, true, scope).map(
        (line) => `      ${line}`
      ),
      "      break"
    ]),
    "    default:",
    `      codec.unknownCase(${access}, "${path}.case")`,
    "  }",
    "}"
  ]
}

function valueLines(
  kind: ValueKind,
  number: number,
  access: string,
  path: string,
  isOptional: boolean,
  scope: Scope,
  depth = "depth"
): ReadonlyArray<string> {
  const tag = tagOf(number, wireTypeOf(kind))
  if (kind.kind !== "message")
    return [`codec.write${kind.spelling.codec}(writer, ${tag}, ${access}, "${path}", ${isOptional})`]
  return [`codec.writeMessage(writer, ${tag}, ${access}, "${path}", ${depth}, ${scope.writerOf(kind.desc)})`]
}

function guarded(head: string, body: ReadonlyArray<string>): ReadonlyArray<string> {
  return body.length === 1 ? [`${head} ${body[0]}`] : [`${head} {`, ...body.map((line) => `  ${line}`), "}"]
}
