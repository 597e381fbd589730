import { type DescField, type DescMessage, type DescOneof } from "@bufbuild/protobuf"
import { getComments } from "@bufbuild/protoplugin"
import { localName, scalarKind, type ValueKind, valueKind } from "./fieldTypes.ts"
import { commentLines } from "./generateFile.ts"
import { hasPresence } from "./presence.ts"
import type { Scope } from "./Scope.ts"

/** The interface of a message. */
export function generateType(message: DescMessage, scope: Scope): string {
  const members = message.members.flatMap((member) => {
    const comment = commentLines(getComments(member).leading, "  ")
    return [...comment, member.kind === "oneof" ? oneofMember(member, scope) : fieldMember(member, scope)]
  })
  const head = commentLines(getComments(message).leading, "")
  if (members.length === 0)
    return [...head, `export type ${localName(message)} = Readonly<Record<never, never>>`].join("\n")
  return [...head, `export interface ${localName(message)} {`, ...members, "}"].join("\n")
}

function fieldMember(field: DescField, scope: Scope): string {
  return `  readonly ${field.localName}${hasPresence(field) ? "?" : ""}: ${fieldType(field, scope)}`
}

function oneofMember(oneof: DescOneof, scope: Scope): string {
  const cases = oneof.fields.map(
    (field) => `    | { readonly case: "${field.localName}"; readonly value: ${valueType(valueKind(field), scope)} }`
  )
  return [`  readonly ${oneof.localName}?:`, ...cases].join("\n")
}

export function fieldType(field: DescField, scope: Scope): string {
  const type = valueType(valueKind(field), scope)
  if (field.fieldKind === "list") return `ReadonlyArray<${type}>`
  return field.fieldKind === "map" ? `ReadonlyMap<${valueType(scalarKind(field.mapKey), scope)}, ${type}>` : type
}

export function valueType(kind: ValueKind, scope: Scope): string {
  return kind.kind === "scalar" ? kind.spelling.type : scope.typeOf(kind.desc)
}
