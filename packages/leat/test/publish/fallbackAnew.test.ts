import { Effect, Stream } from "effect"
import type { Transport } from "leat/transport"
import { describe, expect, it } from "vitest"
import { type FallbackPlaces, fallbackPlaces, isBack, makeAnew, openFalling, stored } from "./fallbackStory.js"
import { isAway, spillStory as story, until } from "./spillStory.js"
import { legRow, note } from "./stories.js"

const textsFrom = (name: string, count: number) => Array.from({ length: count }, (_, at) => `${name}${at}`)

/** Says that it has stored records, and not where. */
const withoutPositions = ({ openWriter }: Transport): Partial<Transport> => ({
  openWriter: (topic) =>
    Effect.map(openWriter(topic), (writer) => ({
      ...writer,
      send: (...[partition, batch, from, to, timeoutMs, answer]: Parameters<typeof writer.send>) =>
        writer.send(partition, batch, from, to, timeoutMs, (runs) =>
          answer(runs.map((run) => (run.fate === "stored" ? { from: run.from, to: run.to, fate: "stored" } : run)))
        )
    }))
})

/** Gives what it holds a second later. */
const slowToRead = ({ subscribe }: Transport): Partial<Transport> => ({
  subscribe: (asked) =>
    Stream.map(subscribe(asked), (lane) => ({
      ...lane,
      batches: Stream.mapEffect(lane.batches, (batch) => Effect.delay(Effect.succeed(batch), 1000))
    }))
})

/** An earlier process has had some events there, which are sent on. */
const leftEmpty = (places: FallbackPlaces, count = 20) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { leat, notes } = yield* openFalling(places)
      places.farFaults = isAway
      for (const text of textsFrom("a", count)) yield* notes.publish(note("k", text))
      places.farFaults = {}
      yield* until("it is back", isBack(leat))
    })
  )

describe("a fallback whose topic is made anew while nothing goes there", () => {
  it.for([
    { name: "long before the next outage", beforeMs: 600_000 },
    { name: "just before it", beforeMs: 10 },
    { name: "while it begins", beforeMs: -5 },
    { name: "just before as many as it had", beforeMs: 10, lefts: [1, 2, 3, 4], near: slowToRead },
    { name: "where nothing says positions", beforeMs: 10, near: withoutPositions }
  ])("has nothing overtaken that goes there then: $name", ({ beforeMs, lefts = [20], near }) => {
    const outagesMs = [5, 20, 80, 160, 320]
    for (const [outageMs, left] of outagesMs.flatMap((one) => lefts.map((count) => [one, count] as const))) {
      const places = fallbackPlaces()
      story(
        Effect.gen(function* () {
          yield* leftEmpty(places, left)
          const { leat, notes } = yield* openFalling(places, { ...(near && { near }) })
          // Between two looks, which come each half minute.
          yield* Effect.sleep("70 seconds")
          const anew = Effect.sync(() => makeAnew(places))
          yield* beforeMs > 0 ? anew : Effect.forkChild(Effect.delay(anew, -beforeMs))
          yield* Effect.sleep(Math.max(0, beforeMs))
          places.farFaults = isAway
          const over = Effect.sync(() => {
            places.farFaults = {}
          })
          yield* Effect.forkChild(Effect.delay(over, outageMs))
          for (const text of textsFrom("b", 60)) {
            notes.offer(note("k", text))
            yield* Effect.sleep("10 millis")
          }
          yield* until("all is stored", () => stored(places).length === left + 60, 120_000)
          expect(stored(places).slice(left)).toEqual(textsFrom("b", 60))
          expect(legRow(leat)).toMatchObject({ stored: 60, balanced: true })
          expect(legRow(leat)?.recovered).toBe(legRow(leat)?.fellBack)
        })
      )
    }
  })

  it("is told within two minutes, once, also where nothing is published", () => {
    const places = fallbackPlaces()
    const lines = story(
      Effect.gen(function* () {
        yield* leftEmpty(places)
        yield* openFalling(places)
        yield* Effect.sleep("1 minute")
        makeAnew(places)
        yield* Effect.sleep("2 minutes")
      })
    )
    expect(lines.filter((line) => line.includes("was made anew while it was in use"))).toHaveLength(1)
  })
})
