import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type DroppedRange, dropNotice, readDropNotice } from "../../src/record/DropNotice.js"

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

  it("lists 256 ranges and says so when there are more", () => {
    const dropped = fc
      .tuple(fc.integer({ min: 250, max: 270 }), ranges)
      .map(([count, range]) => Array.from({ length: count }, (_, bucket) => ({ ...range, bucket })))
    fc.assert(
      fc.property(dropped, (all) => {
        const notice = dropNotice(all)
        expect(decoder.decode(notice).endsWith(";...")).toBe(all.length > 256)
        expect(readDropNotice(notice)).toEqual(all.slice(0, 256))
      }),
      { numRuns: 30 }
    )
  })

  it("is text that any language can split", () => {
    const dropped = [
      { bucket: 3, from: 100, to: 105, reason: "overflow" },
      { bucket: 0, from: 0, to: 1, reason: "Timeout" }
    ]
    expect(decoder.decode(dropNotice(dropped))).toBe("3:100-105:overflow;0:0-1:Timeout")
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
