/**
 * Events for people and logs: personal data masked, whatever the event holds, in one line that has an end.
 *
 * An event that does not fit its contract is shown as far as that can be done without showing what may be personal: where a
 * message with personal fields should stand and something else does, all of it is masked.
 */
import { Buffer } from "node:buffer"
import type { ContractInfo } from "./Contract.ts"
import { isObject, takes } from "../given/takes.ts"
import { parsePersonalPaths, type PersonalPaths } from "./PersonalPaths.ts"

/** What JSON can say. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | ReadonlyArray<JsonValue>
  | { readonly [name: string]: JsonValue }

const mask = "***"
const more = "…"
const unreadable = "[unreadable]"

/** Characters of JSON after which nothing more is begun. What was begun ends, so the line is at most twice as long. */
const charactersMax = 4096
const textMax = 256
const bytesMax = 32
const itemsMax = 100
const depthMax = 50

/**
 * The event as one line of JSON, of at most 8192 characters. Never throws.
 *
 * @example
 * ```ts
 * printEvent(BeaconSighting, { beaconId: "b7", sensorId: "s1", rssiDbm: -61, seenAtUs: 1795416249141000n, inputRef: "" })
 * // {"beaconId":"b7","sensorId":"s1","rssiDbm":-61,"seenAtUs":"1795416249141000","inputRef":""}
 * ```
 */
export function printEvent(contract: ContractInfo, event: unknown): string {
  return oneLine(maskEvent(contract, event))
}

/**
 * The event as plain JSON: `"***"` for what is personal, 64-bit numbers and what JSON has no numbers for as text, bytes as
 * `5 bytes 68656c6c6f`, a map as an object, and `…` for what was left out. Never throws.
 *
 * @example
 * ```ts
 * maskEvent(SecurityAlert, alert) // { ..., sourceAddress: "***" }: marked personal in the contract
 * ```
 */
export function maskEvent(contract: ContractInfo, event: unknown): JsonValue {
  takes("printEvent", "a contract and an event", isObject(contract) && Array.isArray(contract.personal), contract)
  return new Masking().value(event, pathsOf(contract.personal), 0)
}

const parsed = new WeakMap<ReadonlyArray<string>, PersonalPaths>()

function pathsOf(personal: ReadonlyArray<string>): PersonalPaths {
  const known = parsed.get(personal) ?? parsePersonalPaths(personal)
  parsed.set(personal, known)
  return known
}

/** One event on its way to JSON. */
class Masking {
  #left = charactersMax

  value(value: unknown, paths: PersonalPaths | undefined, depth: number): JsonValue {
    const shown = this.#attempt(value, paths, depth)
    if (typeof shown !== "object" || shown === null) this.#left -= oneLine(shown).length + 1
    return shown
  }

  #attempt(value: unknown, paths: PersonalPaths | undefined, depth: number): JsonValue {
    if (this.#left <= 0 || depth > depthMax) return more
    try {
      return paths?.isPersonal === true || !fits(value, paths) ? mask : this.#shown(value, paths, depth)
    } catch {
      // A proxy that throws, say.
      return unreadable
    }
  }

  #shown(value: unknown, paths: PersonalPaths | undefined, depth: number): JsonValue {
    if (value === null || value === undefined) return null
    if (typeof value === "boolean") return value
    if (typeof value === "string") return cut(value)
    // Adding 0 makes 0 of -0, as JSON does.
    if (typeof value === "number") return Number.isFinite(value) ? value + 0 : String(value)
    if (typeof value === "bigint") return is64Bits(value) ? String(value) : "[bigint of more than 64 bits]"
    if (typeof value !== "object") return `[${typeof value}]`
    this.#left -= 2
    if (value instanceof Uint8Array) return bytes(value)
    if (Array.isArray(value)) return this.#list(value, paths?.inside.get("[]"), depth)
    if (value instanceof Map) return this.#entries(value, () => paths?.inside.get("{}"), depth)
    if (isOneof(paths)) {
      const choice = value as { readonly case: string; readonly value: unknown }
      const chosen = Object.entries({ case: choice.case, value: choice.value })
      return this.#entries(
        chosen,
        (name) => (name === "value" ? paths?.inside.get(`<${choice.case}>`) : undefined),
        depth
      )
    }
    return this.#entries(properties(value), (name) => paths?.inside.get(name), depth)
  }

  #list(list: ReadonlyArray<unknown>, inside: PersonalPaths | undefined, depth: number): JsonValue {
    const shown: Array<JsonValue> = []
    for (let index = 0; index < list.length; index++) {
      if (index === itemsMax || this.#left <= 0) return [...shown, `${more} ${list.length - index} more`]
      shown.push(this.value(list[index], inside, depth + 1))
    }
    return shown
  }

  #entries(
    entries: Iterable<readonly [unknown, unknown]>,
    insideOf: (name: string) => PersonalPaths | undefined,
    depth: number
  ): JsonValue {
    const shown: Array<readonly [string, JsonValue]> = []
    for (const [key, value] of entries) {
      if (value === undefined) continue
      if (shown.length === itemsMax || this.#left <= 0) {
        shown.push([more, more])
        break
      }
      const name = typeof key === "symbol" ? "[symbol]" : cut(String(key))
      this.#left -= oneLine(name).length + 2
      shown.push([name, this.value(value, insideOf(String(key)), depth + 1)])
    }
    return Object.fromEntries(shown)
  }
}

/** Whether a value is what the personal paths below it go through. */
function fits(value: unknown, paths: PersonalPaths | undefined): boolean {
  const [first] = paths?.inside.keys() ?? []
  if (first === undefined || value === null || value === undefined) return true
  if (first === "[]") return Array.isArray(value)
  if (first === "{}") return value instanceof Map
  if (typeof value !== "object" || Array.isArray(value) || value instanceof Map || ArrayBuffer.isView(value))
    return false
  return !isOneof(paths) || typeof (value as { readonly case?: unknown }).case === "string"
}

function isOneof(paths: PersonalPaths | undefined): boolean {
  const [first] = paths?.inside.keys() ?? []
  return first !== undefined && first.startsWith("<")
}

/** The properties of an object, each read by itself: a getter may throw. */
function* properties(value: object): Iterable<readonly [string, unknown]> {
  for (const name of Object.keys(value)) {
    let held: unknown = unreadable
    try {
      held = (value as Readonly<Record<string, unknown>>)[name]
    } catch {
      // Shown as unreadable.
    }
    yield [name, held]
  }
}

function cut(text: string): string {
  const shown = text.length <= textMax ? text : `${text.slice(0, textMax)}${more} (${text.length} characters)`
  return shown.toWellFormed()
}

function bytes(value: Uint8Array): string {
  const hex = Buffer.from(value.subarray(0, bytesMax)).toString("hex")
  return `${value.length} bytes ${hex}${value.length > bytesMax ? more : ""}`
}

function is64Bits(value: bigint): boolean {
  return BigInt.asIntN(64, value) === value || BigInt.asUintN(64, value) === value
}

/** JSON without what a terminal or a log would take for a line's end, a command or a change of direction. */
function oneLine(value: JsonValue): string {
  return JSON.stringify(value).replaceAll(
    /[\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
  )
}
