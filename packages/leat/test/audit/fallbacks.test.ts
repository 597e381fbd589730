/** Audits of a topic a part of which has stayed in a fallback after an outage. */
import { Effect } from "effect"
import { Audit, memoryTransport } from "leat"
import { describe, expect, it } from "vitest"
import { fallbackTopic } from "../../src/record/fallbackTopic.js"
import { fallbackPlaces, type FallbackPlaces, isBack, openFalling } from "../publish/fallbackStory.js"
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
})
