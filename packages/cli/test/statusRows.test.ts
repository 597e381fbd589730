import { describe, expect, it } from "vitest"
import { rowsOf, spilledNote } from "../src/move/statusRows.ts"

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

it("says that a move gives up order for as long as something is left of the places before", () => {
  const place = { cluster: "c", partitions: 1, missing: [], passedOver: [], groups: [] }
  const epoch = (number: number, phase: "sealed" | "retired" | "open", order: "keep" | "relaxed") => ({
    ...place,
    epoch: number,
    topic: `t${number}`,
    phase,
    order
  })
  const notesOf = (phase: "sealed" | "retired") =>
    rowsOf({
      stream: "s",
      epochs: [epoch(1, phase, "keep"), epoch(2, "open", "relaxed")],
      writers: 0,
      groups: [],
      spilled: [],
      isPaused: false
    }).map((row) => row.at(-1))
  expect(notesOf("sealed")).toEqual(["", "order relaxed"])
  expect(notesOf("retired")).toEqual(["", ""])
})
