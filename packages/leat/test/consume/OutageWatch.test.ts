import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Policy } from "leat"
import { OutageWatch } from "../../src/OutageWatch.js"
import { ReadLane } from "../../src/consume/ReadLane.js"

const minuteMs = 60_000

describe("an outage", () => {
  it("is when more than half of the last fifty, and of twenty at least, of ten minutes have failed, or twenty in a row", () => {
    const outcome = fc.record({
      failed: fc.oneof({ weight: 5, arbitrary: fc.constant(true) }, { weight: 3, arbitrary: fc.boolean() }),
      afterMs: fc.oneof(
        { weight: 30, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.integer({ min: 0, max: 9 * minuteMs }) },
        { weight: 3, arbitrary: fc.constant(11 * minuteMs) }
      )
    })
    let [outages, ofFew] = [0, 0]
    fc.assert(
      fc.property(fc.array(outcome, { maxLength: 200, size: "max" }), (outcomes) => {
        const told: Array<boolean> = []
        const watch = new OutageWatch((isOutage) => told.push(isOutage))
        const all: Array<{ readonly failed: boolean; readonly atMs: number }> = []
        let nowMs = 1000
        let isOutage = false
        let hasHandled = false
        let probeAtMs = 0
        let inARow = 0
        for (const { failed, afterMs } of outcomes) {
          nowMs += afterMs
          all.push({ failed, atMs: nowMs })
          const countedMs = failed ? watch.failed(nowMs, Number.NEGATIVE_INFINITY) : nowMs
          expect(countedMs).toBe(nowMs)
          if (!failed) watch.handled(1, nowMs)
          hasHandled ||= !failed
          inARow = failed ? inARow + 1 : 0
          const latest = all.slice(-50).filter(({ atMs }) => atMs >= nowMs - 10 * minuteMs)
          const count = latest.filter((one) => one.failed).length
          const wasOutage: boolean = isOutage
          // It begins with a failure. Time alone does not end it, as long as nothing is handled.
          if (latest.length < 20) isOutage = (failed && inARow >= 20) || (isOutage && !hasHandled)
          else isOutage = (failed || isOutage) && count * 2 > latest.length
          if (isOutage !== wasOutage) {
            hasHandled = false
            probeAtMs = nowMs + 10 * minuteMs
          }
          // One in ten minutes does not wait.
          const isProbe = isOutage && nowMs >= probeAtMs
          if (isProbe) probeAtMs = nowMs + 10 * minuteMs
          expect(watch.isOutage(nowMs)).toBe(isOutage && !isProbe)
          if (isOutage) outages++
          if (isOutage && latest.length < 20 && !hasHandled) ofFew++
        }
        // Each beginning and each end is told once.
        expect(told).toEqual(told.map((_, index) => index % 2 === 0))
      })
    )
    expect([outages > 50, ofFew > 50]).toEqual([true, true])
  })

  it("counts what has failed before only where nothing else is handled", () => {
    const watch = new OutageWatch(() => undefined)
    let countedMs = watch.failedAgain(0, Number.NEGATIVE_INFINITY)
    // One record that fails again and again is counted once in ten minutes.
    for (let times = 0; times < 100; times++) countedMs = watch.failedAgain(times, countedMs)
    for (let times = 0; times < 18; times++) watch.failedAgain(0, Number.NEGATIVE_INFINITY)
    expect(watch.isOutage(0)).toBe(false)
    watch.handled(1, 0)
    for (let times = 0; times < 19; times++) watch.failedAgain(0, Number.NEGATIVE_INFINITY)
    expect(watch.isOutage(0)).toBe(false)
    watch.failedAgain(0, Number.NEGATIVE_INFINITY)
    expect(watch.isOutage(0)).toBe(true)
    watch.handled(1, minuteMs)
    expect(watch.isOutage(minuteMs)).toBe(false)
    // Where others are handled it does not count.
    for (let times = 0; times < 20; times++) watch.handled(1, minuteMs)
    for (let times = 0; times < 50; times++) watch.failedAgain(minuteMs, Number.NEGATIVE_INFINITY)
    expect(watch.isOutage(minuteMs)).toBe(false)
  })

  it("is not ended by time alone, where fewer than twenty have failed in a row", () => {
    const watch = new OutageWatch(() => undefined)
    for (let count = 0; count < 15; count++) watch.failed(0, Number.NEGATIVE_INFINITY)
    watch.handled(1, 0)
    for (let count = 0; count < 15; count++) watch.failed(0, Number.NEGATIVE_INFINITY)
    // The first one after ten minutes does not wait.
    expect([9, 11, 12, 15].map((minute) => watch.isOutage(minute * minuteMs))).toEqual([true, false, true, true])
  })

  it("lets one through in an hour behind which nothing stands", () => {
    const watch = new OutageWatch(() => undefined)
    for (let count = 0; count < 30; count++) watch.failed(0, Number.NEGATIVE_INFINITY)
    const minutes = Array.from({ length: 240 }, (_, minute) => minute)
    const through = minutes.filter((minute) => !watch.isOutage(minute * minuteMs, false))
    expect(through).toEqual([60, 120, 180])
  })

  it("does not end with a batch of which nothing was handled", () => {
    const watch = new OutageWatch(() => undefined)
    for (let count = 0; count < 30; count++) watch.failed(0, Number.NEGATIVE_INFINITY)
    watch.handled(0, minuteMs)
    expect(watch.isOutage(11 * minuteMs)).toBe(false)
    // One in ten minutes does not wait; the next one does.
    expect(watch.isOutage(11 * minuteMs)).toBe(true)
  })

  it("ends with a batch that is handled, and with time when something is", () => {
    const watch = new OutageWatch(() => undefined)
    for (let count = 0; count < 30; count++) watch.failed(0, Number.NEGATIVE_INFINITY)
    expect(watch.isOutage(0)).toBe(true)
    expect(watch.isOutage(9 * minuteMs)).toBe(true)
    expect([11, 11, 20, 22, 22].map((minute) => watch.isOutage(minute * minuteMs))).toEqual([
      false,
      true,
      true,
      false,
      true
    ])
    watch.handled(1, 23 * minuteMs)
    expect(watch.isOutage(23 * minuteMs)).toBe(false)
    for (let count = 0; count < 30; count++) watch.failed(24 * minuteMs, 0)
    expect(watch.isOutage(24 * minuteMs)).toBe(true)
    watch.handled(1000, 24 * minuteMs)
    expect(watch.isOutage(24 * minuteMs)).toBe(false)
  })

  it("counts a record that waits and fails again once in ten minutes", () => {
    const watch = new OutageWatch(() => undefined)
    let countedMs = Number.NEGATIVE_INFINITY
    for (let seconds = 0; seconds < 6000; seconds++) countedMs = watch.failed(seconds * 1000, countedMs)
    expect(watch.isOutage(6000 * 1000)).toBe(false)
  })

  it("ends where nothing can be handled because all stands behind one that waits", () => {
    const watch = new OutageWatch(() => undefined)
    const settings = { policy: [], concurrency: 1, bufferBytesMax: 1e7, settleEveryMs: 100 }
    const policy = [{ on: ["*"], then: "deadLetter" as const }]
    const options = { start: 0n, abandoned: 0, crashLoop: 3, unordered: false, random: () => 0.5, outage: watch }
    const lane = new ReadLane(options, { ...settings, policy })
    const records = Array.from({ length: 100 }, (_, index) => ({
      position: BigInt(index),
      key: Buffer.from("k"),
      value: null,
      headers: [],
      timeMs: 0
    }))
    lane.received({ records, next: 100n })
    // Thirty cannot be handled; all others can.
    for (let nowMs = 0; lane.watermark < 100n && nowMs < 360 * minuteMs; nowMs += 500) {
      for (let held = lane.next(nowMs); held !== undefined; held = lane.next(nowMs))
        lane.finished(held, held.position < 30n ? { tag: "Poison" } : undefined, nowMs)
      for (const { held } of lane.takeAside()) lane.setAside(held, undefined, nowMs)
    }
    expect([lane.done, lane.deadLettered["Poison"]]).toEqual([70, 30])
  })

  it.each([
    { handledEveryMs: Number.POSITIVE_INFINITY, lettersMax: 19 + 36 },
    { handledEveryMs: 30 * minuteMs, lettersMax: 19 * 12 + 36 }
  ])("of six hours costs a lane of 1,000 keys few dead letters: %o", ({ handledEveryMs, lettersMax }) => {
    const watch = new OutageWatch(() => undefined)
    const settings = { policy: Policy.standard, concurrency: 16, bufferBytesMax: 1e7, settleEveryMs: 100 }
    const options = { start: 0n, abandoned: 0, crashLoop: 3, unordered: false, random: () => 0.5, outage: watch }
    const lane = new ReadLane(options, settings)
    const records = Array.from({ length: 1000 }, (_, index) => ({
      position: BigInt(index),
      key: Buffer.from(`${index}`),
      value: null,
      headers: [],
      timeMs: 0
    }))
    lane.received({ records, next: 1000n })
    let letters = 0
    for (let nowMs = 0; nowMs < 360 * minuteMs; nowMs += 500) {
      // Another lane of the subscription has a good moment.
      if (nowMs > 0 && nowMs % handledEveryMs === 0) watch.handled(1, nowMs)
      for (let held = lane.next(nowMs); held !== undefined; held = lane.next(nowMs))
        lane.finished(held, { tag: "DatabaseDown" }, nowMs)
      for (const { held } of lane.takeAside()) {
        letters++
        lane.setAside(held, undefined, nowMs)
      }
    }
    expect(letters).toBeLessThanOrEqual(lettersMax)
    // All come through when it is over.
    for (let nowMs = 360 * minuteMs; lane.watermark < 1000n && nowMs < 361 * minuteMs; nowMs += 500)
      for (let held = lane.next(nowMs); held !== undefined; held = lane.next(nowMs))
        lane.finished(held, undefined, nowMs)
    expect(lane.done).toBe(1000 - letters)
  })
})
