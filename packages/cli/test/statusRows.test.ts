import { describe, expect, it } from "vitest"
import { spilledNote } from "../src/move/statusRows.ts"

describe("what spills hold of a stream that moves", () => {
  it("is told with the process that holds it", () => {
    expect(spilledNote([])).toBe("")
    expect(spilledNote([{ member: "01a2", events: 1 }])).toBe("; spills of places that it leaves hold 1 event of 01a2")
    const many = ["a", "b", "c", "d", "e"].map((member, index) => ({ member, events: 10 * index + 1 }))
    expect(spilledNote(many)).toBe(
      "; spills of places that it leaves hold 1 event of a, 11 events of b, 21 events of c and those of 2 more"
    )
  })
})
