import { Redacted, Result } from "effect"
import fc from "fast-check"
import { memory, Routes } from "leat"
import { describe, expect, it } from "vitest"
import { ownCopy } from "../../src/routes/ownCopy.js"

const document = (section: object) => ({
  version: 1,
  clusters: { local: Object.defineProperties({ transport: "memory" }, Object.getOwnPropertyDescriptors(section)) },
  routes: [{ match: { stream: "*" }, to: [{ cluster: "local", topic: "{stream}" }] }]
})
const told = (given: unknown) => {
  const compiled = Routes.compile(given, { drivers: [memory] })
  return Result.isFailure(compiled) ? compiled.failure.faults.map(({ path, message }) => `${path}: ${message}`) : []
}
const nested = (levels: number, around: (inner: unknown) => unknown): unknown => {
  let whole: unknown = 1
  for (let level = 0; level < levels; level++) whole = around(whole)
  return whole
}
const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}
const unreadable = (trap: "get" | "ownKeys" | "getPrototypeOf") =>
  new Proxy(
    { version: 1 },
    {
      [trap]: () => {
        throw new RangeError("no")
      }
    }
  )

describe("a document that cannot be read", () => {
  it.each([
    [
      "a getter that throws",
      document({
        get retentionBytes() {
          throw new RangeError("no")
        }
      }),
      "clusters.local.retentionBytes: cannot be read: RangeError: no"
    ],
    [
      "a getter that throws nothing that has a text",
      document({
        get x() {
          throw Object.create(null)
        }
      }),
      "clusters.local.x: cannot be read: something was thrown that has no text"
    ],
    [
      "a proxy that is revoked",
      revoked(),
      "routes: cannot be read: TypeError: Cannot perform 'IsArray' on a proxy that has been revoked"
    ],
    [
      "one that is revoked in a list",
      { ...document({}), routes: [revoked()] },
      "routes[0]: cannot be read: TypeError: Cannot perform 'IsArray' on a proxy that has been revoked"
    ],
    ["a proxy without keys", unreadable("ownKeys"), "routes: cannot be read: RangeError: no"],
    ["a proxy without values", unreadable("get"), "version: cannot be read: RangeError: no"],
    [
      "a proxy without a class",
      document({ x: unreadable("getPrototypeOf") }),
      "clusters.local.x: cannot be read: RangeError: no"
    ],
    [
      "objects without an end",
      document({ x: nested(20_000, (x) => ({ x })) }),
      "clusters.local.x: has more than 100 levels of objects and lists within each other"
    ],
    [
      "lists without an end",
      { ...document({}), routes: nested(20_000, (x) => [x]) },
      "routes[0][0]: has more than 100 levels of objects and lists within each other"
    ],
    [
      "policies in a Map",
      { ...document({}), policies: new Map([["money", []]]) },
      "policies: is a Map, and a document is made of objects and lists"
    ],
    [
      "routes in a Set",
      { ...document({}), routes: new Set(["a"]) },
      "routes: is a Set, and a document is made of objects and lists"
    ],
    ["a Map", new Map([["version", 1]]), "routes: is a Map, and a document is made of objects and lists"],
    [
      "text without an end",
      "[".repeat(20_000),
      "line 1: not YAML or JSON: it has too many lists or objects within each other"
    ],
    [
      "braces without an end",
      `{"a":`.repeat(20_000),
      "line 1: not YAML or JSON: it has too many lists or objects within each other"
    ]
  ])("is refused by one sentence: %s", (_, given, sentence) => {
    expect(told(given)).toEqual([sentence])
  })
})

describe("the copy of a document", () => {
  it("says the same, and is changed by nobody", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const before = structuredClone(value)
        const copy = Result.getOrThrow(ownCopy(value))
        expect(copy).toEqual(before)
        if (typeof value !== "object" || value === null) return
        expect(copy).not.toBe(value)
        for (const key of Object.keys(value)) Reflect.deleteProperty(value, key)
        if (Array.isArray(value)) value.length = 0
        expect(copy).toEqual(before)
      })
    )
  })

  it("keeps what is in two places, or in itself, one; and what has a class as it is", () => {
    const shared = { secret: Redacted.make("s"), bytes: new Uint8Array(3), call: () => 1 }
    const itself: Record<string, unknown> = { one: shared, other: shared }
    itself["itself"] = itself
    const copy = Result.getOrThrow(ownCopy(itself)) as typeof itself
    expect(copy["one"]).toBe(copy["other"])
    expect(copy["one"]).not.toBe(shared)
    expect(copy["itself"]).toBe(copy)
    expect(copy["one"]).toEqual(shared)
    expect((copy["one"] as typeof shared).secret).toBe(shared.secret)
  })
})
