import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
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

  it("take the same way for the same seed in another process", () => {
    const measure = fileURLToPath(new URL("measure.ts", import.meta.url))
    const told = execFileSync(process.execPath, ["--conditions=@leat/source", measure, "2000", "20"], {
      encoding: "utf8"
    })
    const { machines, shells } = JSON.parse(told) as Record<"machines" | "shells", { readonly trace: string }>
    expect(machines.trace).toBe(explore(1, 2000).trace)
    expect(shells.trace).toMatch(/^[0-9a-f]{8}( [0-9a-f]{8}){19}$/)
    const again = execFileSync(process.execPath, ["--conditions=@leat/source", measure, "2000", "20"], {
      encoding: "utf8"
    })
    expect(JSON.parse(again)).toMatchObject({ machines: { trace: machines.trace }, shells: { trace: shells.trace } })
  })
})
