import { type DescExtension, type DescField, type DescMessage, getOption, hasOption } from "@bufbuild/protobuf"

/**
 * Paths of the fields marked personal, spelled as `ContractInfo.personal` says: `name`, `places[].code`, `detail<login>.user`.
 * A type that was met before is told by where that was (`children[] = $`): so types inside themselves have an end, and types
 * used everywhere do not multiply.
 */
export function personalPaths(event: DescMessage, personal: DescExtension): ReadonlyArray<string> {
  const isPersonal = (field: DescField) => hasOption(field, personal) && getOption(field, personal) === true
  const paths: Array<string> = []
  const met = new Map<DescMessage, string>()
  const walk = (message: DescMessage, path: string): void => {
    met.set(message, path)
    for (const field of message.fields) {
      const at = path === "" ? spell(field) : `${path}.${spell(field)}`
      if (isPersonal(field)) paths.push(at)
      else if (field.message !== undefined && reaches(field.message, isPersonal)) {
        const inside = at + (field.fieldKind === "list" ? "[]" : field.fieldKind === "map" ? "{}" : "")
        const earlier = met.get(field.message)
        if (earlier === undefined) walk(field.message, inside)
        else paths.push(`${inside} = ${earlier === "" ? "$" : earlier}`)
      }
    }
  }
  walk(event, "")
  return paths
}

function spell({ localName, oneof }: DescField): string {
  return oneof === undefined ? localName : `${oneof.localName}<${localName}>`
}

/** Whether a message has such a field, itself or further inside. */
function reaches(message: DescMessage, isSought: (field: DescField) => boolean): boolean {
  const seen = new Set([message])
  for (const one of seen) {
    if (one.fields.some(isSought)) return true
    for (const field of one.fields) if (field.message !== undefined) seen.add(field.message)
  }
  return false
}
