import fc from "fast-check"
import { env } from "node:process"
import { describe, expect, it } from "vitest"
import { Machine } from "./support/Machine.js"
import { OpenStore, storeWithTopic } from "./support/openStore.js"
import { maintain, put, retentionMs } from "./support/retained.js"

const minuteMs = 60_000

/** What happens to a machine, and to two processes that have the log open. Times are minutes. */
type Step =
  | { readonly does: "passes" | "suspends" | "reboots"; readonly minutes: number }
  | { readonly does: "puts" | "maintains" | "reopens"; readonly process: 0 | 1 }
  | { readonly does: "is wrong"; readonly byMinutes: number; readonly steps: ReadonlyArray<Step> }

const process = fc.constantFrom(0 as const, 1 as const)
const action = fc.record({ does: fc.constantFrom("puts" as const, "maintains" as const, "reopens" as const), process })
const pass = (max: number) => fc.record({ does: fc.constant("passes" as const), minutes: fc.integer({ min: 0, max }) })
const reboot = (max: number) =>
  fc.record({ does: fc.constant("reboots" as const), minutes: fc.integer({ min: 0, max }) })
const byMinutes = fc.oneof(
  fc.integer({ min: -20 * 24 * 60, max: 20 * 24 * 60 }),
  fc.constantFrom(-10 * 365 * 24 * 60, 10 * 365 * 24 * 60, -2, -1, 1, 2)
)
const wrong = fc.record({
  does: fc.constant("is wrong" as const),
  byMinutes,
  // Less than an hour, in all.
  steps: fc.array(fc.oneof(action, pass(9), reboot(60)), { minLength: 1, maxLength: 6 })
})
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: action, weight: 4 },
  pass(90),
  { arbitrary: pass(3 * 24 * 60), weight: 2 },
  wrong,
  reboot(4 * 24 * 60),
  fc.record({ does: fc.constant("suspends" as const), minutes: fc.integer({ min: 0, max: 24 * 60 }) })
)

/** No power is lost here. */
function quicken(open: OpenStore): void {
  open.store.db.prepare("PRAGMA synchronous = OFF").get()
}

class World {
  readonly machine: Machine
  readonly opens: readonly [OpenStore, OpenStore]
  /** True times of what was stored, by position. */
  readonly storedMs: Array<number> = []
  deleted = 0

  constructor(hasName: boolean) {
    this.machine = new Machine(hasName)
    const first = storeWithTopic(false, this.machine.clock)
    this.opens = [first, new OpenStore(first.directory, this.machine.clock)]
    for (const open of this.opens) quicken(open)
  }

  run(one: Step): void {
    const { machine, opens } = this
    if ("minutes" in one) {
      if (one.does === "passes") {
        machine.pass(one.minutes * minuteMs)
        for (const open of one.minutes % 2 === 0 ? opens : []) maintain(open)
      } else if (one.does === "suspends") machine.suspend(one.minutes * minuteMs)
      else {
        machine.reboot(one.minutes * minuteMs)
        for (const open of opens) quicken(open.reopen())
      }
    } else if ("steps" in one) {
      machine.wrongMs = one.byMinutes * minuteMs
      for (const inner of one.steps) this.run(inner)
      machine.wrongMs = 0
      // Somebody has seen that it is right again.
      this.run({ does: "puts", process: 0 })
      this.run({ does: "maintains", process: 1 })
    } else if (one.does === "reopens") quicken(opens[one.process].reopen())
    else if (one.does === "maintains") maintain(opens[one.process])
    else {
      this.storedMs.push(machine.trueMs)
      put(opens[one.process])
    }
    this.check()
  }

  /** Nothing is deleted that is younger than the retention. */
  check(): void {
    const { start } = this.opens[0].store.look(() => this.opens[0].store.heads.get(0))
    const youngestMs = this.storedMs[start - 1]
    this.deleted = start
    if (youngestMs !== undefined) expect(this.machine.trueMs - youngestMs).toBeGreaterThan(retentionMs)
  }

  [Symbol.dispose](): void {
    this.opens[1].close()
    this.opens[0][Symbol.dispose]()
  }
}

describe("retention by time, whatever the clock does for less than an hour at a time", () => {
  it.each([true, false])("deletes nothing early, and everything in the end (clocks have names: %s)", (hasName) => {
    let early = 0
    fc.assert(
      fc.property(fc.array(step, { minLength: 15, maxLength: 40, size: "max" }), (steps) => {
        using world = new World(hasName)
        for (const one of steps) world.run(one)
        early += world.deleted
        const end = world.storedMs.length
        world.run({ does: "maintains", process: 0 })
        world.run({ does: "passes", minutes: (retentionMs + 1) / minuteMs })
        world.run({ does: "maintains", process: 1 })
        expect(world.deleted).toBe(end)
      }),
      { numRuns: Number(env["LEAT_RUNS"] ?? 15) }
    )
    expect(early).toBeGreaterThan(3)
  })
})
