import { Deferred, Effect, Exit, References, Stream } from "effect"
import { Leat, MemoryBroker } from "leat"
import { simulate } from "leat/testing"
import { type Lane, TransportError } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { routes, withLanes } from "./support.ts"

const quiet = Effect.provideService(References.MinimumLogLevel, "None")
const run = <A>(program: Effect.Effect<A, unknown>, seed = 1): A => {
  const { exit } = simulate(seed, quiet(program))
  if (Exit.isFailure(exit)) throw new Error(String(exit.cause))
  return exit.value
}

/** Handles one event on a lane that settles only at its end, ends the lane by `end`, then stops; returns what was settled. */
const settledAfter = (end: (lane: Lane, told: Deferred.Deferred<void>) => Lane, seed = 1) =>
  run(
    Effect.gen(function* () {
      const told = yield* Deferred.make<void>()
      const settled: Array<bigint> = []
      const watched = (lane: Lane): Lane => ({
        ...lane,
        settle: (position) =>
          Effect.andThen(
            Effect.sync(() => settled.push(position)),
            lane.settle(position)
          )
      })
      const driver = withLanes((lane) => end(watched(lane), told), new MemoryBroker({ partitions: 1 }))
      const document = routes({ settleEvery: "10 minutes", drain: "1 second" })
      const leat = yield* Leat.make({ source: "test", routes: document, drivers: [driver] })
      const notes = yield* leat.stream(noteContract())
      const handled: Array<string> = []
      const subscription = yield* notes.handle("g", ({ text }) => Effect.sync(() => void handled.push(text)))
      // The first is settled at once, the second only after ten minutes, or at the end of the lane.
      for (const text of ["1", "2"]) {
        yield* notes.publish({ key: "k", text })
        yield* Effect.sleep(50)
      }
      expect(handled).toEqual(["1", "2"])
      yield* Deferred.succeed(told, undefined)
      yield* Effect.sleep(10)
      yield* subscription.stop
      return settled
    }).pipe(Effect.scoped),
    seed
  )

/** In whatever order what runs at the end of the lane does. */
const orders = Array.from({ length: 20 }, (_, index) => index + 1)

describe("what a lane has handled and not settled", () => {
  it("is settled at its end", () => {
    for (const seed of orders) expect(settledAfter((lane) => lane, seed)).toEqual([1n, 2n])
  })

  it("is not settled when the lane was lost: it is somebody else's", () => {
    const lost = new TransportError({ reason: "LaneLost", transport: "memory", operation: "pull", detail: "gone" })
    const losing = (lane: Lane, told: Deferred.Deferred<void>) => ({
      ...lane,
      batches: Stream.interruptWhen(lane.batches, Effect.andThen(Deferred.await(told), Effect.fail(lost)))
    })
    for (const seed of orders) expect(settledAfter(losing, seed)).toEqual([1n])
  })

  it("is not settled when the lane broke down: what its shell still knows is not to be trusted", () => {
    const breaking = (lane: Lane, told: Deferred.Deferred<void>) => ({
      ...lane,
      revoked: Effect.andThen(Deferred.await(told), Effect.die("broken"))
    })
    for (const seed of orders) expect(settledAfter(breaking, seed)).toEqual([1n])
  })
})

describe("a handler that fails after it was interrupted", () => {
  it("is judged by nobody: its event comes again, whatever the policy says", () => {
    const told = run(
      Effect.gen(function* () {
        const document = routes({ drain: "20 millis", policy: "p" }, { p: [{ on: ["*"], then: "drop" }] })
        const leat = yield* Leat.make({ source: "test", routes: document })
        const notes = yield* leat.stream(noteContract())
        const subscription = yield* notes.handle("g", () =>
          Effect.uninterruptible(Effect.andThen(Effect.sleep(200), Effect.fail("late")))
        )
        yield* notes.publish({ key: "k", text: "1" })
        yield* Effect.sleep(50)
        yield* subscription.stop
        return { lag: yield* subscription.lag, dropped: leat.ledger.snapshot().lanes.map(({ dropped }) => dropped) }
      }).pipe(Effect.scoped)
    )
    expect(told).toEqual({ lag: 1n, dropped: [{}] })
  })
})

it("a lane whose pulls fail is given back: no process has died, and no event is taken for one that kills", () => {
  const away = new TransportError({ reason: "Unavailable", transport: "memory", operation: "pull", detail: "away" })
  const broker = new MemoryBroker({ partitions: 1 })
  const seen = run(
    Effect.gen(function* () {
      const abandoned: Array<number> = []
      // Twelve stays: the first batch comes, and what is asked for after it fails before anything of it is handled.
      const driver = withLanes((lane) => {
        abandoned.push(lane.abandoned)
        const failing = Stream.unwrap(Effect.delay(Effect.succeed(Stream.fail(away)), 50))
        return abandoned.length > 12 ? lane : { ...lane, batches: Stream.concat(Stream.take(lane.batches, 1), failing) }
      }, broker)
      const leat = yield* Leat.make({ source: "test", drivers: [driver] })
      const notes = yield* leat.stream(noteContract())
      yield* notes.publishAll(["0", "1", "2"].map((text) => ({ key: text, text })))
      const handled = new Set<string>()
      yield* notes.handle("g", ({ text }) =>
        Effect.as(
          Effect.delay(
            Effect.sync(() => handled.add(text)),
            200
          ),
          undefined
        )
      )
      yield* Effect.sleep("5 minutes")
      const { lanes } = leat.ledger.snapshot()
      return {
        handled: handled.size,
        abandoned: new Set(abandoned),
        deadLettered: lanes.map((row) => row.deadLettered)
      }
    }).pipe(Effect.scoped)
  )
  expect(seen).toEqual({ handled: 3, abandoned: new Set([0]), deadLettered: [{}] })
})
