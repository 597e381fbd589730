import { expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, References, Scope, Stream } from "effect"
import { Leat, MemoryBroker, memoryDriver, memoryTransport, type OpenLeat } from "leat"
import { batchOf, faultDriver, waitUntil } from "leat/testing"
import type { Lane, TransportReason } from "leat/transport"
import { sendEffect } from "leat/transport"
import { describe } from "vitest"
import { type Note, noteContract } from "../contracts/Note.ts"

const routes = (subscription: object, policies: object = {}) => ({
  version: 1,
  clusters: { local: { transport: "memory", partitions: 1 } },
  policies,
  routes: [{ match: { stream: "*" }, to: [{ cluster: "local", topic: "notes", linger: "1 millis" }] }],
  subscriptions: [{ match: { stream: "*" }, settleEvery: "5 millis", ...subscription }]
})
const again = [{ on: ["*"], retry: { base: "5 millis", factor: 2 }, then: "halt" }]
const note = (key: string, text: string): Note => ({ key, text })
const failure = (tag: string) => Object.assign(new Error(`planted ${tag}`), { _tag: tag })
const open = (document: unknown, broker = new MemoryBroker({ partitions: 1 })) =>
  Leat.make({ source: "test", routes: document, drivers: [memoryDriver(broker)] })
const lanesOf = (leat: OpenLeat) => leat.ledger.snapshot().lanes

describe("handle", () => {
  it.live("tries a failing event again in place, while other keys go on", () =>
    Effect.gen(function* () {
      const leat = yield* open(routes({ policy: "again" }, { again }))
      const notes = yield* leat.stream(noteContract())
      const seen: Array<string> = []
      const subscription = yield* notes.handle("g", (event, { attempt }) =>
        Effect.suspend(() => {
          seen.push(`${event.key}${event.text}#${attempt}`)
          return event.text === "1" && attempt < 4 ? Effect.fail(failure("Passing")) : Effect.void
        })
      )
      yield* notes.publishAll([note("a", "1"), note("a", "2"), note("b", "3"), note("b", "4")])
      yield* waitUntil(
        "all settled",
        Effect.map(subscription.lag, (lag) => lag === 0n)
      )
      expect(seen.filter((text) => text.startsWith("a"))).toEqual(["a1#1", "a1#2", "a1#3", "a1#4", "a2#1"])
      expect(seen.indexOf("b4#1")).toBeLessThan(seen.indexOf("a1#4"))
      expect(lanesOf(leat)).toMatchObject([{ done: 4, parked: 0, balanced: true }])
    })
  )

  it.live("drops by policy, counts the reason, and goes on", () =>
    Effect.gen(function* () {
      const drop = [{ on: ["Poison"], retry: { times: 1, base: "1 millis" }, then: "drop" }]
      const leat = yield* open(routes({ policy: "drop" }, { drop }))
      const notes = yield* leat.stream(noteContract())
      const subscription = yield* notes.handle("g", ({ text }) =>
        text === "2" ? Effect.fail(failure("Poison")) : Effect.void
      )
      yield* notes.publishAll([note("a", "1"), note("a", "2"), note("a", "3")])
      yield* waitUntil(
        "all settled",
        Effect.map(subscription.lag, (lag) => lag === 0n)
      )
      expect(lanesOf(leat)).toMatchObject([{ done: 2, dropped: { Poison: 1 }, balanced: true }])
    })
  )

  it.live("halts where no rule matches, says why, and goes on after `resume` with nothing lost", () =>
    Effect.gen(function* () {
      const leat = yield* open(routes({ policy: "strict" }, { strict: [{ on: ["Other"], then: "drop" }] }))
      const notes = yield* leat.stream(noteContract())
      let isMended = false
      const seen: Array<string> = []
      const subscription = yield* notes.handle("g", ({ text }) =>
        Effect.suspend(() => {
          if (text === "2" && !isMended) return Effect.fail(failure("Broken"))
          seen.push(text)
          return Effect.void
        })
      )
      yield* notes.publishAll([note("a", "1"), note("a", "2"), note("a", "3")])
      yield* waitUntil(
        "halted",
        Effect.sync(() => subscription.halted().length > 0)
      )
      expect(subscription.halted()).toEqual([
        {
          scope: "lane",
          topic: "notes",
          tag: "Broken",
          position: 1n,
          attempts: 1,
          detail: "planted Broken",
          partition: 0
        }
      ])
      expect(yield* subscription.lag).toBeGreaterThan(0n)
      expect(lanesOf(leat)).toMatchObject([{ balanced: true }])
      isMended = true
      yield* subscription.resume
      yield* waitUntil(
        "all settled",
        Effect.map(subscription.lag, (lag) => lag === 0n)
      )
      expect(seen).toEqual(["1", "2", "3"])
    })
  )

  it.live("takes a defect for a failure, with the name of what was thrown", () =>
    Effect.gen(function* () {
      const leat = yield* open(routes({ policy: "drop" }, { drop: [{ on: ["RangeError"], then: "drop" }] }))
      const notes = yield* leat.stream(noteContract())
      const subscription = yield* notes.handle("g", ({ text }) =>
        Effect.sync(() => {
          if (text === "1") throw new RangeError("a bug")
        })
      )
      yield* notes.publishAll([note("a", "1"), note("a", "2")])
      yield* waitUntil(
        "all settled",
        Effect.map(subscription.lag, (lag) => lag === 0n)
      )
      expect(lanesOf(leat)).toMatchObject([{ done: 1, dropped: { RangeError: 1 } }])
    })
  )

  it.live("runs at most `concurrency` handlers, and one per key", () =>
    Effect.gen(function* () {
      const leat = yield* open(routes({ concurrency: 3 }))
      const notes = yield* leat.stream(noteContract())
      const running = new Set<string>()
      let most = 0
      const wrong: Array<string> = []
      const subscription = yield* notes.handle("g", ({ key }) =>
        Effect.gen(function* () {
          if (running.has(key)) wrong.push(key)
          running.add(key)
          most = Math.max(most, running.size)
          yield* Effect.sleep(1)
          running.delete(key)
        })
      )
      yield* notes.publishAll(Array.from({ length: 60 }, (_, index) => note(`k${index % 7}`, `${index}`)))
      yield* waitUntil(
        "all settled",
        Effect.map(subscription.lag, (lag) => lag === 0n)
      )
      expect({ most, wrong }).toEqual({ most: 3, wrong: [] })
    })
  )

  it.live("tells which position holds a full lane back", () =>
    Effect.gen(function* () {
      const leat = yield* open(routes({ policy: "again", buffer: { bytes: 4096 } }, { again }))
      const notes = yield* leat.stream(noteContract())
      let isMended = false
      const subscription = yield* notes.handle("g", ({ key }) =>
        key === "bad" && !isMended ? Effect.fail(failure("Passing")) : Effect.void
      )
      yield* notes.publishAll([
        note("bad", "1"),
        ...Array.from({ length: 2000 }, (_, index) => note(`k${index}`, "x".repeat(100)))
      ])
      yield* waitUntil(
        "blocked",
        Effect.sync(() => subscription.blocked().length > 0)
      )
      expect(subscription.blocked()).toEqual([{ partition: 0, position: 0n }])
      isMended = true
      yield* waitUntil(
        "all settled",
        Effect.map(subscription.lag, (lag) => lag === 0n)
      )
      expect(subscription.blocked()).toEqual([])
    })
  )

  it.live("skips records of other types, and gives malformed ones to the policy", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const leat = yield* open(routes({ policy: "drop" }, { drop: [{ on: ["Malformed"], then: "drop" }] }), broker)
      const text = new TextEncoder()
      const writer = yield* memoryTransport(broker).openWriter("notes")
      const contract = noteContract({
        decode: (bytes) => {
          if (bytes[0] === 0x78) throw new Error("not a note")
          return { key: "k", text: "foreign" }
        }
      })
      const foreign = [
        { key: "k", value: "other", headers: [["ce_type", text.encode("test.Other")] as const] },
        { key: "k", value: "x" },
        { key: "k", value: null },
        { key: "k", value: "a note by somebody else" }
      ]
      yield* sendEffect(writer, 0, batchOf(foreign), 0, foreign.length, 1000)
      const notes = yield* leat.stream(contract)
      const seen: Array<unknown> = []
      const subscription = yield* notes.handle("g", (event, { id }) =>
        Effect.sync(() => void seen.push([event.text, id]))
      )
      yield* waitUntil(
        "all settled",
        Effect.map(subscription.lag, (lag) => lag === 0n)
      )
      expect(seen).toEqual([["foreign", undefined]])
      expect(lanesOf(leat)).toMatchObject([
        { done: 1, dropped: { Malformed: 2 }, skipped: { otherType: 1 }, balanced: true }
      ])
    })
  )

  it.live("gives a trace context of another program only where it is one, so that a handler can hand it on", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
      const given = ["junk", "", `00-${"0".repeat(32)}-b7ad6b7169203331-01`, `${good}-more`, good]
      const records = given.map((value) => ({
        key: "k",
        value: "text",
        headers: [["traceparent", new TextEncoder().encode(value)] as const]
      }))
      const writer = yield* memoryTransport(broker).openWriter("notes")
      yield* sendEffect(writer, 0, batchOf(records), 0, records.length, 1000)
      const leat = yield* open(routes({}), broker)
      const notes = yield* leat.stream(noteContract({ decode: () => ({ key: "k", text: "t" }) }))
      const seen: Array<string | undefined> = []
      yield* notes.handle("g", (_, { traceparent }) => Effect.sync(() => void seen.push(traceparent)))
      yield* waitUntil(
        "all handled",
        Effect.sync(() => seen.length === given.length)
      )
      expect(seen).toEqual([undefined, undefined, undefined, undefined, good])
    })
  )

  it.live("gives a key as it was published, with a byte order mark too", () =>
    Effect.gen(function* () {
      const leat = yield* open(routes({}))
      const notes = yield* leat.stream(noteContract())
      const keys = ["\uFEFFb7", "b7", "\uFEFF", "é\u0000😀"]
      const seen: Array<string> = []
      const subscription = yield* notes.handle("g", (_, { key }) => Effect.sync(() => void seen.push(key)))
      for (const key of keys) yield* notes.publish(note(key, "1"))
      yield* waitUntil(
        "all settled",
        Effect.map(subscription.lag, (lag) => lag === 0n)
      )
      expect(seen.toSorted()).toEqual(keys.toSorted())
    })
  )

  it.live("gives tombstones of a compacted contract to `onTombstone`", () =>
    Effect.gen(function* () {
      const document = routes({})
      const leat = yield* open(document)
      const notes = yield* leat.stream(noteContract({ compacted: true }))
      const seen: Array<string> = []
      const subscription = yield* notes.handle("g", ({ text }) => Effect.sync(() => void seen.push(text)), {
        onTombstone: ({ key }) => Effect.sync(() => void seen.push(`${key} is gone`))
      })
      notes.offer(note("a", "1"))
      expect(notes.offerTombstone("a")).toEqual({ admitted: true })
      yield* notes.flush
      yield* waitUntil(
        "all settled",
        Effect.map(subscription.lag, (lag) => lag === 0n)
      )
      expect(seen).toEqual(["1", "a is gone"])
      const plain = yield* (yield* open(document)).stream(noteContract())
      expect(plain.offerTombstone("a")).toEqual({ admitted: false, reason: "invalid" })
    })
  )

  it.live("stops by draining: what runs is finished and settled, the rest comes to the next", () =>
    Effect.gen(function* () {
      const leat = yield* open(routes({ concurrency: 1 }))
      const notes = yield* leat.stream(noteContract())
      const finished: Array<string> = []
      const first = yield* notes.handle("g", ({ text }) =>
        Effect.andThen(
          Effect.sleep(30),
          Effect.sync(() => void finished.push(text))
        )
      )
      yield* notes.publishAll([note("a", "1"), note("a", "2"), note("a", "3")])
      yield* Effect.sleep(10)
      yield* first.stop
      expect(finished).toEqual(["1"])
      expect(yield* first.lag).toBe(2n)
      const second = yield* notes.handle("g", ({ text }) => Effect.sync(() => void finished.push(text)))
      yield* waitUntil(
        "all settled",
        Effect.map(second.lag, (lag) => lag === 0n)
      )
      expect(finished).toEqual(["1", "2", "3"])
      expect(lanesOf(leat)).toMatchObject([{ done: 3, balanced: true }])
    })
  )

  it.live("interrupts a handler that does not end within the drain time, and its event comes again", () =>
    Effect.gen(function* () {
      const leat = yield* open(routes({ drain: "50 millis" }))
      const notes = yield* leat.stream(noteContract())
      let wasInterrupted = false
      const first = yield* notes.handle("g", () =>
        Effect.onInterrupt(Effect.never, () => Effect.sync(() => void (wasInterrupted = true)))
      )
      yield* notes.publish(note("a", "1"))
      yield* Effect.sleep(20)
      yield* first.stop
      expect(wasInterrupted).toBe(true)
      const attempts: Array<number> = []
      const second = yield* notes.handle("g", (_, { attempt }) => Effect.sync(() => void attempts.push(attempt)))
      yield* waitUntil(
        "all settled",
        Effect.map(second.lag, (lag) => lag === 0n)
      )
      expect(attempts).toEqual([1])
      expect(lanesOf(leat)).toMatchObject([{ done: 1, balanced: true }])
    })
  )

  it.live("is handed what two processes published, each event once, while members come and go", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 4 })
      const document = { ...routes({}), clusters: { local: { transport: "memory" } } }
      const [left, right] = [yield* open(document, broker), yield* open(document, broker)]
      const [notes, others] = [yield* left.stream(noteContract()), yield* right.stream(noteContract())]
      const seen = new Map<string, number>()
      const handler = ({ text }: Note) =>
        Effect.andThen(
          Effect.sleep(1),
          Effect.sync(() => void seen.set(text, (seen.get(text) ?? 0) + 1))
        )
      const first = yield* notes.handle("g", handler)
      for (let index = 0; index < 200; index++)
        (index % 2 === 0 ? notes : others).offer(note(`k${index % 23}`, `${index}`))
      const second = yield* others.handle("g", handler)
      yield* Effect.all([notes.flush, others.flush])
      yield* first.stop
      yield* waitUntil(
        "all settled",
        Effect.map(second.lag, (lag) => lag === 0n)
      )
      expect(seen.size).toBe(200)
      expect([...seen.values()].every((count) => count === 1)).toBe(true)
      expect(left.ledger.snapshot().balanced && right.ledger.snapshot().balanced).toBe(true)
    })
  )
})

describe("a lane that fails", () => {
  const withPulls = (broker: MemoryBroker, reason: (call: number) => TransportReason | undefined) =>
    Leat.make({
      source: "test",
      routes: routes({}),
      drivers: [faultDriver(memoryDriver(broker), { pull: ({ call }) => reason(call) })]
    })

  it.live("for a passing reason is left and joined again: everything is handled", () =>
    Effect.gen(function* () {
      const leat = yield* withPulls(new MemoryBroker({ partitions: 1 }), (call) =>
        call < 2 ? "Unavailable" : undefined
      )
      const notes = yield* leat.stream(noteContract())
      yield* notes.publishAll(Array.from({ length: 10 }, (_, index) => note("k", `${index}`)))
      const seen: Array<string> = []
      const subscription = yield* notes.handle("g", ({ text }) => Effect.sync(() => void seen.push(text)))
      yield* waitUntil(
        "all settled",
        Effect.map(subscription.lag, (lag) => lag === 0n)
      )
      expect(seen).toEqual(Array.from({ length: 10 }, (_, index) => `${index}`))
      expect(lanesOf(leat)).toMatchObject([{ done: 10, balanced: true }])
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  )

  it.live("for a reason that does not pass ends the subscription, and says so", () =>
    Effect.gen(function* () {
      const leat = yield* withPulls(new MemoryBroker({ partitions: 1 }), () => "Unauthorized")
      const notes = yield* leat.stream(noteContract())
      yield* notes.publish(note("k", "1"))
      const subscription = yield* notes.handle("g", () => Effect.void)
      const error = yield* Effect.flip(subscription.ended)
      expect(error.reason).toBe("Unauthorized")
      expect(yield* subscription.lag).toBe(1n)
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  )
})

describe("the crash-loop guard", () => {
  /** A member that takes its lane, has records in its hands, and vanishes without a word. */
  const vanish = (broker: MemoryBroker) =>
    Effect.gen(function* () {
      const taken = yield* Deferred.make<Lane>()
      yield* memoryTransport(broker)
        .subscribe({ topic: "notes", group: "g", from: "earliest", drainMs: 100 })
        .pipe(
          Stream.runForEach((lane) => Deferred.succeed(taken, lane)),
          Effect.forkScoped
        )
      yield* Stream.runHead((yield* Deferred.await(taken)).batches)
    }).pipe(Effect.scoped)

  it.live.each([
    { lost: 2, alone: false, dropped: {} },
    { lost: 3, alone: true, dropped: {} },
    { lost: 4, alone: true, dropped: { CrashLoop: 1 } }
  ])("after $lost lost holders", ({ lost, alone, dropped }) =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const leat = yield* open(
        routes({ policy: "drop", concurrency: 8, crashLoop: 3 }, { drop: [{ on: ["CrashLoop"], then: "drop" }] }),
        broker
      )
      const notes = yield* leat.stream(noteContract())
      yield* notes.publishAll(Array.from({ length: 10 }, (_, index) => note(`k${index}`, `${index}`)))
      for (let index = 0; index < lost; index++) yield* vanish(broker)
      let running = 0
      const besideFirst: Array<number> = []
      const subscription = yield* notes.handle("g", ({ text }) =>
        Effect.gen(function* () {
          running++
          yield* Effect.sleep(5)
          if (text === "0") besideFirst.push(running)
          running--
        })
      )
      yield* waitUntil(
        "all settled",
        Effect.map(subscription.lag, (lag) => lag === 0n)
      )
      expect(lanesOf(leat)).toMatchObject([{ dropped, balanced: true }])
      if (lost < 4) expect(besideFirst[0] === 1).toBe(alone)
      else expect(besideFirst).toEqual([])
    })
  )
})

describe("handleBatch", () => {
  it.live(
    "gives events in the order of the lane, at most `records` at once, and tries a failed batch again whole",
    () =>
      Effect.gen(function* () {
        const leat = yield* open(routes({ policy: "again" }, { again }))
        const notes = yield* leat.stream(noteContract())
        const calls: Array<ReadonlyArray<string>> = []
        let failures = 1
        yield* notes.publishAll(Array.from({ length: 25 }, (_, index) => note(`k${index % 3}`, `${index}`)))
        const subscription = yield* notes.handleBatch(
          "g",
          (deliveries) =>
            Effect.suspend(() => {
              calls.push(deliveries.map(({ event }) => event.text))
              return failures-- > 0 ? Effect.fail(failure("Passing")) : Effect.void
            }),
          { records: 10 }
        )
        yield* waitUntil(
          "all settled",
          Effect.map(subscription.lag, (lag) => lag === 0n)
        )
        expect(calls[1]).toEqual(calls[0])
        expect(calls.slice(1).flat()).toEqual(Array.from({ length: 25 }, (_, index) => `${index}`))
        expect(Math.max(...calls.map(({ length }) => length))).toBe(10)
        expect(lanesOf(leat)).toMatchObject([{ done: 25, balanced: true }])
      })
  )

  it.live("gives one at a time when asked for one, still in the order of the lane", () =>
    Effect.gen(function* () {
      const leat = yield* open(routes({ policy: "again" }, { again }))
      const notes = yield* leat.stream(noteContract())
      const calls: Array<ReadonlyArray<string>> = []
      yield* notes.publishAll(["0", "1", "2"].map((text) => note(`k${text}`, text)))
      const subscription = yield* notes.handleBatch(
        "g",
        (deliveries) =>
          Effect.suspend(() => {
            calls.push(deliveries.map(({ event }) => event.text))
            return calls.length === 1 ? Effect.fail(failure("Passing")) : Effect.void
          }),
        { records: 1 }
      )
      yield* waitUntil(
        "all settled",
        Effect.map(subscription.lag, (lag) => lag === 0n)
      )
      expect(calls).toEqual([["0"], ["0"], ["1"], ["2"]])
    })
  )

  it.live("judges a record that cannot be decoded by itself", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const leat = yield* open(routes({ policy: "drop" }, { drop: [{ on: ["Malformed"], then: "drop" }] }), broker)
      const contract = noteContract()
      const notes = yield* leat.stream({
        ...contract,
        decode: (bytes) => {
          const event = contract.decode(bytes)
          if (event.text === "2") throw new Error("poison")
          return event
        }
      })
      yield* notes.publishAll(["0", "1", "2", "3", "4"].map((text) => note("k", text)))
      const seen: Array<string> = []
      const subscription = yield* notes.handleBatch("g", (deliveries) =>
        Effect.sync(() => void seen.push(...deliveries.map(({ event }) => event.text)))
      )
      yield* waitUntil(
        "all settled",
        Effect.map(subscription.lag, (lag) => lag === 0n)
      )
      expect(seen).toEqual(["0", "1", "3", "4"])
      expect(lanesOf(leat)).toMatchObject([{ done: 4, dropped: { Malformed: 1 }, balanced: true }])
    })
  )
})

describe("subscribe", () => {
  it.live("settles what the consumer ends, and only that", () =>
    Effect.gen(function* () {
      const leat = yield* open(routes({ policy: "again" }, { again }))
      const notes = yield* leat.stream(noteContract())
      yield* notes.publishAll(["1", "2", "3", "4"].map((text) => note("a", text)))
      const seen: Array<string> = []
      yield* notes.subscribe("g").pipe(
        Stream.take(4),
        Stream.runForEach(({ event, info, done, fail }) => {
          seen.push(`${event.text}#${info.attempt}`)
          if (event.text === "3") return Effect.void
          return event.text === "2" && info.attempt === 1 ? fail("Passing") : done
        }),
        Effect.scoped
      )
      expect(seen).toEqual(["1#1", "2#1", "2#2", "3#1"])
      const [bounds] = yield* notes.bounds("g")
      expect(bounds?.settled).toBe(2n)
    })
  )
})

describe("causes", () => {
  it.live("go from the event that is handled to what its handler publishes", () =>
    Effect.gen(function* () {
      const document = {
        ...routes({}),
        routes: [{ match: { stream: "*" }, to: [{ cluster: "local", topic: "{stream}", linger: "1 millis" }] }]
      }
      const leat = yield* open(document)
      const notes = yield* leat.stream(noteContract())
      const replies = yield* leat.stream(noteContract({ stream: "test.replies", name: "test.Reply" }))
      const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
      yield* notes.handle("g", (event) => Effect.asVoid(Effect.orDie(replies.publish(event))))
      const got: Array<unknown> = []
      yield* replies.handle("g", (_, delivery) =>
        Effect.sync(() => {
          const { causationId, correlationId } = delivery
          got.push({ causationId, correlationId, traceId: delivery.traceparent?.split("-")[1] })
        })
      )
      const { id } = yield* notes.publish(note("a", "1"), { traceparent, correlationId: "order-7" })
      yield* waitUntil(
        "answered",
        Effect.sync(() => got.length > 0)
      )
      expect(got).toEqual([
        {
          causationId: `${id.incarnation}/test.notes/${id.bucket}/0`,
          correlationId: "order-7",
          traceId: "0af7651916cd43dd8448eb211c80319c"
        }
      ])
    })
  )
})

describe("what a delivery says in a log", () => {
  it.live("has no key that the contract marks as personal", () =>
    Effect.gen(function* () {
      const leat = yield* open(routes({}))
      const notes = yield* leat.stream(noteContract({ personal: ["key"] }))
      yield* notes.publish(note("Ann", "1"))
      const said: Array<string> = []
      const subscription = yield* notes.handle("g", (_, delivery) =>
        Effect.sync(() => void said.push(JSON.stringify(delivery), delivery.key))
      )
      yield* waitUntil(
        "all settled",
        Effect.map(subscription.lag, (lag) => lag === 0n)
      )
      expect(said).toEqual([expect.stringContaining('"key":"***"'), "Ann"])
      expect(said[0]).not.toContain("Ann")
    })
  )
})

describe("closing", () => {
  it.live("ends subscriptions first, then drains what they published", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const scope = yield* Scope.make()
      const leat = yield* open(
        {
          ...routes({}),
          routes: [{ match: { stream: "*" }, to: [{ cluster: "local", topic: "{stream}", linger: "10 seconds" }] }]
        },
        broker
      ).pipe(Scope.provide(scope))
      const notes = yield* leat.stream(noteContract())
      const replies = yield* leat.stream(noteContract({ stream: "test.replies", name: "test.Reply" }))
      const subscription = yield* notes
        .handle("g", (event) =>
          Effect.andThen(
            Effect.sleep(20),
            Effect.sync(() => void replies.offer(event))
          )
        )
        .pipe(Scope.provide(scope))
      notes.offer(note("a", "1"))
      yield* notes.flush
      yield* Effect.sleep(10)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* Fiber.join(closing)
      const [bounds] = yield* memoryTransport(broker).bounds("test.replies")
      expect(bounds?.end).toBe(1n)
      expect(notes.offer(note("a", "2"))).toEqual({ admitted: false, reason: "closed" })
      expect(Exit.isSuccess(yield* Effect.exit(subscription.stop))).toBe(true)
      expect(leat.ledger.snapshot().balanced).toBe(true)
    })
  )
})
