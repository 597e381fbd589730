import { describe, expect, it } from "vitest"
import { fallbackWorld } from "./fallbackWorld.js"

/** Of the day in CI, so that each day sees other worlds; the same when it is run again. */
const first = Number(process.env["LEAT_SEED"] ?? Date.now() % 1_000_000)

describe("worlds of a stream that falls back", () => {
  it(
    "lose nothing that was told safe, keep the order of each key, and leave nothing in the fallback",
    { timeout: 120_000 },
    () => {
      const sum = { told: 0, stored: 0, fellBack: 0, recovered: 0, dropped: 0, crashes: 0 }
      for (let seed = first; seed < first + 12; seed++) {
        const { wrong, ...counts } = fallbackWorld(seed)
        expect({ seed, wrong }).toEqual({ seed, wrong: [] })
        for (const name of ["told", "stored", "fellBack", "recovered", "dropped", "crashes"] as const)
          sum[name] += counts[name]
      }
      // What was not reached was not judged.
      for (const [name, count] of Object.entries(sum)) expect(`${name}: ${count > 0}`).toBe(`${name}: true`)
      expect(sum.fellBack).toBeGreaterThan(300)
    }
  )

  it(
    "of several lose nothing that was told safe, keep the order of each key, and leave nothing in any of them",
    { timeout: 120_000 },
    () => {
      const sum = { told: 0, recovered: 0, crashes: 0, went: 0 }
      for (let seed = first; seed < first + 12; seed++) {
        const { wrong, ...counts } = fallbackWorld(seed, "redrive", 2 + (seed % 2))
        expect({ seed, wrong }).toEqual({ seed, wrong: [] })
        for (const name of ["told", "recovered", "crashes", "went"] as const) sum[name] += counts[name]
      }
      for (const [name, count] of Object.entries(sum)) expect(`${name}: ${count > 0}`).toBe(`${name}: true`)
      // Some 200 records of a world go on to a fallback behind the first one.
      expect(sum.went).toBeGreaterThan(200)
    }
  )

  it("of several have all that was told safe in one of the topics, where it stays", { timeout: 120_000 }, () => {
    let went = 0
    for (let seed = first; seed < first + 8; seed++) {
      const { wrong, ...counts } = fallbackWorld(seed, "stay", 2 + (seed % 2))
      expect({ seed, wrong }).toEqual({ seed, wrong: [] })
      went += counts.went
    }
    expect(went).toBeGreaterThan(100)
  })

  it("have all that was told safe in one of the two topics, where it stays", { timeout: 120_000 }, () => {
    let fellBack = 0
    for (let seed = first; seed < first + 8; seed++) {
      const { wrong, ...counts } = fallbackWorld(seed, "stay")
      expect({ seed, wrong }).toEqual({ seed, wrong: [] })
      fellBack += counts.fellBack
    }
    expect(fellBack).toBeGreaterThan(100)
  })
})
