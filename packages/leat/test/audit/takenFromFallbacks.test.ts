import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { BucketAudit } from "../../src/audit/BucketAudit.ts"
import { explainedBy, takenFromFallbacks } from "../../src/audit/takenFromFallbacks.ts"

const hourMs = 3_600_000
const fate = fc.constantFrom("topic", "topic", "topic", "fallback", "fallback", "lost")
/** Events of a bucket, one after the other: how long after the one before, and what becomes of each. */
const events = fc.array(fc.record({ afterMs: fc.constantFrom(1000, hourMs, 24 * hourMs), fate }), {
  minLength: 1,
  maxLength: 30
})

describe("what retention has taken away from a fallback", () => {
  it("hides no more than it was, and makes nothing lost that stood there", () => {
    let named = 0
    let hidden = 0
    fc.assert(
      fc.property(fc.array(events, { minLength: 1, maxLength: 3 }), fc.nat(20), (all, cut) => {
        const buckets = all.map(() => new BucketAudit())
        const fallback: Array<{ readonly of: number; readonly seq: number; readonly timeMs: number }> = []
        let lost = 0
        const see = (of: number, seq: number, timeMs: number, partition: number) => {
          const bucket = buckets[of] ?? new BucketAudit()
          bucket.see(seq, { partition, timeMs, sinceMs: bucket.lastMs, isTakenAway: false })
        }
        for (const [of, some] of all.entries()) {
          let timeMs = 0
          for (const [seq, { afterMs, fate: became }] of [...some, { afterMs: 1000, fate: "topic" }].entries()) {
            timeMs += afterMs
            if (became === "topic") see(of, seq, timeMs, 0)
            else if (became === "lost") lost++
            else fallback.push({ of, seq, timeMs })
          }
        }
        fallback.sort((one, other) => one.timeMs - other.timeMs)
        const kept = fallback.slice(cut)
        for (const { of, seq, timeMs } of kept) see(of, seq, timeMs, 1)
        const takenAway = fallback.length - kept.length
        const partition = { isOfFallback: true, takenAway, isHoled: false, firstMs: kept[0]?.timeMs }
        const missing = buckets.flatMap((bucket) => bucket.missing)
        const explained = explainedBy(takenFromFallbacks([partition]), missing)
        const count = missing.reduce((sum, { from, to }) => sum + to - from, 0)
        const unclear = [...explained.values()].reduce((sum, one) => sum + one, 0)
        expect(count).toBe(lost + takenAway)
        expect(unclear).toBeLessThanOrEqual(takenAway)
        // No more are named as missing than were lost.
        expect(count - unclear).toBeLessThanOrEqual(lost)
        named += count - unclear
        hidden += unclear
      }),
      { seed: 3, numRuns: 500 }
    )
    expect(named).toBeGreaterThan(500)
    expect(hidden).toBeGreaterThan(500)
  })
})
