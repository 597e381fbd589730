import { type DescField, type DescMessage, type DescOneof } from "@bufbuild/protobuf"
import { commentLines } from "./commentLines.ts"
import { scalarKind, type ValueKind, valueKind } from "./fieldTypes.ts"
import { leadingComment } from "./locate.ts"
import { typeName } from "./names.ts"
import { hasPresence } from "./presence.ts"
import type { Scope } from "./Scope.ts"

/** The interface of a message. */
export function generateType(message: DescMessage, scope: Scope): string {
  const members = message.members.flatMap((member) => {
    const comment = commentLines(leadingComment(member), "  ")
    return [...comment, member.kind === "oneof" ? oneofMember(member, scope) : fieldMember(member, scope)]
  })
  const head = commentLines(leadingComment(message), "")
  if (members.length === 0)
    return [
      ...head,
      `export type ${typeName(message)} = ${scope.global("Readonly")}<${scope.global("Record")}<never, never>>`
    ].join("\n")
  return [...head, `export interface ${typeName(message)} {`, ...members, "}"].join("\n")
}

function fieldMember(field: DescField, scope: Scope): string {
  const type = fieldType(field, scope)
  return `  readonly ${field.localName}${hasPresence(field) ? `?: ${type} | undefined` : `: ${type}`}`
}

function oneofMember(oneof: DescOneof, scope: Scope): string {
  const cases = oneof.fields.map(
    (field) => `    | { readonly case: "${field.localName}"; readonly value: ${valueType(valueKind(field), scope)} }`
  )
  return [`  readonly ${oneof.localName}?:`, ...cases, "    | undefined"].join("\n")
}

function fieldType(field: DescField, scope: Scope): string {
  const type = valueType(valueKind(field), scope)
  if (field.fieldKind === "list") return `${scope.global("ReadonlyArray")}<${type}>`
  if (field.fieldKind !== "map") return type
  return `${scope.global("ReadonlyMap")}<${valueType(scalarKind(field.mapKey), scope)}, ${type}>`
}

export function valueType(kind: ValueKind, scope: Scope): string {
  if (kind.kind !== "scalar") return scope.typeOf(kind.desc)
  return kind.spelling.type === "Uint8Array" ? scope.global("Uint8Array") : kind.spelling.type
}
