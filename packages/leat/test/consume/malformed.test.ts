/** Records that cannot be decoded: they hold up nobody, and do not take over the topic where it is the reader who cannot. */
import { expect, it } from "@effect/vitest"
import { Clock, Effect, Exit, Scope } from "effect"
import { TestClock } from "effect/testing"
import { type EventStream, Leat, MemoryBroker, memoryDriver, memoryTransport } from "leat"
import { batchOf, seededRandom } from "leat/testing"
import { sendEffect } from "leat/transport"
import protobuf from "protobufjs/minimal.js"
import { describe } from "vitest"
import { type Note, noteContract } from "../contracts/Note.ts"
import { failure, lettersIn, minute, recordsIn } from "./RetryCalls.ts"
import { open, routes } from "./support.ts"

const broken = Uint8Array.of(255, 255)
const handlerMs = 50
const count = 1000

const textOf = (value: Uint8Array | null) => noteContract().decode(value ?? broken).text

/** A backlog of one partition over 100 keys. */
const backlog = (broker: MemoryBroker, isBroken: (index: number) => boolean) =>
  Effect.gen(function* () {
    const writer = yield* memoryTransport(broker).openWriter("notes")
    const records = Array.from({ length: count }, (_, index) => {
      const key = `k${index % 100}`
      const bytes = protobuf.Writer.create()
      noteContract().encodeInto({ key, text: `${index}` }, bytes)
      return { key, value: isBroken(index) ? broken : bytes.finish(), headers: [] }
    })
    yield* sendEffect(writer, 0, batchOf(records), 0, count, 1000)
  }).pipe(Effect.scoped)

/** How it handles a backlog for an hour: when the last one was handled, in milliseconds, and what became of all. */
const handled = (isBroken: (index: number) => boolean, options: object = {}) =>
  Effect.gen(function* () {
    const broker = new MemoryBroker({ partitions: 1 })
    yield* backlog(broker, isBroken)
    const leat = yield* open(routes(), broker)
    const notes = yield* leat.stream(noteContract())
    const began = yield* Clock.currentTimeMillis
    let lastMs = 0
    const handler = () =>
      Effect.map(Effect.delay(Clock.currentTimeMillis, handlerMs), (now) => void (lastMs = now - began))
    yield* notes.handle("g", handler, options)
    for (let step = 0; step < 400; step++) yield* TestClock.adjust(handlerMs)
    yield* TestClock.adjust(60 * minute)
    const [lane] = leat.ledger.snapshot().lanes
    return { lastMs, done: lane?.done, letters: lane?.deadLettered["Malformed"] ?? 0, balanced: lane?.balanced }
  })

const quarter = count / 4

describe("a backlog of which a quarter cannot be decoded", () => {
  it.effect.each([
    ["by chance", {}, (random: () => number) => () => random() < 0.25],
    ["by chance, with many handlers at once", { concurrency: 512 }, (random: () => number) => () => random() < 0.25],
    ["the first ones", {}, () => (index: number) => index < quarter],
    ["the last ones", {}, () => (index: number) => index >= count - quarter]
  ] as const)("is handled as soon as one of which all can: %s", ([, options, drawn]) =>
    Effect.gen(function* () {
      const whole = yield* Effect.scoped(handled(() => false, options))
      expect(whole).toMatchObject({ done: count, letters: 0 })
      const { lastMs, done = 0, letters, balanced } = yield* handled(drawn(seededRandom(7)), options)
      expect(letters).toBeGreaterThan(count / 5)
      expect([done + letters, balanced]).toEqual([count, true])
      expect(lastMs).toBeLessThanOrEqual(whole.lastMs)
    })
  )
})

describe("a reader that has the wrong schema", () => {
  const wrong = noteContract({
    decode: () => {
      throw new Error("no schema of mine")
    }
  })

  const subscribed = (broker: MemoryBroker, contract: typeof wrong, seen: Array<string>, isBatch: boolean) =>
    Effect.gen(function* () {
      const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [memoryDriver(broker)] })
      const notes: EventStream<Note> = yield* leat.stream(contract)
      yield* isBatch
        ? notes.handleBatch("g", (all) => Effect.sync(() => void seen.push(...all.map(({ event }) => event.text))))
        : notes.handle("g", ({ text }) => Effect.sync(() => void seen.push(text)))
    })

  it.effect.each([false, true])("sets few aside, and what waits is handled by the next one: in batches %s", (isBatch) =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      yield* backlog(broker, () => false)
      const seen: Array<string> = []
      const scope = yield* Scope.make()
      yield* Scope.provide(subscribed(broker, wrong, seen, isBatch), scope)
      for (let step = 0; step < 118; step++) yield* TestClock.adjust("30 seconds")
      const letters = (yield* lettersIn(broker, "notes.g.dlq")).length
      // Twenty show it, a hundred are let through in ten minutes, and one that shows whether it is over.
      expect(letters).toBeGreaterThan(100)
      expect(letters).toBeLessThanOrEqual(20 + 6 * 101)
      yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("1 minute")
      yield* subscribed(broker, noteContract(), seen, isBatch)
      for (let step = 0; step < 100; step++) yield* TestClock.adjust(100)
      const aside = (yield* recordsIn(broker, "notes.g.dlq")).map(({ value }) => textOf(value))
      expect(new Set([...aside, ...seen]).size).toBe(count)
      expect(seen.length).toBeGreaterThanOrEqual(count - aside.length)
    })
  )
})

describe("a record that cannot be decoded", () => {
  it.effect("is dead-lettered in an outage of what handlers need, which it neither begins nor ends", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const isBroken = (index: number) => index % 100 >= 50
      yield* backlog(broker, isBroken)
      const leat = yield* open(routes(), broker)
      const notes = yield* leat.stream(noteContract())
      yield* notes.handle("g", () => Effect.fail(failure("Down")), { policy: [{ on: ["*"], then: "deadLetter" }] })
      yield* TestClock.adjust("5 minutes")
      const tags = (yield* lettersIn(broker, "notes.g.dlq")).map((letter) => letter?.tag)
      expect(tags.filter((tag) => tag === "Malformed")).toHaveLength(count / 2)
      expect(tags.filter((tag) => tag === "Down").length).toBeLessThanOrEqual(20)
    })
  )

  it.effect("is not what a handler says that fails as Malformed", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      yield* backlog(broker, () => false)
      const leat = yield* open(routes(), broker)
      const notes = yield* leat.stream(noteContract())
      yield* notes.handle("g", () => Effect.fail(failure("Malformed")))
      yield* TestClock.adjust("5 minutes")
      expect((yield* recordsIn(broker, "notes.g.dlq")).length).toBeLessThanOrEqual(20)
    })
  )
})
