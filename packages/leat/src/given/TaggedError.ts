/**
 * What leat's errors are made with. As `Data.TaggedError`, and Node prints one as it prints others: name, message, stack, and what has caused it. Effect's own
 * print their fields alone.
 */
// Not from "effect": drivers load this module in workers, and all of effect takes 300 ms where this takes 15.
import * as Data from "effect/Data"

export const TaggedError: typeof Data.TaggedError = (tag) => {
  const Made = Data.TaggedError(tag)
  Object.defineProperty(Made.prototype, Symbol.for("nodejs.util.inspect.custom"), { value: printed })
  return Made
}

type Inspect = (value: unknown, options: object) => string

/** Those that are being printed: a cause may lead back to its error, and each prints its own by a call that knows nothing of the others. */
const printing = new Set<Error>()

function printed(this: Error, _depth: number, options: object, inspect: Inspect): string {
  const { cause, message } = this
  const stack = this.stack ?? message
  if (cause === undefined) return stack
  if (printing.has(this)) return `[Circular ${this.name}: ${message}]`
  printing.add(this)
  try {
    return `${stack} {\n  [cause]: ${inspect(cause, options).replaceAll("\n", "\n  ")}\n}`
  } finally {
    printing.delete(this)
  }
}
