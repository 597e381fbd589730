import { AsyncLocalStorage } from "node:async_hooks"
import { getEventListeners } from "node:events"
import { memoryDriver, MemoryBroker } from "leat"
import { NotAwaited, NotStored, open, type PromiseStream, Rejected, RouteError } from "leat/promise"
import { type FaultPlan, faultDriver } from "leat/testing"
import { describe, expect, it } from "vitest"
import { type Note, noteContract } from "../contracts/Note.ts"
import { big, documentOf, note, type Setting } from "../publish/stories.ts"

const never: FaultPlan = { send: () => ({ kind: "delay", ms: 10_000_000 }) }
const full: Setting = {
  leg: { buffer: { bytes: 65_536 }, batch: { bytes: 4096 }, linger: "0 millis", timeout: "30 seconds" }
}

/** A leat of one stream on a broker of its own; closing it waits for what is stuck no longer than needed. */
async function openNotes(setting: Setting = {}, contract = noteContract()) {
  const broker = new MemoryBroker({ partitions: 1 })
  const leat = await open({
    source: "test",
    routes: documentOf(setting),
    drain: setting.drain ?? "50 millis",
    drivers: [faultDriver(memoryDriver(broker), setting.faults ?? {})]
  })
  const notes = await leat.stream(contract)
  const row = () => leat.ledger.snapshot().streams[0]
  const leg = () => leat.ledger.snapshot().legs[0]
  return { broker, leat, notes, row, leg, [Symbol.asyncDispose]: () => leat.close() }
}

function fill(notes: PromiseStream<Note>): void {
  while (notes.offer(big("fill")).admitted);
}

const turn = () => new Promise((resolve) => setImmediate(resolve))
const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => new Error("it resolved"),
    (error: unknown) => error
  )

describe("the async context of a caller", () => {
  it("is that of its iterable too, also when another caller makes room for it", async () => {
    const request = new AsyncLocalStorage<string>()
    await using opened = await openNotes({ ...full, faults: { send: () => ({ kind: "delay", ms: 2 }) } })
    const seen = new Set<string>()
    await Promise.all(
      ["a", "b", "c"].map((name) =>
        request.run(name, () => {
          function* events() {
            for (let index = 0; index < 50; index++) {
              seen.add(`${name} in ${request.getStore()}`)
              yield big(`${index}`)
            }
          }
          return opened.notes.publishAll(events())
        })
      )
    )
    expect([...seen]).toEqual(["a in a", "b in b", "c in c"])
  })

  it("is not that of a driver: sends run where the leat was opened", async () => {
    const request = new AsyncLocalStorage<string>()
    const seen: Array<string | undefined> = []
    const faults: FaultPlan = {
      send: () => {
        seen.push(request.getStore())
        return { kind: "delay", ms: 2 }
      }
    }
    await using opened = await request.run("opening", () => openNotes({ faults }))
    for (const name of ["a", "b"]) await request.run(name, () => opened.notes.publish(note("k", name)))
    expect(seen).toEqual(["opening", "opening"])
  })
})

describe("offer", () => {
  it("says of an offer that was rejected where its fault is", async () => {
    await using leat = await open({ source: "test" })
    const notes = await leat.stream(noteContract())
    expect([notes.offer({ key: "a", text: "1" }).admitted, notes.lastFault]).toEqual([true, undefined])
    notes.offer({ key: "", text: "1" })
    expect(notes.lastFault).toContain("key")
    expect(notes.offerTombstone("a")).toEqual({ admitted: false, reason: "invalid" })
    expect(notes.lastFault).toBe("a tombstone needs a contract marked compacted")
  })

  it("answers at once with constants, and says the id of what was admitted last", async () => {
    await using opened = await openNotes()
    const { leat, notes, row } = opened
    expect(notes.lastId).toBeUndefined()
    expect(notes.offer(note("k", "1"))).toBe(notes.offer(note("k", "2")))
    expect(notes.lastId).toMatchObject({ incarnation: leat.incarnation, stream: "test.notes", seq: 1 })
    expect(notes.offer(note("", "3"))).toEqual({ admitted: false, reason: "emptyKey" })
    expect(notes.offerTombstone("k")).toEqual({ admitted: false, reason: "invalid" })
    expect(await notes.flush()).toMatchObject({ stored: 2 })
    expect(row()).toMatchObject({ offered: 4, admitted: 2, rejected: { emptyKey: 1, invalid: 1 }, balanced: true })
  })

  it("takes tombstones of a compacted contract", async () => {
    await using opened = await openNotes({}, noteContract({ compacted: true }))
    expect(opened.notes.offerTombstone("k").admitted).toBe(true)
    expect(await opened.leat.flush()).toMatchObject({ stored: 1 })
  })
})

describe("flush", () => {
  it.each(["leat", "notes"] as const)("of %s is given up by its signal, with its reason", async (door) => {
    await using opened = await openNotes({ faults: never })
    opened.notes.offer(note("k", "1"))
    const reason = new Error("enough")
    expect(await caught(opened[door].flush({ signal: AbortSignal.abort(reason) }))).toBe(reason)
    const controller = new AbortController()
    setTimeout(() => controller.abort(reason), 10)
    expect(await caught(opened[door].flush({ signal: controller.signal }))).toBe(reason)
    expect(getEventListeners(controller.signal, "abort")).toEqual([])
    expect(opened.row()).toMatchObject({ admitted: 1, balanced: true })
    // @ts-expect-error It is what JavaScript may give.
    expect(await caught(opened[door].flush({ signal: 5 }))).toBeInstanceOf(RouteError)
  })

  it("says how what was pending has ended, as plain data", async () => {
    await using opened = await openNotes()
    await opened.notes.publish(note("k", "1"))
    opened.notes.offer(note("k", "2"))
    expect(await opened.leat.flush()).toStrictEqual({
      stored: 1,
      deadLettered: {},
      deadLetters: [],
      dropped: {},
      mayBeStored: 0,
      spilled: 0,
      fellBack: 0
    })
    const { outcome } = await opened.notes.publish(note("k", "3"))
    expect(await outcome()).toStrictEqual({
      stored: 1,
      deadLettered: {},
      deadLetters: [],
      dropped: {},
      mayBeStored: 0,
      spilled: 0,
      fellBack: 0
    })
  })
})

describe("publish", () => {
  it("resolves at the level of the route, or of the call, with the id and what became of it", async () => {
    await using opened = await openNotes({ level: "queued", faults: { send: () => ({ kind: "delay", ms: 20 }) } })
    const { notes, leg } = opened
    const { id, outcome } = await notes.publish(note("k", "1"))
    expect(leg()).toMatchObject({ admitted: 1, stored: 0 })
    expect(await outcome()).toMatchObject({ stored: 1, dropped: {} })
    const second = await notes.publish(note("k", "2"), { level: "stored" })
    expect(leg()).toMatchObject({ admitted: 2, stored: 2 })
    expect([id.seq, second.id.seq]).toEqual([0, 1])
    expect(await second.outcome()).toMatchObject({ stored: 1 })
  })

  it("keeps the order of calls, without anybody waiting for one before the next", async () => {
    await using opened = await openNotes()
    const receipts = await Promise.all(
      Array.from({ length: 500 }, (_, index) => opened.notes.publish(note("k", `${index}`)))
    )
    expect(receipts.map(({ id }) => id.seq)).toEqual(Array.from(receipts, (_, index) => index))
  })

  it("rejects with Rejected, which names the reason and the place", async () => {
    await using opened = await openNotes()
    const error = await caught(opened.notes.publish(note("k", "invalid")))
    expect(error).toBeInstanceOf(Rejected)
    expect(error).toMatchObject({ _tag: "Rejected", reason: "invalid", stream: "test.notes" })
    expect(String(error)).toContain("cannot be encoded")
  })

  it("rejects with NotStored, when the policy gave the event up", async () => {
    const faults: FaultPlan = { send: () => ({ kind: "fail", reason: "Unauthorized" }) }
    await using opened = await openNotes({ faults, policy: [{ on: ["*"], then: "drop" }] })
    const error = await caught(opened.notes.publish(note("k", "1")))
    expect(error).toBeInstanceOf(NotStored)
    expect(error).toMatchObject({ id: { seq: 0 }, outcome: { dropped: { Unauthorized: 1 } } })
  })

  it("waits for room, and rejects with timeout after that of the leg", async () => {
    await using opened = await openNotes({ leg: { ...full.leg, timeout: "40 millis" }, faults: never })
    const { notes, row } = opened
    fill(notes)
    const startMs = performance.now()
    expect(await caught(notes.publish(big("late")))).toMatchObject({ reason: "timeout" })
    expect(performance.now() - startMs).toBeGreaterThan(35)
    expect(row()).toMatchObject({ waiting: 0, rejected: { timeout: 1 }, balanced: true })
  })

  it("waits for room in turn, and every event comes through a buffer of a few", async () => {
    await using opened = await openNotes({ ...full, faults: { send: () => ({ kind: "delay", ms: 1 }) } })
    const { notes, row } = opened
    const all = Array.from({ length: 200 }, (_, index) => notes.publish(big(`${index}`)))
    expect(row()?.waiting).toBeGreaterThan(100)
    const ids = await Promise.all(all)
    expect(ids.map(({ id }) => id.seq)).toEqual(Array.from(ids, (_, index) => index))
    expect(row()).toMatchObject({ offered: 200, admitted: 200, waiting: 0, balanced: true })
  })
})

describe("the signal of a publish", () => {
  it("that was aborted before: nothing is offered, and the promise rejects with its reason", async () => {
    await using opened = await openNotes()
    const { notes, row } = opened
    const reason = new RangeError("too late")
    expect(await caught(notes.publish(note("k", "1"), { signal: AbortSignal.abort(reason) }))).toBe(reason)
    expect(await caught(notes.publishAll([note("k", "1")], { signal: AbortSignal.abort(reason) }))).toBe(reason)
    expect(await caught(notes.publish(note("k", "1"), { signal: AbortSignal.abort() }))).toMatchObject({
      name: "AbortError"
    })
    expect(row()).toMatchObject({ offered: 0, admitted: 0 })
  })

  it("that is aborted by the generator of the events: it is closed", async () => {
    // It has waited for room before, so somebody listens to its signal.
    await using opened = await openNotes({ ...full, faults: { send: () => ({ kind: "delay", ms: 1 }) } })
    const { notes, row } = opened
    const giving = new AbortController()
    let isClosed = false
    function* events() {
      try {
        for (let index = 0; index < 200; index++) {
          if (index === 150) giving.abort("enough")
          yield big(`${index}`)
        }
      } finally {
        isClosed = true
      }
    }
    expect(await caught(notes.publishAll(events(), { signal: giving.signal }))).toBeDefined()
    expect(isClosed).toBe(true)
    expect(row()).toMatchObject({ admitted: 150 })
  })

  it("that is aborted while it waits for room: it is not admitted, and never will be", async () => {
    await using opened = await openNotes({ ...full, faults: never })
    const { leat, notes, row } = opened
    fill(notes)
    const { admitted } = row() ?? {}
    const giving = new AbortController()
    const publishing = caught(notes.publish(big("late"), { signal: giving.signal }))
    await turn()
    expect(row()?.waiting).toBe(1)
    giving.abort("enough")
    expect(await publishing).toBe("enough")
    expect(row()).toMatchObject({ waiting: 0, admitted, rejected: { interrupted: 1 } })
    expect(leat.ledger.snapshot().balanced).toBe(true)
  })

  it("that is aborted after admission: it says so, and what becomes of the event", async () => {
    await using opened = await openNotes({ faults: { send: () => ({ kind: "delay", ms: 30 }) } })
    const { notes, row } = opened
    const giving = new AbortController()
    const publishing = caught(notes.publish(note("k", "1"), { signal: giving.signal }))
    await turn()
    giving.abort("enough")
    const error = await publishing
    expect(error).toBeInstanceOf(NotAwaited)
    if (!(error instanceof NotAwaited)) return
    expect(error).toMatchObject({ stream: "test.notes", id: { seq: 0 }, admitted: 1, cause: "enough" })
    expect(error.message).toContain("after the event was admitted")
    expect(await error.outcome()).toMatchObject({ stored: 1 })
    expect(row()).toMatchObject({ admitted: 1, rejected: {}, balanced: true })
  })

  it("that is aborted by the event itself, while it is read: told truly too", async () => {
    await using opened = await openNotes()
    const giving = new AbortController()
    const event = {
      key: "k",
      get text() {
        giving.abort("enough")
        return "1"
      }
    }
    const error = await caught(opened.notes.publish(event, { signal: giving.signal }))
    expect(error).toBeInstanceOf(NotAwaited)
    expect(opened.row()).toMatchObject({ admitted: 1 })
  })

  it("that is aborted after the answer changes nothing, and keeps nothing", async () => {
    await using opened = await openNotes()
    const giving = new AbortController()
    const { signal } = giving
    await opened.notes.publish(note("k", "1"), { signal })
    await opened.notes.publish(note("k", "1"), { signal, level: "queued" })
    await caught(opened.notes.publish(note("", "1"), { signal }))
    await opened.notes.publishAll([note("k", "1")], { signal })
    expect(getEventListeners(signal, "abort")).toEqual([])
    giving.abort()
    expect(opened.row()).toMatchObject({ admitted: 3, balanced: true })
  })

  it("at any moment: what is told is what happened", async () => {
    for (let delayTurns = 0; delayTurns < 40; delayTurns++) {
      await using opened = await openNotes({ ...full, faults: { send: () => ({ kind: "delay", ms: 0 }) } })
      const { broker, leat, notes } = opened
      const signals = Array.from({ length: 60 }, () => new AbortController())
      const publishing = signals.map(({ signal }, index) =>
        notes.publish(big(`${index}`), { signal }).then(
          () => "stored" as const,
          (error: unknown) => (error instanceof NotAwaited ? error : ("not admitted" as const))
        )
      )
      for (let turns = 0; turns < delayTurns; turns++) await turn()
      for (const signal of signals) signal.abort("enough")
      const told = await Promise.all(publishing)
      await leat.flush()
      const outcomes = await Promise.all(
        told.map(async (one) => (one instanceof NotAwaited ? await one.outcome() : one))
      )
      const isStored = outcomes.map((one) => one === "stored" || (one !== "not admitted" && one.stored === 1))
      const log = broker.topic("notes").partitions[0]
      const texts: Array<number> = []
      for (let batch = log?.read(log.start, log.end); batch !== undefined; batch = log?.read(batch.next, log.end))
        for (const { value } of batch.records)
          texts.push(value === null ? -1 : Number.parseInt(noteContract().decode(value).text))
      expect(texts).toEqual(isStored.flatMap((stored, index) => (stored ? [index] : [])))
      expect(leat.ledger.snapshot()).toMatchObject({ balanced: true, streams: [{ waiting: 0 }] })
    }
  })
})

describe("publishAll of an iterable without an end", () => {
  /** Events for ever; how many were taken, and whether it was closed. */
  function endless(text: string, each: (count: number) => void = () => undefined) {
    const seen = { taken: 0, isClosed: false }
    function* events() {
      try {
        // Not for ever where nothing ends it.
        while (seen.taken < 200_000) {
          each(++seen.taken)
          yield note("k", text)
        }
      } finally {
        seen.isClosed = true
      }
    }
    return { seen, events }
  }

  it("ends when the leat is closed: nothing more is admitted, or taken", async () => {
    const opened = await openNotes()
    const { seen, events } = endless("1", (count) => {
      if (count === 3) void opened.leat.close()
    })
    const { admitted, rejected } = await opened.notes.publishAll(events(), { level: "queued" })
    expect({ admitted, rejected }).toMatchObject({ admitted: 2, rejected: [{ index: 2, error: { reason: "closed" } }] })
    expect(seen).toEqual({ taken: 3, isClosed: true })
  })

  it("ends when the leat is closed while an event of it waits for room", async () => {
    const opened = await openNotes({ ...full, faults: never })
    const { seen, events } = endless("x".repeat(10_000))
    const publishing = opened.notes.publishAll(events(), { level: "queued" })
    await turn()
    const waitedAt = seen.taken
    const closed = opened.leat.close()
    const { admitted, rejected } = await publishing
    await closed
    expect({ admitted, rejected }).toMatchObject({
      admitted: waitedAt - 1,
      rejected: [{ index: waitedAt - 1, error: { reason: "closed" } }]
    })
    expect(seen).toEqual({ taken: waitedAt, isClosed: true })
  })
})

describe("publishAll", () => {
  it("lists each event of an array that comes when the leat is closed", async () => {
    const opened = await openNotes()
    await opened.leat.close()
    const { rejected } = await opened.notes.publishAll(["1", "2", "3"].map((text) => note("k", text)))
    expect(rejected.map(({ index, error }) => [index, error.reason])).toEqual([
      [0, "closed"],
      [1, "closed"],
      [2, "closed"]
    ])
  })

  it("lists what was rejected by its index, and waits once for the rest", async () => {
    await using opened = await openNotes()
    const events = [note("k", "0"), note("", "1"), note("k", "invalid"), note("k", "3")]
    const { admitted, rejected, outcome } = await opened.notes.publishAll(events)
    expect(admitted).toBe(2)
    expect(rejected.map(({ index, error }) => [index, error.reason])).toEqual([
      [1, "emptyKey"],
      [2, "invalid"]
    ])
    expect(await outcome()).toMatchObject({ stored: 2 })
  })

  it("takes any iterable, none at all too, and as many as there are", async () => {
    await using opened = await openNotes({ ...full, faults: { send: () => ({ kind: "delay", ms: 0 }) } })
    function* events() {
      for (let index = 0; index < 3000; index++) yield big(`${index}`, 500)
    }
    expect((await opened.notes.publishAll([])).admitted).toBe(0)
    expect((await opened.notes.publishAll(events())).admitted).toBe(3000)
    expect(opened.row()).toMatchObject({ admitted: 3000, balanced: true })
  })

  it("rejects with what the iterable throws; what was admitted before goes its way", async () => {
    await using opened = await openNotes()
    function* events() {
      yield note("k", "1")
      throw new RangeError("no more")
    }
    expect(await caught(opened.notes.publishAll(events()))).toMatchObject({ name: "RangeError" })
    await opened.leat.flush()
    expect(opened.leg()).toMatchObject({ admitted: 1, stored: 1 })
  })

  it("whose signal is aborted while it waits for room takes no more events, and says how many were admitted", async () => {
    await using opened = await openNotes({ ...full, faults: never })
    const giving = new AbortController()
    let taken = 0
    let isReturned = false
    function* events() {
      try {
        for (;;) {
          taken++
          yield big("x")
        }
      } finally {
        isReturned = true
      }
    }
    const publishing = caught(opened.notes.publishAll(events(), { signal: giving.signal }))
    await turn()
    giving.abort("enough")
    const error = await publishing
    expect(error).toBeInstanceOf(NotAwaited)
    expect(error).toMatchObject({ id: undefined, admitted: taken - 1, cause: "enough" })
    expect(String(error)).toContain(`after ${taken - 1} events were admitted`)
    expect(isReturned).toBe(true)
    expect(opened.row()).toMatchObject({
      admitted: taken - 1,
      rejected: { interrupted: 1 },
      waiting: 0,
      balanced: true
    })
  })

  it("offers nothing more when whoever makes the events gives up: what was told by then stays true", async () => {
    await using opened = await openNotes({ ...full, faults: { send: () => ({ kind: "delay", ms: 20 }) } })
    const giving = new AbortController()
    let isWaiting = false
    function* events() {
      for (;;) {
        if (isWaiting) giving.abort("enough")
        yield big("x")
      }
    }
    const publishing = caught(opened.notes.publishAll(events(), { signal: giving.signal }))
    isWaiting = true
    const error = await publishing
    expect(error).toBeInstanceOf(NotAwaited)
    expect(error).toMatchObject({ admitted: opened.row()?.admitted })
    expect(opened.row()).toMatchObject({ offered: opened.row()?.admitted, waiting: 0, balanced: true })
  })

  it.for(["queued", "stored"] as const)(
    "offers nothing more when whoever makes the events gives up before it has waited: %s",
    async (level) => {
      await using opened = await openNotes()
      const giving = new AbortController()
      let made = 0
      let isClosed = false
      function* events() {
        try {
          for (; made < 10; made++) {
            if (made === 3) giving.abort("enough")
            yield big("x")
          }
        } finally {
          isClosed = true
        }
      }
      const error = await caught(opened.notes.publishAll(events(), { signal: giving.signal, level }))
      expect(error).toBeInstanceOf(NotAwaited)
      expect(error).toMatchObject({ admitted: 3, cause: "enough" })
      expect({ made, isClosed }).toEqual({ made: 3, isClosed: true })
      expect(opened.row()).toMatchObject({ offered: 3, admitted: 3 })
    }
  )

  it.for([
    [1, { _tag: "NotAwaited", admitted: 1, cause: "enough" }],
    [0, new Error("enough")]
  ] as const)("hears whoever makes the last event give up, behind %d", async ([admitted, told]) => {
    await using opened = await openNotes()
    const giving = new AbortController()
    const events = function* () {
      if (admitted > 0) yield big("x")
      giving.abort(admitted > 0 ? "enough" : told)
    }
    const error = await caught(opened.notes.publishAll(events(), { signal: giving.signal, level: "queued" }))
    expect(error).toMatchObject(told)
    expect(opened.row()?.admitted ?? 0).toBe(admitted)
  })

  it("gives way to others while an iterable has no end", async () => {
    const leg = { ...full.leg, buffer: { bytes: 65_536, overflow: "reject" } }
    await using opened = await openNotes({ leg, faults: never })
    const giving = new AbortController()
    let made = 0
    function* events() {
      for (;;) {
        made++
        yield big("x")
      }
    }
    // As a server's request would have one.
    const timer = setInterval(() => giving.abort("enough"), 1)
    const error = await caught(opened.notes.publishAll(events(), { signal: giving.signal }))
    clearInterval(timer)
    expect(error).toBeInstanceOf(NotAwaited)
    expect(opened.row()).toMatchObject({ offered: made, balanced: true })
    expect(made).toBeLessThan(3_000_000)
  })

  it("offers an array in one step, however long it is: all of it before what is published later", async () => {
    await using opened = await openNotes()
    const all = Array.from({ length: 20_000 }, (_, index) => note("k", `${index}`))
    const publishing = opened.notes.publishAll(all)
    const last = opened.notes.publish(note("k", "last"))
    expect(opened.row()).toMatchObject({ admitted: 20_001 })
    await publishing
    expect((await last).id.seq).toBe(20_000)
  })
})

describe("closing", () => {
  it("rejects what waits for room and what comes later, at once, and no promise hangs", async () => {
    const { leat, notes, row } = await openNotes({ ...full, faults: never })
    fill(notes)
    const stored = caught(notes.publish(note("k", "fits in no batch".padEnd(3000))))
    const all = notes.publishAll([big("1"), big("2")])
    const { admitted = 0 } = row() ?? {}
    expect(row()?.waiting).toBe(2)
    const closing = leat.close()
    expect(await stored).toMatchObject({ reason: "closed" })
    expect((await all).rejected).toMatchObject([{ error: { reason: "closed" } }, { error: { reason: "closed" } }])
    expect(await caught(notes.publish(note("k", "1")))).toMatchObject({ reason: "closed" })
    expect(notes.offer(note("k", "1"))).toEqual({ admitted: false, reason: "closed" })
    await closing
    expect(await caught(notes.publish(note("k", "1")))).toMatchObject({ reason: "closed" })
    expect(leat.ledger.snapshot()).toMatchObject({
      balanced: true,
      legs: [{ dropped: { closed: admitted } }],
      streams: [{ waiting: 0 }]
    })
  })

  it("answers publishes that wait for their level: stored in time, or dropped as closed", async () => {
    const faults: FaultPlan = { send: ({ call }) => ({ kind: "delay", ms: call === 0 ? 20 : 10_000_000 }) }
    const { leat, notes, leg } = await openNotes({ faults, drain: "1 second" })
    const first = notes.publish(note("k", "1"))
    while (leg()?.inFlight !== 1) await turn()
    const second = caught(notes.publish(note("k", "2")))
    await leat.close()
    expect((await first).id.seq).toBe(0)
    expect(await second).toMatchObject({ _tag: "NotStored", outcome: { dropped: { closed: 1 } } })
  })
})
