import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { ReadingWatch } from "../../src/consume/ReadingWatch.js"
import { recordsOf } from "../../src/transport/ReceivedRecords.js"

const minuteMs = 60_000
const never = Number.NEGATIVE_INFINITY

/** One record that stands behind; whether it can be decoded is its key. */
const behindOf = (canDecode: boolean) => ({
  records: recordsOf({
    records: [{ position: 0n, key: Buffer.from(canDecode ? "y" : "n"), value: null, headers: [], timeMs: 0 }],
    next: 1n
  }),
  from: 0
})

const watched = () => {
  const told: Array<boolean> = []
  const watch = new ReadingWatch(
    (records, index) => records.keyText(index) === "y",
    (isSuspect) => told.push(isSuspect)
  )
  return { watch, told }
}

const nothing = () => []

describe("a reader", () => {
  it("makes nothing wait while it can decode half of the latest fifty at least", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 60, maxLength: 400 }), (drawn) => {
        const { watch, told } = watched()
        const read: Array<boolean> = []
        let waits = 0
        for (const isDecoded of drawn) {
          // As many of the latest as may fail; the others are decoded.
          const isHalf = read.slice(-49).filter((one) => !one).length * 2 + 2 > Math.min(read.length + 1, 50)
          read.push(isDecoded || isHalf)
          if (read.at(-1) === true) watch.decoded(1, 0)
          else {
            watch.failed(0, never)
            if (watch.waits(0, nothing)) waits++
          }
        }
        expect([waits, told]).toEqual([0, []])
      })
    )
  })

  it("sets aside a hundred in ten minutes where it can decode nothing, and one that shows whether that is over", () => {
    let waited = 0
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3000 }), { minLength: 200, maxLength: 600 }), (gapsMs) => {
        const { watch, told } = watched()
        let [nowMs, letters] = [0, 0]
        for (const gapMs of gapsMs) {
          nowMs += gapMs
          watch.failed(nowMs, never)
          if (watch.waits(nowMs, () => [behindOf(false)])) waited++
          else letters++
        }
        expect(letters).toBeLessThanOrEqual(20 + 101 * (Math.floor(nowMs / (10 * minuteMs)) + 1))
        expect(told.length).toBeLessThanOrEqual(1)
      })
    )
    expect(waited).toBeGreaterThan(1000)
  })

  it("makes nothing wait where what stands behind can be decoded", () => {
    const { watch, told } = watched()
    const behind = Array.from({ length: 50 }, (_, index) => behindOf(index % 2 === 0))
    for (let index = 0; index < 10_000; index++) {
      watch.failed(0, never)
      expect(watch.waits(0, () => behind)).toBe(false)
    }
    expect(told).toEqual([])
  })

  it("looks behind once a second where that shows nothing better", () => {
    const { watch } = watched()
    let looks = 0
    for (let nowMs = 0; nowMs < 10_000; nowMs += 10) {
      watch.failed(nowMs, never)
      watch.waits(nowMs, () => {
        looks++
        return [behindOf(false)]
      })
    }
    expect(looks).toBe(10)
  })

  it("tells when records begin to wait, and when they wait no more", () => {
    const { watch, told } = watched()
    for (let index = 0; index < 119; index++) {
      watch.failed(0, never)
      expect(watch.waits(0, nothing)).toBe(false)
    }
    expect(told).toEqual([])
    watch.failed(0, never)
    expect([watch.waits(0, nothing), told]).toEqual([true, [true]])
    watch.decoded(50, 1)
    expect(told).toEqual([true, false])
  })
})
