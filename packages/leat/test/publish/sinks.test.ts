import { Effect, Fiber, Stream } from "effect"
import { Leat, MemoryBroker, memoryDriver, memoryTransport, readMeta, TransportError } from "leat"
import type { Driver, Writer } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { big, documentOf, legRow, note, openNotes, stored, story } from "./stories.js"

const size = (bytes: number) => note("k", "x".repeat(bytes))

/** The memory driver under another name, where opening a writer is something else. */
const opening = (
  bend: (open: ReturnType<typeof Effect.succeed<Writer>>) => Effect.Effect<Writer, TransportError>,
  broker = new MemoryBroker({ partitions: 1 })
): Driver => {
  const inner = memoryDriver(broker)
  return {
    ...inner,
    name: "far",
    open: (...asked) =>
      Effect.map(inner.open(...asked), (transport) => ({
        ...transport,
        openWriter: (topic) => Effect.flatMap(transport.openWriter(topic), (writer) => bend(Effect.succeed(writer)))
      }))
  }
}
const refused = new TransportError({ reason: "Unauthorized", transport: "far", operation: "openWriter", detail: "no" })

/** One leg of `memory` that is required, and one of `far` that is not. */
const withFar = {
  version: 1,
  clusters: { local: { transport: "memory" }, far: { transport: "far" } },
  routes: [
    {
      match: { stream: "*" },
      to: [
        { cluster: "local", topic: "notes" },
        { cluster: "far", topic: "copies", required: false }
      ]
    }
  ]
}

describe("the budget of a sink", () => {
  it("gets back what nobody uses again, because the driver may still hold it", () =>
    story(
      Effect.gen(function* () {
        const cutOnce = ({ call }: { readonly call: number }) => (call === 0 ? ({ kind: "cut" } as const) : undefined)
        const { leat, notes } = yield* openNotes({ faults: { send: cutOnce } })
        yield* notes.publish(note("k", "1"))
        expect(leat.sinks()).toMatchObject([{ bufferedBytes: 0 }])
      })
    ))

  it("has the newest event where the one before was dropped for it, and its arena is used again", () =>
    story(
      Effect.gen(function* () {
        const { broker, leat, notes } = yield* openNotes({
          leg: { buffer: { bytes: 65_536, overflow: "dropOldest" }, batch: { bytes: 60_000 }, linger: "10 seconds" }
        })
        // Each leaves its batch open, is over what that takes beside it, and fills the arena of the whole buffer.
        for (const bytes of [40_000, 41_000, 42_000]) expect(notes.offer(big("x", bytes))).toEqual({ admitted: true })
        const told = yield* leat.flush
        expect(told).toMatchObject({ stored: 1 })
        expect((yield* stored(broker)).map(({ text }) => text?.length)).toEqual([42_000])
        expect(legRow(leat)).toMatchObject({ admitted: 3, stored: 1, dropped: { overflow: 2 }, balanced: true })
      })
    ))

  it("is given to nobody at the cost of others where that is not enough", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openNotes({
          leg: { buffer: { bytes: 65_536, overflow: "dropOldest" }, batch: { bytes: 4096 }, linger: "10 seconds" },
          faults: { send: () => ({ kind: "delay", ms: 100 }) }
        })
        for (let index = 0; index < 3; index++) notes.offer(size(15_000))
        yield* Effect.sleep(10)
        notes.offer(size(100))
        expect(notes.offer(size(20_000))).toEqual({ admitted: false, reason: "overflow" })
        yield* leat.flush
        expect(legRow(leat)).toMatchObject({ admitted: 4, stored: 4, dropped: {} })
      })
    ))

  it("that another table makes larger takes larger records", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openNotes({ leg: { buffer: { bytes: 65_536 } } })
        expect(notes.offer(size(100_000))).toEqual({ admitted: false, reason: "tooLarge" })
        yield* leat.swapRoutes({ ...documentOf({ leg: { buffer: { bytes: 1_000_000 } } }), version: 2 })
        expect(notes.offer(size(100_000))).toEqual({ admitted: true })
      })
    ))
})

describe("a batch that takes no more", () => {
  it("is sent, although the next one lingers", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openNotes({ leg: { batch: { bytes: 4096 }, linger: "10 seconds" } })
        notes.offer(size(3000))
        notes.offer(size(2000))
        yield* Effect.sleep(1)
        expect(legRow(leat)).toMatchObject({ stored: 1, queued: 1 })
      })
    ))
})

describe("whoever published", () => {
  it("is told when the books are right, also of what came with it and was not stored", () =>
    story(
      Effect.gen(function* () {
        let sends = 0
        const half = opening((open) =>
          Effect.map(open, (writer) => ({
            ...writer,
            send: (partition, batch, from, to, timeoutMs, answer) => {
              if (sends++ > 0) return writer.send(partition, batch, from, to, timeoutMs, answer)
              answer([
                { from, to: from + 1, fate: "stored" },
                { from: from + 1, to, fate: "notStored", error: refused }
              ])
            }
          }))
        )
        const routes = {
          version: 1,
          clusters: { far: { transport: "far" } },
          policies: { again: [{ on: ["*"], retry: { base: "1 milli" }, then: "halt" }] },
          routes: [
            { match: { stream: "*" }, to: [{ cluster: "far", topic: "notes", policy: "again", linger: "1 milli" }] }
          ]
        }
        const leat = yield* Leat.make({ source: "test", routes, drivers: [half] })
        const notes = yield* leat.stream(noteContract())
        const publish = (text: string) =>
          Effect.map(notes.publish(note("k", text)), () => {
            const { balanced, legs } = leat.ledger.snapshot()
            return { balanced, stored: legs[0]?.stored }
          })
        const told = yield* Effect.all([publish("1"), publish("2")], { concurrency: "unbounded" })
        // Which of them is first the order of steps says.
        expect(told.toSorted((one, other) => Number(one.stored) - Number(other.stored))).toEqual([
          { balanced: true, stored: 1 },
          { balanced: true, stored: 2 }
        ])
      })
    ))
})

describe("a sink that opens", () => {
  it("has the settings of the table that was put in force meanwhile", () =>
    story(
      Effect.gen(function* () {
        const drivers = [opening((open) => Effect.delay(open, "1 second"))]
        const document = (linger: string, version: number) => ({
          version,
          clusters: { far: { transport: "far" } },
          routes: [{ match: { stream: "*" }, to: [{ cluster: "far", topic: "notes", linger }] }]
        })
        const leat = yield* Leat.make({ source: "test", routes: document("10 seconds", 1), drivers })
        const asked = yield* Effect.forkChild(leat.stream(noteContract()))
        yield* Effect.sleep(500)
        yield* leat.swapRoutes(document("0 millis", 2))
        const notes = yield* Fiber.join(asked)
        notes.offer(note("k", "1"))
        yield* Effect.sleep(10)
        expect(legRow(leat)).toMatchObject({ stored: 1 })
      })
    ))

  it("in vain is tried less and less often", () =>
    story(
      Effect.gen(function* () {
        let asked = 0
        const refusing = opening(() => Effect.suspend(() => (asked++, Effect.fail(refused))))
        const leat = yield* Leat.make({ source: "test", routes: withFar, drivers: [refusing] })
        yield* leat.stream(noteContract())
        yield* Effect.sleep("1 minute")
        const inTheFirstMinute = asked
        yield* Effect.sleep("1 minute")
        expect([inTheFirstMinute, asked - inTheFirstMinute]).toEqual([7, 2])
      })
    ))

  it("late announces what its leg lost, each drop once, whatever its partitions", () =>
    story(
      Effect.gen(function* () {
        const broker = new MemoryBroker({ partitions: 4 })
        let isThere = false
        const late = opening((open) => Effect.suspend(() => (isThere ? open : Effect.fail(refused))), broker)
        const leat = yield* Leat.make({ source: "test", routes: withFar, drivers: [late] })
        const notes = yield* leat.stream(noteContract())
        const publish = (text: string) =>
          notes.publishAll(Array.from({ length: 40 }, (_, key) => note(`k${key}`, text)))
        yield* publish("1")
        yield* leat.swapRoutes({ ...withFar, version: 2 })
        isThere = true
        yield* Effect.sleep("1 minute")
        yield* publish("2")
        yield* leat.flush
        const told: Array<string> = []
        for (const { partition } of yield* memoryTransport(broker).bounds("copies")) {
          const kept = yield* Stream.runCollect(memoryTransport(broker).read("copies", partition, { fromPosition: 0n }))
          for (const { headers } of Array.from(kept).flatMap(({ records }) => records))
            for (const { bucket, from, to } of readMeta(headers, "test.notes").dropped)
              for (let seq = from; seq < to; seq++) told.push(`${bucket}/${seq}`)
        }
        expect([told.length, new Set(told).size]).toEqual([40, 40])
      })
    ))
})
