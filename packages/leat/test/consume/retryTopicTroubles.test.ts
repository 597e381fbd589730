/** Retry topics where something else happens: topics that cannot be written, settings that change, members that come, go and die, wrong clocks. */
import { expect, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber, Logger, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Leat, MemoryBroker, memoryDriver } from "leat"
import { faultDriver } from "leat/testing"
import { TransportError } from "leat/transport"
import { describe } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { effectsIn, opened as openedDatabase, write } from "./inboxes.ts"
import { failure, lettersIn, minute, recordsIn, RetryCalls, twice } from "./RetryCalls.ts"
import { bent, open, routes, withLanes } from "./support.ts"

const tier1 = "notes.g.retry.1"
/** Moved after one attempt. */
const once = [{ on: ["Bug"], retry: { times: 0, baseMs: 10 }, then: "deadLetter" as const }]

describe("what cannot be moved", () => {
  it.effect("for a reason that passes waits, with its key, until it can be", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      let isDown = true
      const driver = faultDriver(memoryDriver(broker), {
        send: ({ topic }) => (topic === tier1 && isDown ? { kind: "fail", reason: "Unavailable" } : undefined)
      })
      const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
      const notes = yield* leat.stream(noteContract())
      const calls = new RetryCalls()
      calls.fails = ({ text }) => (text === "bad" ? "Bug" : undefined)
      const subscription = yield* notes.handle("g", calls.handler, {
        policy: once,
        retryTopics: { delaysMs: [minute] }
      })
      notes.offer({ key: "a", text: "bad" })
      notes.offer({ key: "a", text: "next" })
      notes.offer({ key: "b", text: "other" })
      yield* TestClock.adjust("2 minutes")
      expect(calls.take()).toEqual(["abad#1@0", "bother#1@0"])
      expect(subscription.halted()).toEqual([])
      expect(yield* subscription.lag).toBe(3n)
      expect(leat.ledger.snapshot().lanes[0]).toMatchObject({ moved: {}, inFlight: 1, unread: 1, balanced: true })
      isDown = false
      yield* TestClock.adjust("20 seconds")
      expect(calls.seen[0]?.startsWith("anext#1@")).toBe(true)
      expect(yield* subscription.lag).toBe(0n)
      // The time begins when it is moved, and not when it failed.
      const [letter] = yield* lettersIn(broker, tier1)
      expect(letter?.dueMs).toBe((letter?.atMs ?? 0) + minute)
      calls.fails = () => undefined
      yield* TestClock.adjust("1 minute")
      expect(calls.seen.at(-1)?.startsWith("abad#2@")).toBe(true)
    })
  )

  it.effect("for good halts its key, and is tried again by `resume`", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      let isRefused = true
      const detail = "not yours"
      const refusal = new TransportError({ reason: "Unauthorized", transport: "memory", operation: "open", detail })
      const driver = bent(
        (transport) => ({
          ...transport,
          openWriter: (topic) => (topic === tier1 && isRefused ? Effect.fail(refusal) : transport.openWriter(topic))
        }),
        broker
      )
      const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
      const notes = yield* leat.stream(noteContract())
      const calls = new RetryCalls()
      const subscription = yield* notes.handle("g", calls.handler, {
        policy: once,
        retryTopics: { delaysMs: [minute] }
      })
      notes.offer({ key: "bad", text: "1" })
      notes.offer({ key: "good", text: "2" })
      yield* TestClock.adjust("10 seconds")
      expect(subscription.halted()).toEqual([
        {
          scope: "key",
          topic: "notes",
          partition: 0,
          position: 0n,
          tag: "Bug",
          attempts: 1,
          detail: "planted Bug; it cannot be moved to a retry topic: memory open: Unauthorized: not yours"
        }
      ])
      expect(leat.ledger.snapshot().lanes).toMatchObject([{ done: 1, moved: {}, parked: 1, balanced: true }])
      isRefused = false
      yield* subscription.resume
      for (let second = 0; second < 10; second++) yield* TestClock.adjust("1 second")
      expect(subscription.halted()).toEqual([])
      expect(leat.ledger.snapshot().lanes[0]).toMatchObject({ done: 1, moved: { Bug: 1 }, balanced: true })
    })
  )
})

describe("a record that is too large for a retry topic", () => {
  const story = Effect.fnUntraced(function* (
    ending: "drop" | "deadLetter" | "halt",
    reason: "TooLarge" | "Rejected" = "TooLarge"
  ) {
    const broker = new MemoryBroker({ partitions: 1 })
    const driver = faultDriver(memoryDriver(broker), {
      send: ({ topic }) => (topic === tier1 ? { kind: "fail", reason } : undefined)
    })
    const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
    const notes = yield* leat.stream(noteContract())
    const calls = new RetryCalls()
    const policy = [{ on: ["Bug"], retry: { times: 1, baseMs: 10, jitter: 0 }, then: ending }]
    const subscription = yield* notes.handle("g", calls.handler, { policy, retryTopics: { delaysMs: [minute] } })
    for (const key of ["bad", "bad", "good"]) notes.offer({ key, text: "" })
    yield* TestClock.adjust("10 seconds")
    return {
      subscription,
      row: leat.ledger.snapshot().lanes[0],
      letters: yield* lettersIn(broker, "notes.g.dlq"),
      calls
    }
  })

  it.effect("is dropped where its rule drops, and its key goes on", () =>
    Effect.gen(function* () {
      const { subscription, row, calls } = yield* story("drop")
      expect(subscription.halted()).toEqual([])
      expect(row).toMatchObject({ done: 1, moved: {}, dropped: { Bug: 2 }, parked: 0, balanced: true })
      // No attempt comes of it.
      expect(calls.seen.filter((call) => call.startsWith("bad"))).toHaveLength(4)
    })
  )

  it.effect("is dead-lettered where its rule dead-letters", () =>
    Effect.gen(function* () {
      const { subscription, row, letters } = yield* story("deadLetter")
      expect(subscription.halted()).toEqual([])
      expect(row).toMatchObject({ done: 1, moved: {}, deadLettered: { Bug: 2 }, balanced: true })
      // It never was in a retry topic.
      expect(letters).toMatchObject([
        { tag: "Bug", attempts: 2 },
        { tag: "Bug", attempts: 2 }
      ])
      expect(letters[0]?.moves).toBeUndefined()
    })
  )

  it.effect("is told from one that is refused for another reason, which somebody may mend: that halts its key", () =>
    Effect.gen(function* () {
      const { subscription, row } = yield* story("drop", "Rejected")
      expect(subscription.halted()).toMatchObject([{ scope: "key", tag: "Bug", position: 0n }])
      expect(row).toMatchObject({ done: 1, dropped: {}, parked: 1, balanced: true })
    })
  )

  it.effect("halts the lane where its rule halts", () =>
    Effect.gen(function* () {
      const { subscription } = yield* story("halt")
      expect(subscription.halted()).toMatchObject([{ scope: "lane", tag: "Bug", position: 0n, attempts: 2 }])
      expect(subscription.halted()[0]?.detail).toContain("TooLarge")
    })
  )
})

describe("a record that a driver cannot give a second time", () => {
  it.effect("halts the lane when it is to be moved, instead of keeping its key waiting in silence", () =>
    Effect.gen(function* () {
      let isBroken = true
      const calls = new RetryCalls()
      const driver = withLanes((lane) => ({
        ...lane,
        batches: Stream.map(lane.batches, ({ records, next }) => ({
          next,
          records: records.map((record) =>
            Object.defineProperty({ ...record }, "headers", {
              get: () => {
                if (isBroken && calls.seen.length > 0) throw new Error("planted: gone")
                return record.headers
              }
            })
          )
        }))
      }))
      const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
      const notes = yield* leat.stream(noteContract())
      const subscription = yield* notes.handle("g", calls.handler, {
        policy: once,
        retryTopics: { delaysMs: [minute] }
      })
      notes.offer({ key: "bad", text: "1" })
      yield* TestClock.adjust("10 seconds")
      expect(subscription.halted()).toMatchObject([{ tag: "Defect", topic: "notes" }])
      isBroken = false
      yield* subscription.resume
      for (let second = 0; second < 20; second++) yield* TestClock.adjust("1 second")
      expect(subscription.halted()).toEqual([])
      expect(leat.ledger.snapshot().lanes).toContainEqual(expect.objectContaining({ moved: { Bug: 1 } }))
    })
  )
})

describe("a setting that changes", () => {
  const document = (delays: ReadonlyArray<string> | undefined, version: number) =>
    routes(
      { policy: "p", ...(delays === undefined ? {} : { retryTopics: { delays } }) },
      { p: [{ on: ["Bug"], retry: { times: 0, base: "10 millis" }, then: "deadLetter" }] },
      version
    )

  it.effect(
    "holds for what is moved from then on; what stands in a topic that is no longer listed is handled, and ends there",
    () =>
      Effect.gen(function* () {
        const broker = new MemoryBroker({ partitions: 1 })
        const leat = yield* open(document(["1 minute", "10 minutes", "1 hour"], 1), broker)
        const notes = yield* leat.stream(noteContract())
        const calls = new RetryCalls()
        yield* notes.handle("g", calls.handler)
        notes.offer({ key: "bad", text: "1" })
        yield* TestClock.adjust("2 minutes")
        expect(calls.take()).toEqual(["bad1#1@0", "bad1#2@60"])
        yield* leat.swapRoutes(document(["2 minutes"], 2))
        notes.offer({ key: "bad", text: "2" })
        yield* TestClock.adjust("5 minutes")
        expect(calls.take()).toEqual(["bad2#1@120", "bad2#2@240"])
        yield* TestClock.adjust("5 minutes")
        // From the second topic, where it waited its ten minutes, and not on to the third.
        expect(calls.take()).toEqual(["bad1#3@660"])
        expect(broker.find("notes.g.retry.3")).toBeUndefined()
        expect(yield* lettersIn(broker, "notes.g.dlq")).toMatchObject([
          { position: 1n, attempts: 2, moves: 1 },
          { position: 0n, attempts: 3, moves: 2 }
        ])
        yield* leat.swapRoutes(document(undefined, 3))
        notes.offer({ key: "bad", text: "3" })
        yield* TestClock.adjust("1 minute")
        expect(calls.take()).toEqual(["bad3#1@720"])
        expect(yield* lettersIn(broker, "notes.g.dlq")).toMatchObject([
          expect.anything(),
          expect.anything(),
          { position: 2n, attempts: 1 }
        ])
      })
  )

  it.effect(
    "leaves nothing behind: a subscription without retry topics reads those that there are, behind gaps too",
    () =>
      Effect.gen(function* () {
        const broker = new MemoryBroker({ partitions: 1 })
        const calls = new RetryCalls()
        const scope = yield* Scope.make()
        yield* Effect.gen(function* () {
          const leat = yield* open(document(["1 minute", "10 minutes", "1 hour"], 1), broker)
          const notes = yield* leat.stream(noteContract())
          yield* notes.handle("g", calls.handler)
          notes.offer({ key: "bad", text: "1" })
          yield* TestClock.adjust("2 minutes")
          notes.offer({ key: "bad", text: "2" })
          yield* TestClock.adjust("10 minutes")
        }).pipe(Scope.provide(scope))
        yield* Scope.close(scope, Exit.void)
        expect(calls.take()).toEqual(["bad1#1@0", "bad1#2@60", "bad2#1@120", "bad2#2@180", "bad1#3@660"])
        // Somebody has deleted the first one.
        const driver = bent(
          (transport) => ({
            ...transport,
            bounds: (topic, group) =>
              topic === tier1
                ? Effect.fail(
                    new TransportError({
                      reason: "UnknownTopic",
                      transport: "memory",
                      operation: "bounds",
                      detail: topic
                    })
                  )
                : transport.bounds(topic, group)
          }),
          broker
        )
        const leat = yield* Leat.make({ source: "test", routes: document(undefined, 1), drivers: [driver] })
        const notes = yield* leat.stream(noteContract())
        yield* notes.handle("g", calls.handler)
        yield* TestClock.adjust("2 hours")
        expect(calls.take()).toEqual(["bad2#3@780", "bad1#4@4260"])
        expect(yield* lettersIn(broker, "notes.g.dlq")).toMatchObject([{ position: 1n }, { position: 0n, attempts: 4 }])
      })
  )
})

describe("a setting that is swapped", () => {
  it.effect("is taken over by what waits already: an hour that became a minute is over", () =>
    Effect.gen(function* () {
      const policies = { p: [{ on: ["Bug"], retry: { times: 0, base: "10 millis" }, then: "deadLetter" }] }
      const document = (delay: string, version: number) =>
        routes({ policy: "p", retryTopics: { delays: [delay] } }, policies, version)
      const leat = yield* open(document("1 hour", 1))
      const notes = yield* leat.stream(noteContract())
      const calls = new RetryCalls()
      yield* notes.handle("g", calls.handler)
      notes.offer({ key: "bad", text: "1" })
      yield* TestClock.adjust("30 seconds")
      yield* leat.swapRoutes(document("1 minute", 2))
      yield* TestClock.adjust("20 seconds")
      expect(calls.take()).toEqual(["bad1#1@0"])
      calls.fails = () => undefined
      yield* TestClock.adjust("20 seconds")
      expect(calls.take()).toEqual(["bad1#2@60"])
    })
  )
})

describe("an outage", () => {
  it.effect("is waited out in the lane, and in the retry topics: they do not take over the topic", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const leat = yield* open(routes(), broker)
      const notes = yield* leat.stream(noteContract())
      const calls = new RetryCalls()
      let isDown = true
      calls.fails = () => (isDown ? "Bug" : undefined)
      yield* notes.handle("g", calls.handler, { policy: once, retryTopics: { delaysMs: [minute] } })
      for (let index = 0; index < 120; index++) notes.offer({ key: `k${index}`, text: "" })
      yield* TestClock.adjust("9 minutes")
      const moved = (yield* recordsIn(broker, tier1)).length
      expect(moved).toBeGreaterThan(0)
      expect(moved).toBeLessThanOrEqual(30)
      expect(yield* recordsIn(broker, "notes.g.dlq")).toEqual([])
      isDown = false
      yield* TestClock.adjust("2 minutes")
      const { lanes, balanced } = leat.ledger.snapshot()
      expect(balanced).toBe(true)
      expect(lanes.map(({ done, parked }) => [done, parked])).toEqual([
        [120 - moved, 0],
        [moved, 0]
      ])
    })
  )

  it.effect("of a stream in which little happens is waited out too, in the lane and in the retry topics", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const leat = yield* open(routes(), broker)
      const notes = yield* leat.stream(noteContract())
      const calls = new RetryCalls()
      let isDown = true
      calls.fails = () => (isDown ? "Bug" : undefined)
      const retryTopics = { delaysMs: [minute, 10 * minute, 60 * minute] }
      yield* notes.handle("g", calls.handler, { policy: once, retryTopics })
      // One in five minutes, for twelve hours.
      for (let index = 0; index < 144; index++) {
        notes.offer({ key: `k${index}`, text: "" })
        for (let times = 0; times < 5; times++) yield* TestClock.adjust("1 minute")
      }
      const letters = (yield* recordsIn(broker, "notes.g.dlq")).length
      expect(letters).toBeLessThanOrEqual(20 + 12)
      isDown = false
      for (let times = 0; times < 80; times++) yield* TestClock.adjust("1 minute")
      expect((yield* recordsIn(broker, "notes.g.dlq")).length).toBe(letters)
      const { lanes, balanced } = leat.ledger.snapshot()
      expect(balanced).toBe(true)
      expect(lanes.reduce((sum, { done }) => sum + done, 0)).toBe(144 - letters)
    })
  )

  it.effect("is none where only a retry topic fails: what fails there goes on", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const leat = yield* open(routes(), broker)
      const notes = yield* leat.stream(noteContract())
      const calls = new RetryCalls()
      yield* notes.handle("g", calls.handler, { policy: once, retryTopics: { delaysMs: [minute] } })
      for (let index = 0; index < 40; index++) {
        notes.offer({ key: `bad${index}`, text: "" })
        for (const one of [0, 1, 2]) notes.offer({ key: `good${one}`, text: "" })
      }
      yield* TestClock.adjust("20 minutes")
      // Nothing else is handled meanwhile: all that ended lately has failed, for the second time.
      expect(yield* recordsIn(broker, "notes.g.dlq")).toHaveLength(40)
    })
  )
})

describe("members of a group", () => {
  it.effect("share the retry topics; one that stops does not wait for what is not due, and the other has it", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 2 })
      const document = { ...routes(), clusters: { local: { transport: "memory", partitions: 2 } } }
      const member = Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test", routes: document, drivers: [memoryDriver(broker)] })
        const notes = yield* leat.stream(noteContract())
        const calls = new RetryCalls()
        const options = { policy: once, retryTopics: { delaysMs: [10 * minute] } }
        return { leat, notes, calls, subscription: yield* notes.handle("g", calls.handler, options) }
      })
      const [first, other] = [yield* member, yield* member]
      yield* TestClock.adjust("1 minute")
      // Most are handled: it is no outage.
      for (let index = 0; index < 120; index++)
        first.notes.offer({ key: `${index % 3 === 0 ? "bad" : "good"}${index}`, text: "" })
      yield* TestClock.adjust("1 minute")
      const both = () => [...first.calls.take(), ...other.calls.take()]
      expect(first.calls.seen.length * other.calls.seen.length).toBeGreaterThan(0)
      expect(both()).toHaveLength(120)
      yield* TestClock.adjust("2 minutes")
      const began = yield* Clock.currentTimeMillis
      yield* Effect.forkChild(first.subscription.stop)
      yield* TestClock.adjust("1 second")
      yield* first.subscription.ended
      expect((yield* Clock.currentTimeMillis) - began).toBe(1000)
      other.calls.fails = () => undefined
      yield* TestClock.adjust("20 minutes")
      expect(first.calls.take()).toEqual([])
      const keys = other.calls.take().map((one) => one.replace(/#2@66\d$/, ""))
      expect(keys.toSorted()).toEqual(Array.from({ length: 40 }, (_, index) => `bad${index * 3}`).toSorted())
    })
  )

  it.effect("that die between the move and its settle move twice: it is handled twice, and never not at all", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      let isLost = true
      const driver = bent(
        (transport) => ({
          ...transport,
          subscribe: (asked) =>
            Stream.map(transport.subscribe(asked), (lane) =>
              isLost && asked.topic === "notes" ? { ...lane, settle: () => Effect.never } : lane
            )
        }),
        broker
      )
      const calls = new RetryCalls()
      const scope = yield* Scope.make()
      const member = Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
        const notes = yield* leat.stream(noteContract())
        // Copies are told by their ids in the stream; what was moved is none of them.
        const options = { policy: once, retryTopics: { delaysMs: [minute] }, dedupe: { records: 100 } }
        yield* notes.handle("g", calls.handler, options)
        return notes
      })
      const notes = yield* Scope.provide(member, scope)
      notes.offer({ key: "bad", text: "1" })
      yield* TestClock.adjust("10 seconds")
      expect(yield* recordsIn(broker, tier1)).toHaveLength(1)
      yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("20 seconds")
      isLost = false
      yield* member
      yield* TestClock.adjust("10 seconds")
      calls.fails = () => undefined
      yield* TestClock.adjust("5 minutes")
      expect(calls.take().map((one) => one.replace(/@.*/, ""))).toEqual(["bad1#1", "bad1#1", "bad1#2", "bad1#2"])
      expect(yield* lettersIn(broker, tier1)).toMatchObject([{ position: 0n }, { position: 0n }])
    })
  )
})

describe("a retry topic that is new", () => {
  it.effect("is read at once by who has made it", () =>
    Effect.gen(function* () {
      const leat = yield* open(routes())
      const notes = yield* leat.stream(noteContract())
      const calls = new RetryCalls()
      yield* notes.handle("g", calls.handler, { policy: once, retryTopics: { delaysMs: [2000, 5000] } })
      // Not when it is looked for in any case, every half minute.
      yield* TestClock.adjust("34 seconds")
      notes.offer({ key: "bad", text: "1" })
      for (let second = 0; second < 10; second++) yield* TestClock.adjust("1 second")
      expect(calls.take()).toEqual(["bad1#1@34", "bad1#2@36", "bad1#3@41"])
    })
  )

  it.effect("is written by a writer that is closed with the subscription", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const driver = bent((transport) => ({
        ...transport,
        openWriter: (topic) =>
          Effect.tap(transport.openWriter(topic), () =>
            Effect.addFinalizer(() => Effect.sync(() => void log.push(topic)))
          )
      }))
      const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
      const notes = yield* leat.stream(noteContract())
      const calls = new RetryCalls()
      const subscription = yield* notes.handle("g", calls.handler, {
        policy: once,
        retryTopics: { delaysMs: [minute] }
      })
      notes.offer({ key: "bad", text: "1" })
      yield* TestClock.adjust("90 seconds")
      expect([calls.take().length, log]).toEqual([2, []])
      const stopping = yield* Effect.forkChild(subscription.stop)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(stopping)
      expect(log.toSorted()).toEqual(["notes.g.dlq", tier1])
    })
  )

  it.effect(
    "is not asked whether its records end processes: those that are killed while it waits did not die of them",
    () =>
      Effect.gen(function* () {
        const driver = bent((transport) => ({
          ...transport,
          subscribe: (asked) =>
            Stream.map(transport.subscribe(asked), (lane) => (asked.topic === tier1 ? { ...lane, abandoned: 9 } : lane))
        }))
        const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
        const notes = yield* leat.stream(noteContract())
        const calls = new RetryCalls()
        yield* notes.handle("g", calls.handler, { policy: once, retryTopics: { delaysMs: [minute] } })
        notes.offer({ key: "bad", text: "1" })
        yield* TestClock.adjust("30 seconds")
        calls.fails = () => undefined
        yield* TestClock.adjust("1 minute")
        expect(calls.take()).toEqual(["bad1#1@0", "bad1#2@60"])
      })
  )
})

describe("beside an inbox and dedupe", () => {
  it.effect("the effect of a moved event is there once, and a copy in the stream is none of it", () =>
    Effect.gen(function* () {
      const { sql, inbox } = yield* openedDatabase()
      const broker = new MemoryBroker({ partitions: 1 })
      const leat = yield* open(routes(), broker)
      const notes = yield* leat.stream(noteContract())
      let isBroken = true
      yield* notes.handle(
        "g",
        ({ text }) => Effect.andThen(write(sql, text), isBroken ? Effect.fail(failure("Bug")) : Effect.void),
        { policy: twice, retryTopics: { delaysMs: [minute] }, inbox, dedupe: { records: 100 } }
      )
      notes.offer({ key: "a", text: "1" })
      yield* TestClock.adjust("10 seconds")
      expect(yield* effectsIn(sql)).toEqual([])
      isBroken = false
      yield* TestClock.adjust("1 minute")
      expect(yield* effectsIn(sql)).toEqual(["1"])
      expect(leat.ledger.snapshot().lanes).toMatchObject([
        { moved: { Bug: 1 }, balanced: true },
        { done: 1, duplicate: 0, balanced: true }
      ])
    })
  )
})

describe("a wall clock that jumps", () => {
  it.effect.each([
    ["back by a year while a record waits", -365 * 86_400_000, 60],
    ["ahead by a year while a record waits", 365 * 86_400_000, 60]
  ] as const)("%s moves nothing: the rest of the wait is measured by the monotonic one", ([, jumpMs, atSecond]) =>
    Effect.gen(function* () {
      const real = yield* Clock.Clock
      let offMs = 0
      const clock: Clock.Clock = {
        currentTimeMillisUnsafe: () => real.currentTimeMillisUnsafe() + offMs,
        currentTimeMillis: Effect.sync(() => real.currentTimeMillisUnsafe() + offMs),
        currentTimeNanosUnsafe: () => real.currentTimeNanosUnsafe() + BigInt(offMs) * 1_000_000n,
        currentTimeNanos: Effect.sync(() => real.currentTimeNanosUnsafe() + BigInt(offMs) * 1_000_000n),
        monotonicTimeNanosUnsafe: () => real.monotonicTimeNanosUnsafe(),
        monotonicTimeNanos: real.monotonicTimeNanos,
        sleep: (duration) => real.sleep(duration)
      }
      const seen: Array<number> = []
      const notes = yield* Effect.gen(function* () {
        const leat = yield* open(routes())
        const stream = yield* leat.stream(noteContract())
        const handler = (_: unknown, { attempt }: { readonly attempt: number }) =>
          Effect.andThen(
            Effect.sync(() => void seen.push(Number(real.monotonicTimeNanosUnsafe() / 1_000_000_000n))),
            attempt === 1 ? Effect.fail(failure("Bug")) : Effect.void
          )
        yield* stream.handle("g", handler, { policy: once, retryTopics: { delaysMs: [minute] } })
        return stream
      }).pipe(Effect.provideService(Clock.Clock, clock))
      notes.offer({ key: "a", text: "1" })
      yield* TestClock.adjust("30 seconds")
      offMs = jumpMs
      yield* TestClock.adjust("10 minutes")
      expect(seen).toEqual([0, atSecond])
    })
  )
})

describe("a retry topic", () => {
  const unable = (reason: "Unavailable" | "Unauthenticated", operation: string) =>
    new TransportError({ reason, transport: "memory", operation, detail: "planted" })

  it.effect("is a delay in parts of a millisecond too", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const leat = yield* open(routes(), broker)
      const notes = yield* leat.stream(noteContract())
      const calls = new RetryCalls()
      const delaysMs = [minute + 1 / 3, 2 * minute + 0.1]
      yield* notes.handle("g", calls.handler, { policy: once, retryTopics: { delaysMs } })
      notes.offer({ key: "bad", text: "1" })
      for (let seconds = 0; seconds < 300; seconds++) yield* TestClock.adjust("1 second")
      expect(calls.take().map((call) => call.replace(/@6\d$/, "@6x").replace(/@18\d$/, "@18x"))).toEqual([
        "bad1#1@0",
        "bad1#2@6x",
        "bad1#3@18x"
      ])
      expect(yield* lettersIn(broker, "notes.g.dlq")).toMatchObject([{ topic: "notes", attempts: 3, moves: 2 }])
    })
  )

  it.effect("is read again after its reading ended: after a pause, and by `resume`", () =>
    Effect.gen(function* () {
      let refusals = 0
      const driver = bent((transport) => ({
        ...transport,
        subscribe: (asked) =>
          asked.topic === tier1 && refusals-- > 0
            ? Stream.fail(unable("Unauthenticated", "subscribe"))
            : transport.subscribe(asked)
      }))
      const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
      const notes = yield* leat.stream(noteContract())
      const calls = new RetryCalls()
      calls.fails = (_, { attempt }) => (attempt === 1 ? "Bug" : undefined)
      const subscription = yield* notes.handle("g", calls.handler, {
        policy: once,
        retryTopics: { delaysMs: [minute] }
      })
      refusals = 1
      notes.offer({ key: "a", text: "1" })
      yield* TestClock.adjust("2 minutes")
      expect(calls.take()).toEqual(["a1#1@0", expect.stringMatching(/^a1#2@/)])
      // A longer pause each time, which nobody has to wait for.
      refusals = 3
      yield* subscription.stop
      const again = yield* notes.handle("g", calls.handler, { policy: once, retryTopics: { delaysMs: [minute] } })
      notes.offer({ key: "a", text: "2" })
      yield* TestClock.adjust("62 seconds")
      expect(calls.take()).toEqual([expect.stringMatching(/^a2#1@/)])
      yield* again.resume
      yield* TestClock.adjust("2 seconds")
      yield* again.resume
      yield* TestClock.adjust("2 seconds")
      expect(calls.take()).toEqual([expect.stringMatching(/^a2#2@/)])
    })
  )

  it.effect("is asked about no more while the driver has not answered, and that holds up no end", () =>
    Effect.gen(function* () {
      let asked = 0
      const driver = bent((transport) => ({
        ...transport,
        bounds: (topic, group) => {
          if (topic === "notes") return transport.bounds(topic, group)
          asked++
          return Effect.uninterruptible(Effect.never)
        }
      }))
      const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
      const notes = yield* leat.stream(noteContract())
      const calls = new RetryCalls()
      const subscription = yield* notes.handle("g", calls.handler, {
        policy: once,
        retryTopics: { delaysMs: [minute] }
      })
      notes.offer({ key: "good", text: "1" })
      yield* TestClock.adjust("2 minutes")
      expect(calls.take()).toHaveLength(1)
      // It is given up, and the next topic is asked about.
      expect(asked).toBeGreaterThan(2)
      for (let minutes = 0; minutes < 20; minutes++) yield* TestClock.adjust("1 minute")
      // The topic of replays, and eight tiers: of each question three that have not ended, and one more after each pause, which doubles.
      expect(asked).toBeLessThanOrEqual(9 * (3 + 4))
      const stopping = yield* Effect.forkChild(subscription.stop)
      yield* TestClock.adjust("1 second")
      expect(stopping.pollUnsafe()).toEqual(Exit.void)
    })
  )

  it.effect("is looked behind where nobody says whether it is there, which is told once", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const settings = { policy: once, retryTopics: { delaysMs: [minute, 10 * minute] } }
      const first = yield* Scope.make()
      const calls = new RetryCalls()
      const before = yield* Scope.provide(open(routes(), broker), first)
      const earlier = yield* before.stream(noteContract())
      yield* Scope.provide(earlier.handle("g", calls.handler, settings), first)
      earlier.offer({ key: "bad", text: "1" })
      yield* TestClock.adjust("2 minutes")
      yield* Effect.forkChild(Scope.close(first, Exit.void))
      yield* TestClock.adjust("1 second")
      calls.take()
      // One stands in the second tier. At the start nothing can be asked, and then the first tier still cannot.
      let isAway = true
      const driver = bent(
        (transport) => ({
          ...transport,
          bounds: (topic, group) =>
            topic === tier1 || (isAway && topic !== "notes")
              ? Effect.fail(unable("Unavailable", "bounds"))
              : transport.bounds(topic, group)
        }),
        broker
      )
      const told: Array<string> = []
      const logger = Logger.make(({ message }) => void told.push(String(message)))
      yield* Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
        const notes = yield* leat.stream(noteContract())
        calls.fails = () => undefined
        yield* notes.handle("g", calls.handler, settings)
        yield* TestClock.adjust("1 minute")
        isAway = false
        for (let minutes = 0; minutes < 20; minutes++) yield* TestClock.adjust("1 minute")
      }).pipe(Effect.provide(Logger.layer([logger])))
      expect(calls.take()).toEqual([expect.stringMatching(/^bad1#3@/)])
      const unseen = told.filter((line) => line.includes("cannot see which of its own topics are there"))
      expect(unseen).toEqual([expect.stringContaining("the group g of test.notes cannot see which")])
    })
  )

  it.effect("is not asked about for each record that is moved there, while nobody says whether it is there", () =>
    Effect.gen(function* () {
      let looked = 0
      const driver = bent((transport) => ({
        ...transport,
        bounds: (topic, group) => {
          if (topic !== tier1) return transport.bounds(topic, group)
          looked++
          return Effect.fail(unable("Unavailable", "bounds"))
        }
      }))
      const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
      const notes = yield* leat.stream(noteContract())
      const calls = new RetryCalls()
      yield* notes.handle("g", calls.handler, { policy: once, retryTopics: { delaysMs: [minute] } })
      for (let index = 0; index < 50; index++) {
        // Were all bad, that would be an outage.
        for (const key of ["good", `bad${index}`, "good"]) notes.offer({ key, text: "" })
        yield* TestClock.adjust("1 second")
      }
      expect(leat.ledger.snapshot().lanes[0]).toMatchObject({ moved: { Bug: 50 }, balanced: true })
      // At the beginning, when the first is moved, and after each half minute.
      expect(looked).toBeLessThanOrEqual(4)
    })
  )
})
