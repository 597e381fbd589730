/** What windows hold, against a model that keeps every reading of every counter. */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { newCounts } from "../../src/ledger/Counts.js"
import { Ledger, type WriteAccount } from "../../src/ledger/Ledger.js"
import { Rings, slotsMax } from "../../src/ledger/Rings.js"
import { Windows } from "../../src/ledger/Windows.js"

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

/** By the length of a window: how far apart readings of that age are. */
const distances = [
  [5 * minute, 10 * second],
  [hour, 2 * minute],
  [6 * hour, 12 * minute],
  [3 * day, 2 * hour]
] as const

const distanceOf = (lengthMs: number) => distances.find(([reach]) => lengthMs <= reach)?.[1] ?? Number.POSITIVE_INFINITY

const names = [
  "admitted",
  "recovered",
  "movedIn",
  "movedOut",
  "stored",
  "fellBack",
  "spilled",
  "dropped a",
  "dropped b",
  "deadLettered a"
] as const
type Totals = Record<(typeof names)[number], number>

const zeros = (): Totals => ({
  admitted: 0,
  recovered: 0,
  movedIn: 0,
  movedOut: 0,
  stored: 0,
  fellBack: 0,
  spilled: 0,
  "dropped a": 0,
  "dropped b": 0,
  "deadLettered a": 0
})

function count(account: WriteAccount, totals: Totals, name: (typeof names)[number], by: number): void {
  const [kind, reason = ""] = name.split(" ")
  totals[name] += by
  // Nothing ends, or is spilled, that was not admitted.
  if (kind !== "admitted" && kind !== "recovered" && kind !== "movedIn" && by > 0) {
    totals.admitted += by
    account.admitted += by
  }
  if (kind === "dropped" || kind === "deadLettered") account[kind][reason] = (account[kind][reason] ?? 0) + by
  else account[kind as "admitted" | "recovered" | "movedIn" | "movedOut" | "stored" | "fellBack" | "spilled"] += by
}

/** Times between two steps: from a turn to a machine that sleeps for a week; and a clock that goes back. */
const passes = fc.oneof(
  fc.integer({ min: 0, max: 15 * second }),
  fc.integer({ min: 0, max: 15 * second }),
  fc.integer({ min: 0, max: 20 * minute }),
  fc.integer({ min: 0, max: 5 * hour }),
  fc.integer({ min: 0, max: 7 * day }),
  fc.integer({ min: -hour, max: 0 })
)
const steps = fc.array(
  fc.record({
    passMs: passes,
    name: fc.constantFrom(...names),
    by: fc.nat(1000),
    times: fc.integer({ min: 1, max: 40 })
  }),
  { maxLength: 40 }
)
const lengths = fc.oneof(
  fc.constantFrom(10 * second, 5 * minute, 12 * minute, hour, 6 * hour, day, 3 * day),
  fc.integer({ min: 1, max: 3 * day })
)

const withoutZeros = (counts: Record<string, number>) =>
  Object.fromEntries(Object.entries(counts).filter(([, value]) => value > 0))

describe("a window", () => {
  it("holds what came since the reading that it names, and begins at the youngest that is old enough", () => {
    fc.assert(
      fc.property(steps, fc.array(lengths, { minLength: 1, maxLength: 6 }), (history, asked) => {
        const ledger = new Ledger()
        const openedAtMs = 5000
        const windows = new Windows(ledger, openedAtMs)
        const account = ledger.account("orders", "main/orders", 1)
        const totals = zeros()
        const readings = [{ atMs: openedAtMs, totals: zeros() }]
        let nowMs = openedAtMs
        for (const { passMs, name, by, times } of history) {
          for (let time = 0; time < times; time++) {
            nowMs += passMs
            const last = readings.at(-1)?.atMs ?? 0
            if (nowMs - last >= 10 * second) readings.push({ atMs: nowMs, totals: { ...totals } })
            windows.read(nowMs)
            // What is spilled comes back out.
            count(account, totals, name, name === "spilled" && time % 2 === 1 ? -totals.spilled : by)
          }
          const endMs = Math.max(nowMs, readings.at(-1)?.atMs ?? 0)
          for (const lengthMs of asked) {
            const { coversMs, legs, lengthMs: told } = windows.over(lengthMs, nowMs)
            const from = readings.find(({ atMs }) => atMs === endMs - coversMs) ?? { atMs: Number.NaN, totals: zeros() }
            const old = readings.filter(({ atMs }) => atMs <= endMs - lengthMs).at(-1)
            // At the opening where none is old enough, else less than their distance before the youngest that is.
            const earliestMs = old === undefined ? openedAtMs : old.atMs - distanceOf(lengthMs) + 1
            expect(told).toBe(lengthMs)
            expect(from.atMs).toBeGreaterThanOrEqual(earliestMs)
            expect(from.atMs).toBeLessThanOrEqual(old?.atMs ?? openedAtMs)
            const risen = (of: keyof Totals) => totals[of] - from.totals[of]
            expect(legs).toEqual([
              {
                stream: "orders",
                sink: "main/orders",
                epoch: 1,
                admitted: risen("admitted"),
                recovered: risen("recovered"),
                movedIn: risen("movedIn"),
                movedOut: risen("movedOut"),
                stored: risen("stored"),
                fellBack: risen("fellBack"),
                dropped: withoutZeros({ a: risen("dropped a"), b: risen("dropped b") }),
                deadLettered: withoutZeros({ a: risen("deadLettered a") }),
                spilled: totals.spilled,
                spilledBefore: from.totals.spilled
              }
            ])
            const lost = risen("dropped a") + risen("dropped b")
            expect(windows.ended(account, lengthMs, nowMs)).toEqual({
              coversMs,
              lost,
              ended: lost + risen("stored") + risen("fellBack") + risen("deadLettered a")
            })
          }
        }
      })
    )
  })

  it("is longer than asked by less than the distance of readings, where they are ten seconds apart", () => {
    const ledger = new Ledger()
    const windows = new Windows(ledger, 0)
    let nowMs = 0
    for (; nowMs < 4 * day; nowMs += 10 * second) windows.read(nowMs)
    for (const lengthMs of [
      5 * minute,
      7 * minute,
      12 * minute,
      30 * minute,
      hour,
      84 * minute,
      6 * hour,
      day,
      3 * day
    ]) {
      for (const askedAtMs of [nowMs - 10 * second, nowMs - 1]) {
        const { coversMs } = windows.over(lengthMs, askedAtMs)
        expect(coversMs).toBeGreaterThanOrEqual(lengthMs)
        expect(coversMs - lengthMs).toBeLessThan(distanceOf(lengthMs))
      }
    }
  })

  it("counts from the opening while the leat is younger, and tells so", () => {
    const ledger = new Ledger()
    const windows = new Windows(ledger, 1000)
    const stream = ledger.stream("orders")
    windows.read(1000 + 2 * minute)
    stream.offered += 10
    stream.admitted += 7
    stream.rejected["overflow"] = 3
    expect(windows.over(hour, 1000 + 3 * minute)).toEqual({
      lengthMs: hour,
      coversMs: 3 * minute,
      streams: [{ stream: "orders", admitted: 7, rejected: { overflow: 3 } }],
      legs: []
    })
    expect(windows.over(minute, 1000 + 3 * minute)).toMatchObject({ coversMs: minute, streams: [{ admitted: 7 }] })
    expect(windows.over(minute, 1000 + 3 * minute + 10)).toMatchObject({ coversMs: minute + 10 })
    windows.read(1000 + 10 * minute)
    expect(windows.over(10 * second, 1000 + 11 * minute)).toMatchObject({
      coversMs: minute,
      streams: [{ admitted: 0, rejected: {} }]
    })
  })

  it("of many streams is that of each, whenever they were opened", () => {
    const ledger = new Ledger()
    const windows = new Windows(ledger, 0)
    const told: Array<number> = []
    for (let at = 1; at <= 100; at++) {
      const account = ledger.account(`s${at}`, "main/all", 1)
      account.admitted = at
      for (const { dropped } of ledger.accounts) dropped["overflow"] = (dropped["overflow"] ?? 0) + 1
      windows.read(at * 10 * second)
      told.push(windows.over(20 * second, at * 10 * second).legs.filter((leg) => leg.dropped["overflow"] === 2).length)
    }
    // The last two rounds, of those that were there before the last one.
    expect(told).toEqual([0, ...Array.from({ length: 99 }, (_, index) => index + 1)])
    expect(windows.over(20 * second, 1000 * second).legs.map(({ admitted }) => admitted)).toEqual([
      ...Array.from({ length: 98 }, () => 0),
      99,
      100
    ])
  })

  it("knows reasons that objects have a member of", () => {
    const ledger = new Ledger()
    const windows = new Windows(ledger, 0)
    const account = ledger.account("orders", "main/orders", 1)
    expect(Object.keys(newCounts())).toEqual([])
    account.admitted = 5
    account.dropped["constructor"] = 2
    windows.read(10 * second)
    account.dropped["constructor"] = 5
    expect(windows.over(10 * second, 20 * second).legs[0]?.dropped).toEqual({ constructor: 3 })
  })
})

describe("past moments", () => {
  it("take a bounded number of slots, however many there are and however they come", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 3 * hour }), { minLength: 500, maxLength: 2000 }), (pauses) => {
        const rings = new Rings()
        let nowMs = 0
        const slots = new Set<number>()
        for (const pauseMs of pauses) {
          nowMs += pauseMs
          for (const slot of rings.note(nowMs)) slots.add(slot)
        }
        for (const slot of slots) expect(slot >= 0 && slot < slotsMax).toBe(true)
        expect(slots.size).toBeLessThanOrEqual(130)
      }),
      { numRuns: 20 }
    )
  })
})
