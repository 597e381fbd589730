/** A process that is closed while its cluster does not answer: what it gave up is told as dropped, and a loss beside it as one. */
import { Effect, Stream } from "effect"
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

        const other = new MemoryBroker({ partitions: 1 })
        const doubted = yield* closed(other, stored)
        const arrived = yield* Audit.topic(without(other, "before 15"), "notes", { ledgers: doubted })
        expect(arrived).toMatchObject({ missing: 1, missingRanges: [{ to: expect.any(Number) as unknown }] })
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

  it("misses what was stored and is not there in one of several places, beside what was dropped there", () =>
    story(
      Effect.gen(function* () {
        const broker = new MemoryBroker({ partitions: 1 })
        const [ledger] = yield* closed(broker, silence)
        const [leg] = ledger?.legs ?? []
        if (ledger === undefined || leg === undefined) throw new Error("nothing was announced")
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
    ))
})
