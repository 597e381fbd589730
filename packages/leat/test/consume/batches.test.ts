import { expect, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { TestClock } from "effect/testing"
import { describe } from "vitest"
import { CurrentDelivery, Leat, PartlyFailed } from "leat"
import { noteContract } from "../contracts/Note.ts"
import { drained, open, routes, until } from "./support.ts"

describe("a batch over several pulls", () => {
  it.live("ends before what is no event, wherever it stands, and gives each event once and in order", () =>
    Effect.gen(function* () {
      const leat = yield* open(routes())
      const notes = yield* leat.stream(noteContract({ compacted: true }))
      const free = yield* Deferred.make<void>()
      const seen: Array<string> = []
      const subscription = yield* notes.handleBatch("g", (deliveries) => {
        seen.push(deliveries.map(({ event }) => event.text).join(""))
        return Deferred.await(free)
      })
      yield* notes.publish({ key: "k", text: "0" })
      yield* until("handled", () => seen.length === 1)
      // Each is pulled by itself, while the first one is handled.
      const told = () => leat.ledger.snapshot().lanes.reduce((sum, { positions }) => sum + positions, 0)
      for (const [index, text] of ["1", "", "3", "", "", "6", "7"].entries()) {
        if (text === "") notes.offerTombstone("k")
        else notes.offer({ key: "k", text })
        yield* until("pulled", () => told() === index + 2)
      }
      yield* Deferred.succeed(free, undefined)
      yield* drained(subscription)
      expect(seen).toEqual(["0", "1", "3", "67"])
      expect(leat.ledger.snapshot().lanes).toMatchObject([{ done: 8, balanced: true }])
    })
  )
})

describe("a tombstone among batches", () => {
  const story = Effect.fnUntraced(function* (fails: number, options: object = {}) {
    const leat = yield* open(routes())
    const notes = yield* leat.stream(noteContract({ compacted: true }))
    for (const text of ["0", "1", "", "3", "", ""]) {
      if (text === "") notes.offerTombstone("k")
      else notes.offer({ key: "k", text })
    }
    yield* notes.flush
    const seen: Array<string> = []
    const subscription = yield* notes.handleBatch(
      "g",
      (deliveries) => Effect.sync(() => void seen.push(deliveries.map(({ event }) => event.text).join(""))),
      {
        policy: [{ on: ["Again"], retry: { times: 5, baseMs: 1 }, then: "drop" }],
        onTombstone: ({ key, attempt, position }) => {
          seen.push(`${key}@${position}#${attempt}`)
          return attempt <= fails ? Effect.fail({ _tag: "Again" }) : Effect.void
        },
        ...options
      }
    )
    yield* drained(subscription)
    return { seen, row: leat.ledger.snapshot().lanes[0] }
  })

  it.live("comes in its turn, by itself", () =>
    Effect.gen(function* () {
      const { seen, row } = yield* story(0)
      expect(seen).toEqual(["01", "k@2#1", "3", "k@4#1", "k@5#1"])
      expect(row).toMatchObject({ done: 6, balanced: true })
    })
  )

  it.live("is tried again as its policy says, before what stands behind it", () =>
    Effect.gen(function* () {
      const { seen, row } = yield* story(1)
      expect(seen).toEqual(["01", "k@2#1", "k@2#2", "3", "k@4#1", "k@4#2", "k@5#1", "k@5#2"])
      expect(row).toMatchObject({ done: 6, dropped: {}, balanced: true })
      const dropped = yield* story(9)
      expect(dropped.row).toMatchObject({ done: 3, dropped: { Again: 3 }, balanced: true })
    })
  )

  it.live("is handled once with an inbox", () =>
    Effect.gen(function* () {
      const recorded: Array<ReadonlyArray<string>> = []
      const inbox = {
        transaction: (work: Effect.Effect<void, unknown>) => work,
        record: ({ ids }: { readonly ids: ReadonlyArray<string> }) =>
          Effect.sync(() => {
            recorded.push(ids)
            return ids.map(() => recorded.length !== 2)
          }),
        forget: () => Effect.void
      }
      const { seen, row } = yield* story(0, { inbox })
      expect(seen).toEqual(["01", "3", "k@4#1", "k@5#1"])
      expect(row).toMatchObject({ done: 5, duplicate: 1, balanced: true })
    })
  )
})

describe("a batch of which some events fail", () => {
  const failure = (tag: string) => Object.assign(new Error(`planted ${tag}`), { _tag: tag })
  const policy = [
    { on: ["Again"], retry: { times: 5, baseMs: 1 }, then: "halt" as const },
    { on: ["Poison"], then: "drop" as const }
  ]

  it.live("has the others done, and gives those again that failed, in order and each by itself", () =>
    Effect.gen(function* () {
      const leat = yield* open(routes())
      const notes = yield* leat.stream(noteContract())
      const texts = ["0", "again", "2", "poison", "again", "5"]
      yield* notes.publishAll(texts.map((text) => ({ key: "k", text })))
      const calls: Array<string> = []
      const subscription = yield* notes.handleBatch(
        "g",
        (deliveries) => {
          calls.push(deliveries.map(({ event, info }) => `${event.text}#${info.attempt}`).join(" "))
          const failures = deliveries.flatMap(({ event, info }, index) => {
            if (event.text === "poison") return [{ index, error: failure("Poison") }]
            return event.text === "again" && info.attempt < 3 ? [{ index, error: failure("Again") }] : []
          })
          return failures.length === 0 ? Effect.void : Effect.fail(new PartlyFailed({ failures }))
        },
        { policy }
      )
      yield* subscription.caughtUp
      expect(calls).toEqual([
        texts.map((text) => `${text}#1`).join(" "),
        "again#2",
        "again#3",
        "poison#2",
        "again#2",
        "again#3"
      ])
      expect(leat.ledger.snapshot().lanes).toMatchObject([{ done: 5, dropped: { Poison: 1 }, balanced: true }])
    })
  )

  it.live(
    "is judged whole where what its handler says does not fit it, and taken apart before any of it is dropped",
    () =>
      Effect.gen(function* () {
        const leat = yield* open(routes())
        const notes = yield* leat.stream(noteContract())
        yield* notes.publishAll(["0", "1", "2"].map((text) => ({ key: "k", text })))
        const calls: Array<string> = []
        const subscription = yield* notes.handleBatch(
          "g",
          (deliveries) => {
            calls.push(deliveries.map(({ event }) => event.text).join(""))
            const isWrong = deliveries.some(({ event }) => event.text === "1")
            return isWrong
              ? Effect.fail(new PartlyFailed({ failures: [{ index: 17, error: failure("Poison") }] }))
              : Effect.void
          },
          { policy: [{ on: ["PartlyFailed"], then: "drop" }] }
        )
        yield* subscription.caughtUp
        expect(calls).toEqual(["012", "0", "1", "2"])
        expect(leat.ledger.snapshot().lanes).toMatchObject([{ done: 2, dropped: { PartlyFailed: 1 }, balanced: true }])
      })
  )
})

describe("a batch that may wait for more", () => {
  it.effect("is given when it is full, or when its time is over", () =>
    Effect.gen(function* () {
      const leat = yield* open(routes())
      const notes = yield* leat.stream(noteContract())
      const seen: Array<string> = []
      yield* notes.handleBatch(
        "g",
        (deliveries) => Effect.sync(() => void seen.push(deliveries.map(({ event }) => event.text).join(""))),
        { records: 4, waitMs: 1000 }
      )
      const publish = (text: string) =>
        Effect.andThen(Effect.forkChild(notes.publish({ key: "k", text })), TestClock.adjust("100 millis"))
      for (const text of ["0", "1", "2"]) yield* publish(text)
      expect(seen).toEqual([])
      yield* publish("3")
      expect(seen).toEqual(["0123"])
      yield* publish("4")
      yield* publish("5")
      expect(seen).toEqual(["0123"])
      yield* TestClock.adjust("1 second")
      expect(seen).toEqual(["0123", "45"])
    })
  )

  it.effect("has waited once: what is left of it behind what is no event comes at once", () =>
    Effect.gen(function* () {
      const leat = yield* open(routes())
      const notes = yield* leat.stream(noteContract({ compacted: true }))
      const seen: Array<string> = []
      for (const text of ["0", "1", "", "3", "", "", "6"]) {
        if (text === "") notes.offerTombstone("k")
        else notes.offer({ key: "k", text })
      }
      yield* Effect.andThen(Effect.forkChild(notes.flush), TestClock.adjust("100 millis"))
      const subscription = yield* notes.handleBatch(
        "g",
        (deliveries) => Effect.sync(() => void seen.push(deliveries.map(({ event }) => event.text).join(""))),
        { waitMs: 1000 }
      )
      yield* TestClock.adjust("1 millis")
      yield* TestClock.adjust("900 millis")
      expect(seen).toEqual([])
      yield* TestClock.adjust("200 millis")
      expect(seen).toEqual(["01", "3", "6"])
      expect(yield* subscription.lag).toBe(0n)
    })
  )
})

describe("what a handler of batches publishes", () => {
  it.live("is not caused by the first event of its batch", () =>
    Effect.gen(function* () {
      const leat = yield* Leat.make({ source: "test" })
      const orders = yield* leat.stream(noteContract({ stream: "test.orders", name: "test.Order" }))
      const bills = yield* leat.stream(noteContract({ stream: "test.bills", name: "test.Bill" }))
      yield* orders.publish({ key: "k", text: "0" }, { correlationId: "order-a", baggage: "tenant=a" })
      const { id } = yield* orders.publish({ key: "k", text: "1" }, { correlationId: "order-b", baggage: "tenant=b" })
      const handled: Array<unknown> = []
      const billing = yield* orders.handleBatch("billing", (deliveries) =>
        Effect.gen(function* () {
          handled.push(yield* CurrentDelivery)
          yield* bills.publish({ key: "k", text: "all" })
          for (const { event, info } of deliveries) yield* bills.publish(event, { cause: info })
        }).pipe(Effect.orDie)
      )
      yield* drained(billing)
      expect(handled).toEqual([undefined])
      const got: Array<unknown> = []
      const reading = yield* bills.handle("g", (_, { causationId, correlationId, baggage }) =>
        Effect.sync(() => void got.push([causationId, correlationId, baggage]))
      )
      yield* drained(reading)
      const { incarnation, bucket } = id
      const textOf = (seq: number) => `${incarnation}/test.orders/${bucket}/${seq}`
      expect(got).toEqual([
        [undefined, undefined, undefined],
        [textOf(0), "order-a", "tenant=a"],
        [textOf(1), "order-b", "tenant=b"]
      ])
    })
  )
})
