/** What a consumer of deliveries has in his hands when its lane is lost or taken away, and may come back to him. */
import { Deferred, Effect, Exit, Fiber, References, Scope, Stream } from "effect"
import { Leat, MemoryBroker, memoryDriver } from "leat"
import { simulate } from "leat/testing"
import { type Lane, TransportError } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { routes, withLanes } from "./support.ts"

const errorOf = (reason: "LaneLost" | "Unavailable") =>
  new TransportError({ reason, transport: "memory", operation: "pull", detail: "planted" })

/** What happens to the first lane. */
const ways = {
  lost: (isTime: Effect.Effect<void>, lane: Lane) =>
    Effect.andThen(isTime, Effect.andThen(lane.release, errorOf("LaneLost"))),
  /** The subscription joins its group again. */
  failed: (isTime: Effect.Effect<void>) => Effect.andThen(isTime, errorOf("Unavailable")),
  revoked: (isTime: Effect.Effect<void>) => isTime,
  kept: () => Effect.never
}

interface Taken {
  readonly how: keyof typeof ways
  /** How long the consumer works on one event. */
  readonly workMs: number
  /** When the consumer goes, in milliseconds after it began. */
  readonly goesAtMs?: number
}

const now = Effect.clockWith((clock) => clock.currentTimeMillis)

/** Publishes one event, and after half a second its lane ends. When work on it began, how often at once, and how long the consumer took to go. */
function taken({ how, workMs, goesAtMs = 60_000 }: Taken, seed = 1) {
  const program = Effect.gen(function* () {
    const isTime = yield* Deferred.make<void>()
    const began: Array<number> = []
    let [lanes, running, most] = [0, 0, 0]
    const driver = withLanes(
      (lane) => {
        const ending = ways[how](Deferred.await(isTime), lane)
        return lanes++ > 0 ? lane : { ...lane, batches: Stream.interruptWhen(lane.batches, ending) }
      },
      new MemoryBroker({ partitions: 1 })
    )
    const leat = yield* Leat.make({ source: "test", routes: routes({ drain: "10 seconds" }), drivers: [driver] })
    const notes = yield* leat.stream(noteContract())
    yield* notes.publish({ key: "k", text: "1" })
    const zeroMs = yield* now
    const sinceZero = Effect.map(now, (atMs) => Math.round(atMs - zeroMs))
    const work = Effect.gen(function* () {
      began.push(yield* sinceZero)
      most = Math.max(most, ++running)
      yield* Effect.sleep(workMs)
    }).pipe(Effect.ensuring(Effect.sync(() => running--)))
    const consumer = yield* notes.subscribe("g").pipe(
      Stream.mapEffect(({ done }) => Effect.andThen(work, done), { concurrency: 4 }),
      Stream.runDrain,
      Effect.forkScoped
    )
    yield* Effect.forkScoped(Effect.delay(Deferred.succeed(isTime, undefined), 500))
    yield* Effect.sleep(goesAtMs)
    yield* Fiber.interrupt(consumer)
    const wentInMs = (yield* sinceZero) - goesAtMs
    return { began, most, wentInMs }
  })
  const quiet = Effect.provideService(References.MinimumLogLevel, "None")
  const { exit } = simulate(seed, program.pipe(Effect.scoped, quiet))
  if (Exit.isFailure(exit)) throw new Error(String(exit.cause))
  return exit.value
}

describe("a partition that comes back while a consumer still has an event of it in his hands", () => {
  it("waits until he is done with it", () => {
    for (let seed = 1; seed <= 20; seed++) {
      expect(taken({ how: "lost", workMs: 2000 }, seed)).toMatchObject({ began: [0, 2000], most: 1 })
    }
  })

  it("waits for that before the subscription joins its group again", () => {
    const { began, most } = taken({ how: "failed", workMs: 2000 })
    expect({ most, count: began.length, isLater: (began[1] ?? 0) > 2000 }).toEqual({ most: 1, count: 2, isLater: true })
  })

  it("does not wait for ever for one who never ends it", () => {
    expect(taken({ how: "lost", workMs: 30_000, goesAtMs: 10_000 })).toMatchObject({ began: [0, 5500], most: 2 })
  })

  it("does not wait for one who has gone, before or meanwhile", () => {
    expect(taken({ how: "lost", workMs: 30_000, goesAtMs: 1500 })).toMatchObject({ began: [0], wentInMs: 0 })
    expect(taken({ how: "kept", workMs: 30_000, goesAtMs: 1500 })).toMatchObject({ began: [0], wentInMs: 0 })
  })

  it("is given back after the whole drain time where it was taken away, or when he is done with it", () => {
    expect(taken({ how: "revoked", workMs: 9900 })).toMatchObject({ began: [0], most: 1 })
    expect(taken({ how: "revoked", workMs: 30_000, goesAtMs: 15_000 })).toMatchObject({ began: [0, 10_500], most: 2 })
  })
})

describe("a leat that closes while a consumer has an event in his hands", () => {
  /** The events that a consumer ended, and how long the close took, in milliseconds: the consumer takes so long for each of four keys, and it closes after half a second. */
  function closed({ workMs, goesAfterMs = 60_000 }: { readonly workMs: number; readonly goesAfterMs?: number }) {
    const program = Effect.gen(function* () {
      const driver = memoryDriver(new MemoryBroker({ partitions: 1 }))
      const opened = Leat.make({
        source: "test",
        routes: routes({ drain: "10 seconds", concurrency: 4 }),
        drivers: [driver]
      })
      const scope = yield* Scope.make()
      const leat = yield* Scope.provide(opened, scope)
      const notes = yield* leat.stream(noteContract())
      yield* notes.publishAll(["1", "2", "3", "4"].map((text) => ({ key: text, text })))
      const told: Array<string> = []
      const consumer = yield* notes.subscribe("g").pipe(
        Stream.runForEach(({ event, info, done }) =>
          Effect.gen(function* () {
            yield* Effect.sleep(workMs)
            told.push(`${event.text}${info.signal.aborted ? " too late" : ""}`)
            yield* done
          })
        ),
        Effect.forkScoped
      )
      yield* Effect.sleep(500)
      yield* Effect.forkScoped(Effect.delay(Fiber.interrupt(consumer), goesAfterMs))
      const beganMs = yield* now
      yield* Scope.close(scope, Exit.void)
      const tookMs = Math.round((yield* now) - beganMs)
      const again: Array<string> = []
      const other = yield* (yield* opened).stream(noteContract())
      const rest = yield* other.handle("g", ({ text }) => Effect.sync(() => void again.push(text)))
      yield* rest.caughtUp
      // Keys are handled side by side.
      return { told, tookMs, again: again.toSorted() }
    })
    const quiet = Effect.provideService(References.MinimumLogLevel, "None")
    const { exit } = simulate(1, program.pipe(Effect.scoped, quiet))
    if (Exit.isFailure(exit)) throw new Error(String(exit.cause))
    return exit.value
  }

  it("waits until he has ended it, and gives him no more", () => {
    const { told, tookMs, again } = closed({ workMs: 2000 })
    expect({ told, again }).toEqual({ told: ["1"], again: ["2", "3", "4"] })
    expect(tookMs).toBeGreaterThanOrEqual(1500)
    expect(tookMs).toBeLessThan(1600)
  })

  it("tells him to end it when the drain time is over, and waits five seconds more", () => {
    const { told, tookMs, again } = closed({ workMs: 12_000 })
    expect({ told, again }).toEqual({ told: ["1 too late"], again: ["2", "3", "4"] })
    expect(tookMs).toBeGreaterThanOrEqual(11_500)
    expect(tookMs).toBeLessThan(11_600)
    expect(closed({ workMs: 30_000 }).tookMs).toBe(15_000)
  })

  it("waits for the handler of a tombstone too", () => {
    const program = Effect.gen(function* () {
      const scope = yield* Scope.make()
      const leat = yield* Scope.provide(Leat.make({ source: "test" }), scope)
      const notes = yield* leat.stream(noteContract({ compacted: true }))
      notes.offerTombstone("k")
      let isHandled = false
      const onTombstone = () =>
        Effect.delay(
          Effect.sync(() => void (isHandled = true)),
          2000
        )
      yield* Effect.forkScoped(Stream.runDrain(notes.subscribe("g", { onTombstone })))
      yield* Effect.sleep(500)
      yield* Scope.close(scope, Exit.void)
      return isHandled
    })
    expect(simulate(1, program.pipe(Effect.scoped)).exit).toEqual(Exit.succeed(true))
  })

  it("does not wait for him once he has gone", () => {
    const { told, tookMs, again } = closed({ workMs: 5000, goesAfterMs: 1000 })
    expect({ told, again }).toEqual({ told: [], again: ["1", "2", "3", "4"] })
    expect(tookMs).toBeLessThan(1100)
  })
})

describe("a pull of a consumer that is interrupted", () => {
  /** Takes one event after the other, and gives up many times after a few steps; says how many it was given within an hour. */
  function given(seed: number) {
    const count = 10
    const program = Effect.gen(function* () {
      const leat = yield* Leat.make({ source: "test", drivers: [memoryDriver(new MemoryBroker({ partitions: 1 }))] })
      const notes = yield* leat.stream(noteContract())
      const pull = yield* Stream.toPull(notes.subscribe("g"))
      const texts: Array<string> = []
      const take = Effect.gen(function* () {
        for (const { event, done } of yield* pull) {
          texts.push(event.text)
          yield* done
        }
      })
      notes.offer({ key: "k", text: "first" })
      yield* take
      for (let index = 1; index < count; index++) {
        notes.offer({ key: "k", text: `${index}` })
        for (let tries = 0; tries < 20 && texts.length <= index; tries++) {
          const pulling = yield* Effect.forkChild(pull)
          for (let step = 0; step < (seed + tries) % 12; step++) yield* Effect.yieldNow
          yield* Fiber.interrupt(pulling)
          const exit = yield* Fiber.await(pulling)
          if (Exit.isFailure(exit)) continue
          for (const { event, done } of exit.value) {
            texts.push(event.text)
            yield* done
          }
        }
        if (texts.length <= index) yield* Effect.timeoutOption(take, "1 hour")
      }
      return texts.length
    })
    const quiet = Effect.provideService(References.MinimumLogLevel, "None")
    const { exit } = simulate(seed, program.pipe(Effect.scoped, quiet), { racing: 0.2 })
    if (Exit.isFailure(exit)) throw new Error(String(exit.cause))
    return exit.value
  }

  it("leaves what it took for the next one", () => {
    for (let seed = 1; seed <= 100; seed++) expect([seed, given(seed)]).toEqual([seed, 10])
  })
})
