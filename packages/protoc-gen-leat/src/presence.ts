import type { DescField } from "@bufbuild/protobuf"
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt"
import { locate } from "./locate.ts"

/** Whether a singular field can be absent, and so is an optional property. */
export function hasPresence(field: DescField): boolean {
  if (field.fieldKind === "list" || field.fieldKind === "map") return false
  if (field.presence === FeatureSet_FieldPresence.LEGACY_REQUIRED) {
    throw new Error(`${locate(field)}: ${field.toString()} is required, which proto3 does not have; make it optional`)
  }
  return field.presence === FeatureSet_FieldPresence.EXPLICIT
}
