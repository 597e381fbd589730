/** Audits of a stream that was moved while it was published: of one of its places, and of all of them. */
import { Effect, Exit, Scope, Stream } from "effect"
import { Audit, type EventStream, MemoryBroker, memoryDriver, type OpenLeat, readMeta } from "leat"
import { simulate } from "leat/testing"
import {
  type Announcement,
  batchOf,
  type Driver,
  type ReceivedRecord,
  sendEffect,
  type Transport
} from "leat/transport"
import { describe, expect, it } from "vitest"
import { fallbackTopic } from "../../src/record/fallbackTopic.ts"
import { type Note, noteContract } from "../contracts/Note.ts"
import { apply, coordinate, documentAt, type Fleet, fleetOf, place, processOf, topicOf } from "../moves/moveKit.ts"

const stream = "test.notes"
const count = 300
const wire = ", wire: cloudevents"
const at = (name: string) => ({ cluster: "local", topic: topicOf(name), partitions: 4 })

interface Moved {
  readonly fleet: Fleet
  readonly ranges: ReadonlyArray<Audit.AuditedRange>
  /** Of the process that has published and closed. */
  readonly ledgers: ReadonlyArray<Announcement>
  /** Another process, which is open. */
  readonly leat: OpenLeat
  readonly notes: EventStream<Note>
}

/** `count` events, published by one process while the stream goes from a to b, back to a, and to c; beside them others of another stream in the topics. */
const moved = Effect.gen(function* () {
  const fleet = yield* fleetOf
  yield* apply(fleet, documentAt(1, "a", wire))
  yield* fleet.transport.ensure({ topic: topicOf("a"), partitions: 4 })
  yield* Effect.forkScoped(coordinate(fleet, stream))
  const saved: Array<Announcement> = []
  const ledger = { store: { save: (one: Announcement) => Effect.sync(() => void saved.push(one)) } }
  const scope = yield* Scope.make()
  const writer = yield* Scope.provide(processOf(fleet, { ledger }), scope)
  const leat = yield* processOf(fleet)
  const notes = yield* leat.stream(noteContract())
  const own = yield* writer.stream(noteContract())
  const others = yield* leat.stream(noteContract({ stream: "test.others" }))
  const moving = Effect.gen(function* () {
    yield* place(fleet, stream, at("a"))
    for (const [index, name] of ["b", "a", "c"].entries()) {
      yield* Effect.sleep("2 seconds")
      yield* apply(fleet, documentAt(index + 2, name, wire), { [stream]: at(name) })
    }
  })
  const publishing = Effect.gen(function* () {
    for (let text = 0; text < count; text++) {
      yield* own.publish({ key: `k${text % 11}`, text: String(text) }, { level: "queued" })
      if (text % 3 === 0) yield* others.publish({ key: `k${text % 11}`, text: `other ${text}` }, { level: "queued" })
      yield* Effect.sleep(30)
    }
    yield* leat.flush
  })
  yield* Effect.all([publishing, moving], { concurrency: "unbounded" })
  yield* Scope.close(scope, Exit.void)
  return { fleet, ranges: yield* notes.stored(), ledgers: saved.slice(-1), leat, notes } satisfies Moved
})

const story = (tell: (moved: Moved) => Effect.Effect<void, unknown, Scope.Scope>) => () => {
  const { exit } = simulate(1, Effect.scoped(Effect.flatMap(moved, tell)))
  if (Exit.isFailure(exit)) throw new Error(String(exit.cause))
}

/** As it is, without some records. */
const hiding = (transport: Transport, isHidden: (record: ReceivedRecord) => boolean): Audit.AuditedTransport => ({
  bounds: transport.bounds,
  read: (topic, partition, range) =>
    Stream.map(transport.read(topic, partition, range), ({ records, next }) => ({
      records: records.filter((record) => !isHidden(record)),
      next
    }))
})

const isText = (text: string) => (record: ReceivedRecord) =>
  readMeta(record.headers, stream).id?.stream === stream &&
  record.value !== null &&
  noteContract().decode(record.value).text === text

/** The sequence of the event with this text, and the place where it stands. */
const found = Effect.fnUntraced(function* ({ fleet: { transport } }: Moved, text: string) {
  for (const name of ["a", "b", "c"])
    for (let partition = 0; partition < 4; partition++) {
      const batches = yield* Stream.runCollect(transport.read(topicOf(name), partition, { fromPosition: 0n }))
      const record = Array.from(batches)
        .flatMap(({ records }) => records)
        .find(isText(text))
      if (record !== undefined) return { name, id: readMeta(record.headers, stream).id }
    }
  return { name: "", id: undefined }
})

const audited = (
  { fleet: { transport }, ranges, ledgers }: Moved,
  isHidden: (record: ReceivedRecord) => boolean = () => false
) => Audit.stream(stream, ranges, () => Effect.succeed(hiding(transport, isHidden)), { ledgers })

describe("an audit of a stream that was moved", () => {
  it("finds all of it in its places, and nothing of others", () =>
    story((world) =>
      Effect.gen(function* () {
        expect(new Set(world.ranges.map(({ epoch }) => epoch)).size).toBe(4)
        const report = yield* audited(world)
        const none = { missing: 0, copies: 0, outOfOrder: 0, unauditable: 0, crashLost: 0, pending: 0, foreign: 0 }
        expect(report).toMatchObject({ topic: stream, records: count, events: count, publishers: 1, ...none })
        // As whoever has the stream open asks it.
        expect(yield* Audit.stream(stream, yield* world.notes.stored(), world.leat.transport)).toMatchObject({
          events: count,
          ...none
        })
      })
    )())

  it("asks nothing of a mirror, which is given every event once more, in an epoch of its own or not", () =>
    story((world) =>
      Effect.gen(function* () {
        const [ledger] = world.ledgers
        const [leg] = ledger?.legs ?? []
        if (ledger === undefined || leg === undefined) throw new Error("nothing was announced")
        for (const epoch of [1, 9]) {
          const mirror = {
            ...leg,
            sink: "local/m",
            epoch,
            admitted: count,
            stored: count - 50,
            dropped: { Rejected: 50 }
          }
          const ledgers = [{ ...ledger, legs: [...ledger.legs, mirror] }]
          const report = yield* audited({ ...world, ledgers })
          expect(report).toMatchObject({ events: count, missing: 0, unauditable: 0, dropped: {} })
        }
      })
    )())

  it("finds it by the control stream alone, and says so where the stream is not placed", () =>
    story((world) =>
      Effect.gen(function* () {
        const tool = { drivers: [world.fleet.driver] }
        const { transport } = world.fleet
        expect(yield* Audit.streamOfFleet(transport, stream, tool, { ledgers: world.ledgers })).toMatchObject({
          events: count,
          missing: 0,
          unauditable: 0
        })
        const unplaced = yield* Effect.flip(Audit.streamOfFleet(transport, "test.others", tool))
        expect(unplaced).toMatchObject({
          reason: "Refused",
          detail: "stream test.others is not placed; there is test.notes"
        })
      })
    )())

  it("reads what stays in a fallback too", () =>
    story((world) =>
      Effect.gen(function* () {
        const { transport, driver } = world.fleet
        const { name, id } = yield* found(world, "40")
        const batches = yield* Stream.runCollect(
          transport.read(topicOf(name), (id?.bucket ?? 0) % 4, { fromPosition: 0n })
        )
        const [record] = Array.from(batches)
          .flatMap(({ records }) => records)
          .filter(isText("40"))
        // As if it had been stored there while its cluster was away.
        const aside = memoryDriver(new MemoryBroker({ partitions: 4 }))
        const beside = yield* aside.open("aside", {})
        const topic = fallbackTopic({ cluster: "local", topic: topicOf(name) }, 4)
        yield* beside.ensure({ topic, partitions: 4 })
        const writer = yield* beside.openWriter(topic)
        yield* sendEffect(writer, 0, batchOf(record === undefined ? [] : [record]), 0, 1, 1000)
        const without: Driver = {
          ...driver,
          open: (cluster, config) =>
            Effect.map(driver.open(cluster, config), (one) => ({ ...one, read: hiding(one, isText("40")).read }))
        }
        const drivers = [without, { ...aside, name: "aside" }]
        expect(yield* Audit.streamOfFleet(transport, stream, { drivers })).toMatchObject({ missing: 1 })
        const clusters =
          "policies: { away: [{ on: [passing], then: fallback }] }\nclusters: { aside: { transport: aside },"
        const more = `${wire}, policy: away, fallback: { cluster: aside, back: stay }`
        yield* apply(world.fleet, documentAt(9, "c", more).replace("clusters: {", clusters))
        expect(yield* Audit.streamOfFleet(transport, stream, { drivers })).toMatchObject({ missing: 0, events: count })
      })
    )())

  it.each([
    ["", [{}], "takes the name of a stream, and not"],
    [stream, [], "takes the ranges that stored of the stream gives, and not an empty list"],
    [stream, [{ cluster: "local" }], "takes the ranges that stored of the stream gives, and not an array"],
    [stream, 7, "takes the ranges that stored of the stream gives, and not a number"]
  ])("says what is wrong with %j and %j", (name, ranges, sentence) =>
    story((world) =>
      Effect.gen(function* () {
        const wrong = Audit.stream(name, ranges as unknown as ReadonlyArray<Audit.AuditedRange>, world.leat.transport)
        expect(String(yield* Effect.flip(wrong))).toContain(sentence)
        const option = { streams: [stream] } as Audit.StreamAuditOptions
        const unknown = Audit.stream(stream, world.ranges, world.leat.transport, option)
        expect(String(yield* Effect.flip(unknown))).toContain("streams: is no option")
      })
    )()
  )

  it.each([40, 100, 180, 290])("names event %i when it is not there, in whichever place it was", (text) =>
    story((world) =>
      Effect.gen(function* () {
        const { id } = yield* found(world, String(text))
        const { missing, missingRanges, unauditable } = yield* audited(world, isText(String(text)))
        expect({ missing, unauditable }).toEqual({ missing: 1, unauditable: 0 })
        expect(missingRanges).toMatchObject([{ bucket: id?.bucket, from: id?.seq, to: (id?.seq ?? 0) + 1 }])
      })
    )()
  )

  it("misses the last one, which its publisher has announced as stored", () =>
    story((world) =>
      Effect.gen(function* () {
        expect(yield* audited(world, isText(String(count - 1)))).toMatchObject({ missing: 1, events: count - 1 })
      })
    )())

  it("tells of what retention has taken away that nobody can tell, in the first place and in a later one", () =>
    story((world) =>
      Effect.gen(function* () {
        const { transport } = world.fleet
        for (const name of ["a", "b"]) {
          const rows = yield* transport.bounds(topicOf(name))
          const [row] = rows.filter(({ end }) => end > 0n)
          const start = (row?.end ?? 0n) / 2n
          const trimmed: Audit.AuditedTransport = {
            ...hiding(transport, () => false),
            bounds: (topic, group) =>
              Effect.map(transport.bounds(topic, group), (all) =>
                topic === topicOf(name)
                  ? all.map((one) => (one.partition === row?.partition ? { ...one, start } : one))
                  : all
              ),
            read: (topic, partition, range) =>
              Stream.map(transport.read(topic, partition, range), ({ records, next }) => ({
                records: records.filter(
                  ({ position }) => topic !== topicOf(name) || partition !== row?.partition || position >= start
                ),
                next
              }))
          }
          const report = yield* Audit.stream(stream, world.ranges, () => Effect.succeed(trimmed))
          expect({ name, missing: report.missing, isTold: report.unauditable > 0 }).toEqual({
            name,
            missing: 0,
            isTold: true
          })
        }
      })
    )())
})

describe("an audit of one place of a stream that was moved", () => {
  it.each(["a", "b", "c"])("%s misses nothing of what its publisher wrote in the others", (name) =>
    story(({ fleet: { transport }, ledgers }) =>
      Effect.gen(function* () {
        for (const some of [[], ledgers, ledgers.map((one) => ({ ...one, isClosed: false, state: "gone" as const }))]) {
          const report = yield* Audit.topic(transport, topicOf(name), { streams: [stream], ledgers: some })
          const { missing, crashLost, outOfOrder } = report
          expect({ missing, crashLost, outOfOrder }).toEqual({ missing: 0, crashLost: 0, outOfOrder: 0 })
        }
      })
    )()
  )

  it.each([40, 120, 180, 290])("names event %i where it was, all the same", (text) =>
    story((world) =>
      Effect.gen(function* () {
        const { name, id } = yield* found(world, String(text))
        const transport = hiding(world.fleet.transport, isText(String(text)))
        const { missing, missingRanges } = yield* Audit.topic(transport, topicOf(name), { streams: [stream] })
        expect(missing).toBe(1)
        expect(missingRanges).toMatchObject([{ bucket: id?.bucket, from: id?.seq }])
      })
    )()
  )

  it("cannot tell of the first of a bucket in its epoch, which another place may have", () =>
    story((world) =>
      Effect.gen(function* () {
        const { transport } = world.fleet
        const { name } = yield* found(world, "100")
        const whole = yield* Audit.topic(transport, topicOf(name), { streams: [stream] })
        const report = yield* Audit.topic(hiding(transport, isText("100")), topicOf(name), { streams: [stream] })
        expect(report).toMatchObject({ missing: 0, unauditable: whole.unauditable + 1 })
      })
    )())

  it("misses what its publisher has announced as stored there, and is not there", () =>
    story(({ fleet: { transport }, ledgers }) =>
      Effect.gen(function* () {
        const hidden = hiding(transport, isText(String(count - 1)))
        expect(yield* Audit.topic(hidden, topicOf("c"), { streams: [stream], ledgers })).toMatchObject({ missing: 1 })
      })
    )())
})
