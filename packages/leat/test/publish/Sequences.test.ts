import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Sequences } from "../../src/publish/Sequences.js"

describe("the sequences of a stream", () => {
  it("rise by one in each bucket, and are kept for the buckets that are used", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3839), { maxLength: 600 }), (buckets) => {
        const sequences = new Sequences(3840)
        const kept = new Map<number, number>()
        for (const bucket of buckets) {
          expect(sequences.next(bucket)).toBe(kept.get(bucket) ?? 0)
          sequences.advance(bucket)
          kept.set(bucket, (kept.get(bucket) ?? 0) + 1)
        }
        expect(sequences.used).toEqual([...kept].toSorted(([left], [right]) => left - right))
      })
    )
  })
})
