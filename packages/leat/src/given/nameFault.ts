/** Names that people give and every backend has to hold: of groups, topics, streams and sources. One rule, told alike wherever a name comes in. */
import { Buffer } from "node:buffer"
import { kindOf } from "./takes.ts"

/** Line feeds and other controls, the two separators that some readers take for line feeds among them. */
const controls = /[\p{Cc}\u2028\u2029]/u

/**
 * What is wrong with the name of something; undefined when it can be used.
 *
 * @example
 * ```ts
 * nameFault("a group", "", 255) // "a group needs a name: this one is empty"
 * ```
 */
export function nameFault(owner: string, name: unknown, bytesMax: number): string | undefined {
  if (typeof name !== "string") return `the name of ${owner} is a text, and not ${kindOf(name)}`
  if (name.trim() === "") return `${owner} needs a name: this one is empty`
  if (!name.isWellFormed()) return `the name of ${owner} holds half of a surrogate pair, which UTF-8 cannot say`
  const bytes = Buffer.byteLength(name)
  if (bytes > bytesMax)
    return `the name of ${owner} has at most ${bytesMax} bytes, and not ${bytes}: ${JSON.stringify(name.slice(0, 40))}...`
  if (name !== name.trim()) return `the name ${JSON.stringify(name)} of ${owner} begins or ends with a space`
  if (controls.test(name)) return `the name ${JSON.stringify(name)} of ${owner} holds a control character`
  return undefined
}
