import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type Alarmed, Calendar } from "../../src/publish/Calendar.js"

const step = fc.oneof(
  fc.record({ kind: fc.constant("enter" as const), who: fc.nat(7), atMs: fc.nat(50) }),
  fc.record({ kind: fc.constant("remove" as const), who: fc.nat(7), atMs: fc.constant(0) }),
  fc.record({ kind: fc.constant("ring" as const), who: fc.constant(0), atMs: fc.nat(50) })
)

describe("a calendar", () => {
  it("wakes everybody once, at the earliest time that was entered since, and nobody that was taken out", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const calendar = new Calendar()
        const rung: Array<number> = []
        const expected: Array<number> = []
        const due = new Map<number, number>()
        const all = Array.from({ length: 8 }, (_, who): Alarmed => ({
          alarmMs: Number.POSITIVE_INFINITY,
          ring: () => void rung.push(who)
        }))
        for (const { kind, who, atMs } of steps) {
          const one = all[who]
          if (one === undefined) continue
          if (kind === "enter") {
            calendar.enter(one, atMs)
            due.set(who, Math.min(due.get(who) ?? atMs, atMs))
          } else if (kind === "remove") {
            calendar.remove(one)
            due.delete(who)
          } else {
            calendar.ring(atMs)
            for (const [name, dueMs] of due) {
              if (dueMs > atMs) continue
              expected.push(name)
              due.delete(name)
            }
          }
          expect(rung.toSorted((left, right) => left - right)).toEqual(expected.toSorted((left, right) => left - right))
          expect(calendar.earliestMs).toBe(Math.min(Number.POSITIVE_INFINITY, ...due.values()))
          for (const [name, alarmed] of all.entries())
            expect(alarmed.alarmMs).toBe(due.get(name) ?? Number.POSITIVE_INFINITY)
        }
      })
    )
  })

  it("wakes once who is entered again for an earlier time", () => {
    const calendar = new Calendar()
    const rung: Array<number> = []
    const one = { alarmMs: Number.POSITIVE_INFINITY, ring: () => void rung.push(1) }
    calendar.enter(one, 9)
    calendar.enter(one, 5)
    calendar.ring(5)
    expect([rung, calendar.earliestMs]).toEqual([[1], Number.POSITIVE_INFINITY])
    calendar.ring(9)
    expect(rung).toEqual([1])
  })

  it("wakes nobody before a time between two milliseconds", () => {
    const calendar = new Calendar()
    const rung: Array<number> = []
    const one = { alarmMs: Number.POSITIVE_INFINITY, ring: () => void rung.push(1) }
    calendar.enter(one, 5.5)
    expect([calendar.earliestMs, one.alarmMs]).toEqual([6, 6])
    calendar.ring(5)
    expect(rung).toEqual([])
    calendar.ring(6)
    expect(rung).toEqual([1])
  })
})
