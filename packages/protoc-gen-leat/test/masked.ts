import { type DescField, type DescMessage, getOption } from "@bufbuild/protobuf"
import { type Fields, registry } from "./oracle.js"

const personal = registry.getExtension("leat.v1.personal")

/** The event with `***` in all fields that the `.proto` file marks as personal. */
export function masked(desc: DescMessage, event: Fields): Fields {
  const entries = desc.members.map((member): [string, unknown] => {
    const held = event[member.localName]
    if (held === undefined) return [member.localName, undefined]
    if (member.kind === "field") return [member.localName, maskedField(member, held)]
    const choice = held as { readonly case: string; readonly value: unknown }
    const field = member.fields.find(({ localName }) => localName === choice.case)
    return [
      member.localName,
      field === undefined ? choice : { case: choice.case, value: maskedField(field, choice.value) }
    ]
  })
  return Object.fromEntries(entries)
}

function maskedField(field: DescField, value: unknown): unknown {
  if (personal !== undefined && getOption(field, personal) === true) return "***"
  const { message } = field
  if (message === undefined) return value
  const one = (inside: unknown) => masked(message, inside as Fields)
  if (field.fieldKind === "list") return (value as ReadonlyArray<unknown>).map(one)
  if (field.fieldKind !== "map") return one(value)
  return new Map([...(value as ReadonlyMap<unknown, unknown>)].map(([key, inside]) => [key, one(inside)]))
}
