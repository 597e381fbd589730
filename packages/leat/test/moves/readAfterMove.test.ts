/** What `stored` and `read` give in a process that had the stream open when it was moved to another cluster. */
import { Effect } from "effect"
import { memoryTransport } from "leat"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { readAll } from "./readAll.ts"
import { documentAt, type SpillingFleet, spillingStory, stream } from "./spillingFleet.ts"

const plain = { spills: false, disk: false }
const texts = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => String(from + index))

const transportOf = (fleet: SpillingFleet) => (cluster: string) =>
  memoryTransport(cluster === "near" ? fleet.brokers.near : fleet.brokers.far)

/** The same topic is in both clusters, and then the stream is moved to another one. */
const movedTwice = Effect.fnUntraced(function* (
  fleet: SpillingFleet,
  publish: (text: string) => Effect.Effect<unknown, unknown>
) {
  for (const text of texts(0, 10)) yield* publish(text)
  yield* fleet.place
  yield* Effect.sleep("6 seconds")
  yield* fleet.apply(documentAt(3, "b", plain), "b")
  yield* Effect.sleep("1 minute")
  for (const text of texts(10, 20)) yield* publish(text)
  yield* fleet.apply(documentAt(4, "c", plain), "c")
  yield* Effect.sleep("1 minute")
  for (const text of texts(20, 30)) yield* publish(text)
  expect(yield* fleet.phases).toEqual(["retired", "retired", "open"])
})

describe("a stream that is read without a group after it was moved", () => {
  it("is read whole by who was there before, and by who has come since", () => {
    spillingStory((fleet) =>
      Effect.gen(function* () {
        yield* fleet.apply(documentAt(2, "a", plain))
        // So that who asks the wrong cluster gets nothing, and no fault.
        yield* memoryTransport(fleet.brokers.near).ensure({ topic: "b", partitions: 4 })
        const one = yield* fleet.process()
        yield* Effect.sleep("6 seconds")
        yield* movedTwice(fleet, (text) => one.notes.publish({ key: `k${Number(text) % 5}`, text }))
        const later = yield* fleet.process()
        for (const { notes } of [one, later]) {
          const all = yield* readAll(notes, transportOf(fleet))
          expect(all.texts.toSorted()).toEqual(texts(0, 30).toSorted())
          expect(all.read).toEqual(all.raw)
        }
      })
    )
  })

  it("begins, as a state, with what was published since it moved last", () => {
    spillingStory((fleet) =>
      Effect.gen(function* () {
        yield* fleet.apply(documentAt(2, "a", plain))
        const contract = noteContract({ compacted: true })
        const one = yield* Effect.flatMap(fleet.leat(), (leat) => leat.stream(contract))
        yield* Effect.sleep("6 seconds")
        yield* movedTwice(fleet, (text) => one.publish({ key: `k${Number(text) % 5}`, text }))
        const later = yield* Effect.flatMap(fleet.leat(), (leat) => leat.stream(contract))
        for (const notes of [one, later]) {
          const all = yield* readAll(notes, transportOf(fleet))
          expect(all.ranges).toEqual(["far/c/0 3"])
          expect(all.texts).toEqual(texts(20, 30))
        }
        expect(contract.stream).toBe(stream)
      })
    )
  })
})
