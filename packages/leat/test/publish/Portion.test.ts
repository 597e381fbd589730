import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Portion } from "../../src/publish/sendOn/Portion.js"
import { RequestSize } from "../../src/publish/sendOn/RequestSize.js"
import { sizeOf } from "../../src/record/batchOf.js"
import { TransportError } from "leat/transport"
import type { ReceivedRecord, Run } from "leat/transport"

const rules = { policy: [{ on: ["Rejected"], then: "drop" as const }], outage: undefined }
const errorOf = (reason: "Rejected" | "Unavailable") =>
  new TransportError({ reason, transport: "memory", operation: "send", detail: "no" })

/** Bytes that nothing here is larger than. */
const unbounded = 1_000_000

const records = (count: number, bytesOf: (index: number) => number = () => 0): ReadonlyArray<ReceivedRecord> =>
  Array.from({ length: count }, (_, index) => ({
    position: BigInt(index),
    key: null,
    value: new Uint8Array(bytesOf(index)),
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
        fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 12, maxLength: 12 }),
        fc.integer({ min: 1, max: 300 }),
        fc.infiniteStream(fate),
        (count, most, sizes, bytesMax, fates) => {
          const all = records(count, (index) => sizes[index] ?? 0)
          const portion = new Portion(all, rules, most)
          const ended: Array<bigint> = []
          const stored = new Set<number>()
          const twice: Array<number> = []
          for (let sends = 0; portion.first !== undefined; sends++) {
            const { from, to } = portion.next(most, bytesMax)
            expect(to).toBeGreaterThan(from)
            expect(to - from).toBeLessThanOrEqual(most)
            const bytes = all.slice(from, to).reduce((total, record) => total + sizeOf(record), 0)
            expect(to - from === 1 || bytes <= bytesMax).toBe(true)
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

  it("are sent with as many others as fit into a batch, and alone where they are larger", () => {
    const [small, large] = [100, 1000]
    const some = records(6, (index) => (index === 2 ? large : small))
    const [first] = some
    const bytesMax = first === undefined ? 0 : sizeOf(first) * 2
    const portion = new Portion(some, rules, 500)
    const sent: Array<readonly [number, number]> = []
    while (portion.first !== undefined) {
      const { from, to } = portion.next(500, bytesMax)
      sent.push([from, to])
      portion.answered([{ from, to, fate: "stored" }], 0)
    }
    expect(sent).toEqual([
      [0, 2],
      [2, 3],
      [3, 5],
      [5, 6]
    ])
  })

  it("are sent without the one that others fail because of, and then that one first", () => {
    const portion = new Portion(records(5), rules, 500)
    expect(portion.next(500, unbounded)).toEqual({ from: 0, to: 5 })
    const named: ReadonlyArray<Run> = [
      { from: 0, to: 2, fate: "notStored" },
      { from: 2, to: 3, fate: "notStored", error: errorOf("Rejected") },
      { from: 3, to: 5, fate: "notStored" }
    ]
    expect(portion.answered(named, 0)).toMatchObject({ stored: [], failed: undefined, isUnknown: false })
    expect(portion.next(500, unbounded)).toEqual({ from: 0, to: 2 })
    expect(portion.answered([{ from: 0, to: 2, fate: "stored" }], 0).stored).toHaveLength(2)
    expect(portion.next(500, unbounded)).toEqual({ from: 2, to: 5 })
    const refused: Run = { from: 2, to: 3, fate: "notStored", error: errorOf("Rejected") }
    expect(portion.answered([refused, { from: 3, to: 5, fate: "notStored" }], 0).failed).toEqual(refused)
  })
})

describe("how much is sent on at once", () => {
  it("is a batch of the leg, as its table says now", () => {
    let batchBytes = 1000
    const size = new RequestSize(() => batchBytes)
    expect(size.bytesMax(0)).toBe(1000)
    batchBytes = 500
    expect(size.bytesMax(0)).toBe(500)
  })

  it("is half of what was too large, for a while, and never more than before", () => {
    const size = new RequestSize(() => 1000)
    size.refused(800, 0)
    expect(size.bytesMax(1)).toBe(400)
    size.refused(900, 1)
    expect(size.bytesMax(2)).toBe(400)
    size.refused(300, 2)
    expect(size.bytesMax(600_001)).toBe(150)
    // The destination may take more by now.
    expect(size.bytesMax(600_002)).toBe(1000)
  })
})
