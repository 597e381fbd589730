/** What stands in the spill of a place whose topic has got more partitions, of a stream that is placed there. */
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { MemoryPartition } from "../../src/transport/memory/MemoryPartition.ts"
import { away, ofKey, placedAndRead, type SpillingFleet, spillingStory } from "./spillingFleet.ts"

const keys = Array.from({ length: 8 }, (_, index) => `k${index}`)

type Process = Effect.Success<ReturnType<SpillingFleet["process"]>>

const published = ({ notes }: Process, text: string) =>
  Effect.forEach(keys, (key) => notes.publish({ key, text }, { level: "durable" }), { discard: true })

const grow = (fleet: SpillingFleet, to: number) =>
  Effect.sync(() => {
    const partitions = fleet.brokers.near.topic("a").partitions as Array<MemoryPartition>
    while (partitions.length < to) partitions.push(new MemoryPartition())
  })

describe("the spill of a place that has got more partitions", () => {
  it.each(["closed", "killed"] as const)(
    "is sent on to those that the stream is placed in: its process was %s",
    (how) => {
      spillingStory((fleet) =>
        Effect.gen(function* () {
          const { one, handled } = yield* placedAndRead(fleet)
          fleet.faults.near = away
          for (const text of ["1", "2", "3"]) yield* published(one, text)
          yield* how === "closed" ? one.close : one.kill
          yield* grow(fleet, 8)
          fleet.faults.near = {}
          const next = yield* fleet.process()
          yield* published(next, "4")
          yield* Effect.sleep("1 minute")
          for (const key of keys)
            expect({ key, texts: ofKey(handled, key) }).toEqual({ key, texts: ["1", "2", "3", "4"] })
          expect(yield* fleet.left("a")).toBe(0)
          const written = fleet.brokers.near.topic("a").partitions.map(({ end }) => end > 0n)
          expect(written).toEqual([true, true, false, false, false, false, false, false])
          expect(next.leat.ledger.snapshot().balanced).toBe(true)
        })
      )
    }
  )
})
