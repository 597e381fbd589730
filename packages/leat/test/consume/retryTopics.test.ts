import { expect, it } from "@effect/vitest"
import { Clock, Duration, Effect, Fiber, Metric, Stream } from "effect"
import { TestClock } from "effect/testing"
import { DeadLetters, Leat, MemoryBroker, memoryDriver, memoryTransport, PartlyFailed, RouteError } from "leat"
import { readDeadLetter } from "leat/transport"
import { describe } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { failure, lettersIn, minute, recordsIn, RetryCalls, twice } from "./RetryCalls.ts"
import { bent, open, routes } from "./support.ts"

const text = (bytes: Uint8Array | null) => new TextDecoder().decode(bytes ?? new Uint8Array())

const opened = Effect.gen(function* () {
  const broker = new MemoryBroker({ partitions: 1 })
  const leat = yield* open(routes(), broker)
  return { broker, leat, notes: yield* leat.stream(noteContract()), calls: new RetryCalls() }
})

describe("what waits in retry topics", () => {
  it.effect("is counted by tier, for as long as the group is read, and not for each record that is moved", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      let asked = 0
      let looked = 0
      const driver = bent(
        (transport) => ({
          ...transport,
          bounds: (topic, group) => {
            if (topic.includes(".retry.") && group === "g") asked++
            if (group === undefined) looked++
            return transport.bounds(topic, group)
          }
        }),
        broker
      )
      const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
      const notes = yield* leat.stream(noteContract())
      const calls = new RetryCalls()
      const retryTopics = { delaysMs: [5 * minute, 60 * minute] }
      const subscription = yield* notes.handle("g", calls.handler, { policy: twice, retryTopics })
      const waiting = Effect.map(Metric.snapshot, (metrics) =>
        metrics
          .filter(({ id }) => id === "leat.group.waiting")
          .map(({ attributes, state }) => [attributes, "value" in state ? Number(state.value) : undefined])
      )
      const labels = { "leat.stream": "test.notes", "messaging.consumer.group.name": "g" }
      expect(yield* waiting).toEqual([])
      for (let index = 0; index < 20; index++) {
        // Were all bad, that would be an outage.
        for (const key of ["good", `bad${index}`, "good"]) notes.offer({ key, text: "" })
        yield* TestClock.adjust("1 second")
      }
      // All of its own topics at the beginning; then, when the first one is moved, and after 30 seconds perhaps, replays and two tiers.
      expect(looked).toBeLessThanOrEqual(9 + 3 + 3)
      yield* TestClock.adjust("40 seconds")
      expect(yield* waiting).toEqual([[{ ...labels, "leat.tier": "1" }, 20]])
      expect(asked).toBeLessThanOrEqual(3)
      for (let times = 0; times < 12; times++) yield* TestClock.adjust("30 seconds")
      expect(yield* waiting).toEqual([
        [{ ...labels, "leat.tier": "1" }, 0],
        [{ ...labels, "leat.tier": "2" }, 20]
      ])
      const stopping = yield* Effect.forkChild(subscription.stop)
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(stopping)
      expect(yield* waiting).toEqual([])
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))
  )
})

describe("an event that fails", () => {
  it.effect("waits in one retry topic after the other, and is dead-lettered from where it was published", () =>
    Effect.gen(function* () {
      const { broker, leat, notes, calls } = yield* opened
      const retryTopics = { delaysMs: [minute, 10 * minute] }
      const subscription = yield* notes.handle("g", calls.handler, { policy: twice, retryTopics })
      notes.offer({ key: "good", text: "1" })
      notes.offer({ key: "bad", text: "2" }, { headers: [["x", Uint8Array.of(7)]] })
      notes.offer({ key: "bad", text: "3" })
      yield* TestClock.adjust("30 seconds")
      // Each twice: the retry of its rule, and then it makes room for the next one of its key.
      expect(calls.take()).toEqual(["good1#1@0", "bad2#1@0", "bad2#2@0", "bad3#1@0", "bad3#2@0"])
      expect(yield* subscription.lag).toBe(0n)
      yield* TestClock.adjust("29 seconds")
      expect(calls.take()).toEqual([])
      yield* TestClock.adjust("2 seconds")
      expect(calls.take()).toEqual(["bad2#3@60", "bad2#4@60", "bad3#3@60", "bad3#4@60"])
      yield* TestClock.adjust("9 minutes")
      expect(calls.take()).toEqual([])
      yield* TestClock.adjust("2 minutes")
      expect(calls.take()).toEqual(["bad2#5@660", "bad2#6@660", "bad3#5@660", "bad3#6@660"])
      const last = calls.infos.at(-3)
      expect([last?.topic, last?.moves, last?.replays, last?.headers]).toEqual([
        "notes.g.retry.2",
        2,
        undefined,
        [["x", Uint8Array.of(7)]]
      ])
      expect(last?.id).toEqual(calls.infos[1]?.id)
      const original = (yield* recordsIn(broker, "notes"))[1]
      const letters = (yield* recordsIn(broker, "notes.g.dlq")).map((record) => ({
        key: text(record.key),
        value: record.value,
        ...readDeadLetter(record.headers)
      }))
      expect(letters).toMatchObject([
        {
          key: "bad",
          value: original?.value,
          headers: original?.headers,
          letter: {
            topic: "notes",
            partition: 0,
            position: 1n,
            group: "g",
            tag: "Bug",
            message: "planted Bug",
            attempts: 6,
            moves: 2,
            replays: 0,
            timeMs: original?.timeMs
          }
        },
        { letter: { topic: "notes", position: 2n, attempts: 6 } }
      ])
      expect(letters[0]?.letter?.dueMs).toBeUndefined()
      const { lanes, balanced } = leat.ledger.snapshot()
      expect(balanced).toBe(true)
      expect(lanes.map(({ lane, done, moved, deadLettered }) => [lane, done, moved, deadLettered])).toEqual([
        ["notes/0", 1, { Bug: 2 }, {}],
        ["notes.g.retry.1/0", 0, { Bug: 2 }, {}],
        ["notes.g.retry.2/0", 0, {}, { Bug: 2 }]
      ])
      expect(yield* lettersIn(broker, "notes.g.retry.1")).toMatchObject([
        { topic: "notes", position: 1n, attempts: 2, moves: 1, atMs: 11, dueMs: minute + 11 },
        { topic: "notes", position: 2n, attempts: 2, moves: 1, atMs: 21, dueMs: minute + 21 }
      ])
    })
  )

  it.effect("is handled once it can be, and after a replay anew in all retry topics", () =>
    Effect.gen(function* () {
      const { broker, notes, calls } = yield* opened
      yield* notes.handle("g", calls.handler, { policy: twice, retryTopics: { delaysMs: [minute] } })
      notes.offer({ key: "bad", text: "1" })
      yield* TestClock.adjust("2 minutes")
      expect(calls.take()).toEqual(["bad1#1@0", "bad1#2@0", "bad1#3@60", "bad1#4@60"])
      yield* DeadLetters.replay(memoryTransport(broker), { topic: "notes", group: "g" })
      yield* TestClock.adjust("30 seconds")
      expect(calls.take()).toEqual(["bad1#1@120", "bad1#2@120"])
      expect(calls.infos.at(-1)?.moves).toBeUndefined()
      calls.fails = () => undefined
      yield* TestClock.adjust("1 minute")
      expect(calls.take()).toEqual(["bad1#3@180"])
      expect([calls.infos.at(-1)?.replays, calls.infos.at(-1)?.moves]).toEqual([1, 1])
      // The letter, and that it was replayed.
      expect(yield* recordsIn(broker, "notes.g.dlq")).toHaveLength(2)
    })
  )

  it.effect.each([
    ["drop", { dropped: { Bug: 1 }, parked: 0 }, []],
    ["halt", { dropped: {}, parked: 1 }, [{ scope: "lane", topic: "notes.g.retry.1", tag: "Bug", position: 0n }]]
  ] as const)("ends as its rule says behind the last retry topic: %s", ([then, row, halted]) =>
    Effect.gen(function* () {
      const { broker, leat, notes, calls } = yield* opened
      const policy = [{ on: ["Bug"], retry: { times: 0, baseMs: 10 }, then }]
      const subscription = yield* notes.handle("g", calls.handler, { policy, retryTopics: { delaysMs: [minute] } })
      notes.offer({ key: "bad", text: "1" })
      notes.offer({ key: "bad", text: "2" })
      yield* TestClock.adjust("50 seconds")
      expect(calls.take()).toEqual(["bad1#1@0", "bad2#1@0"])
      expect(subscription.halted()).toEqual([])
      if (then === "halt") calls.fails = ({ text: value }) => (value === "1" ? "Bug" : undefined)
      yield* TestClock.adjust("20 seconds")
      expect(subscription.halted()).toMatchObject(halted)
      expect(calls.seen[0]).toBe("bad1#2@60")
      const { lanes } = leat.ledger.snapshot()
      expect(lanes[1]).toMatchObject(then === "drop" ? { ...row, dropped: { Bug: 2 } } : row)
      expect(lanes.every(({ balanced }) => balanced)).toBe(true)
      expect(broker.find("notes.g.dlq")).toBeUndefined()
      calls.fails = () => undefined
      yield* subscription.resume
      yield* TestClock.adjust("1 second")
      expect(subscription.halted()).toEqual([])
    })
  )

  it.effect(
    "is not moved where no retry helps: by its rule, because nothing can read it, or because no rule knows it",
    () =>
      Effect.gen(function* () {
        const broker = new MemoryBroker({ partitions: 1 })
        const leat = yield* open(routes(), broker)
        const contract = noteContract()
        const decode: typeof contract.decode = (bytes) => {
          const note = contract.decode(bytes)
          if (note.key === "strange") throw new Error("strange")
          return note
        }
        const notes = yield* leat.stream({ ...contract, decode })
        const calls = new RetryCalls()
        calls.fails = ({ key }) => (key === "good" ? undefined : key)
        const policy = [
          { on: ["Declined"], then: "drop" as const },
          { on: ["Malformed", "Bug"], retry: { times: 0, baseMs: 10 }, then: "drop" as const }
        ]
        const subscription = yield* notes.handle("g", calls.handler, { policy, retryTopics: { delaysMs: [minute] } })
        for (const key of ["Declined", "strange", "Bug", "good", "Unknown"]) notes.offer({ key, text: "" })
        yield* TestClock.adjust("1 second")
        expect(leat.ledger.snapshot().lanes).toMatchObject([
          { done: 1, moved: { Bug: 1 }, dropped: { Declined: 1, Malformed: 1 }, parked: 1, balanced: true },
          { lane: "notes.g.retry.1/0" }
        ])
        expect(subscription.halted()).toMatchObject([{ scope: "lane", tag: "Unknown", position: 4n }])
      })
  )
})

describe("records of one retry topic", () => {
  it.effect(
    "come in the order in which they stand there, each when it is due; those of two partitions do not wait for each other",
    () =>
      Effect.gen(function* () {
        const broker = new MemoryBroker({ partitions: 2 })
        const document = { ...routes(), clusters: { local: { transport: "memory", partitions: 2 } } }
        const leat = yield* Leat.make({ source: "test", routes: document, drivers: [memoryDriver(broker)] })
        const notes = yield* leat.stream(noteContract())
        const calls = new RetryCalls()
        const policy = [{ on: ["Bug"], retry: { times: 0, baseMs: 10 }, then: "drop" as const }]
        yield* notes.handle("g", calls.handler, { policy, retryTopics: { delaysMs: [minute] } })
        const at = ["0", "7", "7", "20", "31", "31", "45"]
        let now = 0
        for (const [index, second] of at.entries()) {
          yield* TestClock.adjust(`${Number(second) - now} seconds`)
          now = Number(second)
          notes.offer({ key: `bad${index % 4}`, text: `.${index}` })
        }
        yield* TestClock.adjust("10 seconds")
        expect(calls.take()).toHaveLength(at.length)
        calls.fails = () => undefined
        yield* TestClock.adjust("5 minutes")
        const seen = calls.take().map((one) => one.replace(/^bad\d\./, ""))
        expect(seen.toSorted()).toEqual(at.map((second, index) => `${index}#2@${60 + Number(second)}`))
        expect(broker.find("notes.g.retry.1")?.partitions).toHaveLength(2)
      })
  )

  it.effect("are waited for with one timer, and not asked for again and again", () =>
    Effect.gen(function* () {
      const { notes, calls } = yield* opened
      const clock = yield* Clock.Clock
      const slept: Array<number> = []
      const counting: Clock.Clock = {
        currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe(),
        currentTimeMillis: clock.currentTimeMillis,
        currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
        currentTimeNanos: clock.currentTimeNanos,
        monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
        monotonicTimeNanos: clock.monotonicTimeNanos,
        sleep: (duration) => {
          slept.push(Duration.toMillis(duration))
          return clock.sleep(duration)
        }
      }
      yield* notes
        .handle("g", calls.handler, { policy: twice, retryTopics: { delaysMs: [60 * minute] } })
        .pipe(Effect.provideService(Clock.Clock, counting))
      notes.offer({ key: "bad", text: "1" })
      yield* TestClock.adjust("1 minute")
      expect(calls.take()).toHaveLength(2)
      slept.length = 0
      yield* TestClock.adjust("58 minutes")
      // Every half minute it is asked whether there are more topics of the group.
      expect(slept.every((ms) => ms === 30_000)).toBe(true)
      yield* TestClock.adjust("2 minutes")
      expect(calls.take()).toHaveLength(2)
    })
  )
})

describe("a batch", () => {
  it.effect("moves those of its events that fail by themselves, and gets them again when each is due", () =>
    Effect.gen(function* () {
      const { leat, notes } = yield* opened
      const batches: Array<string> = []
      let isBroken = true
      const policy = [{ on: ["Bug"], retry: { times: 0, baseMs: 10 }, then: "deadLetter" as const }]
      yield* notes.handleBatch(
        "g",
        (deliveries) => {
          batches.push(deliveries.map(({ event, info }) => `${event.text}#${info.attempt}`).join(" "))
          const failures = deliveries.flatMap(({ event }, index) =>
            isBroken && event.key === "bad" ? [{ index, error: failure("Bug") }] : []
          )
          return failures.length === 0 ? Effect.void : Effect.fail(new PartlyFailed({ failures }))
        },
        { policy, retryTopics: { delaysMs: [minute] } }
      )
      for (const [index, key] of ["good", "bad", "good", "bad"].entries()) notes.offer({ key, text: `${index}` })
      yield* TestClock.adjust("30 seconds")
      expect(batches.splice(0)).toEqual(["0#1 1#1 2#1 3#1", "3#2"])
      isBroken = false
      yield* TestClock.adjust("31 seconds")
      expect(batches).toEqual(["1#2", "3#3"])
      expect(leat.ledger.snapshot().lanes).toMatchObject([
        { lane: "notes/0", done: 2, moved: { Bug: 2 }, balanced: true },
        { lane: "notes.g.retry.1/0", done: 2, balanced: true }
      ])
    })
  )
})

describe("retry topics are refused", () => {
  const retryTopics = { delaysMs: [minute] }
  const endless = [{ on: ["*"], retry: { baseMs: 10 }, then: "halt" as const }]

  it.effect.each([
    ["of a contract that needs order", noteContract({ needs: ["order"] }), { retryTopics }, "needs order"],
    [
      "with a policy that moves nothing",
      noteContract(),
      { retryTopics, policy: endless },
      "nothing would ever be moved"
    ],
    [
      "with delays that do not rise",
      noteContract(),
      { retryTopics: { delaysMs: [minute, minute] } },
      "is not longer than"
    ]
  ] as const)("%s, whoever is asked", ([, contract, options, message]) =>
    Effect.gen(function* () {
      const leat = yield* open(routes())
      const notes = yield* leat.stream(contract)
      for (const asked of [
        notes.handle("g", () => Effect.void, options),
        notes.handleBatch("g", () => Effect.void, options),
        Stream.runDrain(notes.subscribe("g", options))
      ]) {
        const error = yield* Effect.flip(asked)
        expect(error).toBeInstanceOf(RouteError)
        expect(error.message).toContain(message)
      }
    })
  )

  it.effect("of a document are no fault of a handler whose own policy moves nothing", () =>
    Effect.gen(function* () {
      const leat = yield* open(routes({ retryTopics: { delays: ["1 minute"] } }))
      const notes = yield* leat.stream(noteContract())
      const calls = new RetryCalls()
      const subscription = yield* notes.handle("g", calls.handler, { policy: [] })
      notes.offer({ key: "bad", text: "1" })
      yield* TestClock.adjust("1 second")
      expect(subscription.halted()).toMatchObject([{ scope: "lane", tag: "Bug" }])
    })
  )

  it.effect("of a table that is swapped in while a stream is open whose contract needs order", () =>
    Effect.gen(function* () {
      const leat = yield* open(routes())
      yield* leat.stream(noteContract({ needs: ["order"] }))
      const error = yield* Effect.flip(leat.swapRoutes(routes({ retryTopics: { delays: ["1 minute"] } }, {}, 2)))
      expect(error.message).toContain("subscriptions[0].retryTopics: test.Note needs order")
    })
  )
})
