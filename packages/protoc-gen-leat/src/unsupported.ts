/** What a `.proto` file may hold and generated code cannot: found before anything is generated, all of it at once. */
import type { DescEnum, DescField, DescFile, DescMessage, DescOneof } from "@bufbuild/protobuf"
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt"
import { locate } from "./locate.ts"
import { declarations, isPropertyName, typeName } from "./names.ts"
import { wellKnown } from "./wellKnown.ts"

/** The faults of the files, each as `file:line: what is wrong; what to do`. */
export function findUnsupported(files: ReadonlyArray<DescFile>): ReadonlyArray<string> {
  return files.flatMap((file) => {
    const { enums, messages } = declarations(file)
    const inFields = messages.flatMap(({ fields }) => fields.flatMap(faultsOfField))
    return [...sameNames([...enums, ...messages]), ...messages.flatMap(sameProperties), ...inFields]
  })
}

function faultsOfField(field: DescField): ReadonlyArray<string> {
  const faults: Array<string> = []
  const fault = (text: string) => faults.push(`${locate(field)}: ${field.parent.typeName}.${field.name} ${text}`)
  if ("delimitedEncoding" in field && field.delimitedEncoding) fault("is a group; make it a message field")
  if (field.presence === FeatureSet_FieldPresence.LEGACY_REQUIRED) {
    fault("is required, which proto3 does not have; make it optional")
  }
  if (hasOwnDefault(field)) {
    fault(
      `has the default ${field.proto.defaultValue}, which other languages read where it is absent and generated code does not; remove the default`
    )
  }
  const type = (field.message ?? field.enum)?.typeName
  if (type !== undefined && type.startsWith("google.protobuf.") && !wellKnown.has(type)) {
    fault(`is a ${type}, which is not supported; use Timestamp, Duration or a message of your own`)
  }
  if (!isPropertyName(field.localName)) fault("has no name in TypeScript; let it begin with a letter")
  return faults
}

/** Whether the field has a default of its own, `[default = 10]`: one that is not that of its type. */
function hasOwnDefault(field: DescField): boolean {
  if (field.fieldKind !== "scalar" && field.fieldKind !== "enum") return false
  const value = field.getDefaultValue()
  if (field.proto.defaultValue === "" || value === undefined) return false
  if (field.fieldKind === "enum") return value !== field.enum.values[0]?.number
  return value instanceof Uint8Array ? value.length > 0 : Boolean(value) || Number.isNaN(value)
}

/** Members of one message that would be one property. */
function sameProperties(message: DescMessage): ReadonlyArray<string> {
  const seen = new Map<string, DescField | DescOneof>()
  return message.members.flatMap((member) => {
    const other = seen.get(member.localName)
    seen.set(member.localName, member)
    if (other === undefined) return []
    return [
      `${locate(message)}: ${message.typeName}: ${other.name} and ${member.name} would both be the property ${member.localName}; rename one`
    ]
  })
}

/** Declarations of one file that would have one name. */
function sameNames(all: ReadonlyArray<DescMessage | DescEnum>): ReadonlyArray<string> {
  const seen = new Map<string, DescMessage | DescEnum>()
  return all.flatMap((desc) => {
    const name = typeName(desc)
    const names = desc.kind === "message" ? [name, `write${name}`, `read${name}`] : [name]
    const taken = names.find((one) => seen.has(one))
    const other = taken === undefined ? undefined : seen.get(taken)
    for (const one of names) seen.set(one, desc)
    if (other === undefined) return []
    return [`${locate(desc)}: ${desc.typeName} and ${other.typeName} would both be ${taken} in TypeScript; rename one`]
  })
}
