/**
 * A document of leat's own, copied from what was given before anything else looks at it: what reading it throws and nesting without an end
 * are faults of the document, and what its caller changes later changes no table.
 */
import { Data, Result } from "effect"
import { isPlain } from "../given/plain.ts"
import { textOfThrown } from "../given/thrown.ts"
import type { RouteFault } from "./RouteDocument.ts"
import { pathText } from "./pathText.ts"

/** Objects and lists within each other. A document needs 8, what a driver takes a few more; every reader of it calls itself once for each. */
const levelsMax = 100

class Unreadable extends Data.Error<{ readonly fault: RouteFault }> {}

/** Copies what is plain, and what is one value in two places, or in itself, stays one. Fails with the first fault. */
export function ownCopy(value: unknown): Result.Result<unknown, RouteFault> {
  try {
    return Result.succeed(copyOf(value, [], new Map()))
  } catch (error) {
    return Result.fail(
      error instanceof Unreadable ? error.fault : faultAt([], `cannot be read: ${textOfThrown(error)}`)
    )
  }
}

function copyOf(value: unknown, path: ReadonlyArray<string | number>, copies: Map<unknown, unknown>): unknown {
  if (!read(path, () => isPlain(value))) {
    const kind = value instanceof Map ? "Map" : value instanceof Set ? "Set" : undefined
    // What a driver takes is its own matter. Elsewhere it would be read as an object without a key.
    if (kind === undefined || path[0] === "clusters") return value
    throw new Unreadable({ fault: faultAt(path, `is a ${kind}, and a document is made of objects and lists`) })
  }
  const known = copies.get(value)
  if (known !== undefined) return known
  if (path.length > levelsMax) throw new Unreadable({ fault: faultAt(path.slice(0, 3), deeper) })
  const whole = value as Readonly<Record<string, unknown>>
  // Known before it is filled, because a value may contain itself.
  const made: Array<unknown> | Record<string, unknown> = Array.isArray(value) ? [] : {}
  copies.set(value, made)
  for (const key of read(path, () => Object.keys(whole))) {
    const inside = [...path, Array.isArray(value) ? Number(key) : key]
    const item = copyOf(
      read(inside, () => whole[key]),
      inside,
      copies
    )
    // Defined and not assigned: a key may be `__proto__`.
    Object.defineProperty(made, key, { value: item, configurable: true, enumerable: true, writable: true })
  }
  return made
}

const deeper = `has more than ${levelsMax} levels of objects and lists within each other`

/** What a getter or a proxy throws is told with the place where it stands. */
function read<A>(path: ReadonlyArray<string | number>, look: () => A): A {
  try {
    return look()
  } catch (error) {
    throw new Unreadable({ fault: faultAt(path, `cannot be read: ${textOfThrown(error)}`) })
  }
}

function faultAt(path: ReadonlyArray<string | number>, message: string): RouteFault {
  return { path: path.length === 0 ? "routes" : pathText(path), message }
}
