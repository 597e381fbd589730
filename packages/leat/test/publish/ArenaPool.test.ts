import { describe, expect, it } from "vitest"
import { ArenaBudget, ArenaPool } from "../../src/publish/ArenaPool.js"

describe("the budget of a sink", () => {
  it("counts the capacity of what is in use, and gets it back, whoever may still hold views of it", () => {
    const pool = new ArenaPool()
    const budget = new ArenaBudget(pool, 4096)
    const [one, two] = [budget.take(1000), budget.take(1500)]
    expect(budget.usedBytes).toBe(1024 + 2048)
    expect(budget.take(1025)).toBeUndefined()
    if (one === undefined || two === undefined) throw new Error("there is room for two")
    budget.give(one, false)
    budget.give(two, true)
    expect(budget.usedBytes).toBe(0)
    // The arena that nobody can hold views of is used again, by any sink; the other is not.
    const other = new ArenaBudget(pool, 65_536)
    expect(other.take(1500)).toBe(two)
    expect(other.take(1000)).not.toBe(one)
  })

  it("grows a batch only within it", () => {
    const budget = new ArenaBudget(new ArenaPool(), 4096)
    const batch = budget.take(10)
    if (batch === undefined) throw new Error("there is room")
    expect(budget.grow(batch, 5000)).toBe(false)
    expect(batch.arena.length).toBe(1024)
    expect(budget.grow(batch, 3000)).toBe(true)
    expect([batch.arena.length, budget.usedBytes]).toEqual([4096, 4096])
  })
})
