import { expect, it } from "@effect/vitest"
import { Clock, Effect, Logger, Metric, Stream } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import { DeadLetters, Leat, MemoryBroker, memoryDriver, memoryTransport } from "leat"
import { batchOf, faultDriver, type PlainRecord } from "leat/testing"
import { ColumnBatch, type Header, replayHeader, sendEffect, TransportError, type Writer } from "leat/transport"
import { describe, it as plainIt } from "vitest"
import { recordsOf } from "../../src/transport/ReceivedRecords.js"
import { droppedHeader } from "../../src/record/DropNotice.js"
import { SeenIds } from "../../src/consume/SeenIds.js"
import { noteContract } from "../contracts/Note.ts"
import { bent, open, routes, until } from "./support.ts"

const failure = (tag: string) => Object.assign(new Error(`planted ${tag}`), { _tag: tag })
const texts = (count: number) => Array.from({ length: count }, (_, index) => `${index}`)

const recordsIn = (broker: MemoryBroker) =>
  Effect.map(Stream.runCollect(memoryTransport(broker).read("notes", 0, { fromPosition: 0n })), (batches) =>
    Array.from(batches).flatMap((batch) => batch.records)
  )

const store = (broker: MemoryBroker, records: ReadonlyArray<PlainRecord>) =>
  Effect.gen(function* () {
    const writer = yield* memoryTransport(broker).openWriter("notes")
    yield* sendEffect(writer, 0, batchOf(records), 0, records.length, 1000)
  }).pipe(Effect.scoped)

/** Stores what stands in a partition once more behind itself. */
const storeAgain = (broker: MemoryBroker) => Effect.flatMap(recordsIn(broker), (records) => store(broker, records))

describe("a subscription that looks for copies", () => {
  it.live("handles what a publisher has stored twice once, and counts the copies", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const driver = faultDriver(memoryDriver(broker), {
        send: ({ call }) => (call % 3 === 1 ? { kind: "loseResponse" } : undefined)
      })
      const leat = yield* Leat.make({ source: "test", routes: routes({ dedupe: { records: 0 } }), drivers: [driver] })
      const notes = yield* leat.stream(noteContract())
      for (const text of texts(9)) yield* notes.publish({ key: `k${text}`, text })
      const seen: Array<string> = []
      const subscription = yield* notes.handle("g", ({ text }) => Effect.sync(() => void seen.push(text)))
      yield* subscription.caughtUp
      expect(seen.toSorted()).toEqual(texts(9))
      const [lane] = leat.ledger.snapshot().lanes
      expect(lane).toMatchObject({ done: 9, balanced: true })
      expect(lane?.duplicate).toBeGreaterThan(0)
      // Who does not ask for it gets the copies.
      const all: Array<string> = []
      const other = yield* (yield* open(routes(), broker)).stream(noteContract())
      const subscribed = yield* other.handle("other", ({ text }) => Effect.sync(() => void all.push(text)))
      yield* subscribed.caughtUp
      expect(all).toHaveLength(9 + (lane?.duplicate ?? 0))
    })
  )

  it.live("knows what was handled before it began, as far as it looks back", () =>
    Effect.gen(function* () {
      const handledAgain = (records: number) =>
        Effect.gen(function* () {
          const broker = new MemoryBroker({ partitions: 1 })
          const leat = yield* open(routes(), broker)
          const notes = yield* leat.stream(noteContract())
          yield* notes.publishAll(texts(20).map((text) => ({ key: "k", text })))
          const first = yield* notes.handle("g", () => Effect.void)
          yield* first.caughtUp
          yield* first.stop
          yield* storeAgain(broker)
          const seen: Array<string> = []
          const second = yield* notes.handle("g", ({ text }) => Effect.sync(() => void seen.push(text)), {
            dedupe: { records }
          })
          yield* second.caughtUp
          return seen
        }).pipe(Effect.scoped)
      expect(yield* handledAgain(20)).toEqual([])
      // One record tells all of its key: copies of a bucket stand behind its last first.
      expect(yield* handledAgain(1)).toEqual([])
      expect(yield* handledAgain(0)).toEqual(texts(20))
    })
  )

  it.live(
    "takes what lies below the first of a bucket for seen where it does not look back to the begin of the log",
    () =>
      Effect.gen(function* () {
        const written = new MemoryBroker({ partitions: 1 })
        const publishing = yield* (yield* open(routes(), written)).stream(noteContract())
        for (const text of texts(3)) yield* publishing.publish({ key: "k", text })
        const [first, ...others] = yield* recordsIn(written)
        const handledLate = (records: number) =>
          Effect.gen(function* () {
            const broker = new MemoryBroker({ partitions: 1 })
            const notes = yield* (yield* open(routes(), broker)).stream(noteContract())
            yield* store(broker, others)
            const before = yield* notes.handle("g", () => Effect.void)
            yield* before.caughtUp
            yield* before.stop
            yield* store(broker, first === undefined ? [] : [first])
            const seen: Array<string> = []
            const onEvent = ({ text }: { readonly text: string }) => Effect.sync(() => void seen.push(text))
            const after = yield* notes.handle("g", onEvent, { dedupe: { records } })
            yield* after.caughtUp
            return seen
          }).pipe(Effect.scoped)
        expect([yield* handledLate(2), yield* handledLate(1)]).toEqual([["0"], []])
      })
  )

  it.effect.each([
    // The copy stands behind forty others.
    { records: 100, copies: 0, unchecked: 0 },
    { records: 30, copies: 1, unchecked: 1 },
    { records: 0, copies: 1, unchecked: 1 }
  ])("says so of an event that is older than what it looks through: %o", ({ records, copies, unchecked }) => {
    const told: Array<string> = []
    const logger = Logger.make(({ message }) => void told.push(String(message)))
    return Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const publish = (key: string, count: number) =>
        Effect.gen(function* () {
          const notes = yield* (yield* open(routes(), broker)).stream(noteContract())
          for (const text of texts(count)) {
            notes.offer({ key, text: `${key}${text}` })
            yield* TestClock.adjust("1 second")
          }
        }).pipe(Effect.scoped)
      yield* publish("spilled", 1)
      yield* TestClock.adjust("1 hour")
      yield* publish("other", 40)
      const reader = yield* (yield* open(routes(), broker)).stream(noteContract())
      const first = yield* reader.handle("g", () => Effect.void)
      yield* TestClock.adjust("1 minute")
      yield* Effect.forkChild(first.stop)
      yield* TestClock.adjust("1 minute")
      // Sent on once more, after an outage, and then a second time.
      const timeMs = yield* Clock.currentTimeMillis
      const copied = (yield* recordsIn(broker)).slice(0, 1).map((record) => ({ ...record, timeMs }))
      yield* store(broker, [...copied, ...copied])
      yield* publish("late", 5)
      const seen: Array<string> = []
      yield* reader.handle("g", ({ text }) => Effect.sync(() => void seen.push(text)), { dedupe: { records } })
      yield* TestClock.adjust("1 minute")
      expect(seen.filter((text) => text === "spilled0")).toHaveLength(copies)
      expect(seen).toHaveLength(5 + copies)
      const counted = (yield* Metric.snapshot).filter(({ id }) => id === "leat.group.unchecked")
      const [one] = counted.map(({ state }) => ("count" in state ? Number(state.count) : undefined))
      expect(one).toBe(unchecked)
      const why = "handles an event that was published before what dedupe looks through begins"
      expect(told.filter((text) => text.includes(why))).toHaveLength(unchecked)
    }).pipe(Effect.provide(Logger.layer([logger])), Effect.provideService(Metric.MetricRegistry, new Map()))
  })

  it.live("handles an event whose first copy waits for a retry once, and a replay each time", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const leat = yield* open(routes(), broker)
      const notes = yield* leat.stream(noteContract({ buckets: 1 }))
      yield* notes.publishAll([
        { key: "a", text: "1" },
        { key: "b", text: "2" }
      ])
      yield* storeAgain(broker)
      const seen: Array<string> = []
      const policy = [{ on: ["Again"], retry: { times: 2, baseMs: 20 }, then: "deadLetter" as const }]
      const subscription = yield* notes.handle(
        "g",
        ({ text }, { attempt, replays }) => {
          seen.push(`${text}#${attempt}${replays === undefined ? "" : ` replay ${replays}`}`)
          return text === "1" && replays === undefined ? Effect.fail(failure("Again")) : Effect.void
        },
        { policy, dedupe: { records: 100 } }
      )
      yield* subscription.caughtUp
      yield* subscription.stop
      expect(seen).toEqual(["1#1", "2#1", "1#2", "1#3"])
      yield* DeadLetters.replay(memoryTransport(broker), { topic: "notes", group: "g" })
      yield* notes.handle(
        "g",
        ({ text }, { replays }) => Effect.sync(() => void seen.push(`${text} replay ${replays}`)),
        {
          dedupe: { records: 100 }
        }
      )
      yield* until("replayed", () => seen.length === 5)
      expect(seen.at(-1)).toBe("1 replay 1")
    })
  )

  it.live.each([
    { what: "handles what was resumed behind later events: it stands late, and is no copy", before: ["0"] },
    { what: "handles what was resumed late and is the first of its bucket", before: [] }
  ])("$what", ({ before }) =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      let isPoisonous = true
      const refusal = new TransportError({
        reason: "Rejected",
        transport: "memory",
        operation: "send",
        detail: "planted"
      })
      let isBehindStored = false
      const bend = (writer: Writer, isOfLetters: boolean): Writer => ({
        ...writer,
        send: (partition, batch, from, to, timeoutMs, answer) => {
          const values = Array.from({ length: to - from }, (_, index) => batch.value(from + index))
          const sent = values.map((value) => (value === null ? "" : noteContract().decode(value).text))
          const refuse = () => answer([{ from, to, fate: "notStored", error: refusal }])
          // The letter is refused when what is behind it is stored.
          const refuseLate = () => (isBehindStored ? refuse() : void setTimeout(refuseLate, 5))
          if (isPoisonous && sent.includes("poison")) return isOfLetters ? refuseLate() : refuse()
          if (sent.includes("2")) isBehindStored = true
          writer.send(partition, batch, from, to, timeoutMs, answer)
        }
      })
      const driver = bent(
        (transport) => ({
          ...transport,
          openWriter: (topic) =>
            Effect.map(transport.openWriter(topic), (writer) => bend(writer, topic.endsWith(".undelivered")))
        }),
        broker
      )
      const policies = { aside: [{ on: ["Rejected"], then: "deadLetter" }] }
      const { routes: ofAll, ...document } = routes({ dedupe: { records: 0 } }, policies)
      const toAside = ofAll.map((route) => ({ ...route, to: route.to.map((leg) => ({ ...leg, policy: "aside" })) }))
      const leat = yield* Leat.make({ source: "test", routes: { ...document, routes: toAside }, drivers: [driver] })
      const notes = yield* leat.stream(noteContract())
      const seen: Array<string> = []
      const subscription = yield* notes.handle("g", ({ text }) => Effect.sync(() => void seen.push(text)))
      for (const text of [...before, "poison", "2"]) notes.offer({ key: "k", text })
      yield* until("halted", () => leat.halted().length > 0)
      isPoisonous = false
      yield* leat.resume
      yield* leat.flush
      yield* subscription.caughtUp
      expect(seen).toEqual([...before, "2", "poison"])
    })
  )
})

describe("seen ids", () => {
  const publisher = (incarnation: number) => `0193000${incarnation}-0000-7000-8000-000000000000`
  const headersOf = (incarnation: number, bucket: number, seq: number, dropped?: string): ReadonlyArray<Header> => {
    const encoder = new TextEncoder()
    const id: Header = ["ce_id", encoder.encode(`${publisher(incarnation)}/s/${bucket}/${seq}`)]
    return dropped === undefined ? [id] : [id, [droppedHeader, encoder.encode(dropped)]]
  }
  const one = (headers: ReadonlyArray<Header>) =>
    recordsOf(new ColumnBatch(batchOf([{ key: "k", value: "v", headers }]).columns(0, 1), 0n, undefined))

  plainIt("are those of copies only, whatever publishers and buckets are mixed, and whatever comes late", () => {
    const event = fc.record({
      incarnation: fc.integer({ min: 1, max: 3 }),
      bucket: fc.nat(3),
      what: fc.constantFrom("new", "new", "copy", "aside", "late", "dropped"),
      which: fc.nat(1000)
    })
    fc.assert(
      fc.property(fc.array(event, { maxLength: 100 }), (events) => {
        const lanes = new Map<string, { next: number; stored: Array<number>; aside: Array<number> }>()
        const seen = new SeenIds("s")
        for (const { incarnation, bucket, what, which } of events) {
          const name = `${incarnation}/${bucket}`
          const lane = lanes.get(name) ?? { next: 0, stored: [], aside: [] }
          lanes.set(name, lane)
          const { stored, aside } = lane
          if (what === "aside") aside.push(lane.next++)
          if (what === "aside") continue
          const late = what === "late" ? aside.splice(which % aside.length, 1)[0] : undefined
          const copied = what === "copy" ? stored[which % stored.length] : undefined
          const drops = what === "dropped" ? lane.next++ : undefined
          const seq = late ?? copied ?? lane.next++
          stored.push(seq)
          const said = drops === undefined ? undefined : `${bucket}:${drops}-${drops + 1}:overflow`
          const headers = headersOf(incarnation, bucket, seq, said)
          expect(seen.see(one([replayHeader(1), ...headers]), 0)).toBe(false)
          expect(seen.see(one(headers), 0)).toBe(copied !== undefined)
          if (drops !== undefined) expect(seen.see(one(headersOf(incarnation, bucket, drops)), 0)).toBe(true)
        }
      })
    )
  })

  plainIt("forget no gap for those that were announced before their bucket went on", () => {
    const seen = new SeenIds("s")
    const see = (bucket: number, seq: number, dropped?: string) => seen.see(one(headersOf(1, bucket, seq, dropped)), 0)
    for (const seq of [0, 2]) see(9, seq)
    see(1, 0)
    for (let turn = 0; turn < 5000; turn++) {
      const next = 2 * turn + 1
      see(2, turn, `1:${next}-${next + 1}:overflow`)
      expect(see(1, next + 1)).toBe(false)
    }
    expect(see(1, 5)).toBe(true)
    expect(see(9, 1)).toBe(false)
  })

  plainIt(
    "are all those below the first of a bucket that stands before the lane, and none where the lane begins with it",
    () => {
      const seen = new SeenIds("s")
      seen.lookBackAt(one(headersOf(1, 0, 7)), 0)
      const see = (bucket: number, seq: number, dropped?: string) =>
        seen.see(one(headersOf(1, bucket, seq, dropped)), 0)
      expect([6, 8, 6, 7].map((seq) => see(0, seq))).toEqual([true, false, true, true])
      expect([7, 6, 8, 6, 5, 5, 7].map((seq) => see(1, seq))).toEqual([false, false, false, true, false, true, true])
      // Those that were dropped just before the first were announced with it.
      see(2, 3, "2:1-3:overflow")
      expect([1, 2, 0, 0].map((seq) => see(2, seq))).toEqual([true, true, false, true])
    }
  )

  plainIt("remember so many gaps of all publishers together, and no more", () => {
    const seen = new SeenIds("s")
    const see = (bucket: number, seq: number) => seen.see(one(headersOf(1, bucket, seq)), 0)
    see(1, 0)
    see(1, 2)
    for (let seq = 0; seq <= 4095 * 2; seq += 2) see(2, seq)
    expect(see(1, 1)).toBe(false)
    for (const seq of [0, 2, 4]) see(3, seq)
    // One too many: the bucket that was the first to have one has none any more.
    expect(see(2, 1)).toBe(true)
    expect(see(3, 1)).toBe(false)
  })
})
