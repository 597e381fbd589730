import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { alignReports } from "../src/produce/alignReports.ts"

const letter = fc.constantFrom("a", "b", "c")

describe("where failures stand", () => {
  it("is told only where one place fits, and it is the right one then", () => {
    fc.assert(
      fc.property(fc.array(letter, { minLength: 1, maxLength: 12 }), fc.nat(), fc.nat(), (records, one, other) => {
        const from = one % records.length
        const to = from + 1 + (other % (records.length - from))
        const failed = records.slice(from, to)
        const places = records
          .keys()
          .filter((at) => failed.every((value, index) => records[at + index] === value))
          .toArray()
        const found = alignReports(records.length, failed.length, (at, report) => records[at] === failed[report])
        expect(found).toBe(places.length === 1 ? from : undefined)
      })
    )
  })

  it("is nowhere where nothing fits", () => {
    expect(alignReports(3, 1, () => false)).toBeUndefined()
    expect(alignReports(1, 2, () => true)).toBeUndefined()
  })
})
