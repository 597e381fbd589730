import { Result } from "effect"
import { textOfThrown } from "./thrown.ts"
import { isObject } from "./takes.ts"

/** An option that cannot be read. */
interface OptionFault {
  readonly path: string
  readonly message: string
}

/**
 * Options in an object of their own, each read once: what their caller changes later changes nothing, and a getter that throws, or a proxy that is revoked,
 * is a fault. `names` are those that may come from a prototype. What is no object is given back as it is.
 */
export function ownOptions<A>(options: A, names: ReadonlyArray<string>): Result.Result<A, OptionFault> {
  const given: unknown = options
  if (!isObject(given)) return Result.succeed(options)
  const own: Record<string, unknown> = {}
  let path = "options"
  try {
    for (const name of new Set([...Object.keys(given), ...names.filter((one) => one in given)])) {
      path = name
      Object.defineProperty(own, name, { value: given[name], enumerable: true, configurable: true, writable: true })
    }
  } catch (thrown) {
    return Result.fail({ path, message: `cannot be read: ${textOfThrown(thrown)}` })
  }
  return Result.succeed(own as A)
}
