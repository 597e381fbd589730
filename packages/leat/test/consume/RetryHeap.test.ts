import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { HeldRecord } from "../../src/consume/HeldRecord.ts"
import { RetryHeap } from "../../src/consume/RetryHeap.ts"

describe("records that wait for a retry", () => {
  it("come in the order in which they are due, and of one time in the order of the lane", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { maxLength: 300 }), (dues) => {
        const heap = new RetryHeap()
        for (const [order, due] of dues.entries()) {
          const held = new HeldRecord(undefined, "", order, 1, 0)
          held.retryAtMs = due
          heap.push(held)
        }
        const out: Array<readonly [number, number]> = []
        for (let nowMs = 0; nowMs <= 20; nowMs++) {
          for (let held = heap.popDue(nowMs); held !== undefined; held = heap.popDue(nowMs))
            out.push([held.retryAtMs, held.order])
        }
        const sorted = dues.map((due, order) => [due, order] as const).toSorted((a, b) => a[0] - b[0] || a[1] - b[1])
        expect(out).toEqual(sorted)
      })
    )
  })
})
