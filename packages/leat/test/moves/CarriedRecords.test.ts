import fc from "fast-check"
import type { ReceivedRecord } from "leat/transport"
import { describe, expect, it } from "vitest"
import { CarriedRecords } from "../../src/moves/CarriedRecords.ts"

const incarnation = "0198c1d2-6a00-7000-8000-000000000000"

const idAt = (bucket: number, seq: number) => ({ incarnation, stream: "a.b", bucket, seq })

const text = new TextEncoder()

const recordAt = (bucket: number, seq: number): ReceivedRecord => ({
  position: 0n,
  key: null,
  value: null,
  headers: [["ce_id", text.encode(`${incarnation}/a.b/${bucket}/${seq}`)]],
  timeMs: 0
})

describe("what a process has carried", () => {
  it("is known by its id, in whatever order it was carried", () => {
    const one = fc.record({ bucket: fc.integer({ min: 0, max: 1 }), seq: fc.integer({ min: 0, max: 20 }) })
    fc.assert(
      fc.property(fc.array(one, { maxLength: 40 }), (all) => {
        const carried = new CarriedRecords()
        const seen = new Set<string>()
        for (const { bucket, seq } of all) {
          const isNew = !seen.has(`${bucket} ${seq}`)
          seen.add(`${bucket} ${seq}`)
          expect(carried.add(idAt(bucket, seq))).toBe(isNew)
        }
        for (const bucket of [0, 1])
          for (let seq = 0; seq <= 21; seq++)
            expect(carried.hasCarried(recordAt(bucket, seq))).toBe(seen.has(`${bucket} ${seq}`))
      })
    )
  })
})
