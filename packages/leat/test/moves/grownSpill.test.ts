/** What stands in the spill of a place whose topic has got more partitions, of a stream that is placed there. */
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { MemoryPartition } from "../../src/transport/memory/MemoryPartition.ts"
import { Gate } from "../../src/testing/story/Gate.ts"
import { noteContract } from "../contracts/Note.ts"
import { cuttable } from "./cuttable.ts"
import { away, documentAt, ofKey, placedAndRead, type SpillingFleet, spillingStory } from "./spillingFleet.ts"

const keys = Array.from({ length: 8 }, (_, index) => `k${index}`)

type Process = Effect.Success<ReturnType<SpillingFleet["process"]>>

const published = ({ notes }: Process, text: string) =>
  Effect.forEach(keys, (key) => notes.publish({ key, text }, { level: "durable" }), { discard: true })

const grow = (fleet: SpillingFleet, to: number) =>
  Effect.sync(() => {
    const partitions = fleet.brokers.near.topic("a").partitions as Array<MemoryPartition>
    while (partitions.length < to) partitions.push(new MemoryPartition())
  })

/** What became of what was published, key by key, and where it stands. */
const becameOf = Effect.fnUntraced(function* (fleet: SpillingFleet, { leat }: Process, handled: ReadonlyArray<string>) {
  return {
    texts: keys.map((key) => ofKey(handled, key)),
    left: yield* fleet.left("a"),
    written: fleet.brokers.near.topic("a").partitions.map(({ end }) => end > 0n),
    isBalanced: leat.ledger.snapshot().balanced
  }
})

/** In order, in the partitions that the stream was placed in, and nothing is left. */
const allSent = {
  texts: keys.map(() => ["1", "2", "3", "4"]),
  left: 0,
  written: [true, true, false, false, false, false, false, false],
  isBalanced: true
}

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
          expect(yield* becameOf(fleet, next, handled)).toEqual(allSent)
        })
      )
    }
  )

  /** The disk has no room for a copy in the spill of today. */
  const full = (fleet: SpillingFleet) =>
    Effect.sync(() => {
      fleet.faults.disk = {
        send: ({ topic }) => (topic === "near.a.8.spill" ? { kind: "fail", reason: "Full" } : undefined)
      }
    })

  it("is sent on to those that the stream is placed in where the disk is full", () => {
    spillingStory((fleet) =>
      Effect.gen(function* () {
        const { one, handled } = yield* placedAndRead(fleet)
        fleet.faults.near = away
        for (const text of ["1", "2", "3"]) yield* published(one, text)
        yield* one.kill
        yield* grow(fleet, 8)
        yield* full(fleet)
        fleet.faults.near = {}
        const next = yield* fleet.process()
        yield* published(next, "4")
        yield* Effect.sleep("1 minute")
        expect(yield* becameOf(fleet, next, handled)).toEqual(allSent)
      })
    )
  })

  it("is sent once where the disk is full and the control stream is away, and settled when that is back", () => {
    spillingStory((fleet) =>
      Effect.gen(function* () {
        const { one, handled } = yield* placedAndRead(fleet)
        fleet.faults.near = away
        for (const text of ["1", "2", "3"]) yield* published(one, text)
        yield* one.kill
        yield* grow(fleet, 8)
        yield* full(fleet)
        const state = { isCut: false }
        const drivers = fleet
          .drivers(new Gate(), fleet.disk)
          .map((driver) => (driver.name === "control" ? cuttable(driver, () => state.isCut) : driver))
        const next = yield* fleet.process({ drivers })
        next.notes.offer({ key: "k0", text: "4" })
        yield* Effect.sleep("10 seconds")
        state.isCut = true
        fleet.faults.near = {}
        yield* published(next, "4")
        yield* Effect.sleep("2 minutes")
        expect(fleet.told.filter((line) => line.includes("near.a.2.spill keeps what an earlier"))).toHaveLength(1)
        for (const key of keys)
          expect({ key, texts: ofKey(handled, key) }).toEqual({ key, texts: ["1", "2", "3", "4"] })
        const stored = yield* fleet.stored("a")
        expect(stored).toHaveLength(33)
        expect(yield* fleet.left("a")).toBe(24)
        state.isCut = false
        yield* Effect.sleep("3 minutes")
        expect(yield* fleet.left("a")).toBe(0)
        expect(yield* fleet.stored("a")).toHaveLength(33)
      })
    )
  })

  it("is carried where a stream of it has left a place that is dead, and the disk is full", () => {
    spillingStory((fleet) =>
      Effect.gen(function* () {
        const { one, handled } = yield* placedAndRead(fleet)
        fleet.faults.near = away
        for (const text of ["1", "2", "3"]) yield* published(one, text)
        yield* one.kill
        yield* grow(fleet, 8)
        yield* fleet.apply(documentAt(2, "b", { others: "a" }), "b")
        yield* Effect.sleep("50 seconds")
        yield* full(fleet)
        const next = yield* fleet.leat()
        const others = yield* next.stream(noteContract({ stream: "test.others" }))
        others.offer({ key: "k0", text: "other" })
        yield* Effect.sleep("1 minute")
        for (const key of keys) expect({ key, texts: ofKey(handled, key) }).toEqual({ key, texts: ["1", "2", "3"] })
        expect(yield* fleet.left("a")).toBe(0)
      })
    )
  })
})
