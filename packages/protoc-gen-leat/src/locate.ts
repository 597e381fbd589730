import type { DescEnum, DescField, DescMessage } from "@bufbuild/protobuf"

/** `file.proto:line` of a declaration; the line is left out where the compiler gave none. */
export function locate(desc: DescMessage | DescEnum | DescField): string {
  const path = pathOf(desc)
  const { proto } = desc.kind === "field" ? desc.parent.file : desc.file
  const location = proto.sourceCodeInfo?.location.find(
    (one) => one.path.length === path.length && one.path.every((part, index) => part === path[index])
  )
  const line = location?.span[0]
  return line === undefined ? proto.name : `${proto.name}:${line + 1}`
}

/** Field numbers of descriptor.proto that lead to a declaration. */
function pathOf(desc: DescMessage | DescEnum | DescField): ReadonlyArray<number> {
  if (desc.kind === "field") return [...pathOf(desc.parent), 2, desc.parent.fields.indexOf(desc)]
  if (desc.kind === "enum") {
    return desc.parent === undefined
      ? [5, desc.file.enums.indexOf(desc)]
      : [...pathOf(desc.parent), 4, desc.parent.nestedEnums.indexOf(desc)]
  }
  if (desc.parent === undefined) return [4, desc.file.messages.indexOf(desc)]
  return [...pathOf(desc.parent), 3, desc.parent.nestedMessages.indexOf(desc)]
}
