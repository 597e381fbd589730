import { createHash } from "node:crypto"
import type { DescEnum, DescField, DescMessage } from "@bufbuild/protobuf"

/**
 * A digest of all that decides which bytes an event is written as, and which properties it is read into: the fields of its message and of those in it,
 * as `ContractInfo.layout` has it. Comments, files, the order of declarations and what is marked personal do not change it.
 */
export function layoutOf(event: DescMessage): string {
  const messages = new Set([event])
  const enums = new Set<DescEnum>()
  const lines: Array<string> = []
  // What is met on the way is added behind.
  for (const { typeName, fields } of messages) {
    lines.push(typeName)
    for (const field of fields.toSorted((a, b) => a.number - b.number)) {
      lines.push(said(field))
      if (field.message !== undefined) messages.add(field.message)
      if (field.enum !== undefined) enums.add(field.enum)
    }
  }
  for (const { typeName, open, values } of enums)
    lines.push(`${typeName} ${open ? "open" : "closed"}`, ...values.map(({ name, number }) => `${number} ${name}`))
  return createHash("sha256").update(lines.join("\n")).digest("hex").slice(0, 16)
}

function said(field: DescField): string {
  const { number, name, localName, fieldKind, oneof, presence, message, enum: choice } = field
  const kinds = [
    "scalar" in field ? field.scalar : undefined,
    "listKind" in field ? field.listKind : undefined,
    "mapKind" in field ? `${field.mapKey} ${field.mapKind}` : undefined,
    "packed" in field ? field.packed : undefined,
    "delimitedEncoding" in field ? field.delimitedEncoding : undefined
  ]
  const types = [message?.typeName, choice?.typeName, oneof?.localName]
  return [number, name, localName, fieldKind, presence, ...kinds, ...types].map((one) => String(one ?? "-")).join(" ")
}
