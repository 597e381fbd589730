/**
 * Whether a value is made of data alone: an object literal or a list. Anything else, a secret, a broker or a function that stands in a document
 * given in code, is handed on as it is.
 */
export function isPlain(value: unknown): value is Readonly<Record<string, unknown>> | ReadonlyArray<unknown> {
  if (typeof value !== "object" || value === null) return false
  if (Array.isArray(value)) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
