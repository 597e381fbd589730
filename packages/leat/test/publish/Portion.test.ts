import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Portion } from "../../src/publish/sendOn/Portion.js"
import { TransportError } from "leat/transport"
import type { ReceivedRecord, Run } from "leat/transport"

const rules = { policy: [{ on: ["Rejected"], then: "drop" as const }], outage: undefined }
const errorOf = (reason: "Rejected" | "Unavailable") =>
  new TransportError({ reason, transport: "memory", operation: "send", detail: "no" })

const records = (count: number): ReadonlyArray<ReceivedRecord> =>
  Array.from({ length: count }, (_, index) => ({
    position: BigInt(index),
    key: null,
    value: null,
    headers: [],
    timeMs: 0
  }))

/** What a destination does with a record: of some it never takes any. */
type Fate = "stored" | "refused" | "unknown" | "behind"

describe("records of a spill that are sent on together", () => {
  it("end once each and in order, whatever is said of each, and what is stored is not sent again", () => {
    const fate = fc.constantFrom<Fate>("stored", "stored", "refused", "unknown", "behind")
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 12 }),
        fc.infiniteStream(fate),
        (count, most, fates) => {
          const all = records(count)
          const portion = new Portion(all, rules, most)
          const ended: Array<bigint> = []
          const stored = new Set<number>()
          const twice: Array<number> = []
          for (let sends = 0; portion.first !== undefined; sends++) {
            const { from, to } = portion.next(most)
            expect(to).toBeGreaterThan(from)
            expect(to - from).toBeLessThanOrEqual(most)
            // In the end the destination is well.
            const said = Array.from({ length: to - from }, () => (sends > 200 ? "stored" : fates.next().value))
            const runs = said.map((one, index): Run => {
              const at = { from: from + index, to: from + index + 1 }
              if (one === "stored") {
                if (stored.has(at.from)) twice.push(at.from)
                stored.add(at.from)
                return { ...at, fate: "stored" }
              }
              if (one === "unknown") return { ...at, fate: "unknown", error: errorOf("Unavailable") }
              return { ...at, fate: "notStored", ...(one === "refused" ? { error: errorOf("Rejected") } : {}) }
            })
            const { stored: now, failed, doubtEnd, isUnknown } = portion.answered(runs, sends)
            ended.push(...now.map(({ position }) => position))
            expect(isUnknown).toBe(said.includes("unknown"))
            const last = said.findLastIndex((one, index) => {
              const at = from + index
              return one === "unknown" || (one === "stored" && !ended.includes(BigInt(at)))
            })
            expect(doubtEnd).toBe(last < 0 ? undefined : BigInt(from + last + 1))
            const { first } = portion
            if (
              failed?.error?.reason === "Rejected" &&
              first !== undefined &&
              failed.to - Number(first.position) === 1
            ) {
              ended.push(first.position)
              ended.push(...portion.ended().map(({ position }) => position))
            }
          }
          expect(twice).toEqual([])
          expect(ended).toEqual(all.map(({ position }) => position))
        }
      ),
      { numRuns: 2000 }
    )
  })

  it("are sent without the one that others fail because of, and then that one first", () => {
    const portion = new Portion(records(5), rules, 500)
    expect(portion.next(500)).toEqual({ from: 0, to: 5 })
    const named: ReadonlyArray<Run> = [
      { from: 0, to: 2, fate: "notStored" },
      { from: 2, to: 3, fate: "notStored", error: errorOf("Rejected") },
      { from: 3, to: 5, fate: "notStored" }
    ]
    expect(portion.answered(named, 0)).toMatchObject({ stored: [], failed: undefined, isUnknown: false })
    expect(portion.next(500)).toEqual({ from: 0, to: 2 })
    expect(portion.answered([{ from: 0, to: 2, fate: "stored" }], 0).stored).toHaveLength(2)
    expect(portion.next(500)).toEqual({ from: 2, to: 5 })
    const refused: Run = { from: 2, to: 3, fate: "notStored", error: errorOf("Rejected") }
    expect(portion.answered([refused, { from: 3, to: 5, fate: "notStored" }], 0).failed).toEqual(refused)
  })
})
