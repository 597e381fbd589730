import fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  type DroppedRange,
  DroppedRanges,
  forgotten,
  dropNotice,
  noticeHasForgotten,
  noticeIsCut,
  rangesMax,
  rangesWithin,
  readDropNotice
} from "../../src/record/DropNotice.js"

const decoder = new TextDecoder()
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

const ranges: fc.Arbitrary<DroppedRange> = fc
  .record({
    bucket: fc.integer({ min: 0, max: 65_535 }),
    ends: fc.uniqueArray(fc.maxSafeNat(), { minLength: 2, maxLength: 2 }),
    reason: fc.stringMatching(/^[A-Za-z][A-Za-z0-9:. -]{0,20}$/)
  })
  .map(({ bucket, ends, reason }) => ({ bucket, from: Math.min(...ends), to: Math.max(...ends), reason }))

describe("a drop notice", () => {
  it("reads back as the ranges it was written from, in order", () => {
    fc.assert(
      fc.property(fc.array(ranges, { maxLength: 40 }), (dropped) => {
        expect(readDropNotice(dropNotice(dropped))).toEqual(dropped)
      })
    )
  })

  it("lists all buckets of a partition, and says so when there is more than it can list", () => {
    const dropped = fc
      .tuple(fc.integer({ min: rangesMax - 3, max: rangesMax + 3 }), ranges)
      .map(([count, range]) => Array.from({ length: count }, (_, bucket) => ({ ...range, bucket })))
    fc.assert(
      fc.property(dropped, (all) => {
        const notice = dropNotice(all)
        expect(decoder.decode(notice).endsWith(";...")).toBe(all.length > rangesMax)
        expect(readDropNotice(notice)).toEqual(all.slice(0, rangesMax))
      }),
      { numRuns: 10 }
    )
    expect(rangesMax).toBeGreaterThan(3840)
  })

  it("of as many ranges as there is room for is no larger, and one more would be", () => {
    fc.assert(
      fc.property(fc.array(ranges, { maxLength: 40 }), fc.nat(500), (dropped, bytesMax) => {
        const count = rangesWithin(dropped, bytesMax)
        const notice = dropNotice(dropped, count)
        expect(readDropNotice(notice)).toEqual(dropped.slice(0, count))
        expect(count === 0 || notice.length <= bytesMax).toBe(true)
        const larger = dropNotice(dropped.slice(0, count + 1)).length + 4
        expect(count === dropped.length || larger > bytesMax).toBe(true)
      })
    )
  })

  it("takes 16 bytes for each of 3840 buckets, a reason once", () => {
    const all = Array.from({ length: 3840 }, (_, bucket) => ({ bucket, from: 1000, to: 1100, reason: "Unavailable" }))
    expect(dropNotice(all).length / 3840).toBeLessThan(16)
  })

  it("is text that any language can split", () => {
    const dropped = [
      { bucket: 3, from: 100, to: 105, reason: "overflow" },
      { bucket: 4, from: 7, to: 9, reason: "overflow" },
      { bucket: 0, from: 0, to: 1, reason: "Timeout" }
    ]
    expect(decoder.decode(dropNotice(dropped))).toBe("3:100-105:overflow;4:7-9;0:0-1:Timeout")
  })
})

describe("reading what is not a drop notice", () => {
  it("gives no ranges, and never one that cannot be", () => {
    const nearly = fc.stringMatching(/^[0-9]{0,3}[:;]?[0-9]{0,20}-?[0-9]{0,20}:[a-z;]{0,3}$/).map(bytesOf)
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), nearly), (bytes) => {
        for (const { bucket, from, to } of readDropNotice(bytes)) {
          expect([bucket, from, to].every(Number.isSafeInteger)).toBe(true)
          expect(from).toBeLessThan(to)
        }
      }),
      { numRuns: 2000 }
    )
  })

  it.each(["", "...", ";;;", "3:100-105", "3:100:105:overflow", "-3:1-2:x", "3:1.5-2:x", "3:9-5:x", "3:5-5:x"])(
    "gives none for %j",
    (text) => {
      expect(readDropNotice(bytesOf(text))).toEqual([])
    }
  )

  it("keeps the ranges beside the garbage", () => {
    expect(readDropNotice(bytesOf("what;3:1-2:overflow;..."))).toEqual([
      { bucket: 3, from: 1, to: 2, reason: "overflow" }
    ])
  })
})

describe("drops that are not announced", () => {
  const buckets = 5
  type Step = number | "take" | "takeTwo" | "putBack"
  const steps = fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.nat(buckets * 2 - 1) },
      { weight: 1, arbitrary: fc.constantFrom<Step>("take", "takeTwo", "putBack") }
    ),
    { maxLength: 60 }
  )

  it("are all told, once, in order, in as few ranges as there can be", () => {
    fc.assert(
      fc.property(steps, (all) => {
        const drops = new DroppedRanges()
        const next = new Map<number, number>()
        const expected: Array<string> = []
        const told: Array<DroppedRange> = []
        let taken: ReadonlyArray<DroppedRange> = []
        for (const step of all) {
          if (step === "take" || step === "takeTwo") {
            told.push(...taken)
            taken = step === "take" ? drops.take() : drops.take(2)
          } else if (step === "putBack") {
            drops.putBack(taken)
            taken = []
          } else {
            const bucket = step % buckets
            const seq = next.get(bucket) ?? 0
            next.set(bucket, seq + 1)
            drops.add(bucket, seq, step < buckets ? "overflow" : "Timeout")
            expected.push(`${bucket}:${seq}:${step < buckets ? "overflow" : "Timeout"}`)
          }
        }
        told.push(...taken, ...drops.all)
        const each = told.flatMap(({ bucket, from, to, reason }) =>
          Array.from({ length: to - from }, (_, at) => `${bucket}:${from + at}:${reason}`)
        )
        expect(each.toSorted()).toEqual(expected.toSorted())
        for (const bucket of next.keys()) {
          const own = drops.all.filter((range) => range.bucket === bucket)
          for (const [at, { from, reason }] of own.entries()) {
            const before = own[at - 1]
            expect(before === undefined || before.to <= from).toBe(true)
            expect(before?.to === from && before.reason === reason).toBe(false)
          }
        }
      }),
      { numRuns: 500 }
    )
  })

  it("are bounded too when some are put back, and what was cut off is not added to", () => {
    const drops = new DroppedRanges()
    for (let bucket = 0; bucket < rangesMax; bucket++) drops.add(bucket, 0, "overflow")
    const taken = drops.take(10)
    for (let bucket = rangesMax; bucket < rangesMax + 10; bucket++) drops.add(bucket, 0, "overflow")
    drops.putBack(taken)
    const remembered = Array.from({ length: rangesMax }, (_, bucket) => bucket)
    expect(drops.all.map(({ bucket }) => bucket)).toEqual([...remembered, forgotten.bucket])
    drops.take(5)
    drops.add(rangesMax + 5, 1, "overflow")
    expect(drops.all.at(-1)).toEqual({ bucket: rangesMax + 5, from: 1, to: 2, reason: "overflow" })
  })

  it("are told in one word where there were more than are remembered, in the notice behind the last of them", () => {
    const drops = new DroppedRanges()
    const told = () => {
      const notice = dropNotice(drops.all)
      const taken = drops.take(rangesMax)
      return { taken, all: [readDropNotice(notice).length, noticeIsCut(notice), noticeHasForgotten(notice)] }
    }
    const fill = (count: number) => {
      for (let bucket = 0; bucket < count; bucket++) drops.add(bucket, 0, "overflow")
    }
    fill(rangesMax)
    expect(told().all).toEqual([rangesMax, false, false])
    fill(rangesMax + 3)
    expect(told().all).toEqual([rangesMax, true, false])
    const last = told()
    expect(last.all).toEqual([0, true, true])
    expect(drops.all).toEqual([])
    // What was to say so did not, and what comes behind it is listed again.
    fill(2)
    drops.putBack(last.taken)
    expect(dropNotice(drops.all)).toEqual(bytesOf("?...;0:0-1:overflow;1:0-1"))
    expect(told().all).toEqual([2, false, true])
    fill(rangesMax + 1)
    drops.putBack(last.taken)
    expect(drops.all.filter(({ bucket }) => bucket === forgotten.bucket)).toHaveLength(1)
  })

  it("are bounded, and added at once however many there are", () => {
    const drops = new DroppedRanges()
    for (let bucket = 0; bucket < rangesMax * 2; bucket++) drops.add(bucket, 0, "overflow")
    expect(drops.all).toHaveLength(rangesMax + 1)
    for (let seq = 1; seq < 200; seq++)
      for (let bucket = 0; bucket < rangesMax; bucket++) drops.add(bucket, seq, "overflow")
    expect(drops.all.slice(0, rangesMax).every(({ from, to }) => from === 0 && to === 200)).toBe(true)
  })
})
