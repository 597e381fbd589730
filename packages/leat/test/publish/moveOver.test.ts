/** What the lanes of one leg hold moves over to those of another. */
import { Effect } from "effect"
import type { Place as LedgerPlace } from "leat"
import { describe, expect, it } from "vitest"
import { Waiter } from "../../src/ledger/Waiter.js"
import { drained, settled } from "../../src/publish/leaving.js"
import { moveOver } from "../../src/publish/moveOver.js"
import { destinationsOf, openPlaces, type Pair, type Side } from "./movePair.js"
import { note, story } from "./stories.js"

const keys = Array.from({ length: 24 }, (_, at) => `k${at}`)
const away = () => ({ kind: "fail", reason: "Unavailable" }) as const

/** Two places; what is offered to the first is not sent. */
const stuck = Effect.fnUntraced(function* (
  from: Partial<Side> = {},
  to: Partial<Side> = {},
  options: Parameters<typeof openPlaces>[1] = {}
) {
  const sides = [
    { partitions: 3, epoch: 1, faults: { send: away }, ...from },
    { partitions: 2, epoch: 2, ...to }
  ]
  const pair = yield* openPlaces(sides, options)
  const [old, next] = pair.places
  if (old === undefined || next === undefined) throw new Error("there are two")
  const offer = (key: string, text: string, waiter = new Waiter()) =>
    expect(pair.publisher.offerNow(note(key, text), { correlationId: `of ${text}` }, undefined, waiter)).toMatchObject({
      admitted: true
    })
  /** From now on what is offered goes to the other place, behind a gate. */
  const turn = () => {
    next.outlet.lanes.gate(true)
    pair.publisher.swap(destinationsOf(next))
  }
  const leave = () => {
    old.outlet.lanes.gate(true)
    return settled(old.outlet)
  }
  const move = (more: object = {}) =>
    moveOver({ from: old.outlet, to: next.outlet, isInFront: true, isAbandoned: false, ...more })
  return { ...pair, old, next, offer, turn, leave, move }
})

const rows = ({ ledger }: Pair) => ledger.snapshot().legs

describe("what a leg has not sent in time", () => {
  it.each([
    ["compact", "compact"],
    ["compact", "cloudevents"],
    ["cloudevents", "compact"]
  ] as const)("goes in front of what was offered since, from %s to %s", (was, wire) =>
    story(
      Effect.gen(function* () {
        const pair = yield* stuck({ leg: { wire: was } }, { leg: { wire } })
        const { old, next, offer, turn, leave, move } = pair
        const waiter = new Waiter()
        for (const round of ["1", "2"]) {
          for (const key of keys) offer(key, `${key} ${round}`, waiter)
          yield* Effect.sleep(7)
        }
        turn()
        for (const key of keys) offer(key, `${key} 3`, waiter)
        yield* leave()
        expect(move()).toEqual({ events: 48 })
        expect(rows(pair)).toMatchObject([
          { epoch: 1, admitted: 48, movedOut: 48, movedIn: 0, queued: 0, balanced: true },
          { epoch: 2, admitted: 24, movedOut: 0, movedIn: 48, queued: 72, balanced: true }
        ])
        expect([pair.ledger.snapshot().balanced, old.sink.bufferedBytes, waiter.pending]).toEqual([true, 0, 72])
        yield* Effect.sleep("1 hour")
        expect([old.log, next.log]).toEqual([[], []])
        next.outlet.lanes.gate(false)
        yield* drained(next.outlet)
        expect(waiter).toMatchObject({ stored: 72, pending: 0 })
        for (const key of keys) {
          const own = next.log.filter((one) => one.key === key)
          expect(own.map(({ text }) => text)).toEqual(["1", "2", "3"].map((round) => `${key} ${round}`))
          expect(
            own.every(({ epoch, id, text, correlationId, timeMs, brokerMs, partition }) => {
              return (
                epoch === 2 &&
                correlationId === `of ${text}` &&
                timeMs === brokerMs &&
                (id?.bucket ?? 1) % 2 === partition
              )
            })
          ).toBe(true)
        }
        expect(rows(pair)).toMatchObject([{ stored: 0 }, { stored: 72, balanced: true }])
        expect(next.sink.bufferedBytes).toBe(0)
      })
    )
  )

  it("has its drops announced there, and those of its new place too", () =>
    story(
      Effect.gen(function* () {
        const pair = yield* stuck({ leg: { overflow: "dropOldest", bufferBytesMax: 4096, batchBytes: 1024 } })
        const { next, offer, turn, leave, move } = pair
        for (let at = 0; at < 60; at++) offer(keys[at % 24] ?? "", `${at} ${"x".repeat(200)}`)
        turn()
        yield* leave()
        const { events } = move()
        expect(events).toBeGreaterThan(5)
        next.outlet.lanes.gate(false)
        yield* drained(next.outlet)
        const told = next.log.flatMap(({ dropped }) => dropped).reduce((sum, { from, to }) => sum + to - from, 0)
        expect([told, next.log.length]).toEqual([60 - events, events])
        expect(rows(pair)[0]).toMatchObject({ dropped: { overflow: 60 - events }, movedOut: events, balanced: true })
      })
    ))

  it("has drops announced that were on their way with a record of which nobody knows what became", () =>
    story(
      Effect.gen(function* () {
        const leg = { overflow: "dropOldest", bufferBytesMax: 4096, batchBytes: 1024 } as const
        const pair = yield* stuck({ partitions: 1, leg, faults: { send: () => ({ kind: "cut" }) } })
        const { old, next, offer, turn, leave, move } = pair
        for (let at = 0; at < 20; at++) offer("k", `${at} ${"x".repeat(300)}`)
        yield* Effect.sleep(1)
        turn()
        yield* leave()
        const { events } = move()
        next.outlet.lanes.gate(false)
        yield* drained(next.outlet)
        const told = next.log.flatMap(({ dropped }) => dropped).reduce((sum, { from, to }) => sum + to - from, 0)
        expect([old.log, told, next.log.length]).toEqual([[], 20 - events, events])
      })
    ))

  it("is told to a journal, in both its legs", () =>
    story(
      Effect.gen(function* () {
        const told: Array<string> = []
        const moved = (
          { epoch }: { readonly epoch: number },
          _: number,
          seq: number,
          from?: LedgerPlace,
          to?: string
        ) => void told.push(`${epoch}/${seq} ${from ?? "nowhere"} ${to}`)
        const { offer, turn, leave, move } = yield* stuck({ leg: { lingerMs: 1000 } }, {}, { journal: { moved } })
        offer("k", "1")
        turn()
        yield* leave()
        move()
        expect(told).toEqual(["1/0 nowhere queued", "1/0 queued movedOut", "2/0 movedOut queued"])
      })
    ))

  it("moves with what is in doubt only after the fence, or where its place is given up", () =>
    story(
      Effect.gen(function* () {
        let isShut = true
        const faults = {
          send: () => ({ kind: "lateWrite", ms: 60_000 }) as const,
          fence: () => (isShut ? ("Unavailable" as const) : undefined)
        }
        const pair = yield* stuck({ faults, partitions: 1 })
        const { old, next, offer, turn, leave, move } = pair
        offer("k", "1")
        yield* Effect.sleep(0)
        turn()
        let isSettled = false
        const leaving = yield* Effect.forkChild(Effect.tap(leave(), () => Effect.sync(() => (isSettled = true))))
        yield* Effect.sleep("30 seconds")
        expect([isSettled, move()]).toMatchObject([false, { events: 0 }])
        expect(rows(pair)[0]).toMatchObject({ inDoubt: 1, movedOut: 0, balanced: true })
        isShut = false
        yield* Effect.sleep("2 minutes")
        expect([isSettled, leaving.pollUnsafe() !== undefined, move().events]).toEqual([true, true, 1])
        next.outlet.lanes.gate(false)
        yield* Effect.sleep(10)
        expect([old.texts, next.texts]).toEqual([[], ["1"]])
      })
    ))

  it("takes along what is on its way where its place is given up, and says that it may be stored where it is given up again", () =>
    story(
      Effect.gen(function* () {
        const policy = [{ on: ["*"], then: "drop" as const }]
        const faults = { send: () => ({ kind: "silence" }) as const }
        const pair = yield* stuck({ faults, leg: { timeoutMs: 60_000 } }, { leg: { policy }, faults: { send: away } })
        const { old, next, offer, turn, move } = pair
        const waiter = new Waiter()
        for (const key of keys) offer(key, key, waiter)
        yield* Effect.sleep(10)
        turn()
        offer("k", "later", waiter)
        old.outlet.lanes.gate(true)
        expect(move()).toMatchObject({ events: 0 })
        expect(move({ isAbandoned: true })).toEqual({ events: 24 })
        expect(old.outlet.lanes.all).toEqual([])
        next.outlet.lanes.gate(false)
        yield* Effect.sleep(10)
        expect(rows(pair)).toMatchObject([
          { movedOut: 24, balanced: true },
          { dropped: { Unavailable: 25 }, droppedMayBeStored: 24, balanced: true }
        ])
        expect(waiter).toMatchObject({ pending: 0, dropped: { Unavailable: 25 }, mayBeStored: 24 })
        yield* Effect.sleep("10 minutes")
        expect(pair.ledger.snapshot().balanced).toBe(true)
      })
    ))

  it("ends as stored where somebody has read that it is", () =>
    story(
      Effect.gen(function* () {
        const send = () => ({ kind: "loseResponse" }) as const
        const pair = yield* stuck({ faults: { send }, partitions: 1, leg: { batchRecords: 4 } })
        const { old, next, offer, turn, leave, move } = pair
        const waiter = new Waiter()
        for (const at of [1, 2, 3, 4, 5, 6]) offer("k", `${at}`, waiter)
        yield* Effect.sleep(0)
        turn()
        yield* leave()
        const isThere = (seq: number) => old.log.some(({ id }) => id?.seq === seq)
        const stored = old.texts.length
        expect(stored).toBeGreaterThan(0)
        expect(move({ isStored: (_: number, seq: number) => isThere(seq) })).toEqual({ events: 6 - stored })
        next.outlet.lanes.gate(false)
        yield* drained(next.outlet)
        expect([...old.texts, ...next.texts]).toEqual(["1", "2", "3", "4", "5", "6"])
        expect(waiter).toMatchObject({ stored: 6, pending: 0 })
        expect(rows(pair)).toMatchObject([{ stored, balanced: true }, { stored: 6 - stored }])
      })
    ))

  it("is waited for by who flushes, and by nobody who has given up", () =>
    story(
      Effect.gen(function* () {
        const { next, offer, publisher, turn, leave, move } = yield* stuck({}, { leg: { batchRecords: 100 } })
        for (const key of keys) offer(key, key)
        const [waits, gone] = [new Waiter(), new Waiter()]
        for (const waiter of [waits, gone]) publisher.flush(waiter)
        const done = () => undefined
        gone.whenDone(done)
        gone.forget(done)
        turn()
        yield* leave()
        move()
        expect([waits.pending, gone.pending]).toEqual([24, 24])
        next.outlet.lanes.gate(false)
        yield* drained(next.outlet)
        expect(waits).toMatchObject({ pending: 0, stored: 24 })
        expect(gone).toMatchObject({ stored: 0 })
      })
    ))

  it("leaves a driver its bytes where it is on its way", () =>
    story(
      Effect.gen(function* () {
        const faults = { send: () => ({ kind: "delay", ms: 1000 }) as const }
        const { old, next, offer, turn, move } = yield* stuck({ faults, partitions: 1, leg: { timeoutMs: 5000 } })
        offer("k", "first")
        yield* Effect.sleep(1)
        turn()
        old.outlet.lanes.gate(true)
        move({ isAbandoned: true })
        for (let at = 0; at < 20; at++) offer("k", `second ${at}`)
        next.outlet.lanes.gate(false)
        yield* drained(next.outlet)
        for (let at = 0; at < 20; at++) offer("k", `third ${at}`)
        yield* Effect.sleep("1 minute")
        expect(old.texts).toEqual(["first"])
        expect(next.texts.slice(0, 2)).toEqual(["first", "second 0"])
      })
    ))

  it("is the oldest of its new place, and dropped first where that drops the oldest", () =>
    story(
      Effect.gen(function* () {
        const leg = { overflow: "dropOldest", bufferBytesMax: 4096, batchBytes: 1024, batchRecords: 1 } as const
        const { next, offer, turn, leave, move } = yield* stuck({ partitions: 1 }, { partitions: 1, leg })
        for (const at of [1, 2, 3]) offer("k", `old ${at}`)
        turn()
        offer("k", "new 1")
        yield* leave()
        move()
        for (const at of [2, 3]) offer("k", `new ${at}`)
        next.outlet.lanes.gate(false)
        yield* drained(next.outlet)
        expect(next.texts).toEqual(["old 3", "new 1", "new 2", "new 3"])
        expect(next.log.flatMap(({ dropped }) => dropped)).toMatchObject([{ from: 0, to: 2 }])
      })
    ))

  it("ends as the policy of its new place says where it is too large for it", () =>
    story(
      Effect.gen(function* () {
        const policy = [{ on: ["TooLarge"], then: "drop" as const }]
        const pair = yield* stuck({}, { recordBytesMax: 300, leg: { policy } })
        const { next, offer, turn, leave, move } = pair
        const waiter = new Waiter()
        for (const text of ["1", "x".repeat(1000), "2"]) offer("k", text, waiter)
        turn()
        yield* leave()
        expect(move()).toEqual({ events: 3 })
        next.outlet.lanes.gate(false)
        yield* drained(next.outlet)
        offer("k", "3", waiter)
        yield* drained(next.outlet)
        expect(next.texts).toEqual(["1", "2", "3"])
        expect(next.log.flatMap(({ dropped }) => dropped)).toMatchObject([{ from: 1, to: 2, reason: "TooLarge" }])
        expect(rows(pair)[1]).toMatchObject({ dropped: { TooLarge: 1 }, stored: 3, balanced: true })
        expect(waiter).toMatchObject({ stored: 3, dropped: { TooLarge: 1 }, pending: 0 })
      })
    ))

  it("is taken by a buffer that is full, which lets nothing in until it has room again", () =>
    story(
      Effect.gen(function* () {
        const leg = { bufferBytesMax: 4096, batchBytes: 1024, overflow: "reject" as const }
        const { old, next, offer, turn, leave, move, publisher } = yield* stuck({}, { leg })
        for (let at = 0; at < 100; at++) offer("k", `${at} ${"x".repeat(200)}`)
        turn()
        while (publisher.offer(note("k", "x".repeat(200))).admitted);
        yield* leave()
        expect(next.sink.bufferedBytes).toBeLessThanOrEqual(4096)
        expect(move()).toEqual({ events: 100 })
        expect(old.sink.bufferedBytes).toBe(0)
        expect(next.sink.bufferedBytes).toBeGreaterThan(20_000)
        expect(publisher.offer(note("k", "x".repeat(200)))).toMatchObject({ reason: "overflow" })
        next.outlet.lanes.gate(false)
        yield* drained(next.outlet)
        expect(next.sink.bufferedBytes).toBe(0)
        offer("k", "there is room")
      })
    ))

  it("goes behind what waits when a move is called off, and nothing of it is lost", () =>
    story(
      Effect.gen(function* () {
        let isAway = true
        const send = () => (isAway ? away() : undefined)
        const { old, next, offer, turn, publisher } = yield* stuck({ faults: { send }, leg: { lingerMs: 5 } })
        for (const key of keys) offer(key, `${key} 1`)
        turn()
        for (const key of keys) offer(key, `${key} 2`)
        publisher.swap(destinationsOf(old))
        const back = { from: next.outlet, to: old.outlet, isInFront: false, isAbandoned: false }
        expect(moveOver(back)).toEqual({ events: 24 })
        for (const key of keys) offer(key, `${key} 3`)
        isAway = false
        yield* drained(old.outlet)
        for (const key of keys) {
          const own = old.log.filter((one) => one.key === key)
          expect(own.map(({ text, epoch }) => `${text} in ${epoch}`)).toEqual(
            [1, 2, 3].map((at) => `${key} ${at} in 1`)
          )
        }
        expect(next.log).toEqual([])
      })
    ))

  it("is not moved by lanes that send, behind ones that have sent, or into a sink that closes", () =>
    story(
      Effect.gen(function* () {
        const { old, next, offer, turn, move } = yield* stuck({}, { faults: { send: away } })
        offer("k", "1")
        turn()
        expect(move().refused).toBe("the lanes that are to be left still send")
        old.outlet.lanes.gate(true)
        next.outlet.lanes.gate(false)
        expect(move().refused).toBe("the lanes that take it have sent already")
        offer("k", "2")
        yield* Effect.sleep(1)
        next.outlet.lanes.gate(true)
        yield* settled(old.outlet)
        expect(move().refused).toBe("the lanes that take it have sent already")
        expect(moveOver({ from: next.outlet, to: next.outlet, isInFront: true, isAbandoned: true }).refused).toBe(
          "the lanes are the same"
        )
      })
    ))
})
