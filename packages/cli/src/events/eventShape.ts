import { type DescField, type DescMessage, isMessage, type Message, toJson } from "@bufbuild/protobuf"

/**
 * A decoded event as leat's own codec would give it, which is what the paths of personal data go through; enums by name, and
 * Google's types in their JSON, because it is printed.
 */
export function eventShape(desc: DescMessage, message: Message): Readonly<Record<string, unknown>> {
  const held = message as unknown as Readonly<Record<string, unknown>>
  const shape: Record<string, unknown> = {}
  for (const member of desc.members) {
    const value = held[member.localName]
    if (value === undefined) continue
    if (member.kind === "field") shape[member.localName] = fieldShape(member, value)
    else {
      const chosen = value as { readonly case?: string; readonly value?: unknown }
      const field = member.fields.find(({ localName }) => localName === chosen.case)
      if (field !== undefined) shape[member.localName] = { case: chosen.case, value: fieldShape(field, chosen.value) }
    }
  }
  return shape
}

function fieldShape(field: DescField, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => itemShape(field, item))
  if (field.fieldKind !== "map") return itemShape(field, value)
  return new Map(Object.entries(value as object).map(([key, item]) => [key, itemShape(field, item)]))
}

function itemShape({ message, enum: named }: DescField, value: unknown): unknown {
  if (named !== undefined) return named.value[Number(value)]?.name ?? value
  // Wrappers of single values are decoded as those values.
  if (message === undefined || !isMessage(value)) return value
  return message.typeName.startsWith("google.protobuf.") ? toJson(message, value) : eventShape(message, value)
}
