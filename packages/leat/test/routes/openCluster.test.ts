import { expect, it } from "@effect/vitest"
import { Clock, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { TransportError } from "leat"
import { describe } from "vitest"
import { persistently } from "../../src/routes/openCluster.js"

const failing = (reason: "Unavailable" | "Unauthorized") =>
  new TransportError({ reason, transport: "memory", operation: "open", detail: "no" })

describe("persistently", () => {
  it.effect("begins its last try when the time is over, and never later", () =>
    Effect.gen(function* () {
      const triedAtMs: Array<number> = []
      const clock = yield* Clock.Clock
      const attempt = Effect.suspend(() => {
        triedAtMs.push(clock.currentTimeMillisUnsafe())
        return Effect.fail(failing("Unavailable"))
      })
      const fiber = yield* Effect.forkChild(Effect.flip(persistently(attempt)))
      yield* TestClock.adjust("10 minutes")
      const error = yield* Fiber.join(fiber)
      expect(error.reason).toBe("Unavailable")
      expect(triedAtMs.at(-1)).toBe(30_000)
      expect(triedAtMs.filter((ms) => ms >= 30_000)).toHaveLength(1)
      expect(triedAtMs.length).toBeGreaterThan(8)
    })
  )

  it.effect("does not try again what cannot pass", () =>
    Effect.gen(function* () {
      let tries = 0
      const attempt = Effect.suspend(() => {
        tries++
        return Effect.fail(failing("Unauthorized"))
      })
      const fiber = yield* Effect.forkChild(Effect.flip(persistently(attempt)))
      yield* TestClock.adjust("1 minute")
      expect(tries).toBe(1)
      expect((yield* Fiber.join(fiber)).reason).toBe("Unauthorized")
    })
  )
})
