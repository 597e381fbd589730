import { describe, expect, it } from "vitest"
import { grownWorld } from "./grownWorld.js"

/** Of the day in CI, so that each day sees other worlds; the same when it is run again. */
const first = Number(process.env["LEAT_SEED"] ?? Date.now() % 1_000_000)

describe("worlds of a spill whose topic gets more partitions, on a disk that is full now and then", () => {
  it("lose nothing that was told safe, and keep the order of each key", { timeout: 120_000 }, () => {
    const sum = { safe: 0, sentOn: 0, copied: 0, kills: 0 }
    for (let seed = first; seed < first + 30; seed++) {
      const { wrong, ...counts } = grownWorld(seed)
      expect({ seed, wrong }).toEqual({ seed, wrong: [] })
      for (const name of ["safe", "sentOn", "copied", "kills"] as const) sum[name] += counts[name]
    }
    // What was not reached was not judged.
    expect(sum.safe).toBeGreaterThan(1000)
    expect(sum.sentOn).toBeGreaterThan(0)
    expect(sum.copied).toBeGreaterThan(0)
    expect(sum.kills).toBeGreaterThan(20)
  })
})
