import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { Leat } from "leat"
import { describe } from "vitest"
import { noteContract } from "./contracts/Note.ts"

describe("Leat", () => {
  it.live("carries events from publish to handler, in order per key, and balances", () =>
    Effect.gen(function* () {
      const leat = yield* Leat.make({ source: "test" })
      const notes = yield* leat.stream(noteContract())
      const seen: Array<string> = []
      const subscription = yield* notes.handle("readers", (event) =>
        Effect.sync(() => void seen.push(`${event.key}${event.text}`))
      )
      for (let index = 0; index < 100; index++) notes.offer({ key: `k${index % 5}`, text: `${index}` })
      const outcome = yield* leat.flush
      expect(outcome.stored).toBe(100)
      while ((yield* subscription.lag) > 0n) yield* Effect.sleep(5)
      yield* subscription.stop
      for (let key = 0; key < 5; key++) {
        const own = seen.filter((text) => text.startsWith(`k${key}`)).map((text) => Number(text.slice(2)))
        expect(own).toEqual(Array.from({ length: 20 }, (_, index) => index * 5 + key))
      }
      const { streams, legs, lanes, balanced } = leat.ledger.snapshot()
      expect(balanced).toBe(true)
      expect(streams[0]).toMatchObject({ offered: 100, admitted: 100 })
      expect(legs[0]).toMatchObject({ stored: 100, queued: 0 })
      expect(lanes.reduce((sum, { done }) => sum + done, 0)).toBe(100)
    })
  )
})
