import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { isSameValue } from "../../src/routes/sameValue.js"

/** Another value that says the same: keys, and lists where they may be, the other way round. */
function turned(value: unknown, lists: boolean): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item: unknown) => turned(item, lists))
    return lists ? items.toReversed() : items
  }
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, item]) => [key, turned(item, lists)])
  )
}

describe("two values", () => {
  it("are the same in any order of keys, and of lists only where that is asked", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(isSameValue(value, turned(value, false), "inOrder")).toBe(true)
        expect(isSameValue(value, turned(value, true), "inAnyOrder")).toBe(true)
      })
    )
    expect(isSameValue([1, 2], [2, 1], "inOrder")).toBe(false)
    expect(isSameValue([1, 1, 2], [1, 2, 2], "inAnyOrder")).toBe(false)
  })

  it("are not the same when anything in them differs", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        const text = (value: unknown) => JSON.stringify(turned(turned(value, false), false))
        const sorted = (value: unknown): string => {
          if (Array.isArray(value)) return `[${value.map(sorted).join(",")}]`
          if (typeof value !== "object" || value === null) return text(value)
          const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
          return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${sorted(item)}`).join(",")}}`
        }
        // JSON has no negative zero.
        fc.pre(!`${sorted(one)}${sorted(other)}`.includes("0"))
        expect(isSameValue(one, other, "inOrder")).toBe(sorted(one) === sorted(other))
      }),
      { numRuns: 500 }
    )
  })

  it("may contain themselves, and a value with a class is the same only as itself", () => {
    const cycle = () => {
      const value: Record<string, unknown> = { a: 1 }
      value["self"] = value
      return value
    }
    expect(isSameValue(cycle(), cycle(), "inOrder")).toBe(true)
    expect(isSameValue(cycle(), { ...cycle(), a: 2 }, "inOrder")).toBe(false)
    const map = new Map()
    expect([isSameValue({ map }, { map }, "inOrder"), isSameValue({ map }, { map: new Map() }, "inOrder")]).toEqual([
      true,
      false
    ])
    expect(isSameValue([], {}, "inAnyOrder")).toBe(false)
  })
})
