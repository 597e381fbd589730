import { expect, it } from "@effect/vitest"
import { Effect, Logger, Stream } from "effect"
import { TestClock } from "effect/testing"
import { DeadLetters, Inbox, Leat, MemoryBroker, memoryTransport, PartlyFailed } from "leat"
import { TransportError } from "leat/transport"
import { describe } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { effectsIn, idsIn, opened, put, readAll, storeAgain, write } from "./inboxes.ts"
import { open, routes, until, withLanes } from "./support.ts"

const failure = (tag: string) => Object.assign(new Error(`planted ${tag}`), { _tag: tag })
const texts = (count: number) => Array.from({ length: count }, (_, index) => `${index}`)

const notSettled = new TransportError({
  reason: "Timeout",
  transport: "memory",
  operation: "settle",
  detail: "planted"
})

/** Lanes that settle nothing: whoever reads next begins where these began. */
const unsettled = (broker: MemoryBroker) =>
  withLanes((lane) => ({ ...lane, settle: () => Effect.fail(notSettled) }), broker)

const openWith = (driver: ReturnType<typeof unsettled>) =>
  Leat.make({ source: "test", routes: routes(), drivers: [driver] })

describe("a subscription with an inbox", () => {
  it.live("commits effect and id together: what comes again is counted as a copy, and not handled", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const { sql, inbox } = yield* opened()
      const leat = yield* openWith(unsettled(broker))
      const notes = yield* leat.stream(noteContract())
      yield* notes.publishAll(texts(20).map((text) => ({ key: `k${text}`, text })))
      const first = yield* notes.handle("g", ({ text }) => write(sql, text), { inbox })
      yield* until("handled", () => leat.ledger.snapshot().lanes[0]?.done === 20)
      yield* first.stop
      yield* storeAgain(broker)
      const second = yield* (yield* open(routes(), broker)).stream(noteContract())
      const calls: Array<string> = []
      const again = yield* second.handle(
        "g",
        ({ text }) =>
          Effect.andThen(
            Effect.sync(() => void calls.push(text)),
            write(sql, text)
          ),
        { inbox }
      )
      yield* again.caughtUp
      expect({ calls, effects: yield* effectsIn(sql), ids: yield* idsIn(sql) }).toEqual({
        calls: [],
        effects: texts(20),
        ids: 20
      })
    })
  )

  it.live("is counted in the ledger, which balances", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const { sql, inbox } = yield* opened()
      const leat = yield* open(routes(), broker)
      const notes = yield* leat.stream(noteContract())
      yield* notes.publishAll(texts(5).map((text) => ({ key: "k", text })))
      yield* storeAgain(broker)
      const one = yield* notes.handle("one", ({ text }) => write(sql, text), { inbox })
      yield* one.caughtUp
      const batches = yield* notes.handleBatch("many", () => Effect.void, { inbox, records: 7 })
      yield* batches.caughtUp
      const rows = leat.ledger
        .snapshot()
        .lanes.map(({ group, done, duplicate, balanced }) => ({ group, done, duplicate, balanced }))
      expect(rows.toSorted((left, right) => (left.group < right.group ? -1 : 1))).toEqual([
        { group: "many", done: 5, duplicate: 5, balanced: true },
        { group: "one", done: 5, duplicate: 5, balanced: true }
      ])
    })
  )

  it.live("rolls back what a handler that fails or dies has written, and remembers nothing of it", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const { sql, inbox } = yield* opened()
      const notes = yield* (yield* open(routes(), broker)).stream(noteContract())
      yield* notes.publishAll(texts(6).map((text) => ({ key: text, text })))
      const subscription = yield* notes.handle(
        "g",
        ({ text }, { attempt }) =>
          Effect.gen(function* () {
            yield* write(sql, text)
            if (text === "1" && attempt === 1) return yield* Effect.fail(failure("Again"))
            if (text === "2" && attempt < 3) return yield* Effect.die(new RangeError("planted"))
            if (text === "3") return yield* Effect.fail(failure("Never"))
          }),
        {
          inbox,
          policy: [
            { on: ["Never"], then: "drop" },
            { on: ["*"], retry: { times: 5, baseMs: 1 }, then: "halt" }
          ]
        }
      )
      yield* subscription.caughtUp
      expect((yield* effectsIn(sql)).toSorted()).toEqual(["0", "1", "2", "4", "5"])
      expect(yield* idsIn(sql)).toBe(5)
    })
  )

  it.live("rolls back what a handler has written that was interrupted", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const { sql, inbox } = yield* opened()
      const leat = yield* open(routes({ drain: "10 millis" }), broker)
      const notes = yield* leat.stream(noteContract())
      yield* notes.publish({ key: "k", text: "1" })
      let writes = 0
      const handler = ({ text }: { readonly text: string }) =>
        Effect.andThen(
          Effect.tap(write(sql, text), () => Effect.sync(() => writes++)),
          writes > 0 ? Effect.void : Effect.never
        )
      const first = yield* notes.handle("g", handler, { inbox })
      yield* until("it has written", () => writes === 1)
      yield* first.stop
      expect(yield* effectsIn(sql)).toEqual([])
      const second = yield* notes.handle("g", handler, { inbox })
      yield* second.caughtUp
      expect([writes, yield* effectsIn(sql)]).toEqual([2, ["1"]])
    })
  )

  it.live("handles a dead letter that is replayed, and not again what somebody replays twice", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const { sql, inbox } = yield* opened()
      const leat = yield* open(routes(), broker)
      const notes = yield* leat.stream(noteContract())
      yield* notes.publishAll(texts(3).map((text) => ({ key: text, text })))
      const poisonous = ({ text }: { readonly text: string }) =>
        Effect.andThen(write(sql, text), text === "1" ? Effect.fail(failure("Poison")) : Effect.void)
      const subscription = yield* notes.handle("g", poisonous, {
        inbox,
        policy: [{ on: ["Poison"], then: "deadLetter" }]
      })
      yield* subscription.caughtUp
      yield* subscription.stop
      const which = { topic: "notes", group: "g" }
      yield* DeadLetters.replay(memoryTransport(broker), which)
      const { records } = yield* readAll(broker, "notes.g.replay")
      yield* put(broker, "notes.g.replay", records)
      yield* notes.handle("g", ({ text }) => write(sql, text), { inbox })
      yield* until("both replays have ended", () => {
        const row = leat.ledger.snapshot().lanes.find(({ lane }) => lane.includes("replay"))
        return row?.done === 1 && row.duplicate === 1
      })
      expect((yield* effectsIn(sql)).toSorted()).toEqual(["0", "1", "2"])
    })
  )

  it.live("handles tombstones once, too", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const { sql, inbox } = yield* opened()
      const notes = yield* (yield* open(routes(), broker)).stream(noteContract({ compacted: true }))
      notes.offerTombstone("k")
      yield* notes.flush
      yield* storeAgain(broker)
      const onTombstone = ({ key }: { readonly key: string }) => Effect.asVoid(write(sql, `no ${key}`))
      const subscription = yield* notes.handle("g", () => Effect.void, { inbox, onTombstone })
      yield* subscription.caughtUp
      expect(yield* effectsIn(sql)).toEqual(["no k"])
    })
  )

  it.live("gives each group the events, and handles those without an id as often as they come", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const { sql, inbox } = yield* opened()
      const notes = yield* (yield* open(routes(), broker)).stream(noteContract())
      yield* notes.publish({ key: "k", text: "1" })
      const { records } = yield* readAll(broker, "notes")
      yield* put(
        broker,
        "notes",
        [1, 2].flatMap(() => records.map(({ key, value }) => ({ key, value })))
      )
      for (const group of ["g", "h"]) {
        const subscription = yield* notes.handle(group, ({ text }) => write(sql, `${group}${text}`), { inbox })
        yield* subscription.caughtUp
        yield* subscription.stop
      }
      expect(yield* effectsIn(sql)).toEqual(["g1", "g1", "g1", "h1", "h1", "h1"])
    })
  )
})

describe("a batch with an inbox", () => {
  it.live("leaves out what was handled, and one that holds an event twice has it once", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const { sql, inbox } = yield* opened()
      const notes = yield* (yield* open(routes(), broker)).stream(noteContract())
      yield* notes.publishAll(texts(3).map((text) => ({ key: "k", text })))
      const first = yield* notes.handleBatch("g", () => Effect.void, { inbox })
      yield* first.caughtUp
      yield* first.stop
      yield* notes.publishAll(["3", "4"].map((text) => ({ key: "k", text })))
      yield* storeAgain(broker)
      const calls: Array<string> = []
      const again = yield* notes.handleBatch(
        "g",
        (deliveries) => Effect.sync(() => void calls.push(deliveries.map(({ event }) => event.text).join(""))),
        { inbox, waitMs: 50 }
      )
      yield* again.caughtUp
      expect(calls).toEqual(["34"])
      expect(yield* idsIn(sql)).toBe(5)
    })
  )

  it.live("is rolled back as a whole when a part of it fails: each event is handled by itself then", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const { sql, inbox } = yield* opened()
      const leat = yield* open(routes(), broker)
      const notes = yield* leat.stream(noteContract())
      yield* notes.publishAll(texts(5).map((text) => ({ key: "k", text })))
      const subscription = yield* notes.handleBatch(
        "g",
        (deliveries) =>
          Effect.gen(function* () {
            const failures = []
            for (const [index, { event }] of deliveries.entries()) {
              yield* write(sql, event.text)
              if (event.text === "2") failures.push({ index, error: failure("Poison") })
            }
            if (failures.length > 0) return yield* new PartlyFailed({ failures })
          }),
        { inbox, policy: [{ on: ["Poison"], then: "drop" }] }
      )
      yield* subscription.caughtUp
      expect(yield* effectsIn(sql)).toEqual(["0", "1", "3", "4"])
      const [row] = leat.ledger.snapshot().lanes
      expect(row).toMatchObject({ done: 4, dropped: { Poison: 1 }, balanced: true })
    })
  )

  it.live("of more events than one statement takes is one transaction", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const { sql, inbox } = yield* opened()
      const leat = yield* open(routes(), broker)
      const notes = yield* leat.stream(noteContract())
      const count = 1000
      yield* notes.publishAll(texts(count).map((text) => ({ key: "k", text })))
      const sizes: Array<number> = []
      for (const group of ["g", "g"]) {
        const subscription = yield* notes.handleBatch(group, (all) => Effect.sync(() => void sizes.push(all.length)), {
          inbox,
          records: count,
          waitMs: 1000,
          from: "earliest"
        })
        yield* subscription.caughtUp
        yield* subscription.stop
        yield* storeAgain(broker)
      }
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(count)
      expect(yield* idsIn(sql)).toBe(count)
    })
  )
})

const broken = (bend: (inbox: Inbox.Inbox) => Partial<Inbox.Inbox>) =>
  Effect.gen(function* () {
    const broker = new MemoryBroker({ partitions: 1 })
    const { sql, inbox } = yield* opened()
    const notes = yield* (yield* open(routes(), broker)).stream(noteContract())
    yield* notes.publish({ key: "k", text: "1" })
    const bent = { ...inbox, ...bend(inbox) }
    const subscription = yield* notes.handle("g", ({ text }) => write(sql, text), { inbox: bent, policy: [] })
    yield* Effect.exit(subscription.caughtUp)
    const [halt] = subscription.halted()
    return `${halt?.tag}: ${halt?.detail}`
  })

describe("an inbox that does not do what it must", () => {
  it.live("fails the handler: no event is done that was not handled", () =>
    Effect.gen(function* () {
      const found = [
        yield* broken(() => ({ transaction: () => Effect.void })),
        yield* broken(() => ({ record: () => Effect.succeed([]) })),
        yield* broken(() => ({ record: () => Effect.succeed([true, true]) })),
        yield* broken(() => ({ record: () => Effect.fail(failure("Away")) })),
        // It commits what has failed.
        yield* broken(() => ({
          transaction: (work) => Effect.ignore(work),
          record: () => Effect.fail(failure("Away"))
        })),
        // It tells what has failed in an error of its own.
        yield* broken(({ transaction }) => ({
          transaction: (work) => Effect.mapError(transaction(work), () => failure("Own")),
          record: () => Effect.fail(failure("Away"))
        })),
        yield* broken(({ transaction }) => ({
          transaction: (work) => Effect.andThen(transaction(work), Effect.fail(failure("CommitFailed")))
        }))
      ]
      expect(found).toEqual([
        "InboxFault: the transaction of the inbox ended without running what it was given",
        "InboxFault: record of the inbox has to answer with 1 booleans, one for each id",
        "InboxFault: record of the inbox has to answer with 1 booleans, one for each id",
        "Away: planted Away",
        "Away: planted Away",
        "Away: planted Away",
        "CommitFailed: planted CommitFailed"
      ])
    })
  )

  it.live("may run a transaction again after a conflict: the last run counts", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const { sql, inbox } = yield* opened()
      const leat = yield* open(routes(), broker)
      const notes = yield* leat.stream(noteContract())
      yield* notes.publish({ key: "k", text: "1" })
      const transaction: Inbox.Inbox["transaction"] = (work) =>
        Effect.andThen(
          Effect.ignore(inbox.transaction(Effect.andThen(work, Effect.fail("conflict")))),
          inbox.transaction(work)
        )
      const subscription = yield* notes.handle("g", ({ text }) => write(sql, text), {
        inbox: { ...inbox, transaction }
      })
      yield* subscription.caughtUp
      expect([yield* effectsIn(sql), leat.ledger.snapshot().lanes[0]?.done]).toEqual([["1"], 1])
    })
  )

  it.live("is refused in one sentence, and so is one for a loop", () =>
    Effect.gen(function* () {
      const { inbox } = yield* opened()
      const notes = yield* (yield* open(routes())).stream(noteContract())
      const refused = (given: unknown) =>
        Effect.map(
          Effect.flip(notes.handle("g", () => Effect.void, { inbox: given as Inbox.Inbox })),
          ({ message }) => message
        )
      const told = [
        yield* refused("sqlite"),
        yield* refused({ ...inbox, forget: undefined }),
        yield* refused({ ...inbox, horizonMs: 10 }),
        yield* refused({ ...inbox, horizonMs: "7 days" }),
        yield* refused({ ...inbox, horizonMs: Number.NaN }),
        yield* Effect.map(
          Effect.flip(Stream.runDrain(notes.subscribe("g", { inbox } as object))),
          ({ message }) => message
        )
      ]
      const bounds = "is not milliseconds from 60000 (a minute) to 315360000000 (ten years)"
      expect(told.map((message) => message.replace(/^.*?(?=inbox)/s, ""))).toEqual([
        "inbox: is an object with transaction, record and forget, and not a text",
        "inbox.forget: is no function",
        `inbox.horizonMs: 10 ${bounds}`,
        `inbox.horizonMs: "7 days" ${bounds}`,
        `inbox.horizonMs: NaN ${bounds}`,
        "inbox: is for handle and handleBatch: what a loop does leat cannot put into a transaction"
      ])
    })
  )
})

describe("an inbox of SQL", () => {
  it.effect("forgets what is older than its horizon, of its own group, while it is read", () =>
    Effect.gen(function* () {
      const { sql, inbox } = yield* opened()
      const horizonMs = 60_000
      const record = (group: string, from: number, count: number, atMs: number) =>
        inbox.record({ group, ids: texts(count).map((text) => `${from + Number(text)}`), atMs })
      yield* record("g", 0, 2500, 0)
      yield* record("g", 5000, 7, 30_000)
      yield* record("other", 0, 3, 0)
      const notes = yield* (yield* open(routes())).stream(noteContract())
      let isAway = false
      const forget: Inbox.Inbox["forget"] = (what) => (isAway ? Effect.fail(failure("Away")) : inbox.forget(what))
      const subscription = yield* notes.handle("g", () => Effect.void, { inbox: { ...inbox, horizonMs, forget } })
      yield* TestClock.adjust(60_000)
      expect(yield* idsIn(sql)).toBe(2510)
      yield* TestClock.adjust(6001)
      expect(yield* idsIn(sql)).toBe(10)
      isAway = true
      yield* TestClock.adjust(60_000)
      expect(yield* idsIn(sql)).toBe(10)
      isAway = false
      yield* TestClock.adjust(6001)
      expect(yield* idsIn(sql)).toBe(3)
      yield* subscription.stop
    })
  )

  it.effect.each<[string, () => unknown, string]>([
    [
      "gives a promise",
      () => Promise.resolve(),
      "forget of the inbox gave a promise and no effect; give Effect.promise(() => ...)"
    ],
    [
      "gives nothing",
      () => undefined,
      "forget of the inbox gave undefined and no effect; give an effect, as Effect.void"
    ],
    ["interrupts itself", () => Effect.interrupt, "forget of the inbox interrupted itself"],
    [
      "gives no effect somewhere inside",
      () => Effect.flatMap(Effect.void, () => undefined as never),
      "Fiber.runLoop: Not a valid effect: undefined"
    ]
  ])("is read on where its forget %s, and says so once", ([, odd, why]) => {
    const warnings: Array<string> = []
    const logger = Logger.make(({ message }) => void warnings.push(String(message)))
    return Effect.gen(function* () {
      const { inbox } = yield* opened()
      const leat = yield* open(routes())
      const notes = yield* leat.stream(noteContract())
      let calls = 0
      const forget = () => {
        calls++
        return odd()
      }
      const odds = { ...inbox, horizonMs: 60_000, forget } as unknown as Inbox.Inbox
      let handled = 0
      const count = () => Effect.sync(() => void handled++)
      yield* notes.handle("g", count, { inbox: odds })
      notes.offer({ key: "k", text: "0" })
      yield* TestClock.adjust("13 seconds")
      expect([handled, calls, leat.subscriptions().length]).toEqual([1, 3, 1])
      expect(warnings).toEqual([
        `the inbox of the group g of test.notes cannot delete what is older than its horizon, and grows: ${why}`
      ])
    }).pipe(Effect.provide(Logger.layer([logger])))
  })

  it.effect("whose forget does not let itself be interrupted holds up no stop, and says so", () => {
    const warnings: Array<string> = []
    const logger = Logger.make(({ message }) => void warnings.push(String(message)))
    return Effect.gen(function* () {
      const { inbox } = yield* opened()
      const notes = yield* (yield* open(routes())).stream(noteContract())
      const forget = () => Effect.uninterruptible(Effect.never)
      const subscription = yield* notes.handle("g", () => Effect.void, { inbox: { ...inbox, forget } })
      yield* TestClock.adjust(1000)
      const stopping = yield* Effect.forkChild(subscription.stop)
      yield* TestClock.adjust(4999)
      expect([stopping.pollUnsafe() === undefined, warnings]).toEqual([true, []])
      yield* TestClock.adjust(1)
      expect(stopping.pollUnsafe()).toBeDefined()
      expect(warnings).toEqual([
        "the forget of the inbox of the group g of test.notes did not end within 5 seconds after it was interrupted, and is not waited for any longer; it may still run"
      ])
    }).pipe(Effect.provide(Logger.layer([logger])))
  })

  it.effect("remembers for as long as an event may wait in retry topics besides", () =>
    Effect.gen(function* () {
      const { sql, inbox } = yield* opened()
      yield* inbox.record({ group: "g", ids: ["a"], atMs: 0 })
      const notes = yield* (yield* open(routes())).stream(noteContract())
      const horizonMs = 60_000
      const retryTopics = { delaysMs: [60_000, 240_000] }
      yield* notes.handle("g", () => Effect.void, { inbox: { ...inbox, horizonMs }, retryTopics })
      // A minute, and five more.
      for (let seconds = 0; seconds < 360; seconds += 6) yield* TestClock.adjust("6 seconds")
      expect(yield* idsIn(sql)).toBe(1)
      yield* TestClock.adjust("6 seconds")
      expect(yield* idsIn(sql)).toBe(0)
    })
  )

  it.live("answers for each id whether it is new, also of two that are the same", () =>
    Effect.gen(function* () {
      const { sql, inbox } = yield* opened()
      const ask = (ids: ReadonlyArray<string>) => inbox.record({ group: "g", ids, atMs: 1 })
      expect(yield* ask(["a", "b", "a"])).toEqual([true, true, false])
      expect(yield* ask(["c", "b"])).toEqual([true, false])
      const many = texts(700)
      expect(yield* ask(["7", ...many])).toEqual([true, ...many.map((text) => text !== "7")])
      // A second one finds the table there, and what is in it.
      const again = yield* Inbox.sql(sql)
      expect(yield* again.record({ group: "g", ids: ["c", "d"], atMs: 1 })).toEqual([false, true])
    })
  )

  it.live("makes its table beside another process that makes it, and says what no table can be made of", () =>
    Effect.gen(function* () {
      const { sql } = yield* opened()
      yield* sql`drop table leat_inbox`
      let looks = 0
      const raced = {
        withTransaction: sql.withTransaction,
        onDialectOrElse: sql.onDialectOrElse,
        // The other one makes it between the look and the make.
        unsafe: <A extends object>(text: string, parameters?: ReadonlyArray<unknown>) => {
          const look = sql.unsafe<A>(text, parameters)
          return looks++ === 0 ? Effect.tapError(look, () => Inbox.sql(sql)) : look
        }
      }
      const inbox = yield* Inbox.sql(raced)
      expect(yield* inbox.record({ group: "g", ids: ["a"], atMs: 1 })).toEqual([true])
      const unable = { ...raced, unsafe: () => Effect.fail(failure("Away")) }
      expect(String(yield* Effect.flip(Inbox.sql<unknown>(unable)))).toContain("planted Away")
      const other = { ...raced, onDialectOrElse: <A>({ orElse }: { readonly orElse: () => A }) => orElse() }
      const refused = yield* Effect.flip(Inbox.sql(other))
      expect(String(refused)).toContain("SQLite and PostgreSQL")
    })
  )
})
