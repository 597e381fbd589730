import { Effect, Option } from "effect"
import { describe, expect, it } from "vitest"
import { Unproven } from "../../src/publish/spill/Unproven.ts"

const written = [{ stream: "test.notes", epoch: 1 }]

describe("what an earlier process has left and is stored", () => {
  it("is settled as far as it is known to count, and not what is on its way meanwhile", () => {
    const unproven = new Unproven()
    unproven.add(10n, 20n, written)
    unproven.ended(20n, 0)
    unproven.add(20n, 30n, written)
    expect(unproven.settleable(25n)).toBe(10n)
    unproven.proven(20n)
    expect(unproven.settleable(25n)).toBe(20n)
    expect(unproven.sinceMs).toBeUndefined()
    unproven.ended(30n, 5)
    expect(unproven.sinceMs).toBe(5)
    unproven.proven(30n)
    expect(unproven.settleable(40n)).toBe(40n)
    expect(unproven.asked).toEqual([])
  })

  it("holds up nothing where nothing of it was stored after all", () => {
    const unproven = new Unproven()
    unproven.add(10n, 20n, written)
    unproven.quiet(10n)
    expect(unproven.settleable(40n)).toBe(40n)
    unproven.add(10n, 20n, written)
    unproven.ended(12n, 0)
    unproven.quiet(12n)
    expect(unproven.settleable(40n)).toBe(10n)
    unproven.proven(12n)
    expect(unproven.settleable(40n)).toBe(40n)
  })

  it("wakes who waits for something that is stored, also where nothing of what was on its way before was", async () => {
    const unproven = new Unproven()
    let isWoken = false
    const waiting = Effect.runPromise(Effect.map(unproven.come, () => (isWoken = true)))
    unproven.add(10n, 20n, written)
    unproven.quiet(10n)
    await Promise.resolve()
    expect(isWoken).toBe(false)
    unproven.add(10n, 20n, written)
    unproven.ended(20n, 0)
    await waiting
    // What is known to count wakes nobody once more.
    unproven.proven(20n)
    expect(await Effect.runPromise(Effect.timeoutOption(unproven.come, 10))).toEqual(Option.none())
  })

  it("takes no more room the longer it waits", () => {
    const unproven = new Unproven()
    for (let at = 0n; at < 1000n; at++) {
      unproven.add(at, at + 1n, [{ stream: "test.notes", epoch: 1 }])
      unproven.ended(at + 1n, 0)
    }
    expect(unproven.asked).toEqual(written)
    expect(unproven.settleable(2000n)).toBe(0n)
  })
})
