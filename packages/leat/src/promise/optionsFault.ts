import { isObject, kindOf } from "../given/takes.ts"
import type { RouteFault } from "../routes/Routes.ts"
import { textOfThrown } from "../given/thrown.ts"

/** What is wrong with options as such, and with their signal; undefined when nothing is. */
export function optionsFault(options: unknown): RouteFault | undefined {
  if (!isObject(options))
    return {
      path: "options",
      message: `are an object, as { signal: AbortSignal.timeout(500) }, and not ${kindOf(options)}`
    }
  try {
    const { signal } = options
    if (signal === undefined || isSignal(signal)) return undefined
    const message = `is ${kindOf(signal)}, and no AbortSignal: AbortSignal.timeout(500), or the signal of an AbortController`
    return { path: "signal", message }
  } catch (thrown) {
    // A getter that throws, a proxy that is revoked: whoever gives a promise rejects, and throws nothing.
    return { path: "options", message: `cannot be read: ${textOfThrown(thrown)}` }
  }
}

/** Whatever works as one: polyfills too. */
function isSignal(value: unknown): boolean {
  if (!isObject(value) || typeof value["aborted"] !== "boolean") return false
  return ["addEventListener", "removeEventListener", "throwIfAborted"].every(
    (name) => typeof value[name] === "function"
  )
}
