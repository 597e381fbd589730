import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { documentDifference } from "../src/routes/documentDifference.ts"

const route = (stream: string, more: object = {}) => ({
  match: { stream },
  to: [{ cluster: "c", topic: "t" }],
  ...more
})

describe("the difference of two documents", () => {
  it.each([
    ["a value", { version: 1 }, { version: 2 }, [{ path: "version", change: "changed", before: 1, after: 2 }]],
    ["a name that comes", { a: {} }, { a: { b: 1 } }, [{ path: "a.b", change: "added", after: 1 }]],
    ["a name that goes", { a: { b: 1 } }, { a: {} }, [{ path: "a.b", change: "removed", before: 1 }]],
    ["the order of keys", { a: { b: 1, c: 2 } }, { a: { c: 2, b: 1 } }, []],
    [
      "a route before others",
      { routes: [route("x"), route("*")] },
      { routes: [route("y"), route("x"), route("*")] },
      [{ path: "routes[0]", change: "added", after: route("y") }]
    ],
    [
      "a route that is another one within",
      { routes: [route("x"), route("*")] },
      { routes: [route("y"), route("x", { level: "queued" }), route("*")] },
      [
        { path: "routes[0]", change: "added", after: route("y") },
        { path: "routes[1].level", change: "added", after: "queued" }
      ]
    ],
    [
      "routes that change places",
      { routes: [route("x"), route("*")] },
      { routes: [route("*"), route("x")] },
      [
        { path: "routes[0]", change: "removed", before: route("x") },
        { path: "routes[1]", change: "added", after: route("x") }
      ]
    ],
    [
      "a leg with another setting, and one that goes",
      {
        to: [
          { cluster: "c", topic: "t", linger: "1 ms" },
          { cluster: "d", topic: "t" }
        ]
      },
      { to: [{ cluster: "c", topic: "t", linger: "2 ms" }] },
      [
        { path: "to[0].linger", change: "changed", before: "1 ms", after: "2 ms" },
        { path: "to[1]", change: "removed", before: { cluster: "d", topic: "t" } }
      ]
    ],
    [
      "names in a list",
      { on: ["a", "b"] },
      { on: ["b", "c"] },
      [
        { path: "on[0]", change: "removed", before: "a" },
        { path: "on[1]", change: "added", after: "c" }
      ]
    ]
  ])("tells %s", (_, before, after, expected) => {
    expect(documentDifference(before, after)).toEqual(expected)
  })

  const values = fc.jsonValue({ maxDepth: 4 })

  it("is nothing for two that say the same, and something for all others", () => {
    const sorted = (value: unknown): unknown => {
      if (Array.isArray(value)) return ["a list", ...value.map(sorted)]
      if (typeof value !== "object" || value === null) return value
      const entries = Object.entries(value).map(([name, one]) => [name, sorted(one)] as const)
      return ["an object", ...entries.toSorted(([one], [other]) => (one < other ? -1 : 1))]
    }
    fc.assert(
      fc.property(values, values, (one, other) => {
        expect(documentDifference(one, structuredClone(one))).toEqual([])
        const isSame = JSON.stringify(sorted(one)) === JSON.stringify(sorted(other))
        expect(documentDifference({ one }, { one: other }).length === 0).toBe(isSame)
      })
    )
  })

  it("names the places of what comes in the new document, and of what goes in the old one, and leaves nothing out", () => {
    const lists = fc.array(fc.nat({ max: 5 }), { maxLength: 12 })
    fc.assert(
      fc.property(lists, lists, (before, after) => {
        const found = documentDifference({ list: before }, { list: after })
        const at = (path: string) => Number(/\[(\d+)\]$/.exec(path)?.[1])
        const gone = found.filter(({ change }) => change === "removed")
        const come = found.filter(({ change }) => change === "added")
        expect(gone.length + come.length).toBe(found.length)
        for (const { path, before: value } of gone) expect(before[at(path)]).toBe(value)
        for (const { path, after: value } of come) expect(after[at(path)]).toBe(value)
        const [left, right] = [gone, come].map((all) => new Set(all.map(({ path }) => at(path))))
        expect(before.filter((_, index) => left?.has(index) !== true)).toEqual(
          after.filter((_, index) => right?.has(index) !== true)
        )
      })
    )
  })

  it("takes long lists that have nothing in common", () => {
    const list = (from: number) => Array.from({ length: 3000 }, (_, index) => from + index)
    expect(documentDifference({ a: [1, ...list(10), 2] }, { a: [1, ...list(10_000), 2] })).toHaveLength(6000)
  })
})
