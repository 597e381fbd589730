/** One record of a spill is refused for good by the new place, and the process is started again and again. */
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { away, documentAt, placedAndRead, spillingStory } from "./spillingFleet.ts"

const large = "x".repeat(5000)

describe("what stands in a spill behind a record that the new place refuses", () => {
  it.each(["close", "kill"] as const)(
    "is stored by the first process that carries it, and by none that begins with that: %s",
    (end) => {
      spillingStory((fleet) =>
        Effect.gen(function* () {
          const { one, handled } = yield* placedAndRead(fleet)
          fleet.faults.near = away
          for (let index = 0; index < 200; index++)
            yield* one.notes.publish(
              { key: `k${index % 20}`, text: index === 100 ? large : String(index) },
              { level: "durable" }
            )
          yield* one.close
          fleet.faults.near = {}
          const taken = fleet.brokers.far.options as { recordBytesMax: number }
          taken.recordBytesMax = 4000
          yield* fleet.apply(documentAt(2, "b"), "b")
          yield* Effect.sleep("10 seconds")
          const counts: Array<number> = []
          for (let start = 0; start < 5; start++) {
            const next = yield* fleet.process()
            yield* Effect.sleep("30 seconds")
            counts.push((yield* fleet.stored("b")).length)
            yield* next[end]
            yield* Effect.sleep("10 seconds")
          }
          const [first = 0] = counts
          expect(first).toBeGreaterThan(150)
          expect(counts).toEqual(counts.map(() => first))
          taken.recordBytesMax = 1_000_000
          const last = yield* fleet.process()
          yield* Effect.sleep("1 minute")
          // What the first one had stored behind it is so once more.
          const all = yield* fleet.stored("b")
          expect(new Set(all.map(({ text }) => text)).size).toBe(200)
          expect(all.length).toBeLessThan(200 + first)
          expect(new Set(handled).size).toBe(200)
          expect(yield* fleet.left("a")).toBe(0)
          expect(last.leat.ledger.snapshot().balanced).toBe(true)
        })
      )
    }
  )
})
