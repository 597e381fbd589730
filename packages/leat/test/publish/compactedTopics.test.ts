/** The topic of a compacted contract: how it comes to be, and what is said of one that is there already. */
import { Clock, Effect, Exit, Scope } from "effect"
import { Leat, MemoryBroker, memoryDriver, memoryTransport, type OpenLeat } from "leat"
import { type Driver, type Transport, TransportError } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { isFoundCompacted } from "../../src/transport/madeCompacted.js"
import { fallbackTopic } from "../../src/record/fallbackTopic.js"
import { fallbackPlaces, isBack, openFalling, stored } from "./fallbackStory.js"
import { spillStory, until } from "./spillStory.js"
import { documentOf, note, openNotes, story } from "./stories.js"

const wanted = noteContract({ compacted: true })
/** As a fallback keeps it. */
const everything = { timeMs: Infinity, bytes: Infinity }
const needed = noteContract({ compacted: true, needs: ["compaction"] })

const isCompacted = (broker: MemoryBroker, topic = "notes") => broker.find(topic)?.spec.compacted ?? false

/** Reads with a group that begins now; the texts by key. */
const readLate = Effect.fnUntraced(function* (leat: OpenLeat) {
  const state = new Map<string, string>()
  const notes = yield* leat.stream(wanted)
  const late = yield* notes.handle("late", ({ key, text }) => Effect.sync(() => void state.set(key, text)))
  yield* late.caughtUp
  return state
})

/** A broker where nobody may ask how a topic is, nor make one. */
function closed(broker: MemoryBroker, reason: "Unauthorized" | "Timeout" = "Unauthorized"): Driver {
  const inner = memoryDriver(broker)
  return {
    ...inner,
    open: (...asked) =>
      Effect.map(inner.open(...asked), (transport) => ({
        ...transport,
        ensure: () =>
          Effect.fail(new TransportError({ reason, transport: "memory", operation: "ensure", detail: "not for you" }))
      }))
  }
}

/** A broker that other processes share, whose transport does some things otherwise. */
function shared(broker: MemoryBroker, otherwise: Partial<Transport> = {}): Driver {
  const inner = memoryDriver(broker)
  return {
    ...inner,
    open: (...asked) =>
      Effect.map(inner.open(...asked), (transport) => ({
        ...transport,
        capabilities: { ...transport.capabilities, ephemeral: false },
        ...otherwise
      }))
  }
}

const superseding = expect.stringMatching(
  /^local\/notes is compacted, and the contract of test.notes is not: .*cleanup.policy=delete/
)

const unavailable = Effect.fail(
  new TransportError({ reason: "Unavailable", transport: "memory", operation: "bounds", detail: "not now" })
)

describe("the topic of a compacted contract", () => {
  it("is made compacted, and that of another contract is not", () => {
    story(
      Effect.gen(function* () {
        expect(isCompacted((yield* openNotes({}, wanted)).broker)).toBe(true)
        expect(isCompacted((yield* openNotes({}, noteContract())).broker)).toBe(false)
      })
    )
  })

  it("keeps the last event of a key that rests, for a group that comes late, whatever the retention", () => {
    story(
      Effect.gen(function* () {
        const broker = new MemoryBroker({ partitions: 1, retentionBytes: 20_000 })
        const { leat, notes } = yield* openNotes({ broker }, wanted)
        yield* notes.publish(note("seldom", "the state of seldom"))
        for (let index = 0; index < 3000; index++) {
          notes.offer(note("often", `${index}`))
          if (index % 100 === 0) yield* leat.flush
        }
        yield* leat.flush
        expect(Array.from(yield* readLate(leat))).toEqual([
          ["seldom", "the state of seldom"],
          ["often", "2999"]
        ])
        expect(broker.topic("notes").partitions[0]?.bytes).toBeLessThan(40_000)
      })
    )
  })

  it("is told of once where it is there and is not compacted", () => {
    const broker = new MemoryBroker({ partitions: 1 })
    broker.ensure({ topic: "notes", partitions: 1 })
    const lines = spillStory(
      Effect.gen(function* () {
        const { notes, leat } = yield* openNotes({ broker }, wanted)
        yield* notes.publish(note("k", "1"))
        yield* leat.stream(wanted)
      })
    )
    expect(lines).toEqual([expect.stringMatching(/^local\/notes is not compacted, although .*cleanup.policy=compact/)])
  })

  it("is not opened where it is there, is not compacted, and the contract needs that", () => {
    story(
      Effect.gen(function* () {
        const broker = new MemoryBroker({ partitions: 1 })
        broker.ensure({ topic: "notes", partitions: 1 })
        const exit = yield* Effect.exit(openNotes({ broker }, needed))
        expect(Exit.isFailure(exit) && String(exit.cause)).toContain(
          "the contract needs compaction, so it is not opened"
        )
        expect(isCompacted((yield* openNotes({}, needed)).broker)).toBe(true)
      })
    )
  })

  it.each([
    ["time", { timeMs: 60_000 }],
    ["size", { bytes: 60_000 }]
  ])(
    "is told of once where it is there, compacted, and deletes by its %s as well; and is not opened where the contract needs compaction",
    (_, retention) => {
      const broker = new MemoryBroker({ partitions: 1 })
      broker.ensure({ topic: "notes", partitions: 1, compacted: true, retention })
      const lines = spillStory(
        Effect.gen(function* () {
          const { notes } = yield* openNotes({ broker }, wanted)
          yield* notes.publish(note("k", "1"))
          const exit = yield* Effect.exit(openNotes({ broker }, needed))
          expect(Exit.isFailure(exit) && String(exit.cause)).toContain("deletes the latest event of a key that rests")
        })
      )
      expect(lines).toEqual([
        expect.stringMatching(
          /^local\/notes is compacted and deletes by a retention as well, .* instead of `compact,delete`/
        )
      ])
    }
  )

  it("is written to where it is there and nobody may ask how it is, and is not made otherwise where it is not", () => {
    story(
      Effect.gen(function* () {
        const broker = new MemoryBroker({ partitions: 1 })
        const opened = (name: string) => {
          const routes = documentOf({ leg: { topic: name } })
          const leat = Leat.make({ source: "test", routes, drivers: [closed(broker)] })
          return Effect.exit(Effect.flatMap(leat, (one) => one.stream(needed)))
        }
        const refused = yield* opened("none")
        expect(Exit.isFailure(refused) && String(refused.cause)).toContain("not for you")
        expect(broker.find("none")).toBeUndefined()
        broker.ensure({ topic: "there", partitions: 1, compacted: true })
        expect(Exit.isSuccess(yield* opened("there"))).toBe(true)
      })
    )
  })

  it("is made compacted where its cluster was away when the process began, once that is there", () => {
    const places = fallbackPlaces()
    spillStory(
      Effect.gen(function* () {
        // Of an earlier process, which knew how many partitions the topic has.
        places.near.ensure({
          topic: fallbackTopic({ cluster: "far", topic: "notes" }, 1),
          partitions: 1,
          retention: everything
        })
        let isThere = false
        const error = new TransportError({
          reason: "Unavailable",
          transport: "memory",
          operation: "open",
          detail: "not there"
        })
        const farDriver = (driver: Driver): Driver => ({
          ...driver,
          open: (...asked) => Effect.suspend(() => (isThere ? driver.open(...asked) : Effect.fail(error)))
        })
        const { leat, notes } = yield* openFalling(places, { back: "redrive", farDriver, contract: wanted })
        yield* notes.publish(note("k", "1"))
        expect(places.far.topics).toEqual([])
        isThere = true
        yield* until("it is back", isBack(leat), 60_000)
        expect([stored(places), isCompacted(places.far)]).toEqual([["1"], true])
      })
    )
  })

  it.each([
    ["compacted", true, [superseding]],
    ["an ordinary one", false, []]
  ])("is told of once where an ordinary contract is published and read there, and is %s", (_, compacted, told) => {
    const broker = new MemoryBroker({ partitions: 1 })
    broker.ensure({ topic: "notes", partitions: 1, compacted })
    const lines = spillStory(
      Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test", routes: documentOf({}), drivers: [shared(broker)] })
        const notes = yield* leat.stream(noteContract())
        yield* notes.handle("one", () => Effect.void)
        yield* notes.handle("two", () => Effect.void)
        yield* notes.publish(note("k", "1"))
        yield* Effect.sleep("1 minute")
      })
    )
    expect(lines).toEqual(told)
  })

  it("is told of where an ordinary contract is read there, before its leg is open", () => {
    const broker = new MemoryBroker({ partitions: 1 })
    broker.ensure({ topic: "notes", partitions: 1, compacted: true })
    const unwritable = shared(broker, { openWriter: () => Effect.never })
    const lines = spillStory(
      Effect.gen(function* () {
        const to = [
          { cluster: "near", topic: "mirror" },
          { cluster: "local", topic: "notes", read: true, required: false }
        ]
        const routes = {
          version: 1,
          clusters: { local: { transport: "memory" }, near: { transport: "near" } },
          routes: [{ match: { stream: "*" }, to }]
        }
        const near = { ...memoryDriver(new MemoryBroker()), name: "near" }
        const leat = yield* Leat.make({ source: "test", routes, drivers: [unwritable, near], drain: "1 second" })
        const notes = yield* leat.stream(noteContract())
        yield* Effect.sleep("1 second")
        expect(broker.topics).toEqual(["notes"])
        yield* notes.handle("one", () => Effect.void)
        yield* Effect.sleep("1 second")
      })
    )
    expect(lines.filter((line) => line.includes("is compacted"))).toEqual([superseding])
  })

  it("is told of when its cluster answers, and the stream is open before that", () => {
    const broker = new MemoryBroker({ partitions: 1 })
    broker.ensure({ topic: "notes", partitions: 1, compacted: true })
    let isThere = false
    let asked = 0
    const bounds: Transport["bounds"] = (...of) =>
      Effect.suspend(() => {
        if (isThere) return memoryTransport(broker).bounds(...of)
        return asked++ === 0 ? Effect.never : unavailable
      })
    const driver = shared(broker, { bounds })
    const lines = spillStory(
      Effect.gen(function* () {
        const beganMs = yield* Clock.currentTimeMillis
        const leat = yield* Leat.make({ source: "test", routes: documentOf({}), drivers: [driver] })
        const notes = yield* leat.stream(noteContract())
        expect(yield* Clock.currentTimeMillis).toBe(beganMs)
        yield* notes.publish(note("k", "1"))
        yield* Effect.sleep("2 minutes")
        expect(asked).toBeGreaterThan(2)
        isThere = true
        yield* Effect.sleep("2 minutes")
      })
    )
    expect(lines).toEqual([superseding])
  })

  it("is not made by the question whether it is compacted", () => {
    story(
      Effect.gen(function* () {
        const broker = new MemoryBroker({ partitions: 1 })
        const asked = yield* Effect.flip(isFoundCompacted(memoryTransport(broker), "none"))
        expect([asked.reason, broker.topics]).toEqual(["UnknownTopic", []])
      })
    )
  })

  it("is not asked about any more when the leat is closed", () => {
    const broker = new MemoryBroker({ partitions: 1 })
    let open = 0
    const silent = shared(broker, {
      bounds: () =>
        Effect.acquireUseRelease(
          Effect.sync(() => void open++),
          () => Effect.never,
          () => Effect.sync(() => void open--)
        )
    })
    story(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const made = Leat.make({ source: "test", routes: documentOf({}), drivers: [silent] })
        yield* (yield* Scope.provide(made, scope)).stream(noteContract())
        yield* Effect.sleep("1 second")
        expect(open).toBe(1)
        yield* Scope.close(scope, Exit.void)
        expect(open).toBe(0)
      })
    )
  })

  it("is made compacted by a consumer that joins it before the leg is open", () => {
    const broker = new MemoryBroker({ partitions: 1 })
    const inner = memoryDriver(broker)
    // The topic can be read, and a writer waits for longer than a stream that is opened does.
    const slow: Driver = {
      ...inner,
      open: (...asked) =>
        Effect.map(inner.open(...asked), (transport) => ({
          ...transport,
          openWriter: (topic) => Effect.delay(transport.openWriter(topic), "20 seconds"),
          partitionsOf: (topic) => Effect.delay(transport.partitionsOf(topic), isJoined ? 0 : "10 seconds")
        }))
    }
    let isJoined = false
    story(
      Effect.gen(function* () {
        const to = [
          { cluster: "near", topic: "mirror" },
          { cluster: "local", topic: "notes", read: true, required: false }
        ]
        const routes = {
          version: 1,
          clusters: { local: { transport: "memory" }, near: { transport: "near" } },
          routes: [{ match: { stream: "*" }, to }]
        }
        const near = { ...memoryDriver(new MemoryBroker()), name: "near" }
        const leat = yield* Leat.make({ source: "test", routes, drivers: [slow, near] })
        const notes = yield* leat.stream(wanted)
        expect(broker.topics).toEqual([])
        isJoined = true
        yield* notes.handle("late", () => Effect.void)
        yield* Effect.sleep("1 second")
        expect([broker.topics, isCompacted(broker)]).toEqual([["notes"], true])
      })
    )
  })
})
