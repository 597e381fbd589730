/** A lane of a fallback that passes over records without a word. */
import { Effect, Stream } from "effect"
import { type ReceivedBatch, type Transport, TransportError } from "leat/transport"
import { describe, expect, it } from "vitest"
import { fallbackPlaces, isBack, openFalling, stored } from "./fallbackStory.js"
import { isAway, spillStory as story, until } from "./spillStory.js"
import { legRow, note } from "./stories.js"

/** Its lanes leave out each second record, and say why, or nothing. */
const passingOver =
  (gap?: ReceivedBatch["gap"]) =>
  ({ subscribe }: Transport): Partial<Transport> => ({
    subscribe: (asked) =>
      Stream.map(subscribe(asked), (lane) => ({
        ...lane,
        batches: Stream.map(lane.batches, ({ records, next }) => ({
          records: records.filter(({ position }) => position % 2n === 0n),
          next,
          ...(gap === undefined ? {} : { gap })
        }))
      }))
  })

const numbers = ["0", "1", "2", "3", "4", "5"]

/** Six events go to the fallback; the cluster is back, and so is the partition. */
const sentOn = (near: (transport: Transport) => Partial<Transport>) => {
  const places = fallbackPlaces()
  let row: object | undefined
  const lines = story(
    Effect.gen(function* () {
      const { leat, notes } = yield* openFalling(places, { near })
      places.farFaults = isAway
      for (const text of numbers) yield* notes.publish(note("k", text))
      places.farFaults = {}
      yield* until("it is back", isBack(leat), 60_000)
      row = { ...legRow(leat), dropped: { ...legRow(leat)?.dropped } }
    })
  )
  return { texts: stored(places), row, lost: lines.filter((line) => line.includes("cannot be read any more")) }
}

describe("a fallback whose lane passes over records", () => {
  it("reads them before it gives them up", () => {
    const { texts, row, lost } = sentOn(passingOver())
    expect(texts).toEqual(numbers)
    expect(row).toMatchObject({ recovered: 6, stored: 6, dropped: {}, balanced: true })
    expect(lost).toEqual([])
  })

  it("counts as lost what cannot be read either, and says so", () => {
    const { texts, row, lost } = sentOn((inner) => ({ ...passingOver()(inner), read: () => Stream.empty }))
    expect(texts).toEqual(["0", "2", "4"])
    expect(row).toMatchObject({ recovered: 6, stored: 3, dropped: { Corrupt: 3 }, balanced: true })
    expect(lost[0]).toBe(
      "1 records of the fallback far.notes.1.fallback, partition 0, positions 1 to 1, cannot be read any more (its driver has passed over them): those events are lost, and counted as dropped (Corrupt)"
    )
    expect(lost).toHaveLength(3)
  })

  it("loses nothing where the disk does not answer at first", () => {
    const silent: ReadonlyArray<Stream.Stream<never, TransportError>> = [
      Stream.fail(new TransportError({ reason: "Unavailable", transport: "near", operation: "read", detail: "no" })),
      Stream.never
    ]
    for (const first of silent) {
      let asked = 0
      const { texts, row } = sentOn((inner) => ({
        ...passingOver()(inner),
        read: (...range) => (asked++ === 0 ? first : inner.read(...range))
      }))
      expect(texts.filter((text, at) => texts.indexOf(text) === at)).toEqual(numbers)
      expect(row).toMatchObject({ dropped: {}, balanced: true })
    }
  })

  it.for(["compacted", "control"] as const)("takes it for no loss where it says why: %s", (gap) => {
    const { texts, row, lost } = sentOn(passingOver(gap))
    expect(texts).toEqual(["0", "2", "4"])
    expect(row).toMatchObject({ recovered: 3, stored: 3, dropped: {} })
    expect(lost).toEqual([])
  })
})
