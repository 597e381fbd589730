import { Effect, Exit, Scope } from "effect"
import { expect, it } from "vitest"
import { openSpilling, spillPlaces, spillStory } from "./spillStory.js"

it("what fits into no spill and is refused as a dead letter is given up once while closing, and not tried without an end", () => {
  const places = spillPlaces()
  const sent = { letters: 0, all: 0 }
  const warned = spillStory(
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const policy = [
        { on: ["passing"], then: "spill" },
        { on: ["SpillFull"], then: "deadLetter" }
      ]
      const { leat, notes } = yield* Scope.provide(openSpilling(places, { policy, spill: { bytes: 65_536 } }), scope)
      places.faults = {
        send: ({ topic }) => {
          const isLetter = topic.includes("undelivered")
          if (isLetter) sent.letters++
          // Without an end the story would not end either.
          if (sent.all++ > 2000) throw new Error("it is sent again and again")
          return { kind: "fail", reason: isLetter ? "Unauthorized" : "Unavailable" }
        },
        fence: () => "Unavailable"
      }
      for (let index = 0; index < 100; index++) notes.offer({ key: "k", text: `${index}`.padEnd(1000, ".") })
      yield* Effect.sleep("2 seconds")
      const before = sent.letters
      yield* Scope.close(scope, Exit.void)
      // Each event once at most.
      expect(sent.letters - before).toBeLessThanOrEqual(100)
      const [leg] = leat.ledger.snapshot().legs
      expect(leg?.balanced).toBe(true)
      expect((leg?.spilled ?? 0) + (leg?.dropped["closed"] ?? 0)).toBe(100)
      expect(leg?.spilled).toBeGreaterThan(40)
    })
  )
  expect(warned.length).toBeLessThan(30)
})
