import { expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Logger } from "effect"
import { TestClock } from "effect/testing"
import { OpeningTrouble, TransportError } from "leat/transport"
import { describe } from "vitest"
import { OpeningWatch } from "../../src/routes/OpeningWatch.js"
import { openCluster, persistently } from "../../src/routes/openCluster.js"
import { memory } from "../../src/transport/memory/MemoryTransport.js"

const refused = (detail: string) =>
  new TransportError({ reason: "Unavailable", transport: "test", operation: "open", detail })

/** Runs with a list of the warnings so far. */
const warned = <A, E>(use: (warnings: ReadonlyArray<string>) => Effect.Effect<A, E>) => {
  const warnings: Array<string> = []
  const logger = Logger.make(({ message }) => void warnings.push(String(message)))
  return Effect.provide(use(warnings), Logger.layer([logger]))
}

describe("what does not open", () => {
  it.effect("is warned of 2 s after the first failed try, then more and more rarely, and never after it is open", () =>
    warned((warnings) =>
      Effect.gen(function* () {
        const watch = new OpeningWatch()
        let isThere = false
        const attempt = Effect.suspend(() => (isThere ? Effect.void : Effect.fail(refused("k1:9092 refuses"))))
        const open = () => watch.during("the cluster kafka", (failed) => persistently(attempt, failed))
        const first = yield* Effect.forkChild(open())
        yield* TestClock.adjust("1900 millis")
        expect(warnings).toEqual([])
        yield* TestClock.adjust("200 millis")
        expect(warnings).toEqual([
          "the cluster kafka is not open yet, and is tried again: test open: Unavailable: k1:9092 refuses"
        ])
        yield* TestClock.adjust("40 seconds")
        expect(Exit.isFailure(yield* Fiber.await(first))).toBe(true)
        expect(warnings).toHaveLength(2)
        // Another one for the same: what was warned of lately is not warned of again.
        const second = yield* Effect.forkChild(open())
        yield* TestClock.adjust("25 seconds")
        expect(warnings).toHaveLength(3)
        isThere = true
        yield* TestClock.adjust("10 seconds")
        expect(Exit.isSuccess(yield* Fiber.await(second))).toBe(true)
        yield* TestClock.adjust("10 minutes")
        expect(warnings).toHaveLength(3)
        isThere = false
        // It was open in between: a fault of its own.
        const third = yield* Effect.forkChild(open())
        yield* TestClock.adjust("3 seconds")
        expect(warnings).toHaveLength(4)
        yield* Fiber.interrupt(third)
      })
    )
  )

  it.effect("is not warned of where it opens at the second try", () =>
    warned((warnings) =>
      Effect.gen(function* () {
        let tries = 0
        const attempt = Effect.suspend(() => (++tries < 2 ? Effect.fail(refused("it starts")) : Effect.void))
        const opening = yield* Effect.forkChild(
          new OpeningWatch().during("kafka/orders", (failed) => persistently(attempt, failed))
        )
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.join(opening)
        expect([tries, warnings]).toEqual([2, []])
      })
    )
  )

  it.effect("is warned of with what has become of it since the last try that failed", () =>
    warned((warnings) =>
      Effect.gen(function* () {
        let tries = 0
        const attempt = Effect.suspend(() => (++tries < 6 ? Effect.fail(refused("it starts")) : Effect.never))
        const opening = yield* Effect.forkChild(
          new OpeningWatch().during("kafka/orders", (failed) => persistently(attempt, failed))
        )
        yield* TestClock.adjust("1 minute")
        const why = "kafka/orders is not open yet, and is tried again: test open: Unavailable: it starts"
        expect(warnings).toEqual([
          why,
          ...Array.from({ length: 2 }, () => `${why}; since then its driver has given no answer`)
        ])
        yield* Fiber.interrupt(opening)
      })
    )
  )

  it.effect("is warned of where the driver does not answer at all, until it does", () =>
    warned((warnings) =>
      Effect.gen(function* () {
        const answer = yield* Deferred.make<void>()
        const attempt = Deferred.await(answer)
        const opening = yield* Effect.forkChild(
          new OpeningWatch().during("the cluster kafka", (failed) => persistently(attempt, failed))
        )
        yield* TestClock.adjust("9 seconds")
        expect(warnings).toEqual([])
        yield* TestClock.adjust("2 seconds")
        expect(warnings).toEqual(["the cluster kafka is not open yet: its driver has given no answer"])
        yield* TestClock.adjust("1 minute")
        expect(warnings).toHaveLength(3)
        yield* Deferred.succeed(answer, undefined)
        yield* Fiber.join(opening)
        yield* TestClock.adjust("1 hour")
        expect(warnings).toHaveLength(3)
      })
    )
  )

  it.effect("a driver can say why a try that goes on has not succeeded; what references stand for is withheld", () =>
    warned((warnings) =>
      Effect.gen(function* () {
        const driver = {
          ...memory,
          open: () =>
            Effect.flatMap(OpeningTrouble, (trouble) => {
              trouble("hunter2:9092: Connection refused")
              return Effect.never
            })
        }
        const { capabilities } = memory.inspect({}) as Extract<
          ReturnType<typeof memory.inspect>,
          { capabilities: object }
        >
        const cluster = { name: "kafka", driver, config: { brokers: "${env:HOST}" }, capabilities, place: "kafka" }
        const readers = { variable: () => "hunter2", file: () => Effect.succeed("") }
        const opening = yield* Effect.forkChild(Effect.scoped(openCluster(cluster, readers, new OpeningWatch())))
        yield* TestClock.adjust("3 seconds")
        yield* Fiber.interrupt(opening)
        expect(warnings).toHaveLength(1)
        expect(warnings[0]).toContain("the cluster kafka is not open yet, and is tried again: ")
        expect(warnings[0]).toContain(":9092: Connection refused")
        expect(warnings[0]).not.toContain("hunter2")
      })
    )
  )
})
