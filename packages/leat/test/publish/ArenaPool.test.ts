import { describe, expect, it } from "vitest"
import { ArenaBudget, ArenaPool } from "../../src/publish/ArenaPool.js"
import { BufferBound } from "../../src/publish/BufferBound.js"

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

  it("keeps the arena that a batch has grown out of", () => {
    const budget = new ArenaBudget(new ArenaPool(), 65_536)
    const [small, large] = [budget.takeAnyway(10), budget.takeAnyway(3000)]
    const arenas = [small.arena, large.arena]
    budget.give(large, true)
    expect(budget.grow(small, 3000)).toBe(true)
    expect(small.arena).toBe(arenas[1])
    expect(budget.takeAnyway(10).arena).toBe(arenas[0])
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

describe("the arenas that are kept", () => {
  const megabyte = 1 << 20

  it("are used again without end, and are 16 MiB at most with their columns", () => {
    const pool = new ArenaPool()
    let batch = pool.take(megabyte)
    for (let turn = 0; turn < 40; turn++) {
      pool.give(batch)
      const again = pool.take(megabyte)
      expect(again).toBe(batch)
      batch = again
    }
    const many = Array.from({ length: 20 }, () => pool.take(megabyte))
    for (const one of many) pool.give(one)
    const kept = new Set(many)
    const taken = Array.from({ length: 20 }, () => pool.take(megabyte))
    expect(taken.filter((one) => kept.has(one))).toHaveLength(15)
    expect(new Set(taken).size).toBe(20)
  })

  it("are a quarter of the bound over all buffers at most, where there is one", () => {
    const pool = new ArenaPool(new BufferBound(8 * megabyte))
    const many = Array.from({ length: 5 }, () => pool.take(megabyte))
    for (const one of many) pool.give(one)
    const taken = Array.from({ length: 5 }, () => pool.take(megabyte))
    expect(taken.filter((one) => many.includes(one))).toHaveLength(1)
  })

  it("have no records", () => {
    const pool = new ArenaPool()
    const batch = pool.take(1024)
    batch.place(0, 0, Float64Array.of(1))
    batch.commit(true, 1, 1, 2, "event")
    pool.give(batch)
    expect([pool.take(1024), batch.count, batch.bytes]).toEqual([batch, 0, 0])
  })
})

describe("a budget that is no power of two", () => {
  it("can be used to its last byte", () => {
    const budget = new ArenaBudget(new ArenaPool(), 30_000)
    expect(budget.take(22_000)?.arena.length).toBe(30_000)
    expect(budget.hasRoom(1)).toBe(false)
  })
})
