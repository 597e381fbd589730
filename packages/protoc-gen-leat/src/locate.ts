import type { DescEnum, DescEnumValue, DescField, DescMessage, DescOneof } from "@bufbuild/protobuf"
import type { SourceCodeInfo_Location } from "@bufbuild/protobuf/wkt"

type Declaration = DescMessage | DescEnum | DescField | DescOneof | DescEnumValue

/**
 * `file.proto:line` of a declaration; the line is left out where the compiler gave none.
 *
 * @example
 * ```ts
 * for (const { message } of contracts.values()) console.log(locate(message)) // risk/v1/beacon.proto:15
 * ```
 */
export function locate(desc: Declaration): string {
  const line = sourceOf(desc)?.span[0]
  const { name } = fileOf(desc).proto
  return line === undefined ? name : `${name}:${line + 1}`
}

/** The comment that stands before a declaration. */
export function leadingComment(desc: Declaration): string {
  return sourceOf(desc)?.leadingComments ?? ""
}

function sourceOf(desc: Declaration): SourceCodeInfo_Location | undefined {
  const path = pathOf(desc)
  return fileOf(desc).proto.sourceCodeInfo?.location.find(
    (one) => one.path.length === path.length && one.path.every((part, index) => part === path[index])
  )
}

function fileOf(desc: Declaration) {
  return desc.kind === "message" || desc.kind === "enum" ? desc.file : desc.parent.file
}

/** Field numbers of descriptor.proto that lead to a declaration. Positions are those of the descriptor, which has maps' entries too. */
function pathOf(desc: Declaration): ReadonlyArray<number> {
  switch (desc.kind) {
    case "field":
      return [...pathOf(desc.parent), 2, desc.parent.proto.field.indexOf(desc.proto)]
    case "oneof":
      return [...pathOf(desc.parent), 8, desc.parent.proto.oneofDecl.indexOf(desc.proto)]
    case "enum_value":
      return [...pathOf(desc.parent), 2, desc.parent.proto.value.indexOf(desc.proto)]
    case "enum":
      return desc.parent === undefined
        ? [5, desc.file.proto.enumType.indexOf(desc.proto)]
        : [...pathOf(desc.parent), 4, desc.parent.proto.enumType.indexOf(desc.proto)]
    case "message":
      return desc.parent === undefined
        ? [4, desc.file.proto.messageType.indexOf(desc.proto)]
        : [...pathOf(desc.parent), 3, desc.parent.proto.nestedType.indexOf(desc.proto)]
  }
}
