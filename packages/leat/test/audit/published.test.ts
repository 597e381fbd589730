/** What leat publishes, audited as it stands, and with records taken away. */
import { Clock, Effect, Stream, Struct } from "effect"
import { Audit, Leat, MemoryBroker, memoryDriver, memoryTransport, readMeta } from "leat"
import { drawWorld, simulate, tellWorld } from "leat/testing"
import type { Announcement, ReceivedRecord } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { bucketKeys } from "../publish/bucketKeys.js"
import { documentOf as mirrored, main, mirror } from "../publish/mirrors.js"
import { big, documentOf, narrow, note, openNotes, story } from "../publish/stories.js"

/** Reads all but the records that are hidden. */
function without(broker: MemoryBroker, isHidden: (record: ReceivedRecord) => boolean): Audit.AuditedTransport {
  const transport = memoryTransport(broker)
  return {
    bounds: transport.bounds,
    read: (topic, partition, range) =>
      Stream.map(transport.read(topic, partition, range), ({ records, next }) => ({
        records: records.filter((record) => !isHidden(record)),
        next
      }))
  }
}

const textOf = (value: Uint8Array | null) => noteContract().decode(value ?? new Uint8Array()).text

const readAll = (broker: MemoryBroker, partition: number) =>
  memoryTransport(broker)
    .read("notes", partition, { fromPosition: 0n })
    .pipe(
      Stream.flatMap(({ records }) => Stream.fromIterable(records)),
      Stream.runCollect
    )

/** Publishes with a ledger of which the announcements are kept, and closes. */
const announced = (broker: MemoryBroker, count: number, wire = "compact") =>
  Effect.gen(function* () {
    const saved: Array<Announcement> = []
    const store = { save: (one: Announcement) => Effect.sync(() => void saved.push(one)) }
    yield* Effect.scoped(
      Effect.gen(function* () {
        const drivers = [memoryDriver(broker)]
        const leat = yield* Leat.make({
          source: "test",
          routes: documentOf({ leg: { wire } }),
          drivers,
          ledger: { store }
        })
        const notes = yield* leat.stream(noteContract())
        for (let at = 0; at < count; at++) yield* notes.publish(note(`k${at % 5}`, `text ${at}`))
      })
    )
    return saved.slice(-1)
  })

/** As if so many of what was stored had been on their way when it was announced. */
const onItsWay = (ledgers: ReadonlyArray<Announcement>, queued: number) =>
  ledgers.map((one) => ({ ...one, legs: one.legs.map((leg) => ({ ...leg, stored: leg.stored - queued, queued })) }))

describe("an audit of what leat published", () => {
  it("names the record that is not there any more, of whichever stream the topic is", () =>
    story(
      Effect.gen(function* () {
        const broker = new MemoryBroker({ partitions: 2 })
        yield* announced(broker, 40)
        const whole = yield* Audit.topic(memoryTransport(broker), "notes", { streams: ["test.notes"] })
        expect(whole).toMatchObject({ events: 40, missing: 0, copies: 0, outOfOrder: 0, publishers: 1, lossRatio: 0 })
        const isIt = ({ value }: ReceivedRecord) => textOf(value) === "text 16"
        const records = yield* Effect.all([readAll(broker, 0), readAll(broker, 1)])
        const { id } = readMeta(records.flat().find(isIt)?.headers ?? [], "test.notes")
        const holed = without(broker, isIt)
        const report = yield* Audit.topic(holed, "notes", { streams: ["test.notes"] })
        expect(report).toMatchObject({ events: 39, missing: 1, lossRatio: 1 / 40 })
        expect(report.missingRanges).toMatchObject([
          { stream: "test.notes", bucket: id?.bucket, from: id?.seq, to: (id?.seq ?? 0) + 1 }
        ])
      })
    ))

  it.each(["compact", "cloudevents"])("misses the last ones of a publisher by its ledger, wire %s", (wire) =>
    story(
      Effect.gen(function* () {
        const broker = new MemoryBroker({ partitions: 2 })
        const ledgers = yield* announced(broker, 40, wire)
        const last = new Set(["text 38", "text 39"])
        const cut = without(broker, ({ value }) => last.has(textOf(value)))
        expect(yield* Audit.topic(cut, "notes")).toMatchObject({ events: 38, missing: 0 })
        const audit = (state: "closed" | "gone" | "running" | "elsewhere") =>
          Audit.topic(cut, "notes", { ledgers: ledgers.map((one) => ({ ...one, state })), cluster: "local" })
        expect(yield* audit("closed")).toMatchObject({ missing: 2, crashLost: 0, pending: 0, unauditable: 0 })
        const died = onItsWay(ledgers, 2).map((one) => ({ ...one, state: "gone" as const }))
        expect(yield* Audit.topic(cut, "notes", { ledgers: died, cluster: "local" })).toMatchObject({
          missing: 0,
          missingRanges: [],
          crashLost: 2,
          gone: [{ stored: 38, crashLost: 2, spilled: 0, missing: 0, excess: 0 }]
        })
        // What it was told is stored is not lost with the process.
        expect(yield* audit("gone")).toMatchObject({ missing: 2, crashLost: 0, pending: 0, unauditable: 0 })
        expect(yield* audit("running")).toMatchObject({ missing: 0, crashLost: 0, pending: 2, unauditable: 0 })
        expect(yield* audit("elsewhere")).toMatchObject({ missing: 0, crashLost: 0, pending: 0, unauditable: 2 })
        // The ledger is of another cluster.
        expect(yield* Audit.topic(cut, "notes", { ledgers, cluster: "other" })).toMatchObject({ missing: 0 })
        expect(yield* Audit.topic(memoryTransport(broker), "notes", { ledgers })).toMatchObject({ missing: 0 })
      })
    )
  )

  it("does not miss what a share of the keys leaves out, and does miss what of the share is not there", () =>
    story(
      Effect.gen(function* () {
        const brokers = { main: new MemoryBroker({ partitions: 1 }), far: new MemoryBroker({ partitions: 1 }) }
        const ledgers: Array<Announcement> = []
        const store = { save: (one: Announcement) => Effect.sync(() => void ledgers.splice(0, 1, one)) }
        yield* Effect.scoped(
          Effect.gen(function* () {
            const leat = yield* Leat.make({
              source: "test",
              routes: mirrored(1, [main, { ...mirror, canary: { buckets: "0-49%" } }]),
              drivers: [
                { ...memoryDriver(brokers.main), name: "main" },
                { ...memoryDriver(brokers.far), name: "far" }
              ],
              ledger: { store }
            })
            const notes = yield* leat.stream(noteContract())
            for (let at = 0; at < 3; at++) yield* notes.publishAll(bucketKeys.map((key) => note(key, `${key} ${at}`)))
          })
        )
        const options = { streams: ["test.notes"], ledgers, cluster: "far" }
        const whole = yield* Audit.topic(memoryTransport(brokers.far), "copies", options)
        expect(whole).toMatchObject({ events: 12, missing: 0, pending: 0, unauditable: 0 })
        const cut = without(brokers.far, ({ value }) => textOf(value) === `${bucketKeys[3]} 2`)
        const report = yield* Audit.topic(cut, "copies", options)
        expect(report).toMatchObject({ events: 11, missing: 1, missingRanges: [{ bucket: 3, from: 2, to: 3 }] })
        expect(
          yield* Audit.topic(memoryTransport(brokers.main), "notes", { ...options, cluster: "main" })
        ).toMatchObject({
          events: 24,
          missing: 0
        })
      })
    ))

  it("takes what waits to be set aside for what is on its way, by the ledger", () =>
    story(
      Effect.gen(function* () {
        const broker = new MemoryBroker({ partitions: 2 })
        const [ledger] = yield* announced(broker, 40)
        const between = without(broker, ({ value }) => textOf(value) === "text 16")
        const audit = (state: "closed" | "gone" | "running" | "elsewhere", deadLettering: number) => {
          const legs = ledger?.legs.map((leg) => ({ ...leg, stored: 40 - deadLettering, deadLettering })) ?? []
          const ledgers = ledger === undefined ? [] : [{ ...ledger, legs, state }]
          return Audit.topic(between, "notes", { ledgers })
        }
        expect(yield* audit("running", 0)).toMatchObject({ missing: 1, pending: 0 })
        expect(yield* audit("running", 1)).toMatchObject({ missing: 0, missingRanges: [], pending: 1 })
        expect(yield* audit("gone", 1)).toMatchObject({ missing: 0, crashLost: 1 })
        expect(yield* audit("elsewhere", 3)).toMatchObject({ missing: 0, unauditable: 1 })
        // Of a process that is closed nothing waits any more.
        expect(yield* audit("closed", 1)).toMatchObject({ missing: 1 })
      })
    ))

  it("takes what a process has left in its spill for what is on its way, by the ledger", () =>
    story(
      Effect.gen(function* () {
        const broker = new MemoryBroker({ partitions: 2 })
        const [ledger] = yield* announced(broker, 40)
        const last = new Set(["text 38", "text 39"])
        const cut = without(broker, ({ value }) => last.has(textOf(value)))
        const audit = (state: "closed" | "gone" | "running", spilled: number) => {
          const queued = state === "gone" ? 2 - spilled : 0
          const legs = ledger?.legs.map((leg) => ({ ...leg, stored: 40 - spilled - queued, queued, spilled })) ?? []
          return Audit.topic(cut, "notes", { ledgers: ledger === undefined ? [] : [{ ...ledger, legs, state }] })
        }
        expect(yield* audit("closed", 2)).toMatchObject({ missing: 0, missingRanges: [], pending: 2, crashLost: 0 })
        expect(yield* audit("closed", 1)).toMatchObject({ missing: 1, pending: 1 })
        expect(yield* audit("gone", 2)).toMatchObject({ missing: 0, pending: 2, crashLost: 0 })
        expect(yield* audit("gone", 1)).toMatchObject({ missing: 0, pending: 1, crashLost: 1 })
        expect(yield* audit("running", 2)).toMatchObject({ missing: 0, pending: 2 })
      })
    ))

  it("takes what a fallback has for what is on its way, by the ledger", () =>
    story(
      Effect.gen(function* () {
        const broker = new MemoryBroker({ partitions: 2 })
        const [ledger] = yield* announced(broker, 40)
        const hidden = new Set(["text 10", "text 39"])
        const cut = without(broker, ({ value }) => hidden.has(textOf(value)))
        const audit = (state: "closed" | "gone" | "running", fellBack: number, options: Audit.AuditOptions = {}) => {
          const queued = state === "gone" ? 2 - fellBack : 0
          const legs = ledger?.legs.map((leg) => ({ ...leg, stored: 40 - fellBack - queued, queued, fellBack })) ?? []
          return Audit.topic(cut, "notes", {
            ...options,
            ledgers: ledger === undefined ? [] : [{ ...ledger, legs, state }]
          })
        }
        expect(yield* audit("closed", 2)).toMatchObject({ missing: 0, pending: 2, crashLost: 0 })
        expect(yield* audit("closed", 1)).toMatchObject({ missing: 1, pending: 1 })
        expect(yield* audit("closed", 0)).toMatchObject({ missing: 2, pending: 0 })
        expect(yield* audit("gone", 2)).toMatchObject({ missing: 0, pending: 2, crashLost: 0 })
        expect(yield* audit("gone", 1)).toMatchObject({ missing: 0, pending: 1, crashLost: 1 })
        expect(yield* audit("running", 1)).toMatchObject({ missing: 0, pending: 2 })
        // What is not in the fallback either is not there.
        const near = new MemoryBroker()
        yield* memoryTransport(near).ensure({ topic: "local.notes.2.fallback", partitions: 2 })
        const fallbacks = [memoryTransport(near)]
        expect(yield* audit("closed", 2, { cluster: "local", fallbacks })).toMatchObject({ missing: 2, pending: 0 })
      })
    ))

  it("counts what a policy dropped as dropped, and not as missing", () =>
    story(
      Effect.gen(function* () {
        const { broker, leat, notes } = yield* openNotes(narrow("dropOldest"))
        for (let at = 0; at < 60; at++) notes.offer(big(`text ${at}`))
        yield* leat.flush
        yield* notes.publish(note("k", "the last one"))
        const dropped = leat.ledger.snapshot().legs[0]?.dropped["overflow"] ?? 0
        expect(dropped).toBeGreaterThan(10)
        const report = yield* Audit.topic(memoryTransport(broker), "notes")
        expect(report).toMatchObject({ events: 61 - dropped, dropped: { overflow: dropped }, missing: 0 })
        expect(report.lossRatio).toBeCloseTo(dropped / 61)
      })
    ))

  it("misses nothing behind drops of which there were more than a lane remembers", () =>
    story(
      Effect.gen(function* () {
        let reason: "Unavailable" | "Throttled" | undefined
        const saved: Array<Announcement> = []
        const { broker, leat, notes } = yield* openNotes(
          {
            policy: [{ on: ["passing"], then: "drop" }],
            faults: { send: () => (reason === undefined ? undefined : { kind: "fail", reason }) },
            store: { save: (one) => Effect.sync(() => void saved.push(one)) }
          },
          noteContract({ buckets: 3840 })
        )
        const toAll = Effect.suspend(() => {
          for (let at = 0; at < 2500; at++) notes.offer(note(`k${at}`, "to all"))
          return leat.flush
        })
        for (let round = 0; round < 4; round++) {
          reason = round % 2 === 0 ? "Unavailable" : "Throttled"
          yield* toAll
        }
        reason = undefined
        // One record says most of it, the next that there is more, and the others nothing.
        for (const _ of [0, 1, 2]) yield* toAll
        const transport = memoryTransport(broker)
        const report = yield* Audit.topic(transport, "notes")
        expect(report).toMatchObject({ events: 7500, missing: 0 })
        expect(report.unauditable).toBeGreaterThan(2000)
        const listed = Object.values(report.dropped).reduce((sum, count) => sum + count, 0)
        expect(listed + report.unauditable).toBe(10_000)
        yield* Effect.sleep("1 minute")
        // The ledger knows that they were dropped.
        const ledgers = saved.slice(-1)
        const counted = yield* Audit.topic(transport, "notes", { ledgers })
        expect(counted).toMatchObject({ missing: 0, unauditable: 0, dropped: { unannounced: report.unauditable } })
      })
    ))

  it("counts what retention has taken away as not to be told", () =>
    story(
      Effect.gen(function* () {
        const broker = new MemoryBroker({ partitions: 1, retentionBytes: 40_000 })
        const { leat, notes } = yield* openNotes({ broker })
        for (let at = 0; at < 40; at++) yield* notes.publish(big(`text ${at}`))
        const report = yield* Audit.topic(memoryTransport(broker), "notes")
        expect(report.missing).toBe(0)
        expect(report.unauditable).toBe(40 - report.events)
        expect(report.unauditable).toBeGreaterThan(10)
        expect(leat.ledger.snapshot().balanced).toBe(true)
      })
    ))

  it("counts what compaction has taken away as not to be told", () =>
    story(
      Effect.gen(function* () {
        const { broker, notes } = yield* openNotes()
        for (let at = 0; at < 40; at++) yield* notes.publish(note(`k${at % 5}`, `text ${at}`))
        broker.topic("notes").partitions[0]?.compact()
        const report = yield* Audit.topic(memoryTransport(broker), "notes")
        expect(report).toMatchObject({ events: 5, unauditable: 35, missing: 0, lossRatio: 0 })
      })
    ))

  it.each([true, false])(
    "does not take drops of before for what is missing since: named when it closed %s",
    (isNamed) =>
      story(
        Effect.gen(function* () {
          const broker = new MemoryBroker({ partitions: 1 })
          const saved: Array<Announcement> = []
          const store = { save: (one: Announcement) => Effect.sync(() => void saved.push(one)) }
          const publishing = Effect.gen(function* () {
            const { leat, notes } = yield* openNotes({ ...narrow("dropOldest"), broker, store })
            for (let at = 0; at < 60; at++) notes.offer(big(`text ${at}`))
            yield* leat.flush
            yield* Effect.sleep("1 minute")
            const sinceMs = yield* Clock.currentTimeMillis
            for (let at = 0; at < 9; at++) yield* notes.publish(note("k", `later ${at}`))
            return sinceMs
          })
          const fromTimeMs = yield* Effect.scoped(publishing)
          const lost = new Set(["later 3", "later 4", "later 8"])
          const holed = without(broker, ({ value }) => lost.has(textOf(value)))
          const ledgers = saved.slice(-1).map(({ legs, ...one }) => ({
            ...one,
            state: "closed" as const,
            legs: isNamed ? legs : legs.map((leg) => Struct.omit(leg, ["unannounced"]))
          }))
          expect(ledgers[0]?.legs[0]?.dropped["overflow"]).toBeGreaterThan(10)
          const report = yield* Audit.topic(holed, "notes", { ledgers, fromTimeMs })
          // Whether it is one of those that were dropped nobody can tell of the last one.
          const last = isNamed ? { unauditable: 61, dropped: {} } : { unauditable: 60, dropped: { unannounced: 1 } }
          expect(report).toMatchObject({ events: 6, missing: 2, ...last })
        })
      )
  )

  it("says how far a group has got, and counts by windows of time", () =>
    story(
      Effect.gen(function* () {
        const { broker, notes } = yield* openNotes()
        for (let at = 0; at < 10; at++) {
          yield* notes.publish(note("k", `text ${at}`))
          yield* Effect.sleep("1 second")
        }
        const transport = memoryTransport(broker)
        yield* transport.subscribe({ topic: "notes", group: "readers", from: "earliest", drainMs: 1000 }).pipe(
          Stream.take(1),
          Stream.runForEach((lane) => Effect.andThen(Stream.runDrain(Stream.take(lane.batches, 1)), lane.settle(4n)))
        )
        const report = yield* Audit.topic(transport, "notes", { group: "readers", windowMs: 5000 })
        expect(report.group).toEqual({
          group: "readers",
          settled: 4,
          waiting: 6,
          deadLetters: { open: 0, replayed: 0, dropped: 0 }
        })
        expect(report.windows.map(({ events }) => events)).toEqual([5, 5])
      })
    ))

  it.each([
    [{ streem: ["a"] }, "streem: is no option"],
    [{ fallbacks: [{}], cluster: "main" }, "fallbacks: is a list of transports, as leat.transport gives them"],
    [{ fallbacks: [] }, "fallbacks: needs cluster too"],
    [{ windowMs: 10 }, "windowMs: is milliseconds, 1000 or more, and not 10"],
    [{ group: "" }, "group: is the name of a group"]
  ])("refuses %j", async (options, sentence) => {
    const transport = memoryTransport(new MemoryBroker())
    const error = await Effect.runPromise(Effect.flip(Audit.topic(transport, "notes", options as object)))
    expect(error).toMatchObject({ reason: "Unsupported", detail: expect.stringContaining(sentence) })
  })

  it("has no false alarm in worlds of faults", { timeout: 120_000 }, () => {
    let [events, dropped, stayed] = [0, 0, 0]
    // Until enough was dropped and has stayed in a fallback; a day's changes move that from seed to seed. `npm run prove -- simulation` audits each world.
    for (let seed = 1; seed <= 12 || ((Math.min(dropped, stayed) <= 10 || events <= 1000) && seed <= 120); seed++) {
      const drawn = drawWorld(seed)
      // What legs set aside leaves gaps by its nature too; the worlds' own judge compares audits with what it knows of those.
      // It misses what was published while a leg was not in the table (decision 46): those that come and go are there from the beginning to the end,
      // and shares stay as they are.
      const streams = drawn.streams.map((stream) => ({
        ...stream,
        legs: stream.legs.map(({ policy, ...leg }) => ({
          ...leg,
          isIn: undefined,
          canary: leg.canary && { even: leg.canary.even, odd: leg.canary.even },
          policy: policy === "setAside" ? ("drop" as const) : policy
        }))
      }))
      const world = { ...drawn, streams }
      const brokers = Array.from(
        { length: world.clusters },
        () => new MemoryBroker({ partitions: 2, recordBytesMax: 20_000 })
      )
      const stages = brokers.map((broker) => {
        const reader = Effect.sync(() => memoryTransport(broker))
        return { driver: memoryDriver(broker), config: {}, reader, withinMs: 0 }
      })
      simulate(seed, tellWorld(stages, world), { racing: 0.01 })
      const legs = streams.flatMap((stream) => stream.legs)
      const transports = brokers.map((broker) => memoryTransport(broker))
      for (const [index, transport] of transports.entries()) {
        for (const topic of Effect.runSync(transport.topics ?? Effect.succeed([]))) {
          // Groups set single events aside, or move them: a topic of theirs has gaps by its nature.
          if (/\.(dlq|replay|retry\.\d+|fallback)$/.test(topic)) continue
          const places = legs.filter((leg) => leg.cluster === index && leg.topic === topic)
          const staying = places.flatMap(({ fallback }) => (fallback?.back === "stay" ? [fallback.cluster] : []))
          const fallbacks = staying.flatMap((one) => transports[one] ?? [])
          const report = Effect.runSync(Audit.topic(transport, topic, { cluster: `c${index}`, fallbacks }))
          stayed += fallbacks.length === 0 ? 0 : report.events - Effect.runSync(Audit.topic(transport, topic)).events
          expect({ seed, ...report }).toMatchObject({ missing: 0, outOfOrder: 0, missingRanges: [] })
          events += report.events
          dropped += Object.values(report.dropped).reduce((sum, count) => sum + count, 0)
        }
      }
    }
    expect(events).toBeGreaterThan(1000)
    expect(dropped).toBeGreaterThan(10)
    expect(stayed).toBeGreaterThan(10)
  })
})
