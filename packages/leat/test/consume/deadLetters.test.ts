import { expect, it } from "@effect/vitest"
import { Effect, Exit, Scheduler, Scope, Stream } from "effect"
import { Leat, MemoryBroker, memoryDriver, memoryTransport } from "leat"
import { batchOf, faultDriver } from "leat/testing"
import {
  readDeadLetter,
  type ReceivedRecord,
  replayHeader,
  sendEffect,
  type Transport,
  TransportError
} from "leat/transport"
import { describe } from "vitest"
import { DeadLetters } from "../../src/transport/DeadLetters.js"
import { noteContract } from "../contracts/Note.ts"
import { bent, drained, open, routes, until } from "./support.ts"

const text = (bytes: Uint8Array | null) => new TextDecoder().decode(bytes ?? new Uint8Array())
const failure = (tag: string) => Object.assign(new Error(`planted ${tag}`), { _tag: tag })
const note = (key: string, value: string) => ({ key, text: value })
const dlq = "notes.g.dlq"

/** What a partition holds. */
const recordsIn = (broker: MemoryBroker, topic: string, partition = 0) =>
  Effect.gen(function* () {
    const transport = memoryTransport(broker)
    const batches = yield* Stream.runCollect(transport.read(topic, partition, { fromPosition: 0n }))
    return Array.from(batches).flatMap(({ records }) => records)
  }).pipe(Effect.scoped)

const lettersIn = (broker: MemoryBroker, topic = dlq) =>
  Effect.map(recordsIn(broker, topic), (records) =>
    records.map((record) => ({ record, ...readDeadLetter(record.headers) }))
  )

/** Puts records as they stand into a topic, as somebody else would. */
const put = (broker: MemoryBroker, records: Parameters<typeof batchOf>[0]) =>
  Effect.gen(function* () {
    const transport = memoryTransport(broker)
    const writer = yield* transport.openWriter("notes")
    yield* sendEffect(writer, 0, batchOf(records), 0, records.length, 1000)
  }).pipe(Effect.scoped)

const valuesOf = (records: ReadonlyArray<ReceivedRecord>) => records.map(({ value }) => text(value))

describe("a subscription without a policy", () => {
  it.live("dead-letters what cannot be read or handled, as it stood, and goes on with everything else in order", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const leat = yield* open(routes(), broker)
      const notes = yield* leat.stream(noteContract())
      yield* notes.publishAll([note("a", "1"), note("a", "poison"), note("a", "3"), note("b", "4")])
      const strange = { key: "b", value: Uint8Array.of(255, 255), headers: [["x", Uint8Array.of(7)]] as const }
      yield* put(broker, [strange])
      yield* notes.publish(note("b", "6"))
      const seen: Array<string> = []
      const subscription = yield* notes.handle("g", ({ key, text: value }) => {
        if (value === "poison") return Effect.fail(failure("CardDeclined"))
        seen.push(`${key}${value}`)
        return Effect.void
      })
      yield* subscription.caughtUp
      expect(seen.filter((one) => one.startsWith("a"))).toEqual(["a1", "a3"])
      expect(seen.filter((one) => one.startsWith("b"))).toEqual(["b4", "b6"])
      expect(leat.ledger.snapshot().lanes).toMatchObject([
        { done: 4, deadLettered: { CardDeclined: 1, Malformed: 1 }, parked: 0, inFlight: 0, balanced: true }
      ])
      const [original] = (yield* recordsIn(broker, "notes")).filter(({ position }) => position === 1n)
      const letters = (yield* lettersIn(broker)).toSorted((a, b) =>
        Number((a.letter?.position ?? 0n) - (b.letter?.position ?? 0n))
      )
      expect(letters.map(({ letter }) => letter)).toMatchObject([
        {
          by: "leat",
          topic: "notes",
          partition: 0,
          position: 1n,
          group: "g",
          stage: "handle",
          tag: "CardDeclined",
          message: "planted CardDeclined",
          attempts: 6,
          timeMs: original?.timeMs,
          replays: 0
        },
        { position: 4n, stage: "decode", tag: "Malformed", attempts: 1 }
      ])
      expect(letters.map(({ record, headers }) => [record.key, record.value, headers])).toEqual([
        [original?.key, original?.value, original?.headers],
        [new TextEncoder().encode("b"), strange.value, strange.headers]
      ])
    })
  )

  it.live("gives the dead-letter topic the partitions of its own, and a record its partition", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 4 })
      const leat = yield* Leat.make({
        source: "test",
        routes: { ...routes(), clusters: { local: { transport: "memory", partitions: 4 } } },
        drivers: [memoryDriver(broker)]
      })
      const notes = yield* leat.stream(noteContract())
      yield* notes.publishAll(Array.from({ length: 15 }, (_, index) => note(`k${index}`, "x")))
      const policy = [{ on: ["*"], then: "deadLetter" as const }]
      const subscription = yield* notes.handle("g", () => Effect.fail(failure("Poison")), { policy })
      yield* subscription.caughtUp
      expect(broker.find(dlq)?.partitions).toHaveLength(4)
      for (let partition = 0; partition < 4; partition++)
        expect((yield* recordsIn(broker, dlq, partition)).map(({ key }) => text(key))).toEqual(
          (yield* recordsIn(broker, "notes", partition)).map(({ key }) => text(key))
        )
    })
  )

  it.live("says of a record that comes again from a replay how often it did, once", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const own = ["x", Uint8Array.of(1)] as const
      yield* put(broker, [{ key: "a", value: Uint8Array.of(255), headers: [replayHeader(2), own] }])
      const leat = yield* open(routes(), broker)
      const notes = yield* leat.stream(noteContract())
      yield* (yield* notes.handle("g", () => Effect.void)).caughtUp
      expect(yield* lettersIn(broker)).toMatchObject([{ letter: { replays: 2 }, headers: [own] }])
    })
  )
})

describe("what cannot be dead-lettered", () => {
  const refusing = (broker: MemoryBroker, isRefused: () => boolean) =>
    bent(
      (transport) => ({
        ...transport,
        openWriter: (topic) =>
          topic === dlq && isRefused()
            ? Effect.fail(
                new TransportError({
                  reason: "Unauthorized",
                  transport: "memory",
                  operation: "open",
                  detail: "not yours"
                })
              )
            : transport.openWriter(topic)
      }),
      broker
    )

  it.live("halts its key, says so, lets the others go on, and is tried again by `resume`", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      let isRefused = true
      let isPoison = true
      const drivers = [refusing(broker, () => isRefused)]
      const leat = yield* Leat.make({ source: "test", routes: routes(), drivers })
      const notes = yield* leat.stream(noteContract())
      const seen: Array<string> = []
      const policy = [{ on: ["*"], then: "deadLetter" as const }]
      const subscription = yield* notes.handle(
        "g",
        ({ key, text: value }) => {
          if (value === "poison" && isPoison) return Effect.fail(failure("Poison"))
          seen.push(`${key}${value}`)
          return Effect.void
        },
        { policy }
      )
      yield* notes.publishAll([note("a", "1"), note("a", "poison"), note("a", "3"), note("b", "4"), note("b", "5")])
      yield* until("the key stands", () => subscription.halted().length > 0 && seen.length === 3)
      expect(subscription.halted()).toEqual([
        {
          scope: "key",
          topic: "notes",
          partition: 0,
          position: 1n,
          tag: "Poison",
          attempts: 1,
          detail: "planted Poison; it cannot be dead-lettered: memory open: Unauthorized: not yours"
        }
      ])
      expect(seen).toEqual(["a1", "b4", "b5"])
      expect(yield* Effect.flip(subscription.caughtUp)).toMatchObject({ _tag: "NotCaughtUp" })
      expect(leat.ledger.snapshot().lanes).toMatchObject([{ done: 3, parked: 1, unread: 1, balanced: true }])
      // Still: the key stands again.
      yield* subscription.resume
      yield* until("it stands again", () => subscription.halted().length > 0)
      isRefused = false
      isPoison = false
      yield* notes.publish(note("a", "poison"))
      isPoison = true
      yield* subscription.resume
      yield* drained(subscription)
      expect(subscription.halted()).toEqual([])
      expect(seen).toEqual(["a1", "b4", "b5", "a3"])
      expect(leat.ledger.snapshot().lanes).toMatchObject([{ done: 4, deadLettered: { Poison: 2 }, balanced: true }])
    })
  )

  it.live("because it is too large with what is said of it halts its key alone", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1, recordBytesMax: 1000 })
      const leat = yield* open(routes(), broker)
      const notes = yield* leat.stream(noteContract())
      yield* notes.publishAll([note("a", "x".repeat(900)), note("b", "y"), note("c", "z")])
      const policy = [{ on: ["*"], then: "deadLetter" as const }]
      const subscription = yield* notes.handle("g", () => Effect.fail(failure("Poison")), { policy })
      yield* until("the others are dead-lettered", () => broker.find(dlq)?.partitions[0]?.end === 2n)
      yield* until("one stands", () => subscription.halted().length === 1)
      expect(subscription.halted()).toMatchObject([{ scope: "key", position: 0n, tag: "Poison" }])
      expect(subscription.halted()[0]?.detail).toContain("TooLarge")
      expect(valuesOf(yield* recordsIn(broker, dlq)).map((value) => value.at(-1))).toEqual(["y", "z"])
    })
  )
})

describe("dead letters under faults", () => {
  it.live("have the first part of the name of a failure that is made of data: there is room for it", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const leat = yield* open(routes(), broker)
      const notes = yield* leat.stream(noteContract())
      yield* notes.publishAll([note("a", "tag"), note("a", "name"), note("a", "3")])
      const data = "\u{1f41d}".repeat(1000)
      const seen: Array<string> = []
      const onEvent = ({ text: value }: { readonly text: string }) => {
        if (value === "tag") return Effect.fail(failure(data))
        if (value === "name") return Effect.fail(Object.assign(new Error("planted"), { name: data }))
        seen.push(value)
        return Effect.void
      }
      const subscription = yield* notes.handle("g", onEvent, { policy: [{ on: ["*"], then: "deadLetter" }] })
      yield* subscription.caughtUp
      expect(seen).toEqual(["3"])
      // 127 whole characters, and half of one, which no text of UTF-8 can hold.
      const tag = `${"\u{1f41d}".repeat(127)}\ufffd`
      expect(leat.ledger.snapshot().lanes).toMatchObject([{ done: 1, deadLettered: { [tag]: 2 }, balanced: true }])
      expect((yield* lettersIn(broker)).map(({ letter }) => letter?.tag)).toEqual([tag, tag])
    })
  )

  it.live("are stored, each at least once, in the order of the lane, whatever a send comes to", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const kinds = [
        { kind: "loseResponse" },
        { kind: "cut" },
        { kind: "fail", reason: "Unavailable" },
        { kind: "throw" },
        { kind: "fail", reason: "Throttled" }
      ] as const
      let calls = 0
      const driver = faultDriver(memoryDriver(broker), {
        send: ({ topic }) => (topic === dlq ? kinds[calls++] : undefined)
      })
      const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
      const notes = yield* leat.stream(noteContract())
      const texts = Array.from({ length: 12 }, (_, index) => `${index}`)
      yield* notes.publishAll(texts.map((one) => note(one, one)))
      const policy = [{ on: ["*"], then: "deadLetter" as const }]
      const subscription = yield* notes.handle("g", () => Effect.fail(failure("Poison")), { policy })
      yield* subscription.caughtUp
      expect(calls).toBeGreaterThan(kinds.length)
      const stored = (yield* recordsIn(broker, dlq)).map(({ key }) => text(key))
      expect(Array.from(new Set(stored))).toEqual(texts)
      expect(leat.ledger.snapshot().lanes).toMatchObject([{ deadLettered: { Poison: 12 }, balanced: true }])
    })
  )

  it.live("that are not stored when the subscription stops leave their records to whoever comes next", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      let isDown = true
      const driver = faultDriver(memoryDriver(broker), {
        send: ({ topic }) => (topic === dlq && isDown ? { kind: "fail", reason: "Unavailable" } : undefined)
      })
      const document = routes({ drain: "50 millis" })
      const policy = [{ on: ["*"], then: "deadLetter" as const }]
      const first = yield* Scope.make()
      const one = yield* Leat.make({ source: "test", routes: document, drivers: [driver] }).pipe(Scope.provide(first))
      const notes = yield* one.stream(noteContract()).pipe(Scope.provide(first))
      yield* notes.publishAll([note("a", "1"), note("a", "2")])
      let handled = 0
      yield* notes
        .handle(
          "g",
          () =>
            Effect.andThen(
              Effect.sync(() => void handled++),
              Effect.fail(failure("Poison"))
            ),
          { policy }
        )
        .pipe(Scope.provide(first))
      yield* until("handled", () => handled > 0)
      yield* Scope.close(first, Exit.void)
      isDown = false
      const other = yield* open(document, broker)
      const again = yield* (yield* other.stream(noteContract())).handle("g", () => Effect.fail(failure("Poison")), {
        policy
      })
      yield* again.caughtUp
      expect((yield* lettersIn(broker)).map(({ letter }) => letter?.position)).toEqual([0n, 1n])
    })
  )
})

describe("letters of a lane that was given back", () => {
  it.live(
    "are not kept while the topic cannot be written, and not stored when it can: their next holder has them",
    () =>
      Effect.gen(function* () {
        const broker = new MemoryBroker({ partitions: 1 })
        const memory = memoryTransport(broker)
        yield* memory.ensure({ topic: "notes", partitions: 1 })
        let isDown = true
        const detail = "down"
        const down = new TransportError({ reason: "Unavailable", transport: "memory", operation: "open", detail })
        const transport: Transport = {
          ...memory,
          openWriter: (topic) => Effect.suspend(() => (isDown ? Effect.fail(down) : memory.openWriter(topic)))
        }
        const context = yield* Effect.context<never>()
        const scheduler = yield* Scheduler.Scheduler
        const letters = new DeadLetters({
          transport,
          deadLetters: dlq,
          topic: "notes",
          who: "the group g of s",
          waiting: "their keys wait",
          context,
          scheduler
        })
        const count = 10_000
        let given = 0
        let kept = 0
        const stored: Array<number> = []
        for (let index = 0; index < count; index++) {
          const isWanted = () => {
            kept++
            return index >= given
          }
          const done = () => void stored.push(index)
          letters.put({ partition: 0, record: () => ({ key: `${index}`, value: null }), isWanted, done })
          // Each stay in the group has a few.
          if (index % 100 === 0) given = index
        }
        expect(kept).toBeGreaterThan(count / 2)
        expect(kept).toBeLessThan(count * 3)
        isDown = false
        yield* until("the last is stored", () => stored.at(-1) === count - 1)
        expect(stored).toEqual(Array.from({ length: count - given }, (_, index) => given + index))
        expect((yield* recordsIn(broker, dlq)).map(({ key }) => text(key))).toEqual(stored.map(String))
        yield* letters.close
      }).pipe(Effect.scoped)
  )
})

describe("the writer of dead letters", () => {
  it.live("is closed when its subscription has stopped", () =>
    Effect.gen(function* () {
      let closed = 0
      const driver = bent((transport) => ({
        ...transport,
        openWriter: (topic) => {
          const closing = Effect.delay(
            Effect.sync(() => void closed++),
            topic === dlq ? 100 : 0
          )
          return Effect.tap(transport.openWriter(topic), () => Effect.addFinalizer(() => closing))
        }
      }))
      const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
      const notes = yield* leat.stream(noteContract())
      yield* notes.publish(note("a", "1"))
      const policy = [{ on: ["*"], then: "deadLetter" as const }]
      const subscription = yield* notes.handle("g", () => Effect.fail(failure("Poison")), { policy })
      yield* subscription.caughtUp
      yield* subscription.stop
      expect(closed).toBe(1)
    })
  )
})

describe("an outage", () => {
  it.live.each([
    { of: "all events", isHit: () => true },
    // Never twenty in a row.
    { of: "three events in four", isHit: (index: number) => index % 4 > 0 }
  ])("of $of is waited out: a few are dead-lettered, and none of the others when handlers work again", ({ isHit }) =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const leat = yield* open(routes(), broker)
      const notes = yield* leat.stream(noteContract())
      const count = 200
      yield* notes.publishAll(Array.from({ length: count }, (_, index) => note(`k${index}`, `${index}`)))
      const policy = [{ on: ["*"], then: "deadLetter" as const }]
      let isDown = true
      const seen = new Set<string>()
      const failed = new Set<string>()
      const subscription = yield* notes.handle(
        "g",
        ({ text: value }) => {
          if (isDown && isHit(Number(value))) {
            failed.add(value)
            return Effect.fail(failure("DatabaseDown"))
          }
          seen.add(value)
          return Effect.void
        },
        { policy }
      )
      const hit = Array.from({ length: count }, (_, index) => index).filter(isHit).length
      yield* until("all have failed once", () => failed.size === hit)
      isDown = false
      yield* subscription.caughtUp
      const letters = yield* lettersIn(broker)
      expect(letters.length).toBeLessThanOrEqual(20)
      expect(letters.length + seen.size).toBe(count)
      expect(leat.ledger.snapshot().lanes).toMatchObject([{ done: seen.size, balanced: true }])
    })
  )
})

describe("a batch that fails", () => {
  it.live("is taken apart before any of it is dead-lettered", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const leat = yield* open(routes(), broker)
      const notes = yield* leat.stream(noteContract())
      const texts = Array.from({ length: 20 }, (_, index) => (index === 7 || index === 12 ? "poison" : `${index}`))
      yield* notes.publishAll(texts.map((one) => note("k", one)))
      const policy = [{ on: ["*"], retry: { times: 2, baseMs: 1 }, then: "deadLetter" as const }]
      const done: Array<string> = []
      const subscription = yield* notes.handleBatch(
        "g",
        (events) => {
          const values = events.map(({ event }) => event.text)
          if (values.includes("poison")) return Effect.fail(failure("Poison"))
          done.push(...values)
          return Effect.void
        },
        { policy, records: 10 }
      )
      yield* subscription.caughtUp
      expect(done).toEqual(texts.filter((one) => one !== "poison"))
      expect((yield* lettersIn(broker)).map(({ letter }) => letter?.position)).toEqual([7n, 12n])
      expect(leat.ledger.snapshot().lanes).toMatchObject([{ done: 18, deadLettered: { Poison: 2 }, balanced: true }])
    })
  )
})
