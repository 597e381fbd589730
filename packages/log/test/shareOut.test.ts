/** Shares of a topic, beside the same rule told the slow way: for each partition all members are counted and sorted. */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { shareOut } from "../src/store/groups/shareOut.js"

interface Lane {
  readonly partition: number
  readonly holder: number | undefined
  readonly state: "free" | "held" | "revoked"
}

function sharedSlowly(lanes: ReadonlyArray<Lane>, members: ReadonlyArray<number>, turn: number) {
  const target = new Map<number, number>()
  const inTurn = members.map((_, index) => members[(index + turn) % members.length] ?? 0)
  const countOf = (member: number) => [...target.values()].filter((one) => one === member).length
  const least = Math.floor(lanes.length / Math.max(1, members.length))
  let odd = lanes.length - least * members.length
  const shares = inTurn.map((member) => {
    const held = lanes.filter(({ holder, state }) => state === "held" && holder === member).length
    return [member, held > least && odd-- > 0 ? least + 1 : least] as const
  })
  for (const { partition, holder, state } of lanes) {
    const [, share = 0] = shares.find(([member]) => member === holder) ?? []
    if (state === "held" && holder !== undefined && countOf(holder) < share) target.set(partition, holder)
  }
  for (const { partition } of lanes) {
    if (target.has(partition)) continue
    // Sorting is stable.
    const [fewest] = inTurn.toSorted((left, right) => countOf(left) - countOf(right))
    if (fewest !== undefined) target.set(partition, fewest)
  }
  return target
}

describe("shares of a topic with many partitions", () => {
  it("are those of the rule told the slow way", () => {
    const laneDrawn = fc.record({
      holder: fc.integer({ min: 1, max: 9 }),
      state: fc.oneof({ weight: 4, arbitrary: fc.constant("held" as const) }, fc.constantFrom("free", "revoked"))
    })
    const drawn = fc.record({
      given: fc.array(laneDrawn, { maxLength: 60 }),
      members: fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 9 }),
      turn: fc.nat(99)
    })
    fc.assert(
      fc.property(drawn, ({ given, members, turn }) => {
        const lanes = given.map(({ holder, state }, partition): Lane => {
          return { partition, holder: state === "free" ? undefined : holder, state }
        })
        const expected = sharedSlowly(lanes, members, turn)
        const target = shareOut(lanes, members, turn)
        expect(lanes.map(({ partition }) => target.get(partition))).toEqual(
          lanes.map(({ partition }) => expected.get(partition))
        )
      }),
      { numRuns: 1000 }
    )
  })
})
