/** What protobuf-es makes of the same `.proto` files; built from them at run time, so that no other generated code is needed. */
import { spawnSync } from "node:child_process"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"
import {
  createFileRegistry,
  type DescField,
  type DescMessage,
  type FileRegistry,
  fromBinary,
  toBinary
} from "@bufbuild/protobuf"
import { reflect, type ReflectMessage } from "@bufbuild/protobuf/reflect"
import { FeatureSet_FieldPresence, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt"

/** An event, or a message in one, of whatever type. */
export type Fields = Readonly<Record<string, unknown>>

export const registry = readRegistry(fileURLToPath(new URL("..", import.meta.url)))

export function descOf(typeName: string): DescMessage {
  const desc = registry.getMessage(typeName)
  if (desc === undefined) throw new Error(`test/proto has no message ${typeName}`)
  return desc
}

/** Bytes of an event as protobuf-es writes them. */
export function esEncode(desc: DescMessage, event: Fields): Uint8Array {
  return toBinary(desc, toEs(desc, event).message)
}

/** What protobuf-es reads, in leat's shape. */
export function esDecode(desc: DescMessage, bytes: Uint8Array): Fields {
  return fromEs(reflect(desc, fromBinary(desc, bytes), false))
}

function toEs(desc: DescMessage, event: Fields): ReflectMessage {
  const message = reflect(desc, undefined, false)
  for (const field of desc.fields) {
    const one = (value: unknown) => (field.message === undefined ? value : toEs(field.message, value as Fields))
    const value = valueOf(field, event)
    if (value === undefined) continue
    if (field.fieldKind === "list")
      for (const item of value as ReadonlyArray<unknown>) message.get(field).add(one(item))
    else if (field.fieldKind === "map") {
      for (const [key, item] of value as ReadonlyMap<string, unknown>) message.get(field).set(key, one(item))
    } else message.set(field, one(value))
  }
  return message
}

/** The value of a field, out of its oneof. */
function valueOf(field: DescField, event: Fields): unknown {
  if (field.oneof === undefined) return event[field.localName]
  const choice = event[field.oneof.localName] as { readonly case: string; readonly value: unknown } | undefined
  return choice?.case === field.localName ? choice.value : undefined
}

function fromEs(message: ReflectMessage): Fields {
  const entries = message.fields.flatMap((field): ReadonlyArray<[string, unknown]> => {
    const one = (value: unknown) => (field.message === undefined ? value : fromEs(value as ReflectMessage))
    if (field.fieldKind === "list") return [[field.localName, [...message.get(field)].map(one)]]
    if (field.fieldKind === "map") {
      return [[field.localName, new Map([...message.get(field)].map(([key, value]) => [key, one(value)]))]]
    }
    if (field.oneof !== undefined) {
      if (!message.isSet(field)) return []
      return [[field.oneof.localName, { case: field.localName, value: one(message.get(field)) }]]
    }
    return isOptional(field) && !message.isSet(field) ? [] : [[field.localName, one(message.get(field))]]
  })
  return Object.fromEntries(entries)
}

/** Whether the field can be absent; lists, maps and fields of implicit presence never are. */
export function isOptional(field: DescField): boolean {
  return field.fieldKind !== "list" && field.fieldKind !== "map" && field.presence !== FeatureSet_FieldPresence.IMPLICIT
}

function readRegistry(packageFolder: string): FileRegistry {
  const buf = createRequire(import.meta.url).resolve("@bufbuild/buf/bin/buf")
  const config = { version: "v2", modules: [{ path: "proto" }, { path: "test/proto" }] }
  const args = [buf, "build", packageFolder, "--config", JSON.stringify(config), "-o", "-"]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { timeout: 20_000, maxBuffer: 2 ** 26 })
  if (status !== 0) throw new Error(`test/proto does not compile: ${stderr.toString()}`)
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, stdout))
}
