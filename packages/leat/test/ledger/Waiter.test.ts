import { describe, expect, it } from "vitest"
import { Waiter } from "../../src/ledger/Waiter.js"

describe("a waiter for legs", () => {
  it("tells everybody who asked, in order, once and when the last leg has ended", () => {
    const told: Array<string> = []
    const waiter = new Waiter()
    waiter.pending = 3
    waiter.whenDone(() => told.push("first"))
    waiter.whenDone(({ stored }) => told.push(`second, ${stored} stored`))
    waiter.tellStored(2)
    expect(told).toEqual([])
    waiter.tellDropped(1, "closed", true)
    expect(told).toEqual(["first", "second, 2 stored"])
    waiter.whenDone(() => told.push("late"))
    expect(told).toEqual(["first", "second, 2 stored", "late"])
    expect(waiter).toMatchObject({ stored: 2, dropped: { closed: 1 }, mayBeStored: 1, pending: 0 })
  })

  it("keeps nothing of who no longer asks, and tells however many ask", () => {
    const waiter = new Waiter()
    waiter.pending = 1
    let told = 0
    for (let at = 0; at < 50_000; at++) waiter.whenDone(() => told++)
    const gone = () => {
      throw new Error("it does not ask any more")
    }
    waiter.whenDone(gone)
    waiter.forget(gone)
    expect(waiter.isForgotten).toBe(false)
    waiter.tellStored(1)
    expect(told).toBe(50_000)
  })

  it("is forgotten with the last who asked, until somebody asks again", () => {
    const waiter = new Waiter()
    waiter.pending = 1
    const [first, second] = [() => undefined, () => undefined]
    waiter.whenDone(first)
    waiter.whenDone(second)
    waiter.forget(first)
    expect(waiter.isForgotten).toBe(false)
    waiter.forget(second)
    expect(waiter.isForgotten).toBe(true)
    waiter.whenDone(first)
    expect(waiter.isForgotten).toBe(false)
  })

  it.each(["__proto__", "constructor", "toString", ""])("counts what was dropped for the reason %j", (reason) => {
    const waiter = new Waiter()
    waiter.pending = 3
    waiter.tellDropped(1, reason, false)
    waiter.tellDropped(2, reason, false)
    expect(Object.entries(waiter.dropped)).toEqual([[reason, 3]])
  })
})
