/** Audits of a topic a part of which has stayed in a fallback after an outage. */
import { Clock, Effect, Stream } from "effect"
import { Audit, memoryTransport } from "leat"
import { describe, expect, it } from "vitest"
import { fallbackTopic } from "../../src/record/fallbackTopic.js"
import { fallbackPlaces, type FallbackPlaces, isBack, openFalling } from "../publish/fallbackStory.js"
import { openSeveral, severalPlaces } from "../publish/severalStory.js"
import { isAway, spillStory, until } from "../publish/spillStory.js"
import { note } from "../publish/stories.js"

/** 0 and 6 to 7 are in the topic, 1 to 5 in the fallback. */
const withOutage = Effect.fnUntraced(function* (places: FallbackPlaces) {
  const { leat, notes } = yield* openFalling(places, { back: "stay" })
  yield* notes.publish(note("k", "0"))
  places.farFaults = isAway
  for (let at = 1; at < 6; at++) yield* notes.publish(note("k", String(at)))
  places.farFaults = {}
  yield* until("it is back", isBack(leat))
  yield* notes.publish(note("k", "6"))
  yield* notes.publish(note("k", "7"))
  return { notes }
})

const story = (told: (places: FallbackPlaces) => Effect.Effect<void, unknown>) => {
  const places = fallbackPlaces()
  spillStory(Effect.andThen(withOutage(places), Effect.orDie(told(places))))
}

const audited = ({ far, near }: FallbackPlaces, options: Audit.AuditOptions = {}) =>
  Audit.topic(memoryTransport(far), "notes", { cluster: "far", fallbacks: [memoryTransport(near)], ...options })

describe("an audit of a topic whose fallback keeps what it has", () => {
  it("finds there what the topic does not have, and without it misses that", () => {
    story(
      Effect.fnUntraced(function* (places) {
        const there = { missing: 0, missingRanges: [], outOfOrder: 0, unauditable: 0, lossRatio: 0 }
        expect(yield* audited(places)).toMatchObject({ events: 8, copies: 0, ...there })
        expect(yield* audited(places, { fallbacks: [] })).toMatchObject({ events: 3, missing: 5 })
        expect(yield* audited(places, { cluster: "other" })).toMatchObject({ events: 3, missing: 5 })
      })
    )
  })

  it("counts what waits for a group in both", () => {
    story(
      Effect.fnUntraced(function* (places) {
        const { group } = yield* audited(places, { group: "readers" })
        expect(group).toMatchObject({ settled: 0, waiting: 8 })
      })
    )
  })

  it("misses nothing that stood before the time from which on it is asked", () => {
    const places = fallbackPlaces()
    spillStory(
      Effect.gen(function* () {
        const { notes } = yield* openFalling(places, { back: "stay" })
        for (let at = 0; at < 5; at++) yield* notes.publish(note("k", String(at)))
        yield* Effect.sleep("1 hour")
        const fromTimeMs = yield* Clock.currentTimeMillis
        places.farFaults = isAway
        for (let at = 5; at < 8; at++) yield* notes.publish(note("k", String(at)))
        const since = yield* Effect.orDie(audited(places, { fromTimeMs }))
        expect(since).toMatchObject({ events: 3, missing: 0, lossRatio: 0 })
      })
    )
  })

  it("reads the fallback of the partitions that the topic had before it got more", () => {
    story(
      Effect.fnUntraced(function* (places) {
        const transport = memoryTransport(places.far)
        const grown: Audit.AuditedTransport = {
          read: (topic, partition, range) => (partition === 1 ? Stream.empty : transport.read(topic, partition, range)),
          bounds: (...asked) =>
            Effect.map(transport.bounds(...asked), (rows) => [...rows, { partition: 1, start: 0n, end: 0n }])
        }
        const fallbacks = [memoryTransport(places.near)]
        expect(yield* Audit.topic(grown, "notes", { cluster: "far", fallbacks })).toMatchObject({
          events: 8,
          missing: 0
        })
      })
    )
  })

  it("cannot tell what is missing where something of the fallback has been taken away", () => {
    story(
      Effect.fnUntraced(function* (places) {
        const topic = fallbackTopic({ cluster: "far", topic: "notes" }, 1)
        const { trim } = memoryTransport(places.near)
        yield* trim?.(topic, 0, 2n) ?? Effect.die("memory trims")
        expect(yield* audited(places)).toMatchObject({ events: 6, missing: 0, unauditable: 2 })
      })
    )
  })

  const topicOfFallback = fallbackTopic({ cluster: "far", topic: "notes" }, 1)
  const without = (transport: Audit.AuditedTransport, text: string): Audit.AuditedTransport => ({
    ...transport,
    read: (...asked) =>
      Stream.map(transport.read(...asked), (batch) => ({
        ...batch,
        records: batch.records.filter(({ value }) => !Buffer.from(value ?? []).includes(text))
      }))
  })
  const cut = (places: FallbackPlaces, where: "far" | "near", before: bigint) => {
    const { trim } = memoryTransport(places[where])
    const topic = where === "far" ? "notes" : topicOfFallback
    return Effect.orDie(trim?.(topic, 0, before) ?? Effect.die("memory trims"))
  }

  it("names what is missing beyond as many as were taken away from the fallback", () => {
    const places = fallbackPlaces()
    spillStory(
      Effect.gen(function* () {
        const { notes } = yield* withOutage(places)
        for (const text of ["8", "lost", "9"]) yield* notes.publish(note("k", text))
        yield* cut(places, "near", 5n)
        const far = without(memoryTransport(places.far), "lost")
        const fallbacks = [memoryTransport(places.near)]
        const whole = yield* Effect.orDie(
          Audit.topic(memoryTransport(places.far), "notes", { cluster: "far", fallbacks })
        )
        expect(whole).toMatchObject({ events: 6, missing: 0, unauditable: 5 })
        const lossy = yield* Effect.orDie(Audit.topic(far, "notes", { cluster: "far", fallbacks }))
        expect(lossy).toMatchObject({ events: 5, missing: 1, missingRanges: [{ from: 9, to: 10 }], unauditable: 5 })
      })
    )
  })

  it.each([
    ["1 minute", { missing: 0, unauditable: 6 }],
    ["2 hours", { missing: 1, missingRanges: [{ from: 9, to: 10 }], unauditable: 5 }]
  ] as const)("names what was published %s after the oldest that the fallback still has", (later, expected) => {
    const places = fallbackPlaces()
    spillStory(
      Effect.gen(function* () {
        const { notes } = yield* withOutage(places)
        yield* Effect.sleep(later)
        for (const text of ["8", "lost", "9"]) yield* notes.publish(note("k", text))
        // What was taken away from both is not counted among what may be missing.
        yield* cut(places, "far", 1n)
        yield* cut(places, "near", 4n)
        const far = without(memoryTransport(places.far), "lost")
        const options = { cluster: "far", fallbacks: [memoryTransport(places.near)] }
        expect(yield* Effect.orDie(Audit.topic(far, "notes", options))).toMatchObject({ events: 5, ...expected })
      })
    )
  })

  it("reads what stays in each of several, and the dead letters that a group has beside each", () => {
    const places = severalPlaces()
    spillStory(
      Effect.gen(function* () {
        const { leat, notes } = yield* openSeveral(places, { back: "stay" })
        yield* notes.handle("readers", ({ text }) => Effect.fail(new Error(text)), {
          policy: [{ on: ["*"], then: "deadLetter" }]
        })
        yield* notes.publish(note("k", "0"))
        places.far.faults = isAway
        yield* notes.publish(note("k", "1"))
        places.first.faults = isAway
        yield* notes.publish(note("k", "2"))
        places.far.faults = {}
        places.first.faults = {}
        yield* until("it is back", isBack(leat))
        yield* notes.publish(note("k", "3"))
        yield* Effect.sleep("2 minutes")
        const fallbacks = [places.first, places.second].map(({ broker }) => memoryTransport(broker))
        const asked = { cluster: "far", group: "readers", fallbacks }
        expect(yield* Effect.orDie(Audit.topic(memoryTransport(places.far.broker), "notes", asked))).toMatchObject({
          events: 4,
          missing: 0,
          group: { deadLetters: { open: 4 } }
        })
      })
    )
  })
})
