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

  it.each(["__proto__", "constructor", "toString", ""])("counts what was dropped for the reason %j", (reason) => {
    const waiter = new Waiter()
    waiter.pending = 3
    waiter.tellDropped(1, reason, false)
    waiter.tellDropped(2, reason, false)
    expect(Object.entries(waiter.dropped)).toEqual([[reason, 3]])
  })
})
