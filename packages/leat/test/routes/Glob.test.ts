import { describe, expect, it } from "vitest"
import { globMatches } from "../../src/routes/Glob.js"

describe("a glob", () => {
  it.each([
    ["orders", "orders", true],
    ["orders", "orders.eu", false],
    ["*", "", true],
    ["orders*", "orders", true],
    ["*orders", "orders", true],
    ["or*ders", "orders", true],
    ["o**s", "orders", true],
    ["orders.*", "orders.eu.north", true],
    ["orders.*", "orders", false],
    // A star that was taken too short is taken longer by one character at a time.
    ["*b", "aab", true],
    ["*ab", "aab", true],
    ["a*bc", "abbc", true],
    ["a*b*c", "abcbcc", true],
    ["a*c", "abcb", false]
  ])("%j takes %j: %j", (glob, text, isTaken) => {
    expect(globMatches(glob, text)).toBe(isTaken)
  })
})
