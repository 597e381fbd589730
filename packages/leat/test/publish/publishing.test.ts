import { Effect, Exit, Fiber, Scope } from "effect"
import { Leat, MemoryBroker, memoryDriver, memoryTransport, Rejected, TransportError } from "leat"
import { type FaultPlan, faultDriver, waitUntil } from "leat/testing"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { again, big, documentOf, legRow, narrow, note, openNotes, stored, story, streamRow } from "./stories.js"

describe("the level of a publish", () => {
  it.each([
    { level: "queued", pending: 1 },
    { level: "durable", pending: 0 },
    { level: "stored", pending: 0 }
  ] as const)("$level leaves $pending pending", ({ level, pending }) =>
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openNotes({
          level,
          isKept: true,
          faults: { send: () => ({ kind: "delay", ms: 50 }) }
        })
        const { id, outcome } = yield* notes.publish(note("k", "1"))
        expect(id).toEqual({ incarnation: leat.incarnation, stream: "test.notes", bucket: id.bucket, seq: 0 })
        const { queued = 0, inFlight = 0 } = legRow(leat) ?? {}
        expect(queued + inFlight).toBe(pending)
        expect(yield* outcome).toMatchObject({ stored: 1, dropped: {}, mayBeStored: 0 })
      })
    )
  )

  it("can be said for one publish", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openNotes({ level: "queued" })
        yield* notes.publish(note("k", "1"), { level: "stored" })
        expect(legRow(leat)?.stored).toBe(1)
      })
    ))
})

describe("a buffer that is full", () => {
  it("with `block` lets publish wait in turn, and offer not", () =>
    story(
      Effect.gen(function* () {
        const { broker, leat, notes } = yield* openNotes(narrow("block"))
        const fibers = yield* Effect.forEach(
          Array.from({ length: 60 }, (_, index) => `${index}`),
          (text) => Effect.forkChild(notes.publish(big(text), { level: "queued" }))
        )
        yield* waitUntil(
          "somebody waits",
          Effect.sync(() => (streamRow(leat)?.waiting ?? 0) > 0)
        )
        expect(notes.offer(big("offered"))).toEqual({ admitted: false, reason: "overflow" })
        expect(leat.ledger.snapshot().balanced).toBe(true)
        yield* Effect.forEach(fibers, Fiber.join)
        yield* leat.flush
        const texts = (yield* stored(broker)).map(({ text }) => Number.parseInt(text ?? ""))
        expect(texts.toSorted((left, right) => left - right)).toEqual(Array.from({ length: 60 }, (_, index) => index))
        expect(streamRow(leat)).toMatchObject({ offered: 61, admitted: 60, rejected: { overflow: 1 }, waiting: 0 })
      })
    ))

  it("with `block` rejects after the leg's time-out, and when the caller gives up", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openNotes({
          ...narrow("block", { send: () => ({ kind: "delay", ms: 10_000_000 }) }),
          leg: { buffer: { bytes: 65_536 }, batch: { bytes: 4096 }, timeout: "2 seconds" }
        })
        while (notes.offer(big("fill")).admitted);
        const error = yield* Effect.flip(notes.publish(big("late")))
        expect(error).toBeInstanceOf(Rejected)
        expect(error).toMatchObject({ reason: "timeout", stream: "test.notes" })
        const gone = yield* Effect.forkChild(notes.publish(big("gone")))
        yield* Effect.sleep(10)
        yield* Fiber.interrupt(gone)
        expect(streamRow(leat)?.rejected).toMatchObject({ timeout: 1, interrupted: 1 })
        expect(leat.ledger.snapshot().balanced).toBe(true)
      })
    ))

  it("with `reject` says so at once, in both doors", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openNotes(narrow("reject"))
        let admitted = 0
        while (notes.offer(big(`${admitted}`)).admitted) admitted++
        const error = yield* Effect.flip(notes.publish(big("late")))
        expect(error).toMatchObject({ reason: "overflow" })
        expect(error.message).toContain("the buffer of local/notes (65536 bytes) is full")
        expect(streamRow(leat)).toMatchObject({ admitted, rejected: { overflow: 2 }, balanced: true })
      })
    ))

  it("with `dropOldest` drops the oldest that are not on their way, and the next record says which", () =>
    story(
      Effect.gen(function* () {
        const { broker, leat, notes } = yield* openNotes(narrow("dropOldest"))
        yield* notes.publish(big("0"), { level: "queued" })
        // The first is on its way now, and is never dropped.
        yield* Effect.sleep(50)
        for (let index = 1; index < 60; index++) expect(notes.offer(big(`${index}`))).toEqual({ admitted: true })
        expect(leat.ledger.snapshot().balanced).toBe(true)
        yield* leat.flush
        const records = yield* stored(broker)
        const kept = records.map(({ text }) => Number.parseInt(text ?? ""))
        expect(kept[0]).toBe(0)
        expect(kept.at(-1)).toBe(59)
        const dropped = legRow(leat)?.dropped["overflow"] ?? 0
        expect(dropped).toBe(60 - kept.length)
        const announced = records.flatMap((record) =>
          record.dropped.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, at) => from + at))
        )
        const missing = Array.from({ length: 60 }, (_, index) => index).filter((index) => !kept.includes(index))
        expect(announced.toSorted((left, right) => left - right)).toEqual(missing)
      })
    ))

  it.each(["reject", "dropOldest", "block"])(
    "with `%s` never takes more than its budget, and takes what has room",
    (overflow) =>
      story(
        Effect.gen(function* () {
          const { broker, leat, notes } = yield* openNotes(narrow(overflow, { send: () => ({ kind: "delay", ms: 5 }) }))
          const offered = 3000
          for (let index = 0; index < offered; index++) {
            // Sizes over the whole range that the budget can take, and a little more than it can.
            const bytes = (index * 7919) % 70_000
            const isEmpty = leat.sinks()[0]?.bufferedBytes === 0
            const told = notes.offer(big(`${index}`, bytes))
            if (bytes > 65_400) expect(told).toMatchObject({ admitted: bytes < 65_536 ? told.admitted : false })
            else if (isEmpty) expect(told).toEqual({ admitted: true })
            const held = leat.sinks()[0]?.bufferedBytes ?? Number.NaN
            if (!(held <= 65_536)) throw new Error(`${held} bytes are held`)
            if (index % 3 === 0) yield* Effect.sleep(3)
          }
          yield* leat.flush
          expect(leat.sinks()[0]?.bufferedBytes).toBe(0)
          const { admitted = 0, rejected = {} } = streamRow(leat) ?? {}
          expect(admitted).toBeGreaterThan(offered / 10)
          expect((rejected["overflow"] ?? 0) + (legRow(leat)?.dropped["overflow"] ?? 0)).toBeGreaterThan(offered / 20)
          expect(Number(broker.topic("notes").partitions[0]?.end)).toBe(legRow(leat)?.stored)
          expect(leat.ledger.snapshot().balanced).toBe(true)
        })
      )
  )
})

describe("an event that cannot be taken", () => {
  it.each([
    { why: "invalid", event: note("k", "invalid"), detail: "cannot be encoded" },
    { why: "emptyKey", event: note("", "1"), detail: "the key key is empty" },
    { why: "keyTooLarge", event: note("k".repeat(5000), "1"), detail: "over 4096 bytes" },
    { why: "tooLarge", event: big("1", 2000), detail: "local/notes takes 1024" }
  ])("is rejected: $why", ({ why, event, detail }) =>
    story(
      Effect.gen(function* () {
        const { broker, leat, notes } = yield* openNotes({
          broker: new MemoryBroker({ partitions: 1, recordBytesMax: 1024 })
        })
        expect(notes.offer(event)).toEqual({ admitted: false, reason: why })
        const error = yield* Effect.flip(notes.publish(event))
        expect(error).toMatchObject({ reason: why })
        expect(error.message).toContain(detail)
        yield* notes.publish(note("k", "good"))
        expect((yield* stored(broker)).map(({ text, id }) => [text, id?.seq])).toEqual([["good", 0]])
        expect(streamRow(leat)).toMatchObject({ offered: 3, admitted: 1, rejected: { [why]: 2 }, balanced: true })
      })
    )
  )

  it("is listed by publishAll, and the others go on", () =>
    story(
      Effect.gen(function* () {
        const { broker, notes } = yield* openNotes()
        const { admitted, rejected } = yield* notes.publishAll(["0", "invalid", "2"].map((text) => note("k", text)))
        expect(admitted).toBe(2)
        expect(rejected).toMatchObject([{ index: 1, error: { reason: "invalid" } }])
        expect((yield* stored(broker)).map(({ text }) => text)).toEqual(["0", "2"])
      })
    ))

  it("of many, one error tells each reason as long as it is the same: a stack for each of a million costs a gigabyte", () =>
    story(
      Effect.gen(function* () {
        const { notes } = yield* openNotes()
        const all = ["invalid", "invalid", "good"].map((text) => note("k", text))
        const { rejected } = yield* notes.publishAll([...all, note("", "no key"), ...all])
        const [first, second, other, later] = rejected.map(({ error }) => error)
        expect(rejected.map(({ index }) => index)).toEqual([0, 1, 3, 4, 5])
        expect(second).toBe(first)
        expect([first, other, later]).toMatchObject([
          { reason: "invalid" },
          { reason: "emptyKey" },
          { reason: "invalid", detail: first?.detail }
        ])
      })
    ))

  it("is no event that is merely large: its batch makes room", () =>
    story(
      Effect.gen(function* () {
        // Slower than any step of the story: who waits for nothing sees nothing stored.
        const slow: FaultPlan = { send: () => ({ kind: "delay", ms: 1000 }) }
        const { broker, notes } = yield* openNotes({ faults: slow })
        const texts = [10, 100_000, 20, 400_000].map((bytes, index) => `${index}`.padEnd(bytes, "é"))
        for (const text of texts) expect(notes.offer(note("k", text))).toEqual({ admitted: true })
        yield* notes.flush
        expect((yield* stored(broker)).map(({ text }) => text)).toEqual(texts)
      })
    ))
})

describe("a send that fails", () => {
  const failing = (times: number): FaultPlan => ({
    send: ({ call }) => (call < times ? { kind: "fail", reason: "Unavailable" } : undefined)
  })

  it("is tried again in place, and nothing overtakes it", () =>
    story(
      Effect.gen(function* () {
        const { broker, leat, notes } = yield* openNotes({ faults: failing(3), leg: { batch: { records: 2 } } })
        yield* notes.publishAll(Array.from({ length: 7 }, (_, index) => note("k", `${index}`)))
        expect((yield* stored(broker)).map(({ text }) => text)).toEqual(["0", "1", "2", "3", "4", "5", "6"])
        expect(legRow(leat)).toMatchObject({ admitted: 7, stored: 7, dropped: {} })
      })
    ))

  it("because the batch is too large is halved until it fits; only the record that never fits is judged", () =>
    story(
      Effect.gen(function* () {
        const { broker, leat, notes } = yield* openNotes({
          policy: [{ on: ["TooLarge"], then: "drop" }],
          faults: { send: () => ({ kind: "oversize", bytesMax: 5000 }) }
        })
        const texts = Array.from({ length: 9 }, (_, index) => `${index}`.padEnd(index === 4 ? 6000 : 1000, "."))
        yield* notes.publishAll(texts.map((text) => note("k", text))).pipe(Effect.flip)
        expect((yield* stored(broker)).map(({ text }) => text)).toEqual(texts.filter((_, index) => index !== 4))
        expect(legRow(leat)).toMatchObject({ stored: 8, dropped: { TooLarge: 1 }, balanced: true })
      })
    ))

  it("ends where the policy says: dropped with its reason, and publish fails with it", () =>
    story(
      Effect.gen(function* () {
        const policy = [{ on: ["Unavailable"], retry: { times: 2, base: "5 millis" }, then: "drop" }]
        const { broker, leat, notes } = yield* openNotes({ faults: failing(3), policy })
        const error = yield* Effect.flip(notes.publish(note("k", "0")))
        expect(error).toMatchObject({
          _tag: "NotStored",
          outcome: { stored: 0, dropped: { Unavailable: 1 }, mayBeStored: 0 }
        })
        yield* notes.publish(note("k", "1"))
        const [record] = yield* stored(broker)
        expect(record).toMatchObject({
          text: "1",
          id: { seq: 1 },
          dropped: [{ from: 0, to: 1, reason: "Unavailable" }]
        })
        expect(legRow(leat)).toMatchObject({ stored: 1, dropped: { Unavailable: 1 }, balanced: true })
      })
    ))

  it("with an unknown outcome is in doubt until it is fenced, and then sent again", () =>
    story(
      Effect.gen(function* () {
        const { broker, leat, notes } = yield* openNotes({
          faults: {
            send: ({ call }) => (call === 0 ? { kind: "loseResponse" } : undefined),
            fence: ({ call }) => (call < 2 ? "Unavailable" : undefined)
          }
        })
        const publishing = yield* Effect.forkChild(notes.publish(note("k", "0")))
        yield* waitUntil(
          "in doubt",
          Effect.sync(() => legRow(leat)?.inDoubt === 1)
        )
        expect(leat.ledger.snapshot().balanced).toBe(true)
        yield* Fiber.join(publishing)
        expect((yield* stored(broker)).map(({ id }) => id?.seq)).toEqual([0, 0])
        expect(legRow(leat)).toMatchObject({ stored: 1, inDoubt: 0 })
      })
    ))

  it("that may have landed is never dropped as if it had not", () =>
    story(
      Effect.gen(function* () {
        const policy = [{ on: ["*"], then: "drop" }]
        const { leat, notes } = yield* openNotes({ faults: { send: () => ({ kind: "loseResponse" }) }, policy })
        const error = yield* Effect.flip(notes.publish(note("k", "0")))
        expect(error).toMatchObject({ outcome: { dropped: { Disconnected: 1 }, mayBeStored: 1 } })
        expect(legRow(leat)).toMatchObject({ dropped: { Disconnected: 1 }, droppedMayBeStored: 1 })
      })
    ))

  it("halts its lane where no rule matches, and goes on after resume", () =>
    story(
      Effect.gen(function* () {
        let isAllowed = false
        const { broker, leat, notes } = yield* openNotes({
          policy: [{ on: ["Timeout"], then: "drop" }],
          faults: { send: () => (isAllowed ? undefined : { kind: "fail", reason: "Unauthorized" }) }
        })
        const publishing = yield* Effect.forkChild(notes.publishAll([note("k", "0"), note("k", "1")]))
        yield* waitUntil(
          "halted",
          Effect.sync(() => leat.halted().length > 0)
        )
        expect(leat.halted()).toEqual([
          {
            tag: "Unauthorized",
            attempts: 1,
            detail: "an injected fault",
            sink: "local/notes",
            partition: 0,
            stream: "test.notes"
          }
        ])
        expect(legRow(leat)).toMatchObject({ queued: 2, balanced: true })
        isAllowed = true
        yield* leat.resume
        yield* Fiber.join(publishing)
        expect(leat.halted()).toEqual([])
        expect((yield* stored(broker)).map(({ text }) => text)).toEqual(["0", "1"])
      })
    ))
})

describe("several legs", () => {
  const two = (second: object) => ({
    version: 1,
    clusters: { near: { transport: "memory" }, far: { transport: "memory" } },
    policies: { again, once: [{ on: ["*"], then: "drop" }] },
    routes: [
      {
        match: { stream: "*" },
        to: [
          { cluster: "near", topic: "notes", policy: "again", linger: "0 millis" },
          { cluster: "far", topic: "copies", policy: "again", linger: "0 millis", wire: "cloudevents", ...second }
        ]
      }
    ]
  })
  const openTwo = Effect.fnUntraced(function* (second: object, faults: FaultPlan = {}) {
    const broker = new MemoryBroker({ partitions: 1, recordBytesMax: 4096 })
    const drivers = [faultDriver(memoryDriver(broker), faults)]
    const leat = yield* Leat.make({ source: "test", routes: two(second), drivers, drain: "100 millis" })
    return { broker, leat, notes: yield* leat.stream(noteContract()) }
  })
  const slowCopies: FaultPlan = {
    send: ({ topic }) => (topic === "copies" ? { kind: "delay", ms: 1_000_000 } : undefined)
  }
  const tiny = { buffer: { bytes: 65_536, overflow: "reject" }, batch: { bytes: 4096 } }

  it("carry one event under one id, each in its own wire", () =>
    story(
      Effect.gen(function* () {
        const { broker, leat, notes } = yield* openTwo({})
        yield* notes.publishAll([note("k", "0"), note("k", "1")])
        const [near, far] = [yield* stored(broker), yield* stored(broker, "copies")]
        expect(near.map(({ text, id }) => [text, id])).toEqual(far.map(({ text, id }) => [text, id]))
        expect(far[0]).toMatchObject({ source: "test", type: "test.Note" })
        expect(near[0]?.source).toBeUndefined()
        expect(leat.ledger.snapshot().legs).toMatchObject([
          { sink: "near/notes", admitted: 2, stored: 2 },
          { sink: "far/copies", admitted: 2, stored: 2 }
        ])
      })
    ))

  it("that are required take an event all or none", () =>
    story(
      Effect.gen(function* () {
        const { broker, leat, notes } = yield* openTwo(tiny, slowCopies)
        let admitted = 0
        while (notes.offer(big(`${admitted}`)).admitted) admitted++
        yield* Effect.sleep(10)
        expect(admitted).toBeGreaterThan(3)
        expect((yield* stored(broker)).length).toBe(admitted)
        expect(streamRow(leat)).toMatchObject({ offered: admitted + 1, rejected: { overflow: 1 } })
        expect(leat.ledger.snapshot().legs.map((leg) => leg.admitted)).toEqual([admitted, admitted])
      })
    ))

  it("that are not required lose what they cannot take, counted", () =>
    story(
      Effect.gen(function* () {
        const { broker, leat, notes } = yield* openTwo({ ...tiny, required: false }, slowCopies)
        for (let index = 0; index < 40; index++) expect(notes.offer(big(`${index}`)).admitted).toBe(true)
        // Too large for the second wire, not for the first.
        expect(notes.offer(note("k", ".".repeat(3990))).admitted).toBe(true)
        yield* Effect.sleep(10)
        expect((yield* stored(broker)).length).toBe(41)
        const far = leat.ledger.snapshot().legs.find(({ sink }) => sink === "far/copies")
        expect(far?.admitted).toBe(41)
        expect(far?.dropped["tooLarge"]).toBe(1)
        expect(far?.dropped["overflow"]).toBeGreaterThan(20)
        expect(leat.ledger.snapshot().balanced).toBe(true)
      })
    ))

  it("that are not required do not keep a publish waiting", () =>
    story(
      Effect.gen(function* () {
        const { notes } = yield* openTwo({ required: false }, slowCopies)
        const { outcome } = yield* notes.publish(note("k", "0"))
        expect(yield* outcome).toMatchObject({ stored: 1 })
      })
    ))
})

describe("closing", () => {
  it("sends what is buffered, and announces what nothing announced", () =>
    story(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const policy = [{ on: ["*"], then: "drop" }]
        const { broker, leat, notes } = yield* openNotes({
          policy,
          faults: { send: ({ call }) => (call === 0 ? { kind: "fail", reason: "Unavailable" } : undefined) }
        }).pipe(Scope.provide(scope))
        yield* Effect.ignore(notes.publish(note("k", "0")))
        yield* Scope.close(scope, Exit.void)
        expect(yield* stored(broker)).toMatchObject([{ text: null, isMarker: true, dropped: [{ from: 0, to: 1 }] }])
        expect(notes.offer(note("k", "1"))).toEqual({ admitted: false, reason: "closed" })
        expect(leat.ledger.snapshot().balanced).toBe(true)
      })
    ))

  it("counts what it could not send by its deadline, and what may be stored of it", () =>
    story(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const { leat, notes } = yield* openNotes({
          drain: "100 millis",
          leg: { batch: { records: 1 } },
          faults: { send: () => ({ kind: "delay", ms: 1_000_000 }) }
        }).pipe(Scope.provide(scope))
        for (const text of ["0", "1", "2"]) notes.offer(note("k", text))
        yield* Effect.sleep(5)
        const waiting = yield* Effect.forkChild(notes.flush)
        yield* Scope.close(scope, Exit.void)
        expect(yield* Fiber.join(waiting)).toMatchObject({ stored: 0, dropped: { closed: 3 }, mayBeStored: 3 })
        expect(legRow(leat)).toMatchObject({
          admitted: 3,
          dropped: { closed: 3 },
          droppedMayBeStored: 3,
          balanced: true
        })
      })
    ))
})

describe("another table", () => {
  it("changes policies, buffers and levels of open streams between two events", () =>
    story(
      Effect.gen(function* () {
        const faults: FaultPlan = { send: () => ({ kind: "fail", reason: "Unavailable" }) }
        const { leat, notes } = yield* openNotes({ faults })
        const publishing = yield* Effect.forkChild(Effect.flip(notes.publish(note("k", "0"))))
        yield* Effect.sleep(100)
        yield* leat.swapRoutes({
          ...documentOf({ policy: [{ on: ["*"], then: "drop" }], level: "queued" }),
          version: 2
        })
        expect(yield* Fiber.join(publishing)).toMatchObject({ _tag: "NotStored" })
        yield* notes.publish(note("k", "1"))
        expect(leat.routes().version).toBe(2)
      })
    ))

  it("that would move an open stream is refused whole", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openNotes()
        const error = yield* Effect.flip(
          leat.swapRoutes({ ...documentOf({ leg: { topic: "elsewhere" } }), version: 2 })
        )
        expect(error.faults).toMatchObject([{ path: "routes[0].to" }])
        const broken = yield* Effect.flip(leat.swapRoutes({ version: 0, clusters: {}, routes: [] }))
        expect(broken.faults.length).toBeGreaterThan(1)
        yield* notes.publish(note("k", "0"))
      })
    ))

  it.each([
    { why: "an older version", change: { version: 6 }, message: "version 6 is older than 7, which is in force" },
    {
      why: "the same version with another content",
      change: { policies: { leg: [{ on: ["*"], then: "drop" }] } },
      message: "version 7 is in force with another content"
    },
    {
      why: "another cluster under the name of one that is open",
      change: { version: 8, clusters: { local: { transport: "memory", partitions: 8 } } },
      message: "notes has 8 partitions there, and 4 here"
    }
  ])("of $why is refused", ({ change, message }) =>
    story(
      Effect.gen(function* () {
        const document = { ...documentOf({}), version: 7 }
        const leat = yield* Leat.make({
          source: "test",
          routes: { ...document, policies: { leg: [{ on: ["*"], then: "halt" }], more: [] } }
        })
        yield* leat.stream(noteContract())
        const error = yield* Effect.flip(leat.swapRoutes({ ...document, ...change }))
        expect(error.message).toContain(message)
        expect(leat.routes().version).toBe(7)
      })
    )
  )
})

describe("opening a stream", () => {
  it.each([
    { why: "no route", contract: noteContract({ stream: "other" }), message: "no route matches stream other" },
    {
      why: "an unmet need",
      contract: noteContract({ needs: ["fsync"] }),
      message: "needs fsync, which cluster local does not declare"
    },
    {
      why: "partitions that do not divide the buckets",
      contract: noteContract({ buckets: 7 }),
      message: "has 2 partitions, test.Note 7 buckets"
    }
  ])("fails with a sentence: $why", ({ contract, message }) =>
    story(
      Effect.gen(function* () {
        const routes = {
          ...documentOf({}),
          routes: [{ match: { stream: "test.*" }, to: [{ cluster: "local", topic: "notes" }] }]
        }
        const drivers = [memoryDriver(new MemoryBroker({ partitions: 2 }))]
        const leat = yield* Leat.make({ source: "test", routes, drivers })
        const error = yield* Effect.flip(leat.stream(contract))
        expect(error.message).toContain(message)
      })
    )
  )

  it("opens each cluster and sink once, however many ask at the same time", () =>
    story(
      Effect.gen(function* () {
        let opened = 0
        const inner = memoryDriver(new MemoryBroker({ partitions: 2 }))
        const counting = {
          ...inner,
          open: (cluster: string, config: Readonly<Record<string, unknown>>) =>
            Effect.delay(
              Effect.suspend(() => {
                opened++
                return inner.open(cluster, config)
              }),
              10
            )
        }
        const leat = yield* Leat.make({ source: "test", routes: documentOf({}), drivers: [counting] })
        const streams = Array.from({ length: 3 }, () => leat.stream(noteContract()))
        const [first, second] = yield* Effect.all(streams, { concurrency: "unbounded" })
        yield* Effect.all([leat.transport("local"), leat.transport("local")], { concurrency: "unbounded" })
        expect(opened).toBe(1)
        expect(second).toBe(first)
      })
    ))

  it("waits for a cluster that is away for a moment, and not for one that refuses", () =>
    story(
      Effect.gen(function* () {
        const inner = memoryDriver(new MemoryBroker({ partitions: 2 }))
        const away = (reason: "Unavailable" | "Unauthorized", times: number) => {
          let calls = 0
          return {
            ...inner,
            open: (cluster: string, config: Readonly<Record<string, unknown>>) =>
              calls++ < times
                ? Effect.fail(new TransportError({ reason, transport: "memory", operation: "open", detail: "planted" }))
                : inner.open(cluster, config)
          }
        }
        const opened = yield* Leat.make({ source: "test", drivers: [away("Unavailable", 3)] })
        yield* opened.stream(noteContract())
        const refused = yield* Leat.make({ source: "test", drivers: [away("Unauthorized", 1)] })
        expect(yield* Effect.flip(refused.stream(noteContract()))).toMatchObject({ reason: "Unauthorized" })
      })
    ))

  it("spreads an unordered contract over the partitions", () =>
    story(
      Effect.gen(function* () {
        const broker = new MemoryBroker({ partitions: 4 })
        const leat = yield* Leat.make({ source: "test", drivers: [memoryDriver(broker)] })
        const notes = yield* leat.stream(noteContract({ unordered: true, keyPath: undefined, key: () => undefined }))
        for (let index = 0; index < 2048; index++) notes.offer(note("", `${index}`))
        yield* leat.flush
        const bounds = yield* memoryTransport(broker).bounds("test.notes")
        expect(bounds.map(({ end }) => end)).toEqual([512n, 512n, 512n, 512n])
      })
    ))
})

describe("as a layer", () => {
  it("is one leat for a program, closed with it", () =>
    story(
      Effect.gen(function* () {
        const leat = yield* Leat
        const notes = yield* leat.stream(noteContract())
        yield* notes.publish(note("k", "0"))
        expect(leat.source).toBe("layered")
        expect(leat.ledger.snapshot()).toMatchObject({ streams: [{ admitted: 1 }], balanced: true })
      }).pipe(Effect.provide(Leat.layerMemory("layered")))
    ))
})
