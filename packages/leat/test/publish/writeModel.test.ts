/** A write lane against its model: after every move both say the same of everything that can be asked. */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { assertUntil } from "../assertUntil.ts"
import { expectEqual } from "../expectEqual.ts"
import {
  letterMoveDrawn,
  type Move,
  moveDrawn,
  type Rules,
  rulesDrawn,
  WriteLaneBesideModel
} from "./WriteLaneBesideModel.ts"

const of = (from: string, ...into: ReadonlyArray<string>) => into.map((to) => `${from} ${to}`)

/** From which place to which, with the reason: all that a lane can do. */
const wanted = [
  ...of("nowhere", "queued none", "dropped overflow"),
  ...of("movedOut", "queued none"),
  ...of("queued", "inFlight none", "dropped overflow", "dropped closed", "movedOut none", "stored none"),
  ...of(
    "inFlight",
    "stored none",
    "queued none",
    "inDoubt none",
    "dropped Rejected",
    "dropped Timeout",
    "dropped closed",
    "deadLettering none",
    "movedOut none"
  ),
  ...of("deadLettering", "deadLettered Corrupt", "queued none", "dropped closed", "movedOut none", "stored none"),
  ...of("inDoubt", "queued none", "dropped doubted", "dropped closed", "movedOut none", "stored none")
].toSorted()

function tellBoth(rules: Rules, moves: ReadonlyArray<Move>, later: ReadonlyArray<Move>, seen: Set<string>): void {
  const both = new WriteLaneBesideModel(rules)
  const step = (move: () => void) => {
    move()
    const { facts } = both
    for (const text of facts.moves) seen.add(text.replace(/^\S+ \S+ /, ""))
    expectEqual(facts, both.expected)
  }
  for (const move of moves) step(() => both.move(move))
  step(() => both.seal())
  for (const move of later) step(() => both.move(move))
  step(() => both.abandon())
  step(() => both.serveAnother())
  for (const move of later) step(() => both.move(move))
}

describe("a write lane", () => {
  it("says what its model says, whatever is drawn", () => {
    const seen = new Set<string>()
    const property = fc.property(
      rulesDrawn,
      fc.array(moveDrawn, { maxLength: 150, size: "max" }),
      fc.array(moveDrawn, { maxLength: 10 }),
      (rules, moves, later) => tellBoth(rules, moves, later, seen)
    )
    assertUntil(property, () => seen.size === wanted.length)
    expect(Array.from(seen).toSorted()).toEqual(wanted)
  })

  it("says what its model says where letters are refused and answers are lost", () => {
    const seen = new Set<string>()
    const property = fc.property(
      fc.record({
        lingerMs: fc.constant(5 as const),
        batchBytes: fc.constant(1000 as const),
        batchRecords: fc.constant(3 as const),
        lettersMax: fc.constant(100 as const),
        canFence: fc.boolean()
      }),
      fc.array(letterMoveDrawn, { minLength: 100, maxLength: 100 }),
      (rules, moves) => tellBoth(rules, moves, [], seen)
    )
    fc.assert(property, { numRuns: 300 })
    expect(seen.has("deadLettering queued none")).toBe(true)
  })
})
