import { Effect, Exit, Fiber, Scheduler, Scope } from "effect"
import { Leat, MemoryBroker, memoryDriver, Rejected } from "leat"
import { type FaultPlan, faultDriver, waitUntil } from "leat/testing"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { big, dead, documentOf, legRow, narrow, note, openNotes, stored, story, streamRow } from "./stories.js"

const queued = { level: "queued" } as const

/** Two legs, each in a cluster of its own; the second required or not. */
const twoLegs = (version: number, required: boolean) => {
  const leg = { buffer: { bytes: 65_536 }, batch: { bytes: 4096 }, linger: "0 millis", timeout: "1 minute" }
  return {
    version,
    clusters: { one: { transport: "one" }, two: { transport: "two" } },
    routes: [
      {
        match: { stream: "test.*" },
        to: [
          { cluster: "one", topic: "notes", ...leg },
          { cluster: "two", topic: "notes", ...leg, required }
        ]
      },
      { match: { stream: "*" }, to: [{ cluster: "one", topic: "others", ...leg }] }
    ]
  }
}

/** Two required legs; the second as slow as it is told to be. */
const openTwo = Effect.fnUntraced(function* (second: FaultPlan, first: FaultPlan = {}) {
  const brokers = { one: new MemoryBroker({ partitions: 1 }), two: new MemoryBroker({ partitions: 1 }) }
  const drivers = [
    { ...faultDriver(memoryDriver(brokers.one), first), name: "one" },
    { ...faultDriver(memoryDriver(brokers.two), second), name: "two" }
  ]
  const leat = yield* Leat.make({ source: "test", drain: "100 millis", drivers, routes: twoLegs(1, true) })
  return { leat, broker: brokers.one, notes: yield* leat.stream(noteContract()) }
})

const delay = (ms: number): FaultPlan => ({ send: () => ({ kind: "delay", ms }) })

describe("with two legs that block", () => {
  it.each([
    ["second", {}, delay(100)],
    ["first", delay(100), {}]
  ])("a publish waits for the %s, when that is the one without room", (_which, first, second) =>
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openTwo(second, first)
        for (let index = 0; index < 100; index++) yield* notes.publish(big(`${index}`), queued)
        const taken = { admitted: 100, dropped: {} }
        expect(leat.ledger.snapshot()).toMatchObject({
          balanced: true,
          streams: [{ admitted: 100, rejected: {} }],
          legs: [taken, taken]
        })
      })
    )
  )

  it("a publish waits for each in turn, when both are narrow, and nothing of it is anywhere before both have room", () => {
    for (let seed = 0; seed < 20; seed++)
      story(
        Effect.gen(function* () {
          const { leat, notes } = yield* openTwo(delay(70), delay(50))
          const sizes = [100, 3000, 20_000, 60_000]
          const publishes = Array.from({ length: 100 }, (_, index) =>
            Effect.forkChild(notes.publish(big(`${index}`, sizes[(index * 7) % 4])))
          )
          const fibers = yield* Effect.all(publishes)
          yield* waitUntil(
            "all are answered",
            Effect.sync(() => {
              const { balanced, legs, streams } = leat.ledger.snapshot()
              expect(balanced).toBe(true)
              expect(legs.map(({ admitted }) => admitted)).toEqual([streams[0]?.admitted, streams[0]?.admitted])
              return streams[0]?.waiting === 0 && streams[0].offered === 100
            })
          )
          yield* Effect.forEach(fibers, Fiber.join)
          expect(streamRow(leat)).toMatchObject({ admitted: 100, rejected: {}, waiting: 0 })
        }),
        seed
      )
  })

  it("who waits for one that a table makes best-effort is looked at again, and comes before who is later", () => {
    for (let seed = 0; seed < 20; seed++)
      story(
        Effect.gen(function* () {
          const { broker, leat, notes } = yield* openTwo(delay(10_000_000))
          while (notes.offer(big("fill")).admitted);
          const early = yield* Effect.forkChild(
            Effect.forEach(["0", "1", "2", "3"], (text) => notes.publish(big(text), queued), {
              concurrency: "unbounded"
            })
          )
          yield* waitUntil(
            "all wait",
            Effect.sync(() => streamRow(leat)?.waiting === 4)
          )
          yield* leat.swapRoutes(twoLegs(2, false))
          expect(leat.ledger.snapshot().balanced).toBe(true)
          yield* Effect.timeout(notes.publish(big("late")), "1 second")
          yield* Effect.timeout(Fiber.join(early), "1 second")
          const texts = (yield* stored(broker)).map(({ text }) => text?.replaceAll(".", ""))
          expect(texts.at(-1)).toBe("late")
          expect(new Set(texts.slice(-5, -1))).toEqual(new Set(["0", "1", "2", "3"]))
          expect(leat.ledger.snapshot()).toMatchObject({
            balanced: true,
            streams: [{ waiting: 0, rejected: { overflow: 1 } }]
          })
        }),
        seed
      )
  })

  it("a dead one does not hold up streams that only go to the other", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openTwo(delay(10_000_000))
        const others = yield* leat.stream(noteContract({ stream: "others", name: "test.Other" }))
        const waiting = yield* Effect.forkChild(
          Effect.forEach(Array.from({ length: 60 }), () => notes.publish(big("x"), queued), {
            concurrency: "unbounded"
          })
        )
        yield* Effect.sleep(10)
        expect(streamRow(leat)?.waiting).toBeGreaterThan(0)
        for (let index = 0; index < 100; index++) yield* others.publish(big("y"))
        yield* Fiber.interrupt(waiting)
        expect(leat.ledger.snapshot().balanced).toBe(true)
      })
    ))
})

describe("who waits first", () => {
  it("is served first, on any schedule, however large the event", () => {
    for (let seed = 0; seed < 20; seed++)
      story(
        Effect.gen(function* () {
          const { broker, leat, notes } = yield* openNotes(narrow("block"))
          while (notes.offer(big("fill")).admitted);
          const expected = Array.from({ length: 40 }, (_, index) => index)
          const before = streamRow(leat)?.offered ?? 0
          for (const index of expected) {
            // One after the other, so that it is known who came first.
            yield* Effect.forkChild(notes.publish(big(`${index}`, index % 5 === 0 ? 50_000 : 500), queued))
            yield* waitUntil(
              "it waits or is admitted",
              Effect.sync(() => streamRow(leat)?.offered === before + index + 1)
            )
          }
          yield* waitUntil(
            "nobody waits",
            Effect.sync(() => streamRow(leat)?.waiting === 0)
          )
          yield* leat.flush
          const texts = (yield* stored(broker)).map(({ text }) => Number.parseInt(text ?? ""))
          expect(texts.filter((text) => !Number.isNaN(text))).toEqual(expected)
        }),
        seed
      )
  })

  it("is not overtaken by offers: a large event gets its room under a load of small ones", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openNotes(narrow("block"))
        while (notes.offer(big("fill")).admitted);
        const large = yield* Effect.forkChild(notes.publish(big("large", 60_000), queued))
        yield* waitUntil(
          "it waits",
          Effect.sync(() => streamRow(leat)?.waiting === 1)
        )
        let offers = 0
        while (large.pollUnsafe() === undefined) {
          expect(notes.offer(big("small", 10)).admitted).toBe(false)
          yield* Effect.sleep(1)
          if (++offers > 5000) throw new Error("the large event was passed over 5000 times")
        }
        expect(large.pollUnsafe()?._tag).toBe("Success")
      })
    ))
})

describe("waiting", () => {
  it("is over after the time-out of the leg, on a sink that is dead", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openNotes(dead())
        while (notes.offer(big("fill")).admitted);
        const fibers = yield* Effect.all(
          [0, 500, 1000].map((ms) => Effect.forkChild(Effect.delay(Effect.flip(notes.publish(big("late"))), ms)))
        )
        yield* Effect.sleep(1999)
        expect(streamRow(leat)).toMatchObject({ waiting: 3 })
        yield* Effect.sleep(600)
        expect(streamRow(leat)).toMatchObject({ waiting: 1, rejected: { timeout: 2 } })
        const errors = yield* Effect.forEach(fibers, Fiber.join)
        for (const error of errors) {
          expect(error).toBeInstanceOf(Rejected)
          expect(error.message).toContain("local/notes had no room for it within 2000 ms")
        }
        expect(leat.ledger.snapshot().balanced).toBe(true)
      })
    ))

  it("is one time-out for a whole publishAll", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openNotes(dead())
        const all = Array.from({ length: 1000 }, (_, index) => big(`${index}`))
        const publishing = yield* Effect.forkChild(notes.publishAll(all, queued))
        yield* Effect.sleep(2001)
        const { admitted, rejected } = yield* Fiber.join(publishing)
        expect(admitted).toBeGreaterThan(3)
        expect(admitted + rejected.length).toBe(1000)
        expect(rejected.every(({ error }) => error.reason === "timeout")).toBe(true)
        expect(rejected.map(({ index }) => index)).toEqual(Array.from(rejected, (_, index) => index + admitted))
        expect(streamRow(leat)).toMatchObject({ offered: 1000, admitted, waiting: 0, balanced: true })
      })
    ))

  it("is over for a publishAll that is given up: the event in line is rejected, and the others are not offered", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openNotes(dead())
        let fill = 0
        while (notes.offer(big("fill")).admitted) fill++
        const publishing = yield* Effect.forkChild(notes.publishAll([big("1"), big("2")], queued))
        yield* Effect.sleep(1)
        expect(streamRow(leat)?.waiting).toBe(1)
        yield* Fiber.interrupt(publishing)
        expect(streamRow(leat)).toMatchObject({
          offered: fill + 2,
          admitted: fill,
          rejected: { overflow: 1, interrupted: 1 },
          waiting: 0,
          balanced: true
        })
      })
    ))

  it("ends when the leat closes: rejected as closed, and so is who comes later", () =>
    story(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const { leat, notes } = yield* Scope.provide(openNotes(dead({ timeout: "1 hour" })), scope)
        while (notes.offer(big("fill")).admitted);
        const waiting = yield* Effect.forkChild(Effect.flip(notes.publish(big("waits"))))
        const all = yield* Effect.forkChild(notes.publishAll([big("1"), big("2")], queued))
        yield* Effect.sleep(1)
        expect(streamRow(leat)?.waiting).toBe(2)
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        expect(yield* Fiber.join(waiting)).toMatchObject({ reason: "closed" })
        expect((yield* Fiber.join(all)).rejected).toMatchObject([
          { error: { reason: "closed" } },
          { error: { reason: "closed" } }
        ])
        expect(closing.pollUnsafe()).toBeUndefined()
        expect(yield* Effect.flip(notes.publish(big("later")))).toMatchObject({ reason: "closed" })
        yield* Fiber.join(closing)
        expect(yield* Effect.flip(notes.publish(big("later")))).toMatchObject({ reason: "closed" })
        expect((yield* notes.publishAll([big("later")])).rejected).toMatchObject([{ error: { reason: "closed" } }])
        expect(leat.ledger.snapshot().balanced).toBe(true)
      })
    ))

  it("ends when another table gives the buffer more room", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openNotes(dead({ timeout: "1 hour" }))
        while (notes.offer(big("fill")).admitted);
        const waiting = yield* Effect.forkChild(notes.publish(big("waits"), queued))
        yield* Effect.sleep(1)
        const leg = { ...dead({ timeout: "1 hour" }).leg, buffer: { bytes: 131_072 } }
        yield* leat.swapRoutes({ ...documentOf({ leg }), version: 2 })
        yield* Fiber.join(waiting)
        const rest = yield* Effect.forkChild(
          Effect.forEach(Array.from({ length: 100 }), () => Effect.exit(notes.publish(big("rest"), queued)))
        )
        yield* Effect.sleep(1)
        expect(streamRow(leat)?.waiting).toBe(1)
        const rejecting = { ...leg, buffer: { bytes: 131_072, overflow: "reject" } }
        yield* leat.swapRoutes({ ...documentOf({ leg: rejecting }), version: 3 })
        expect((yield* Fiber.join(rest)).at(-1)?._tag).toBe("Failure")
        expect(streamRow(leat)).toMatchObject({ waiting: 0, balanced: true })
      })
    ))

  it("is not for an event that can never fit: that is rejected at once, and nothing is dropped for it", () => {
    for (const overflow of ["block", "dropOldest", "reject"])
      story(
        Effect.gen(function* () {
          const { leat, notes } = yield* openNotes(
            dead({ buffer: { bytes: 65_536, overflow }, batch: { records: 10 } })
          )
          for (let index = 0; index < 20; index++) notes.offer(note("k", `${index}`))
          expect(notes.offer(big("large", 100_000))).toEqual({ admitted: false, reason: "tooLarge" })
          const error = yield* Effect.flip(notes.publish(big("large", 100_000)))
          expect(error).toMatchObject({ reason: "tooLarge" })
          expect(error.message).toMatch(/the record has 100\d\d\d bytes, local\/notes takes 65536/)
          expect(legRow(leat)).toMatchObject({ admitted: 20, dropped: {} })
        })
      )
  })

  it("keeps what was published, whatever the caller does to the object meanwhile", () =>
    story(
      Effect.gen(function* () {
        const { broker, leat, notes } = yield* openNotes(narrow("block"))
        while (notes.offer(big("fill")).admitted);
        const event = { key: "k", text: big("as it was").text }
        const waiting = yield* Effect.forkChild(notes.publish(event))
        yield* waitUntil(
          "it waits",
          Effect.sync(() => streamRow(leat)?.waiting === 1)
        )
        Object.assign(event, { key: "other", text: "invalid" })
        yield* Fiber.join(waiting)
        expect((yield* stored(broker)).at(-1)).toMatchObject({ text: big("as it was").text })
      })
    ))
})

describe("a publish that waits and is interrupted", () => {
  it("at any step: nobody is left waiting", async () => {
    const program = Effect.gen(function* () {
      const { leat, notes } = yield* openNotes(dead())
      while (notes.offer(big("fill")).admitted);
      // The default scheduler gives way at the 2048th step of a fiber.
      for (let steps = 2030; steps < 2060; steps++) {
        const publishing = Effect.gen(function* () {
          for (let step = 0; step < steps; step++) yield* Effect.sync(() => undefined)
          yield* notes.publish(big("x"))
        })
        Effect.runFork(publishing).interruptUnsafe()
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      }
      expect(streamRow(leat)).toMatchObject({ waiting: 0, balanced: true })
    }).pipe(Effect.scoped)
    await Effect.runPromise(program)
  })

  it("in the turn of its admission: it is admitted or told interrupted, and never both", () => {
    for (let seed = 0; seed < 10; seed++)
      story(
        Effect.gen(function* () {
          const dispatcher = (yield* Scheduler.Scheduler).makeDispatcher()
          const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
          const published = new Map<string, number>()
          const broker = new MemoryBroker({ partitions: 1 })
          /** A caller gives up in the turn in which some event is admitted: mostly his own. */
          const moved = (_: unknown, __: unknown, seq: number, from: unknown) => {
            const fiber = fibers[seq]
            if (from === undefined) dispatcher.scheduleTask(() => fiber?.pollUnsafe() ?? fiber?.interruptUnsafe(), 0)
          }
          const leat = yield* Leat.make({
            source: "test",
            routes: documentOf(narrow("block")),
            drivers: [faultDriver(memoryDriver(broker), delay(10))],
            journal: { moved }
          })
          const notes = yield* leat.stream(noteContract())
          for (let index = 0; index < 100; index++) {
            const publish = Effect.tap(notes.publish(big(`${index}`), queued), ({ id }) =>
              Effect.sync(() => published.set(`${index}`, id.seq))
            )
            fibers.push(yield* Effect.forkChild(publish))
          }
          for (const fiber of fibers) yield* Fiber.await(fiber)
          yield* leat.flush
          const { admitted = 0, rejected = {} } = streamRow(leat) ?? {}
          expect(leat.ledger.snapshot().balanced).toBe(true)
          expect(admitted + (rejected["interrupted"] ?? 0)).toBeLessThanOrEqual(100)
          expect(legRow(leat)).toMatchObject({ admitted, stored: admitted })
          for (const { text, id } of yield* stored(broker)) {
            const seq = published.get(`${Number.parseInt(text ?? "")}`)
            if (seq !== undefined) expect(id?.seq).toBe(seq)
          }
        }),
        seed
      )
  })
})
