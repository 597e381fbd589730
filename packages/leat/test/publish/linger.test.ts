import { Effect } from "effect"
import { MemoryBroker } from "leat"
import { describe, expect, it } from "vitest"
import { legRow, note, openNotes, story } from "./stories.js"

const leg = { linger: "50 millis" }

describe("a batch", () => {
  it("lingers from the admission of its first event, however long nothing was offered before", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openNotes({ leg })
        for (const stored of [1, 2]) {
          notes.offer(note("k", `${stored}`))
          yield* Effect.sleep(49)
          expect(legRow(leat)).toMatchObject({ stored: stored - 1, queued: 1 })
          yield* Effect.sleep(2)
          expect(legRow(leat)).toMatchObject({ stored, queued: 0 })
          yield* Effect.sleep("1 hour")
        }
      })
    ))

  it("lingers from its own first event, whatever lingers beside it", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openNotes({ leg, broker: new MemoryBroker({ partitions: 2 }) })
        const partitions = new Set<number>()
        for (let key = 0; partitions.size < 2; key++) {
          notes.offer(note(`k${key}`, ""))
          const bucket = (notes.lastId?.bucket ?? 0) % 2
          if (partitions.has(bucket)) continue
          partitions.add(bucket)
          if (partitions.size === 1) yield* Effect.sleep(40)
        }
        yield* Effect.sleep(20)
        expect(legRow(leat)?.queued).toBeGreaterThan(0)
        yield* Effect.sleep(31)
        expect(legRow(leat)).toMatchObject({ queued: 0 })
      })
    ))
})
