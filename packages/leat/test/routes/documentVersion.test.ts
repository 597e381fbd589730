import { Result } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { stringify } from "yaml"
import { versionIn, withVersion } from "../../src/routes/documentVersion.ts"
import { parseRouteText } from "../../src/routes/RouteDocument.ts"

describe("the version of a text", () => {
  it.each([
    ["version: 12\nroutes: []\n", 12],
    ['{ "version": 3 }', 3],
    ["routes: []\n", 0],
    ["version: '12'\n", 0],
    ["version: 1.5\n", 0],
    ["version: -1\n", 0],
    ["version: 12\n  broken: [", 0],
    ["- version: 12\n", 0],
    ["", 0]
  ])("%j is %d", (text, version) => {
    expect(versionIn(text)).toBe(version)
  })
})

describe("a text with another version", () => {
  it.each([
    ["# ours\nversion: 12 # of May\nroutes: [] # none\n", "# ours\nversion: 40 # of May\nroutes: [] # none\n"],
    ["a: { version: 12 }\nversion: 12\n", "a: { version: 12 }\nversion: 40\n"],
    ['{ "routes": [], "version": 12 }', '{ "routes": [], "version": 40 }'],
    ["'version': 12\r\nb: 1\r\n", "'version': 40\r\nb: 1\r\n"],
    ["b: 1\n", "version: 40\nb: 1\n"],
    ["version:\nb: 1\n", '{\n  "version": 40,\n  "b": 1\n}\n'],
    // The version is an alias: the value is written anew.
    ["a: &v 12\nversion: *v\n", '{\n  "a": 12,\n  "version": 40\n}\n']
  ])("%j is %j", (text, expected) => {
    expect(withVersion(text, 40)).toBe(expected)
  })

  it("is none where there is no document", () => {
    for (const text of ["", "[]", "a: [", "7"]) expect(withVersion(text, 40)).toBeUndefined()
  })

  it("says the same for all the rest, however it is written", () => {
    const value = fc.dictionary(
      fc.string({ maxLength: 5 }).filter((key) => key !== "__proto__" && key !== "<<"),
      fc.oneof(fc.integer(), fc.string({ maxLength: 5 }), fc.array(fc.integer(), { maxLength: 3 })),
      { maxKeys: 4, noNullPrototype: true }
    )
    const writers = [
      (one: object) => stringify(one),
      (one: object) => stringify(one, { collectionStyle: "flow" }),
      (one: object) => JSON.stringify(one)
    ]
    fc.assert(
      fc.property(value, fc.constantFrom(...writers), fc.integer({ min: 1, max: 1e9 }), (one, write, version) => {
        const text = withVersion(write({ ...one, version: 7 }), version)
        expect(Result.getOrThrow(parseRouteText(text ?? ""))).toEqual({ ...one, version })
      })
    )
  })
})
