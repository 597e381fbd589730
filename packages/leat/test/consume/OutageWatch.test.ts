import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { OutageWatch } from "../../src/consume/OutageWatch.js"

const minuteMs = 60_000

describe("an outage", () => {
  it("is when more than half of the last fifty, and of twenty at least, of ten minutes have failed", () => {
    const outcome = fc.record({
      failed: fc.boolean(),
      afterMs: fc.oneof(
        { weight: 30, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.integer({ min: 0, max: 9 * minuteMs }) }
      )
    })
    let outages = 0
    fc.assert(
      fc.property(fc.array(outcome, { maxLength: 200, size: "max" }), (outcomes) => {
        const told: Array<boolean> = []
        const watch = new OutageWatch((isOutage) => told.push(isOutage))
        const all: Array<{ readonly failed: boolean; readonly atMs: number }> = []
        let nowMs = 1000
        let isOutage = false
        for (const { failed, afterMs } of outcomes) {
          nowMs += afterMs
          all.push({ failed, atMs: nowMs })
          if (failed) watch.failed(nowMs)
          else watch.handled(1, nowMs)
          const latest = all.slice(-50).filter(({ atMs }) => atMs >= nowMs - 10 * minuteMs)
          const count = latest.filter((one) => one.failed).length
          // It begins with a failure.
          isOutage = (failed || isOutage) && latest.length >= 20 && count * 2 > latest.length
          expect(watch.isOutage(nowMs)).toBe(isOutage)
          if (isOutage) outages++
        }
        // Each beginning and each end is told once.
        expect(told).toEqual(told.map((_, index) => index % 2 === 0))
      })
    )
    expect(outages).toBeGreaterThan(50)
  })

  it("ends with a batch that is handled, and with time", () => {
    const watch = new OutageWatch(() => undefined)
    for (let count = 0; count < 30; count++) watch.failed(0)
    expect(watch.isOutage(0)).toBe(true)
    expect(watch.isOutage(11 * minuteMs)).toBe(false)
    for (let count = 0; count < 30; count++) watch.failed(12 * minuteMs)
    watch.handled(1000, 12 * minuteMs)
    expect(watch.isOutage(12 * minuteMs)).toBe(false)
  })
})
