import { describe, expect, it } from "vitest"
import { spillWorld } from "./spillWorld.js"

/** Of the day in CI, so that each day sees other worlds; the same when it is run again. */
const first = Number(process.env["LEAT_SEED"] ?? Date.now() % 1_000_000)

describe("worlds of a stream that spills", () => {
  it(
    "lose nothing that was told safe, keep the order of each key, and balance at every step",
    { timeout: 120_000 },
    () => {
      const sum = { told: 0, stored: 0, spilled: 0, recovered: 0, dropped: 0, crashes: 0, fencedCloses: 0, gone: 0 }
      for (let seed = first; seed < first + 12; seed++) {
        const { wrong, ...counts } = spillWorld(seed)
        expect({ seed, wrong }).toEqual({ seed, wrong: [] })
        for (const name of [
          "told",
          "stored",
          "spilled",
          "recovered",
          "dropped",
          "crashes",
          "fencedCloses",
          "gone"
        ] as const)
          sum[name] += counts[name]
      }
      // What was not reached was not judged.
      for (const [name, count] of Object.entries(sum)) expect(`${name}: ${count > 0}`).toBe(`${name}: true`)
      expect(sum.spilled).toBeGreaterThan(300)
      expect(sum.recovered).toBeGreaterThan(100)
    }
  )
})
