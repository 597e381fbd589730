import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { meant, nearest } from "../../src/given/nearest.js"

const known = ["Unavailable", "Timeout", "level", "drop", "deadLetter", "to"]

describe("nearest", () => {
  it.each([
    ["Unavailble", "Unavailable"],
    ["unavailable", "Unavailable"],
    ["levle", "level"],
    ["drp", "drop"],
    ["tp", "to"],
    ["dedLeter", "deadLetter"]
  ])("%s stands for %s", (name, found) => {
    expect(nearest(name, known)).toBe(found)
  })

  it.each(["", "x", "Poison", "Timings", "unable"])("%j stands for none", (name) => {
    expect(nearest(name, known)).toBeUndefined()
    expect(meant(name, known)).toBe("")
  })

  it("finds a name in which one letter is gone, is another, or has changed places", () => {
    const names = fc.constantFrom("Unavailable", "Disconnected", "concurrency")
    fc.assert(
      fc.property(names, fc.nat(), fc.constantFrom("gone", "other", "swapped"), (name, turn, what) => {
        const at = turn % (name.length - 1)
        const [left, letter, next, right] = [name.slice(0, at), name[at], name[at + 1], name.slice(at + 2)]
        const instead = { gone: `${next}`, other: `#${next}`, swapped: `${next}${letter}` }[what]
        expect(nearest(`${left}${instead}${right}`, ["Timeout", name, "Full"])).toBe(name)
      })
    )
  })
})
