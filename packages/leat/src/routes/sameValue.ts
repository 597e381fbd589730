import { isPlain } from "../given/plain.ts"

/**
 * Whether two values of documents are the same apart from the order of keys, and of lists where `lists` says so. A value with a class is
 * the same only as itself; a value that contains itself is compared once.
 */
export function isSameValue(one: unknown, other: unknown, lists: "inOrder" | "inAnyOrder"): boolean {
  return isSame(one, other, lists, new Map())
}

function isSame(one: unknown, other: unknown, lists: "inOrder" | "inAnyOrder", seen: Map<object, unknown>): boolean {
  if (Object.is(one, other)) return true
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false
  if (seen.get(one) === other) return true
  seen.set(one, other)
  if (Array.isArray(one) && Array.isArray(other)) {
    if (one.length !== other.length) return false
    if (lists === "inOrder") return one.every((item, index) => isSame(item, other[index], lists, seen))
    const left: Array<unknown> = [...other]
    return one.every((item) => {
      const at = left.findIndex((candidate) => isSame(item, candidate, lists, new Map(seen)))
      if (at >= 0) left.splice(at, 1)
      return at >= 0
    })
  }
  if (Array.isArray(one) || Array.isArray(other) || !isPlain(one) || !isPlain(other)) return false
  const entries = Object.entries(one)
  const others = new Map<string, unknown>(Object.entries(other))
  return (
    entries.length === others.size &&
    entries.every(([key, value]) => others.has(key) && isSame(value, others.get(key), lists, seen))
  )
}
