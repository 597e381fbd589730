import { Effect, Exit, Scope, Tracer } from "effect"
import { Leat, MemoryBroker, memoryDriver, memoryTransport } from "leat"
import { type FaultPlan, faultDriver, simulate } from "leat/testing"
import type { Driver } from "leat/transport"
import { describe, expect, it } from "vitest"
import { Pumps } from "../../src/publish/Pumps.js"
import { TurnClock } from "../../src/publish/TurnClock.js"
import { noteContract } from "../contracts/Note.js"
import { documentOf, legRow, note, openNotes, stored, story } from "./stories.js"

const silence: FaultPlan = { send: () => ({ kind: "silence" }) }
const drop = [{ on: ["*"], then: "drop" }]

/** Runs a program that ends; returns the timers that are armed then. */
function timersAfter<E>(program: Effect.Effect<void, E, Scope.Scope>): number {
  const { exit, timers } = simulate(1, Effect.scoped(program))
  if (Exit.isFailure(exit)) throw new Error("the story failed", { cause: exit.cause })
  return timers
}

describe("the pump of a cluster", () => {
  it("is one for all its sinks", () => {
    const program = Effect.map(Effect.context<never>(), (context) => {
      const clock = { monotonicTimeNanosUnsafe: () => 0n, currentTimeMillisUnsafe: () => 0 }
      const pumps = new Pumps(context, new TurnClock(clock as never, { makeDispatcher: () => ({}) } as never))
      const transport = memoryTransport(new MemoryBroker())
      expect(pumps.of(transport)).toBe(pumps.of(transport))
      expect(pumps.of(memoryTransport(new MemoryBroker()))).not.toBe(pumps.of(transport))
    })
    Effect.runSync(program)
  })

  it("sends all that is due, however much of one partition comes in a turn", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openNotes({ leg: { batch: { records: 1 }, linger: "0 millis" } })
        for (let index = 0; index < 100; index++) notes.offer(note("k", `${index}`))
        yield* Effect.sleep(1)
        expect(legRow(leat)).toMatchObject({ stored: 100 })
      })
    ))

  it("hands sends over in order where they are traced, whatever the scheduler lets give way", () => {
    const tracer = Tracer.make({ span: (options) => new Tracer.NativeSpan(options) })
    for (let seed = 1; seed <= 20; seed++) {
      const broker = new MemoryBroker({ partitions: 1 })
      const program = Effect.gen(function* () {
        const { notes } = yield* openNotes({ broker, leg: { batch: { records: 1 }, linger: "0 millis" } })
        for (let index = 0; index < 20; index++) notes.offer(note("k", `${index}`))
        yield* notes.flush
        const texts = (yield* stored(broker)).map(({ text }) => text)
        expect(texts).toEqual(Array.from({ length: 20 }, (_, index) => `${index}`))
      })
      story(Effect.provideService(program, Tracer.Tracer, tracer), seed)
    }
  })

  it("ends the span of a send for whose answer nobody waits any longer", () => {
    const spans: Array<Tracer.NativeSpan> = []
    const tracer = Tracer.make({ span: (options) => (spans[spans.length] = new Tracer.NativeSpan(options)) })
    const program = Effect.gen(function* () {
      const leg = { timeout: "1 second" }
      const { notes } = yield* openNotes({ leg, policy: drop, faults: silence, drain: "100 millis" })
      yield* Effect.exit(notes.publish(note("k", "no answer")))
      notes.offer(note("k", "closed"))
      yield* Effect.sleep(10)
    })
    story(Effect.provideService(Effect.scoped(program), Tracer.Tracer, tracer))
    expect(spans.map(({ status, attributes }) => [status._tag, attributes.get("error.type")])).toEqual([
      ["Ended", "Timeout"],
      ["Ended", "closed"]
    ])
  })

  it("sleeps for nothing a second after all sends are answered, also when nobody closes", () => {
    const program = Effect.gen(function* () {
      const plan: FaultPlan = { send: () => ({ kind: "delay", ms: 5 }) }
      const { leat, notes } = yield* openNotes({ faults: plan })
      for (let index = 0; index < 100; index++) notes.offer(note(`k${index}`, "1"))
      yield* Effect.sleep(100)
      expect(legRow(leat)).toMatchObject({ stored: 100 })
      yield* Effect.sleep(1000)
    })
    expect(timersAfter(Effect.provideService(program, Scope.Scope, Scope.makeUnsafe()))).toBe(0)
  })

  it("wakes for what is due earlier than what it sleeps for", () =>
    story(
      Effect.gen(function* () {
        const [slow, fast] = ["10 seconds", "5 millis"].map((linger, index) => ({
          match: { stream: `test.${index}` },
          to: [{ cluster: "local", topic: `t${index}`, linger }]
        }))
        const leat = yield* Leat.make({ source: "test", routes: { ...documentOf({}), routes: [slow, fast] } })
        for (const stream of ["test.0", "test.1"]) {
          const notes = yield* leat.stream(noteContract({ stream, name: stream }))
          notes.offer(note("k", "1"))
          yield* Effect.sleep(10)
        }
        expect(leat.ledger.snapshot().legs).toMatchObject([{ queued: 1 }, { stored: 1 }])
      })
    ))

  it("uses lanes and partitions again for other streams, each with its own records, topic and books", () =>
    story(
      Effect.gen(function* () {
        const broker = new MemoryBroker({ partitions: 1 })
        const leat = yield* Leat.make({ source: "test", drivers: [memoryDriver(broker)] })
        const names = ["test.0", "test.1", "test.2"]
        const streams = yield* Effect.forEach(names, (stream) => leat.stream(noteContract({ stream, name: stream })))
        for (let round = 0; round < 3; round++)
          for (const notes of streams) yield* notes.publish(note("k", notes.contract.stream))
        expect(leat.ledger.snapshot().legs).toMatchObject(
          names.map((stream) => ({ stream, stored: 3, balanced: true }))
        )
        for (const name of names) {
          const log = broker.topic(name).partitions[0]
          const records = log?.read(log.start, log.end)?.records ?? []
          expect(records.map(({ value }) => noteContract().decode(value ?? new Uint8Array()).text)).toEqual([
            name,
            name,
            name
          ])
        }
      })
    ))

  it("looks at sends without an answer as long as there are some", () =>
    story(
      Effect.gen(function* () {
        const to = [{ cluster: "local", topic: "{stream}", timeout: "1 second", policy: "leg" }]
        const document = { ...documentOf({ policy: drop }), routes: [{ match: { stream: "*" }, to }] }
        const drivers = [faultDriver(memoryDriver(new MemoryBroker()), silence)]
        const leat = yield* Leat.make({ source: "test", routes: document, drivers })
        for (const stream of ["test.0", "test.1"]) {
          const notes = yield* leat.stream(noteContract({ stream, name: stream }))
          notes.offer(note("k", "1"))
          yield* Effect.sleep(500)
        }
        yield* Effect.sleep("3 seconds")
        expect(leat.ledger.snapshot().legs).toMatchObject([{ dropped: { Timeout: 1 } }, { dropped: { Timeout: 1 } }])
      })
    ))

  it("sleeps for nothing when its sinks have closed, whatever was due", () => {
    const program = Effect.gen(function* () {
      const { notes } = yield* openNotes({ faults: silence, drain: "100 millis" })
      notes.offer(note("k", "1"))
      yield* Effect.sleep(10)
    })
    expect(timersAfter(program)).toBe(0)
  })

  it("asks for no fence any more when its sink has closed", () => {
    let [fences, interrupted] = [0, 0]
    const inner = faultDriver(memoryDriver(new MemoryBroker({ partitions: 1 })), { send: () => ({ kind: "cut" }) })
    const fence = () => {
      fences++
      return Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
    }
    const driver: Driver = {
      ...inner,
      open: (...opening) =>
        Effect.map(inner.open(...opening), (transport) => ({
          ...transport,
          openWriter: (topic) => Effect.map(transport.openWriter(topic), (writer) => ({ ...writer, fence }))
        }))
    }
    const program = Effect.gen(function* () {
      const leat = yield* Leat.make({ source: "test", drivers: [driver], drain: "100 millis" })
      const notes = yield* leat.stream(noteContract())
      notes.offer(note("k", "1"))
      yield* Effect.sleep(50)
    })
    expect(timersAfter(program)).toBe(0)
    expect([fences, interrupted]).toEqual([1, 1])
  })
})
