/** A process that is closed while its cluster does not answer: what it gave up is told as dropped, and a loss beside it as one. */
import { Effect, Stream, Struct } from "effect"
import fc from "fast-check"
import { Audit, MemoryBroker, memoryTransport } from "leat"
import type { SendFault } from "leat/testing"
import type { Announcement, ReceivedRecord } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { note, openNotes, story } from "../publish/stories.js"

const textOf = (value: Uint8Array | null) => noteContract().decode(value ?? new Uint8Array()).text

/** The topic without some of its records. */
function without(broker: MemoryBroker, ...texts: ReadonlyArray<string>): Audit.AuditedTransport {
  const { bounds, read } = memoryTransport(broker)
  const isThere = ({ value }: ReceivedRecord) => !texts.includes(textOf(value))
  return {
    bounds,
    read: (...asked) => Stream.map(read(...asked), ({ records, next }) => ({ records: records.filter(isThere), next }))
  }
}

const before = 20
const during = 40

/** Publishes, is frozen with the cluster, publishes on, and closes. The last of an announcement that a process makes. */
const closed = (broker: MemoryBroker, frozen: (call: number) => SendFault) =>
  Effect.gen(function* () {
    const saved: Array<Announcement> = []
    let frozenAt: number | undefined
    yield* Effect.scoped(
      Effect.gen(function* () {
        let calls = 0
        const { notes } = yield* openNotes({
          broker,
          leg: { timeout: "1 second", batch: { bytes: 400 } },
          drain: "3 seconds",
          faults: { send: () => (frozenAt === undefined ? undefined : frozen(calls++)) },
          store: { save: (one) => Effect.sync(() => void saved.push(one)) }
        })
        for (let at = 0; at < before; at++) yield* notes.publish(note(`k${at % 5}`, `before ${at}`))
        frozenAt = 0
        for (let at = 0; at < during; at++) notes.offer(note(`k${at % 5}`, `during ${at}`))
        yield* Effect.sleep("2 seconds")
      })
    )
    return saved.slice(-1)
  })

/** As an earlier version announces it: which its drops were it does not say. */
const withoutNames = (leg: Announcement["legs"][number]) => Struct.omit(leg, ["unannounced"])

const droppedBy = (ledgers: ReadonlyArray<Announcement>) => ledgers[0]?.legs[0]?.dropped["closed"]

describe("an audit of what a process has left that was closed while its cluster did not answer", () => {
  const silence = (): SendFault => ({ kind: "silence" })
  /** The first batch arrives, and nobody is told. */
  const stored = (call: number): SendFault => (call === 0 ? { kind: "loseResponse" } : { kind: "silence" })

  it("tells what it gave up as dropped, whether it was sent or not", () =>
    story(
      Effect.gen(function* () {
        const broker = new MemoryBroker({ partitions: 1 })
        const ledgers = yield* closed(broker, silence)
        expect(droppedBy(ledgers)).toBe(during)
        expect(ledgers[0]?.legs[0]?.droppedMayBeStored).toBeGreaterThan(0)
        const report = yield* Audit.topic(memoryTransport(broker), "notes", { ledgers })
        expect(report).toMatchObject({ events: before, missing: 0, missingRanges: [], unauditable: 0, pending: 0 })
        expect(report.dropped).toEqual({ unannounced: during })
        expect(report.windows.map(({ missing }) => missing)).toEqual([0])
      })
    ))

  it("tells of what it gave up that which is not there", () =>
    story(
      Effect.gen(function* () {
        const broker = new MemoryBroker({ partitions: 1 })
        const ledgers = yield* closed(broker, stored)
        expect(droppedBy(ledgers)).toBe(during)
        const report = yield* Audit.topic(memoryTransport(broker), "notes", { ledgers })
        expect(report.events).toBeGreaterThan(before)
        expect(report.events).toBeLessThan(before + during)
        expect(report).toMatchObject({ missing: 0, missingRanges: [], unauditable: 0, pending: 0 })
        expect(report.dropped).toEqual({ unannounced: before + during - report.events })
      })
    ))

  it("misses what was stored and is not there: at the end, between others, and before what arrived unanswered", () =>
    story(
      Effect.gen(function* () {
        const broker = new MemoryBroker({ partitions: 1 })
        const ledgers = yield* closed(broker, silence)
        // Of three keys the last that was stored.
        const ends = without(broker, "before 17", "before 18", "before 19")
        const atEnd = yield* Audit.topic(ends, "notes", { ledgers })
        expect(atEnd).toMatchObject({ events: before - 3, missing: 3, dropped: { unannounced: during } })
        expect(atEnd.missingRanges).not.toEqual([])
        const between = yield* Audit.topic(without(broker, "before 7"), "notes", { ledgers })
        expect(between).toMatchObject({ missing: 1, missingRanges: [{ to: expect.any(Number) as unknown }] })
        expect(between.dropped).toEqual({ unannounced: during })
        const unnamed = ledgers.map(({ legs, ...one }) => ({ ...one, legs: legs.map(withoutNames) }))
        const ofNumber = yield* Audit.topic(without(broker, "before 7"), "notes", { ledgers: unnamed })
        expect(ofNumber).toMatchObject({ missing: 1, missingRanges: [{ to: expect.any(Number) as unknown }] })

        const other = new MemoryBroker({ partitions: 1 })
        const doubted = yield* closed(other, stored)
        const arrived = yield* Audit.topic(without(other, "before 15"), "notes", { ledgers: doubted })
        expect(arrived).toMatchObject({ missing: 1, missingRanges: [{ to: expect.any(Number) as unknown }] })
      })
    ))

  /** Twenty events of ten keys are stored; five of the first key more arrive, without an answer, and are given up. */
  const inDoubt = (broker: MemoryBroker) =>
    Effect.gen(function* () {
      const saved: Array<Announcement> = []
      let isFrozen = false
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { notes } = yield* openNotes({
            broker,
            leg: { timeout: "1 second" },
            drain: "3 seconds",
            faults: { send: () => (isFrozen ? { kind: "loseResponse" } : undefined) },
            store: { save: (one) => Effect.sync(() => void saved.push(one)) }
          })
          for (let at = 0; at < 20; at++) yield* notes.publish(note(`k${at % 10}`, `before ${at}`))
          isFrozen = true
          for (let at = 0; at < 5; at++) notes.offer(note("k0", `doubt ${at}`))
          yield* Effect.sleep("100 millis")
        })
      )
      expect(saved.at(-1)?.legs[0]).toMatchObject({ stored: 20, dropped: { closed: 5 }, droppedMayBeStored: 5 })
      return saved.slice(-1)
    })

  it("misses the last ones of other buckets beside what it gave up and has arrived", () =>
    story(
      Effect.gen(function* () {
        const broker = new MemoryBroker({ partitions: 4 })
        const ledgers = yield* inDoubt(broker)
        const whole = yield* Audit.topic(memoryTransport(broker), "notes", { ledgers })
        expect(whole).toMatchObject({ events: 25, missing: 0, dropped: {}, unauditable: 0 })
        const last = ["before 15", "before 16", "before 17", "before 18", "before 19"]
        for (const lost of [...last.map((text) => [text]), last]) {
          const report = yield* Audit.topic(without(broker, ...lost), "notes", { ledgers })
          expect(report).toMatchObject({ events: 25 - lost.length, missing: lost.length, dropped: {}, unauditable: 0 })
          expect(report.missingRanges.reduce((sum, { from, to }) => sum + to - from, 0)).toBe(lost.length)
        }
        // Of what it gave up one is not there.
        const report = yield* Audit.topic(without(broker, "doubt 4", "before 19"), "notes", { ledgers })
        expect(report).toMatchObject({ events: 23, missing: 1, dropped: { unannounced: 1 }, unauditable: 0 })
      })
    ))

  it("names what is lost, whatever it gave up and whatever of that has arrived", () => {
    const keys = fc.nat(9)
    const drawn = fc.record({
      partitions: fc.constantFrom(1, 2, 4),
      stored: fc.array(keys, { maxLength: 25 }),
      // What becomes of a send: its answer is lost, or it is.
      givenUp: fc.array(fc.record({ key: keys, arrives: fc.boolean() }), { maxLength: 15 }),
      isAtOnce: fc.boolean(),
      lost: fc.array(fc.nat(39), { maxLength: 8 })
    })
    fc.assert(
      fc.property(drawn, ({ partitions, stored: keysStored, givenUp, isAtOnce, lost }) => {
        story(
          Effect.gen(function* () {
            const broker = new MemoryBroker({ partitions })
            const saved: Array<Announcement> = []
            const told: Array<string> = []
            let fate: SendFault | undefined
            yield* Effect.scoped(
              Effect.gen(function* () {
                const { notes } = yield* openNotes({
                  broker,
                  leg: { timeout: "1 second" },
                  drain: "3 seconds",
                  faults: { send: () => fate },
                  store: { save: (one) => Effect.sync(() => void saved.push(one)) }
                })
                for (const [at, key] of keysStored.entries()) {
                  yield* notes.publish(note(`k${key}`, `${at}`))
                  told.push(`${at}`)
                }
                fate = { kind: "silence" }
                for (const [at, { key, arrives }] of givenUp.entries()) {
                  fate = { kind: arrives ? "loseResponse" : "silence" }
                  notes.offer(note(`k${key}`, `${keysStored.length + at}`))
                  if (!isAtOnce) yield* Effect.sleep("50 millis")
                }
              })
            )
            const texts = lost.map(String)
            const audited = without(broker, ...texts)
            const report = yield* Audit.topic(audited, "notes", { ledgers: saved.slice(-1) })
            const missing = told.filter((text) => texts.includes(text)).length
            expect(report).toMatchObject({ missing, unauditable: 0, pending: 0, crashLost: 0 })
            const dropped = keysStored.length + givenUp.length - missing - report.events
            expect(report.dropped).toEqual(dropped === 0 ? {} : { unannounced: dropped })
          })
        )
      }),
      { numRuns: 60 }
    )
  })

  it("says of a process that has not named what it gave up that nobody can tell", () =>
    story(
      Effect.gen(function* () {
        const broker = new MemoryBroker({ partitions: 4 })
        const [named] = yield* inDoubt(broker)
        const ledgers = named === undefined ? [] : [{ ...named, legs: named.legs.map(withoutNames) }]
        const two = yield* Audit.topic(without(broker, "before 18", "before 19"), "notes", { ledgers })
        expect(two).toMatchObject({ events: 23, missing: 0, missingRanges: [], dropped: {}, unauditable: 2 })
        expect(two.windows.map(({ missing }) => missing)).toEqual([0])
        // More than it has given up.
        const last = Array.from({ length: 7 }, (_, at) => `before ${13 + at}`)
        const seven = yield* Audit.topic(without(broker, ...last), "notes", { ledgers })
        expect(seven).toMatchObject({ events: 18, missing: 2, dropped: {}, unauditable: 5 })
      })
    ))

  it("misses the last one of a process whose drops were announced, and of which some are there all the same", () =>
    story(
      Effect.gen(function* () {
        const broker = new MemoryBroker({ partitions: 1 })
        const saved: Array<Announcement> = []
        let isLost = false
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { leat, notes } = yield* openNotes({
              broker,
              policy: [{ on: ["*"], then: "drop" }],
              faults: { send: () => (isLost ? { kind: "loseResponse" } : undefined) },
              store: { save: (one) => Effect.sync(() => void saved.push(one)) }
            })
            yield* notes.publish(note("k", "first"))
            isLost = true
            for (let at = 0; at < 3; at++) notes.offer(note("k", `doubtful ${at}`))
            yield* leat.flush
            isLost = false
            yield* notes.publish(note("k", "last but one"))
            yield* notes.publish(note("k", "last"))
          })
        )
        const ledgers = saved.slice(-1)
        expect(ledgers[0]?.legs[0]?.droppedMayBeStored).toBe(3)
        const whole = yield* Audit.topic(memoryTransport(broker), "notes", { ledgers })
        expect(whole).toMatchObject({ events: 6, droppedAndStored: 3, missing: 0, dropped: {} })
        const report = yield* Audit.topic(without(broker, "last"), "notes", { ledgers })
        expect(report).toMatchObject({ events: 5, missing: 1, dropped: {} })
      })
    ))

  it("counts who has published, and not who only reads", () =>
    story(
      Effect.gen(function* () {
        const broker = new MemoryBroker({ partitions: 1 })
        const saved = new Map<string, Announcement>()
        const store = { save: (one: Announcement) => Effect.sync(() => void saved.set(one.incarnation, one)) }
        const { notes } = yield* openNotes({ broker, store })
        const reader = yield* openNotes({ broker, store })
        yield* reader.notes.handle("group", () => Effect.void)
        yield* notes.publish(note("k", "one"))
        yield* Effect.sleep("5 seconds")
        const ledgers = [...saved.values()]
        expect(ledgers.map(({ legs }) => legs.length)).toEqual([1, 1])
        const report = yield* Audit.topic(memoryTransport(broker), "notes", { ledgers })
        expect(report).toMatchObject({ events: 1, publishers: 1 })
      })
    ))

  it.each([true, false])(
    "misses what was stored and is not there in one of several places, beside what was dropped there: named %s",
    (isNamed) => {
      story(
        Effect.gen(function* () {
          const broker = new MemoryBroker({ partitions: 1 })
          const [ledger] = yield* closed(broker, silence)
          const [first] = ledger?.legs ?? []
          if (ledger === undefined || first === undefined) throw new Error("nothing was announced")
          const { unannounced = [], ...unnamed } = first
          const leg = isNamed ? { ...unnamed, unannounced } : unnamed
          // Its stream has gone on in another place, with five more events.
          const there = { ...leg, sink: "local/other", epoch: leg.epoch + 1, offered: 5, admitted: 5, stored: 5 }
          const other = { ...there, dropped: {}, droppedMayBeStored: 0 }
          const streams = ledger.streams.map((row) => ({
            ...row,
            sequences: row.sequences.map(([bucket, next], at) => [bucket, at === 0 ? next + 5 : next] as const)
          }))
          const ledgers = [{ ...ledger, legs: [leg, other], streams }]
          const whole = yield* Audit.topic(memoryTransport(broker), "notes", { ledgers, cluster: "local" })
          expect(whole).toMatchObject({ events: before, missing: 0, missingRanges: [] })
          const ends = without(broker, "before 17", "before 18", "before 19")
          const report = yield* Audit.topic(ends, "notes", { ledgers, cluster: "local" })
          expect(report).toMatchObject({ events: before - 3, missing: 3 })
        })
      )
    }
  )
})
