import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Fifo } from "../../src/publish/Fifo.js"

type Step = "push" | "shift" | { readonly remove: number } | { readonly insert: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.constant("push" as const),
  fc.constant("push" as const),
  fc.constant("shift" as const),
  fc.record({ remove: fc.nat(20) }),
  fc.record({ insert: fc.nat(20) })
)

/** What a step takes out. */
function taken(fifo: Fifo<number>, one: Step, index: number): number | undefined {
  if (one === "push") fifo.push(index)
  else if (one === "shift") return fifo.shift()
  else if ("insert" in one) fifo.insert(Math.min(one.insert, fifo.length), index)
  else {
    const other = fifo.at(one.remove) ?? -1
    return fifo.remove(other) ? other : undefined
  }
  return undefined
}

function takenOfArray(plain: Array<number>, one: Step, index: number): number | undefined {
  if (one === "push") plain.push(index)
  else if (one === "shift") return plain.shift()
  else if ("insert" in one) plain.splice(one.insert, 0, index)
  else return one.remove < plain.length ? plain.splice(one.remove, 1)[0] : undefined
  return undefined
}

describe("a line", () => {
  it("does what an array does", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const fifo = new Fifo<number>()
        const plain: Array<number> = []
        for (const [index, one] of steps.entries()) {
          expect(taken(fifo, one, index)).toEqual(takenOfArray(plain, one, index))
          expect([fifo.length, fifo.at(0), fifo.at(plain.length), fifo.all]).toEqual([
            plain.length,
            plain[0],
            undefined,
            plain
          ])
        }
      })
    )
  })
})
