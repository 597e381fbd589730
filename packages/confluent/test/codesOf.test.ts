import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { codesOf } from "../src/produce/codesOf.ts"

/** Each record: its bytes, and the code with which it really ended. 10 and 29: not stored; -151: it may be. */
const records = fc.array(fc.tuple(fc.constantFrom("a", "b", "c", "d"), fc.constantFrom(0, 0, 10, 29, -151)), {
  minLength: 1,
  maxLength: 12
})

const isStored = (code: number) => (code === 0 ? "stored" : code === -151 ? "unknown" : "notStored")

describe("what failure reports say of records", () => {
  it("is what became of them, whichever requests they were in, and in whichever order the reports come", () => {
    fc.assert(
      fc.property(records, fc.infiniteStream(fc.nat(1000)), (all, order) => {
        const failures = all.flatMap(([name, code]) =>
          code === 0 ? [] : [{ name, code, at: order.next().value ?? 0 }]
        )
        failures.sort((one, other) => one.at - other.at)
        const names = all.map(([name]) => name)
        const codes = codesOf(names, failures) ?? []
        expect(codes).toHaveLength(all.length)
        for (const [at, [name, code]] of all.entries()) {
          const told = codes[at]
          const same = all.filter(([other]) => other === name)
          const isAlike = new Set(same.map(([, one]) => isStored(one))).size === 1
          expect(told === undefined ? "not told" : isStored(told)).toBe(isAlike ? isStored(code) : "not told")
        }
      }),
      { numRuns: 500 }
    )
  })

  it("is nothing where a report is of none of them, or of more than there are", () => {
    expect(codesOf(["a", "b"], [{ name: "c", code: 10 }])).toBeUndefined()
    expect(
      codesOf(
        ["a"],
        [
          { name: "a", code: 10 },
          { name: "a", code: 10 }
        ]
      )
    ).toBeUndefined()
    expect(codesOf(["a"], [])).toEqual([0])
  })
})
