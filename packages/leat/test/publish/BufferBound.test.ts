import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { RecordBatch } from "../../src/record/RecordBatch.js"
import { ArenaBudget, ArenaPool } from "../../src/publish/ArenaPool.js"
import { BufferBound } from "../../src/publish/BufferBound.js"

const kiB = 1024
const given = <A>(value: A | undefined): A => {
  if (value === undefined) throw new Error("there is room")
  return value
}

/** Budgets under one bound; `told` has those that were told of room. */
function under(bytesMax: number) {
  const bound = new BufferBound(bytesMax)
  const pool = new ArenaPool(bound)
  const told: Array<ArenaBudget> = []
  const budget = (own = 32 * kiB * kiB) => {
    const one: ArenaBudget = new ArenaBudget(pool, own, () => void told.push(one))
    return one
  }
  return { bound, told, budget }
}

/** Takes arenas of a size until there is none; returns them. */
function fill(budget: ArenaBudget, bytes = kiB): Array<RecordBatch> {
  const taken: Array<RecordBatch> = []
  for (let batch = budget.take(bytes); batch !== undefined; batch = budget.take(bytes)) taken.push(batch)
  return taken
}

describe("a bound over all buffers", () => {
  it("keeps the share of each sink for it, and gives the rest to whoever comes first", () => {
    const { budget } = under(64 * kiB)
    const [dead, live] = [budget(), budget()]
    expect([dead.shareBytes, live.shareBytes]).toEqual([16 * kiB, 16 * kiB])
    fill(dead)
    expect([dead.usedBytes, dead.lacksShared]).toEqual([48 * kiB, true])
    fill(live)
    expect([live.usedBytes, live.lacksShared]).toEqual([16 * kiB, true])
  })

  it("gives what a small buffer leaves of its share to the others, and is none where all are small", () => {
    const { budget } = under(64 * kiB)
    const [small, large, other] = [budget(2 * kiB), budget(), budget()]
    expect([small.shareBytes, large.shareBytes, other.shareBytes]).toEqual([2 * kiB, 15 * kiB, 15 * kiB])
    const { budget: roomy } = under(64 * kiB)
    const all = [roomy(16 * kiB), roomy(16 * kiB), roomy(32 * kiB)]
    for (const one of all) fill(one)
    expect(all.map(({ usedBytes, lacksShared }) => [usedBytes, lacksShared])).toEqual(
      [16, 16, 32].map((size) => [size * kiB, false])
    )
  })

  it("has room for one record of a sink that holds nothing, however large it is, and not for its second", () => {
    const { budget } = under(64 * kiB)
    const [dead, live] = [budget(), budget()]
    fill(dead)
    const first = given(live.take(20 * kiB))
    expect(first.arena.length).toBe(32 * kiB)
    expect(live.take(20 * kiB)).toBeUndefined()
    expect(live.take(kiB)).toBeUndefined()
    live.give(first, true)
    // What is wanted beside the record is no reason to go beyond the share.
    expect(given(live.take(kiB, 20 * kiB)).arena.length).toBe(kiB)
  })

  it("tells who had no room when somebody else gives back what is not of its share, each time once", () => {
    const { budget, told } = under(60 * kiB)
    const [one, other, idle] = [budget(), budget(), budget()]
    const [taken, others] = [fill(one), fill(other)]
    expect(told).toEqual([])
    other.give(given(others.pop()), true)
    expect(told).toEqual([])
    one.give(given(taken.pop()), true)
    expect(told).toEqual([one, other])
    one.give(given(taken.pop()), true)
    expect(told).toEqual([one, other])
    taken.push(...fill(one))
    one.give(given(taken.pop()), true)
    expect(told).toEqual([one, other, one])
    expect([idle.isShort, other.take(kiB) === undefined]).toEqual([false, false])
  })

  it("gives a sink that opens late its share out of what comes back, before anybody else", () => {
    const { budget } = under(64 * kiB)
    const dead = budget()
    const taken = fill(dead)
    expect(dead.usedBytes).toBe(64 * kiB)
    const late = budget()
    expect([dead.shareBytes, late.shareBytes]).toEqual([16 * kiB, 0])
    for (let back = 0; back < 20; back++) dead.give(given(taken.pop()), true)
    expect([late.shareBytes, fill(dead).length]).toEqual([16 * kiB, 4])
    fill(late)
    expect(late.usedBytes).toBe(16 * kiB)
  })

  it("says before anything is given back whether there will be room then: sinks that are owed a share come first", () => {
    const { budget } = under(64 * kiB)
    const dead = budget()
    const taken = fill(dead)
    const late = budget()
    const rooms = (givenBack: number) => [dead.hasRoom(kiB, givenBack), dead.hasRoom(4 * kiB, givenBack)]
    expect([1, 15, 16, 17, 19, 20].map((back) => rooms(back * kiB))).toEqual([
      [false, false],
      [false, false],
      [false, false],
      [true, false],
      [true, false],
      [true, true]
    ])
    for (let back = 0; back < 17; back++) dead.give(given(taken.pop()), true)
    expect([late.shareBytes, dead.hasRoom(kiB), dead.hasRoom(4 * kiB)]).toEqual([16 * kiB, true, false])
  })

  it("owes nothing to a sink that holds what is to be its share, and more", () => {
    const { budget } = under(64 * kiB)
    const dead = budget()
    const taken = fill(dead)
    const late = budget()
    given(late.take(20 * kiB))
    expect([late.usedBytes, dead.hasRoom(kiB, 32 * kiB), dead.hasRoom(kiB, 33 * kiB)]).toEqual([32 * kiB, false, true])
    for (let back = 0; back < 33; back++) dead.give(given(taken.pop()), true)
    expect(dead.hasRoom(kiB)).toBe(true)
  })

  it("shares out anew what a sink leaves that closes", () => {
    const { bound, budget, told } = under(64 * kiB)
    const [one, other] = [budget(), budget()]
    const taken = fill(one)
    for (const batch of taken) one.give(batch, true)
    expect([fill(other).length, told.length]).toEqual([48, 1])
    one.close()
    expect([other.shareBytes, told.at(-1), fill(other).length]).toEqual([32 * kiB, other, 16])
    bound.leave(one)
    expect(other.usedBytes).toBe(64 * kiB)
  })
})

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("take" as const), of: fc.nat(4), bytes: fc.nat(9000) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("grow" as const), of: fc.nat(4), bytes: fc.nat(9000) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("give" as const), of: fc.nat(4), bytes: fc.nat(9) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("drop" as const), of: fc.nat(4), bytes: fc.nat(9000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("open" as const), of: fc.nat(4), bytes: fc.nat(60_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("resize" as const), of: fc.nat(4), bytes: fc.nat(60_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("close" as const), of: fc.nat(4), bytes: fc.constant(0) }) }
)

interface Open {
  readonly budget: ArenaBudget
  readonly batches: Array<RecordBatch>
}

const bytesMax = 64 * kiB

describe("the laws of a bound over all buffers", () => {
  it("hold whatever sinks take, give back, open, change and close", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 30, maxLength: 120 }), (steps) => {
        const { budget, told } = under(bytesMax)
        // Sinks that had no room within their share, or gave something back in vain.
        const wronged: Array<object> = []
        // What sinks had no room for, until they are told or move themselves.
        const refused = new Map<ArenaBudget, number>()
        const open: Array<Open> = [{ budget: budget(), batches: [] }]
        const sum = () => open.reduce((total, one) => total + one.budget.usedBytes, 0)
        const owned = () => open.reduce((total, one) => total + one.budget.shareBytes, 0)
        // Records that came to a sink that held nothing, and what they took beyond its share.
        const alone = new Map<RecordBatch, number>()
        const excess = () => Array.from(alone.values()).reduce((total, bytes) => total + bytes, 0)
        for (const { kind, of, bytes } of steps) {
          if (kind === "open") open.push({ budget: budget(bytes + kiB), batches: [] })
          const one = open[of % open.length]
          if (one === undefined) continue
          refused.delete(one.budget)
          const before = one.budget.usedBytes
          const { shareBytes } = one.budget
          const batch = one.batches[bytes % Math.max(1, one.batches.length)]
          if (kind === "take") {
            const taken = one.budget.take(bytes + 1)
            const isOwed = before === 0 && bytes < one.budget.bytesMax
            const isOwn = isOwed || before + (2 * (bytes + 1) + kiB) <= shareBytes
            if (isOwn && taken === undefined) wronged.push({ before, bytes, shareBytes })
            if (taken !== undefined) one.batches.push(taken)
            else if (one.budget.lacksShared) refused.set(one.budget, bytes + 1)
            if (taken !== undefined && before === 0) alone.set(taken, Math.max(0, taken.arena.length - shareBytes))
          } else if (kind === "grow" && batch !== undefined && !alone.has(batch)) one.budget.grow(batch, bytes)
          else if (kind === "give" && batch !== undefined) {
            one.batches.splice(one.batches.indexOf(batch), 1)
            alone.delete(batch)
            one.budget.give(batch, true)
          } else if (kind === "drop") {
            const dropped = one.batches.slice(0, bytes % 5)
            const isRoom = one.budget.hasRoom(
              bytes + 1,
              dropped.reduce((total, { arena }) => total + arena.length, 0)
            )
            one.batches.splice(0, dropped.length)
            for (const each of dropped) {
              alone.delete(each)
              one.budget.give(each, true)
            }
            if (isRoom && !one.budget.hasRoom(bytes + 1)) wronged.push({ dropped: dropped.length, bytes })
          } else if (kind === "resize") one.budget.resize(bytes + kiB)
          else if (kind === "close") {
            for (const left of one.batches) {
              alone.delete(left)
              one.budget.give(left, true)
            }
            one.budget.close()
            refused.delete(one.budget)
            open.splice(open.indexOf(one), 1)
            if (open.length === 0) open.push({ budget: budget(), batches: [] })
          }
          expect(wronged).toEqual([])
          for (const waiting of told.splice(0)) refused.delete(waiting)
          for (const [waiting, wanted] of refused) expect(waiting.hasRoom(wanted)).toBe(false)
          expect(sum()).toBeLessThanOrEqual(bytesMax + excess())
          expect(owned()).toBeLessThanOrEqual(bytesMax / 2)
        }
        for (const { budget: ended, batches } of open) for (const batch of batches) ended.give(batch, false)
        expect(sum()).toBe(0)
        // All of it is there again: the shares are what they are due to be, and the rest is for whoever comes first.
        const [first] = open
        const others = open.slice(1)
        fill(given(first).budget)
        for (const { budget: other } of others) expect(other.hasRoom(1)).toBe(true)
        const reserved = others.reduce((total, other) => total + other.budget.shareBytes, 0)
        const own = given(first).budget
        const most = Math.min(own.bytesMax, bytesMax - reserved)
        expect(own.usedBytes).toBeGreaterThan(most - kiB)
        expect(own.usedBytes).toBeLessThanOrEqual(most)
      }),
      { seed: 7, numRuns: 400 }
    )
  })
})
