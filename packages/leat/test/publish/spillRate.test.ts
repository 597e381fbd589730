import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { isAway, openSpilling, spillPlaces, spillStory, until } from "./spillStory.js"
import { legRow, note } from "./stories.js"

/** So many events in the spill, and the first of them sent on. */
const begun = Effect.fnUntraced(function* (partitions: number, count: number, rate: number) {
  const places = spillPlaces(partitions)
  const opened = yield* openSpilling(places, { spill: { rate } })
  const { leat, notes } = opened
  const row = () => legRow(leat)
  places.faults = isAway
  for (let index = 0; index < count; index++) notes.offer(note(`k${index}`, `${index}`))
  yield* until("all is in the spill", () => row()?.spilled === count)
  places.faults = {}
  yield* until("it begins", () => (row()?.stored ?? 0) > 0)
  return { ...opened, row }
})

describe("a leg that spills", () => {
  it.each([1, 8])("sends on no more than its rate, over %d partitions together", (partitions) => {
    spillStory(
      Effect.gen(function* () {
        const { row } = yield* begun(partitions, 400, 10)
        const before = row()?.stored ?? 0
        yield* Effect.sleep("10 seconds")
        const sentOn = (row()?.stored ?? 0) - before
        expect(sentOn).toBeGreaterThan(90)
        expect(sentOn).toBeLessThanOrEqual(102)
      })
    )
  })

  it("takes over another rate while it sends on", () => {
    spillStory(
      Effect.gen(function* () {
        const { leat, row, routes } = yield* begun(1, 800, 10)
        yield* leat.swapRoutes(routes(2, { rate: 100 }))
        yield* Effect.sleep("1 second")
        const before = row()?.stored ?? 0
        yield* Effect.sleep("3 seconds")
        const sentOn = (row()?.stored ?? 0) - before
        expect(sentOn).toBeGreaterThan(270)
        expect(sentOn).toBeLessThanOrEqual(320)
        yield* leat.swapRoutes(routes(3, { rate: 10_000_000 }))
        yield* Effect.sleep("1 second")
        expect(row()?.stored).toBe(800)
      })
    )
  })
})
