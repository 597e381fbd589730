import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { explore, type PlantedRace } from "./machines.ts"

const races: ReadonlyArray<PlantedRace> = ["sendsWithoutFence", "settlesWhatIsRunning"]

describe("the bare lanes", () => {
  it("lose nothing, keep the order and balance, whatever is drawn", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 3000 }), (seed, legs) => {
        const { wrong, legs: admitted } = explore(seed, legs)
        expect({ wrong, admitted }).toEqual({ wrong: undefined, admitted: legs })
      }),
      { numRuns: Number(process.env["LEAT_RUNS"] ?? 200) }
    )
  })

  it.for(races)("are seen to go wrong when their driver %s", (race) => {
    const seeds = Array.from({ length: 100 }, (_, seed) => seed)
    expect(seeds.find((seed) => explore(seed, 1000, race).wrong !== undefined)).toBeDefined()
  })
})
