import { Exit } from "effect"
import fc from "fast-check"
import { simulate } from "leat/testing"
import { describe, expect, it } from "vitest"
import { calm, type Scenario, tell } from "./scenario.ts"

const rate = fc.double({ min: 0, max: 0.15, noNaN: true })
const scenarios: fc.Arbitrary<Scenario> = fc.record({
  events: fc.integer({ min: 1, max: 80 }),
  keys: fc.integer({ min: 1, max: 6 }),
  rates: fc.record({
    fail: rate,
    delay: rate,
    loseResponse: rate,
    cut: rate,
    lateWrite: rate,
    oversize: rate,
    fence: rate,
    settle: rate,
    pull: rate,
    loseLane: rate,
    msMax: fc.integer({ min: 1, max: 200 })
  }),
  overflow: fc.constantFrom("block", "reject", "dropOldest"),
  bufferBytes: fc.constant(65_536),
  lingerMs: fc.integer({ min: 0, max: 20 }),
  policy: fc.constantFrom("keep", "drop"),
  handlerFaults: fc.double({ min: 0, max: 0.3, noNaN: true }),
  consumers: fc.integer({ min: 1, max: 3 }),
  rebalances: fc.double({ min: 0, max: 0.05, noNaN: true }),
  textBytes: fc.constantFrom(10, 200, 3000),
  isBurst: fc.boolean(),
  isClosedEarly: fc.boolean()
})

describe("the loss guarantees, through the front door", () => {
  it("hold for random events, faults and timings", () => {
    fc.assert(
      fc.property(scenarios, fc.integer(), (scenario, seed) => {
        const { exit } = simulate(seed, tell(scenario, seed))
        expect(exit).toEqual(Exit.succeed([]))
      }),
      { numRuns: Number(process.env["LEAT_RUNS"] ?? 300) }
    )
  })

  it("are the same run for the same seed", () => {
    const scenario = {
      ...calm,
      rates: { fail: 0.1, lateWrite: 0.1 },
      handlerFaults: 0.2,
      consumers: 2,
      rebalances: 0.03
    }
    const [first, second, other] = [7, 7, 8].map((seed) => simulate(seed, tell(scenario, seed)))
    expect(first?.exit).toEqual(Exit.succeed([]))
    expect(second?.trace).toBe(first?.trace)
    expect(other?.trace).not.toBe(first?.trace)
  })
})
