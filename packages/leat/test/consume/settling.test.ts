import { Effect, Exit, Fiber, Logger, References, Stream } from "effect"
import { Leat, MemoryBroker, memoryDriver } from "leat"
import { faultDriver, simulate } from "leat/testing"
import { TransportError } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { bent, drained, routes, withLanes } from "./support.ts"

const run = <A>(program: Effect.Effect<A, unknown>): A => {
  const { exit } = simulate(1, program)
  if (Exit.isFailure(exit)) throw new Error(String(exit.cause))
  return exit.value
}

describe("a subscription", () => {
  it("keeps its lane when a settle fails for a reason that passes: nothing comes again", () => {
    const failed: Array<number> = []
    const driver = faultDriver(memoryDriver(new MemoryBroker({ partitions: 1 })), {
      settle: ({ call }) => {
        if (call > 0) return undefined
        failed.push(call)
        return "Unavailable"
      }
    })
    const seen = run(
      Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
        const notes = yield* leat.stream(noteContract())
        const texts: Array<string> = []
        const subscription = yield* notes.handle("g", ({ text }) => Effect.sync(() => void texts.push(text)))
        for (const text of ["1", "2", "3"]) {
          yield* notes.publish({ key: "k", text })
          yield* Effect.sleep(20)
        }
        yield* drained(subscription)
        return texts
      }).pipe(Effect.scoped)
    )
    expect([seen, failed]).toEqual([["1", "2", "3"], [0]])
  })

  it("runs as many handlers as its options say, whatever the document says", () => {
    const most = run(
      Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test", routes: routes({ concurrency: 8 }) })
        const notes = yield* leat.stream(noteContract())
        let running = 0
        let highest = 0
        const handler = Effect.acquireUseRelease(
          Effect.sync(() => void (highest = Math.max(highest, ++running))),
          () => Effect.sleep(5),
          () => Effect.sync(() => void running--)
        )
        yield* notes.publishAll(Array.from({ length: 12 }, (_, index) => ({ key: `k${index}`, text: "t" })))
        const subscription = yield* notes.handle("g", () => handler, { concurrency: 2 })
        yield* drained(subscription)
        return highest
      }).pipe(Effect.scoped)
    )
    expect(most).toBe(2)
  })

  it("is waited for: settles that fail are tried again in their own time, beside a lane that is halted too", () => {
    const away = new TransportError({ reason: "Unavailable", transport: "memory", operation: "settle", detail: "away" })
    let settles = 0
    let isAway = true
    // At some number it works, or a loop without a pause would never end in virtual time.
    const driver = withLanes(
      (lane) => ({
        ...lane,
        settle: (position) =>
          Effect.suspend(() => (settles++ < 1000 && isAway ? Effect.fail(away) : lane.settle(position)))
      }),
      new MemoryBroker({ partitions: 1 })
    )
    const halting = routes({ settleEvery: "100 millis", policy: "halting" }, { halting: [{ on: ["*"], then: "halt" }] })
    const tries = run(
      Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test", routes: halting, drivers: [driver] })
        const notes = yield* leat.stream(noteContract())
        const onEvent = ({ text }: { readonly text: string }) =>
          text === "bad" ? Effect.fail(new Error("bad")) : Effect.sleep(20)
        yield* notes.publish({ key: "k", text: "good" })
        yield* notes.flush
        const subscription = yield* notes.handle("g", onEvent)
        const waiting = yield* Effect.forkScoped(subscription.caughtUp)
        yield* Effect.sleep(10)
        yield* notes.publish({ key: "k", text: "bad" })
        yield* Effect.sleep(2000)
        const whileAway = settles
        isAway = false
        yield* Fiber.join(waiting)
        return { whileAway, halted: subscription.halted().length }
      }).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None"))
    )
    expect(tries.halted).toBe(1)
    expect(tries.whileAway).toBeGreaterThan(10)
    expect(tries.whileAway).toBeLessThan(30)
  })

  it("whose settles fail for a passing reason goes on, says so once while it lasts, and again when it comes back", () => {
    const warnings: Array<string> = []
    const logger = Logger.make(({ message }) => void warnings.push(String(message)))
    const away = new TransportError({ reason: "Unavailable", transport: "memory", operation: "settle", detail: "away" })
    let isAway = true
    const driver = withLanes(
      (lane) => ({ ...lane, settle: (position) => (isAway ? Effect.fail(away) : lane.settle(position)) }),
      new MemoryBroker({ partitions: 1 })
    )
    const program = Effect.gen(function* () {
      const leat = yield* Leat.make({
        source: "test",
        routes: routes({ settleEvery: "100 millis" }),
        drivers: [driver]
      })
      const notes = yield* leat.stream(noteContract())
      let handled = 0
      const subscription = yield* notes.handle("g", () => Effect.sync(() => void handled++))
      yield* notes.publish({ key: "k", text: "1" })
      yield* Effect.sleep("5 seconds")
      expect({ handled, warnings }).toEqual({ handled: 1, warnings: [] })
      yield* Effect.sleep("1 minute")
      expect(warnings).toEqual([
        "the group g of test.notes cannot settle partition 0, and is tried again; what it has handled comes again if this process ends: memory settle: Unavailable: away"
      ])
      expect(subscription.halted()).toEqual([])
      isAway = false
      yield* Effect.sleep("1 second")
      expect(yield* subscription.lag).toBe(0n)
      isAway = true
      yield* notes.publish({ key: "k", text: "2" })
      yield* Effect.sleep("1 minute")
      expect({ handled, told: warnings.length }).toEqual({ handled: 2, told: 2 })
      isAway = false
    }).pipe(Effect.scoped, Effect.provide(Logger.layer([logger])))
    run(program)
  })

  it.each([
    ["what retention has taken away", { start: 10n, end: 15n, settled: 5n }, 5n],
    ["what was settled in another log", { start: 0n, end: 5n, settled: 100n }, 5n],
    ["what is settled", { start: 2n, end: 5n, settled: 4n }, 1n],
    ["nothing that is settled", { start: 2n, end: 5n }, 3n]
  ])("does not count as lag what is not there: %s", (_, row, lag) => {
    const driver = bent((transport) => ({
      ...transport,
      subscribe: () => Stream.never,
      bounds: () => Effect.succeed([{ partition: 0, ...row }])
    }))
    const seen = run(
      Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
        const notes = yield* leat.stream(noteContract())
        return yield* (yield* notes.handle("g", () => Effect.void)).lag
      }).pipe(Effect.scoped)
    )
    expect(seen).toBe(lag)
  })

  it("of a group that begins at the end has no lag in what was there before, where the backend does not keep the start", () => {
    const driver = bent((transport) => ({
      ...transport,
      bounds: (topic, group) =>
        Effect.map(transport.bounds(topic, group), (rows) =>
          rows.map(({ partition, start, end }) => ({ partition, start, end }))
        )
    }))
    const lags = run(
      Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
        const notes = yield* leat.stream(noteContract())
        yield* notes.publishAll(Array.from({ length: 50 }, (_, index) => ({ key: `k${index}`, text: "t" })))
        const subscription = yield* notes.handle("g", () => Effect.never, { from: "latest" })
        yield* Effect.sleep(100)
        const before = yield* subscription.lag
        yield* notes.publish({ key: "k1", text: "t" })
        yield* Effect.sleep(100)
        return [before, yield* subscription.lag]
      }).pipe(Effect.scoped)
    )
    expect(lags).toEqual([0n, 1n])
  })
})
