import { Result } from "effect"
import { optionNames } from "../consume/handleFaults.ts"
import { ownOptions } from "../given/ownOptions.ts"
import { isObject, kindOf } from "../given/takes.ts"
import type { RouteFault } from "../routes/Routes.ts"
import { textOfThrown } from "../given/thrown.ts"

/** What is wrong with options as such, with their signal, and in what `others` says of them; undefined when nothing is. */
export function optionsFault(
  options: unknown,
  others: (options: object) => RouteFault | undefined = () => undefined
): RouteFault | undefined {
  if (!isObject(options))
    return {
      path: "options",
      message: `are an object, as { signal: AbortSignal.timeout(500) }, and not ${kindOf(options)}`
    }
  try {
    const { signal } = options
    if (signal === undefined || isSignal(signal)) return others(options)
    const message = `is ${kindOf(signal)}, and no AbortSignal: AbortSignal.timeout(500), or the signal of an AbortController`
    return { path: "signal", message }
  } catch (thrown) {
    // A getter that throws, a proxy that is revoked: whoever gives a promise rejects, and throws nothing.
    return { path: "options", message: `cannot be read: ${textOfThrown(thrown)}` }
  }
}

/** Options of a subscription, each read once, or what is wrong with them as such. */
export function givenOptions<A extends object>(options: A): Result.Result<A, RouteFault> {
  return Result.flatMap(ownOptions(options, [...optionNames, "signal"]), (own) => {
    const wrong = optionsFault(own)
    return wrong === undefined ? Result.succeed(own) : Result.fail(wrong)
  })
}

/** Whatever works as one: polyfills too. */
function isSignal(value: unknown): boolean {
  if (!isObject(value) || typeof value["aborted"] !== "boolean") return false
  return ["addEventListener", "removeEventListener", "throwIfAborted"].every(
    (name) => typeof value[name] === "function"
  )
}
