/** The version that the text of a route document says, and the same text with another one. */
import { Result } from "effect"
import { isMap, isPair, isScalar, parseDocument } from "yaml"
import { isObject } from "../given/takes.ts"
import { parseRouteText } from "./RouteDocument.ts"
import { isSameValue } from "./sameValue.ts"

/** 0: it says none that can be read. */
export function versionIn(text: string): number {
  const version = valueOf(text)?.["version"]
  return typeof version === "number" && Number.isSafeInteger(version) && version > 0 ? version : 0
}

/** The document with another version, and everything else as it was written, comments too; undefined: the text is no document. */
export function withVersion(text: string, version: number): string | undefined {
  const value = valueOf(text)
  if (value === undefined) return undefined
  const next = { ...value, version }
  const edited = editedText(text, version)
  // Where no number stands at its place, as with an alias, the value is written anew.
  return isSameValue(valueOf(edited), next, "inOrder") ? edited : `${JSON.stringify(next, undefined, 2)}\n`
}

function valueOf(text: string): Readonly<Record<string, unknown>> | undefined {
  const parsed = parseRouteText(text)
  const value = Result.getOrUndefined(parsed)
  return isObject(value) && !Array.isArray(value) ? value : undefined
}

function editedText(text: string, version: number): string {
  const { contents } = parseDocument(text, { version: "1.2", schema: "core", logLevel: "error" })
  const pair = isMap(contents)
    ? contents.items.find((one) => isPair(one) && isScalar(one.key) && one.key.value === "version")
    : undefined
  const range = isScalar(pair?.value) ? pair.value.range : undefined
  if (range === undefined || range === null) return `version: ${version}\n${text}`
  return text.slice(0, range[0]) + String(version) + text.slice(range[1])
}
