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

/** Field numbers of descriptor.proto that lead to a declaration. Positions are those of the descriptor, which has maps' entries too. */
function pathOf(desc: DescMessage | DescEnum | DescField): ReadonlyArray<number> {
  const { parent } = desc
  if (desc.kind === "field") return [...pathOf(desc.parent), 2, desc.parent.proto.field.indexOf(desc.proto)]
  if (desc.kind === "enum") {
    return parent === undefined
      ? [5, desc.file.proto.enumType.indexOf(desc.proto)]
      : [...pathOf(parent), 4, parent.proto.enumType.indexOf(desc.proto)]
  }
  return parent === undefined
    ? [4, desc.file.proto.messageType.indexOf(desc.proto)]
    : [...pathOf(parent), 3, parent.proto.nestedType.indexOf(desc.proto)]
}
