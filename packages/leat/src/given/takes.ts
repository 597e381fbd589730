/** What callers without types gave in place of what a function takes. */
import { TaggedError } from "./TaggedError.ts"

/**
 * A function that answers at once was given something that it does not take. `operation` names the function, `detail` says what it was given
 * and what it takes. Whatever gives an effect or a promise fails with its own error instead.
 *
 * @example
 * ```ts
 * formatEventId(undefined) // throws WrongArgument: formatEventId: takes the id of an event, and not undefined
 * ```
 */
export class WrongArgument extends TaggedError("WrongArgument")<{
  /** Name of the function. */
  readonly operation: string
  /** One sentence for a person. */
  readonly detail: string
}> {
  override get message(): string {
    return `${this.operation}: ${this.detail}`
  }
}

/** Throws unless `isSo`: the function takes `what`. */
export function takes(operation: string, what: string, isSo: boolean, given: unknown): void {
  if (!isSo) throw new WrongArgument({ operation, detail: `takes ${what}, and not ${kindOf(given)}` })
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null
}

export function isIterable(value: unknown): value is Iterable<unknown> {
  if (typeof value === "string") return true
  return isObject(value) && typeof (value as { readonly [Symbol.iterator]?: unknown })[Symbol.iterator] === "function"
}

const kinds: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  bigint: "a bigint",
  boolean: "a boolean",
  symbol: "a symbol",
  function: "a function"
}

/** What a value is, in a sentence. */
export function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "an array"
  if (value === null) return "null"
  return kinds[typeof value] ?? (value === undefined ? "undefined" : "another object")
}

/** A value in place of a number, as a sentence shows it: a text of digits is told from a number, and whatever has no text by its kind. */
export function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value)
  return typeof value === "number" || typeof value === "bigint" ? String(value) : kindOf(value)
}
