import { Deferred, Effect, Exit, Fiber, Logger, References, Scope } from "effect"
import { Leat, MemoryBroker, memoryDriver, NotStored } from "leat"
import { waitUntil } from "leat/testing"
import { type Driver, type OutgoingBatch, type Run, TransportError, type TransportReason } from "leat/transport"
import { describe, expect, it } from "vitest"
import { droppedHeader } from "../../src/record/DropNotice.js"
import { readDeadLetter } from "../../src/record/DeadLetter.js"
import { noteContract } from "../contracts/Note.js"
import { documentOf, legRow, note, type Setting, story, stored } from "./stories.js"

const aside = [
  { on: ["Rejected", "TooLarge"], then: "deadLetter" },
  { on: ["*"], retry: { times: 1, base: "10 millis" }, then: "deadLetter" }
]

type Answer = TransportReason | "silence" | undefined

interface Script {
  /** What becomes of a send; undefined: it is stored. A send is refused whole. */
  readonly events?: (texts: ReadonlyArray<string>, call: number) => Answer
  /** What becomes of letters that are sent. */
  readonly letters?: (call: number) => Answer
  readonly fence?: (call: number) => TransportReason | undefined
}

const poison = (texts: ReadonlyArray<string>): Answer =>
  texts.some((text) => text.startsWith("poison")) ? "Rejected" : undefined

const errorOf = (operation: string, reason: TransportReason) =>
  new TransportError({ reason, transport: "memory", operation, detail: `planted ${operation}` })

function textsOf(batch: OutgoingBatch, from: number, to: number): ReadonlyArray<string> {
  return Array.from({ length: to - from }, (_, index) => {
    const value = batch.value(from + index)
    return value === null ? "" : noteContract().decode(value).text
  })
}

/** A broker that answers by the script; `log` has what was sent, in order. */
function scripted({ events = () => undefined, letters = () => undefined, fence = () => undefined }: Script) {
  const broker = new MemoryBroker({ partitions: 1 })
  const inner = memoryDriver(broker)
  const log: Array<string> = []
  const calls = { events: 0, letters: 0, fences: 0 }
  const driver: Driver = {
    ...inner,
    open: (...asked) =>
      Effect.map(inner.open(...asked), (transport) => ({
        ...transport,
        openWriter: (topic) =>
          Effect.map(transport.openWriter(topic), (writer) => ({
            ...writer,
            fence: (partition: number) => {
              const reason = fence(calls.fences++)
              return reason === undefined ? writer.fence(partition) : Effect.fail(errorOf("fence", reason))
            },
            send: (...[partition, batch, from, to, timeoutMs, answer]: Parameters<typeof writer.send>) => {
              const isLetters = topic.endsWith(".undelivered")
              const said = isLetters ? letters(calls.letters++) : events(textsOf(batch, from, to), calls.events++)
              log.push(`${isLetters ? "letters" : textsOf(batch, from, to).join(" ")}: ${said ?? "stored"}`)
              if (said === undefined) writer.send(partition, batch, from, to, timeoutMs, answer)
              else if (said !== "silence") answer([failed(from, to, said)])
            }
          }))
      }))
  }
  return { broker, driver, log, calls }
}

function failed(from: number, to: number, reason: TransportReason): Run {
  const error = errorOf("send", reason)
  return { from, to, fate: error.mayBeStored ? "unknown" : "notStored", error }
}

const open = Effect.fnUntraced(function* (script: Script, setting: Setting = {}) {
  const far = scripted(script)
  const leat = yield* Leat.make({
    source: "test",
    routes: documentOf({ policy: aside, ...setting }),
    drain: setting.drain ?? "1 minute",
    drivers: [far.driver]
  })
  return { ...far, leat, notes: yield* leat.stream(noteContract()) }
})

const topic = "notes.undelivered"

/** The letters that are stored. */
const lettersIn = (broker: MemoryBroker) =>
  Effect.sync(() => {
    const log = broker.topic(topic).partitions[0]
    const found = log === undefined ? [] : (log.read(log.start, log.end)?.records ?? [])
    return found.map((record) => ({ record, found: readDeadLetter(record.headers) }))
  })
const textOf = (bytes: Uint8Array | null) => (bytes === null ? null : noteContract().decode(bytes).text)
const textsIn = (broker: MemoryBroker) =>
  Effect.map(lettersIn(broker), (all) => all.map(({ record }) => textOf(record.value)))
const until = (what: string, is: () => boolean) => waitUntil(what, Effect.sync(is))

describe("a leg that dead-letters", () => {
  it("sets aside what is refused for good alone; the others are stored in order, and the gap is announced", () =>
    story(
      Effect.gen(function* () {
        const { broker, leat, notes } = yield* open({ events: poison })
        const texts = ["0", "poison 1", "2", "3", "poison 4", "5"]
        const told = yield* Effect.flip(notes.publishAll(texts.map((text) => note("k", text))))
        expect(told).toBeInstanceOf(NotStored)
        expect(told.outcome).toEqual({
          stored: 4,
          deadLettered: { Rejected: 2 },
          deadLetters: [`local/${topic}`],
          dropped: {},
          mayBeStored: 0,
          spilled: 0,
          fellBack: 0
        })
        expect(told.message).toContain(`dead-lettered to local/${topic} (2 Rejected)`)
        expect((yield* stored(broker)).map(({ text }) => text)).toEqual(["0", "2", "3", "5"])
        expect(yield* textsIn(broker)).toEqual(["poison 1", "poison 4"])
        expect(legRow(leat)).toMatchObject({
          admitted: 6,
          stored: 4,
          deadLettered: { Rejected: 2 },
          dropped: {},
          deadLettering: 0,
          balanced: true
        })
        yield* notes.publish(note("k", "6"))
        const log = broker.topic("notes").partitions[0]
        const records = log?.read(log.start, log.end)?.records ?? []
        const notices = records.flatMap(({ headers }) => headers.filter(([name]) => name === droppedHeader))
        // In one record behind them, or in two.
        const announced = notices.map(([, notice]) => Buffer.from(notice).toString()).join(";")
        expect(announced).toMatch(/^\d+:1-2:deadLettered;\d+:4-5(:deadLettered)?$/)
      })
    ))

  it("waits when 1024 events of a partition wait for their letters, and goes on when they are stored", () =>
    story(
      Effect.gen(function* () {
        let isDown = true
        const { broker, leat, notes, log } = yield* open({
          events: poison,
          letters: () => (isDown ? "Unavailable" : undefined)
        })
        for (let index = 0; index < 1500; index++) notes.offer(note("k", `poison ${index}`))
        notes.offer(note("k", "last"))
        yield* Effect.sleep("1 minute")
        expect(legRow(leat)).toMatchObject({ queued: 477, deadLettering: 1024, stored: 0 })
        const sends = log.filter((text) => !text.startsWith("letters")).length
        yield* Effect.sleep("1 minute")
        expect(log.filter((text) => !text.startsWith("letters"))).toHaveLength(sends)
        isDown = false
        yield* Effect.sleep("1 minute")
        expect(legRow(leat)).toMatchObject({ queued: 0, deadLettering: 0, deadLettered: { Rejected: 1500 }, stored: 1 })
        expect((yield* stored(broker)).map(({ text }) => text)).toEqual(["last"])
        const letters = broker.topic(topic).partitions[0]
        expect(Number(letters?.end)).toBe(1500)
      })
    ))

  it("stores the record as its wire wrote it, with the failure in headers before", () =>
    story(
      Effect.gen(function* () {
        let isPoison = true
        const { broker, notes } = yield* open({ events: () => (isPoison ? "Rejected" : undefined) })
        yield* Effect.sleep("2 seconds")
        yield* Effect.flip(notes.publish(note("k", "one")))
        isPoison = false
        yield* notes.publish(note("k", "one"))
        const [letter] = yield* lettersIn(broker)
        const log = broker.topic("notes").partitions[0]
        const [event] = log?.read(log.start, log.end)?.records ?? []
        const { key, value } = letter?.record ?? {}
        expect({ key, value }).toEqual({ key: event?.key, value: event?.value })
        // But for the sequence, and what the later one announces.
        expect(letter?.found?.headers.map(([name]) => name)).toEqual(
          event?.headers.map(([name]) => name).filter((name) => name !== droppedHeader)
        )
        expect(letter?.found?.letter).toMatchObject({
          by: "leat",
          topic: "notes",
          partition: 0,
          stage: "publish",
          tag: "Rejected",
          message: "planted send",
          attempts: 1,
          replays: 0
        })
        expect(letter?.found?.letter.position).toBeUndefined()
        expect(letter?.found?.letter.group).toBeUndefined()
        // With its own time it could be refused again.
        expect(letter?.record.timeMs).toBe(letter?.found?.letter.atMs)
        // It lingered for a milli.
        expect(Number(letter?.found?.letter.atMs) - Number(letter?.found?.letter.timeMs)).toBe(1)
      })
    ))

  it("leaves what it was to announce to a later record", () =>
    story(
      Effect.gen(function* () {
        const { broker, notes } = yield* open({ events: poison })
        yield* Effect.flip(notes.publish(note("k", "poison 0")))
        // It says that the first is missing, and is refused itself.
        yield* Effect.flip(notes.publish(note("k", "poison 1")))
        yield* notes.publish(note("k", "2"))
        const names = (yield* lettersIn(broker)).map(({ found }) => found?.headers.map(([name]) => name))
        expect(names.flat()).not.toContain(droppedHeader)
        const log = broker.topic("notes").partitions[0]
        const [event] = log?.read(log.start, log.end)?.records ?? []
        const notice = event?.headers.find(([name]) => name === droppedHeader)?.[1]
        expect(Buffer.from(notice ?? []).toString()).toMatch(/^\d+:0-2:deadLettered$/)
      })
    ))

  it("does not wait for the letter: what stands behind goes on, and a flush ends when it is stored", () =>
    story(
      Effect.gen(function* () {
        let isDown = true
        const { broker, leat, notes } = yield* open({
          events: poison,
          letters: () => (isDown ? "Unavailable" : undefined)
        })
        notes.offer(note("k", "poison"))
        yield* until("it is on its way", () => legRow(leat)?.deadLettering === 1)
        yield* notes.publish(note("k", "next"))
        expect(legRow(leat)).toMatchObject({ stored: 1, deadLettering: 1, queued: 0, balanced: true })
        const flushing = yield* Effect.forkChild(leat.flush)
        yield* Effect.sleep("1 minute")
        isDown = false
        const { stored: count, deadLettered } = yield* Fiber.join(flushing)
        expect({ count, deadLettered }).toEqual({ count: 0, deadLettered: { Rejected: 1 } })
        expect(yield* textsIn(broker)).toEqual(["poison"])
      })
    ))

  it("keeps the bytes of what is set aside in its buffer, which is the bound", () =>
    story(
      Effect.gen(function* () {
        const leg = { buffer: { bytes: 65_536, overflow: "reject" }, batch: { bytes: 4096 }, linger: "0 millis" }
        let isDown = true
        const { leat, notes } = yield* open(
          { events: poison, letters: () => (isDown ? "Unavailable" : undefined) },
          { leg }
        )
        let rejected = 0
        for (let index = 0; index < 100; index++) {
          if (!notes.offer(note("k", "poison".padEnd(3000, "."))).admitted) rejected++
          yield* Effect.sleep("50 millis")
        }
        expect(rejected).toBeGreaterThan(70)
        expect(legRow(leat)).toMatchObject({ deadLettering: 100 - rejected, queued: 0, balanced: true })
        isDown = false
        yield* leat.flush
        expect(legRow(leat)).toMatchObject({ deadLettered: { Rejected: 100 - rejected }, balanced: true })
        expect(leat.sinks()).toMatchObject([{ bufferedBytes: 0 }])
      })
    ))

  it("drops no oldest that is set aside", () =>
    story(
      Effect.gen(function* () {
        const leg = { buffer: { bytes: 65_536, overflow: "dropOldest" }, batch: { bytes: 4096 }, linger: "0 millis" }
        let isDown = true
        const events = (texts: ReadonlyArray<string>) => poison(texts) ?? (isDown ? "silence" : undefined)
        const { leat, notes, broker } = yield* open(
          { events, letters: () => (isDown ? "Unavailable" : undefined) },
          { leg }
        )
        notes.offer(note("k", "poison"))
        yield* until("it is on its way", () => legRow(leat)?.deadLettering === 1)
        for (let index = 0; index < 100; index++) notes.offer(note("k", "event".padEnd(3000, ".")))
        yield* Effect.sleep("1 second")
        expect(legRow(leat)).toMatchObject({ deadLettering: 1, balanced: true })
        expect(legRow(leat)?.dropped["overflow"]).toBeGreaterThan(50)
        isDown = false
        yield* until("it is stored", () => legRow(leat)?.deadLettered["Rejected"] === 1)
        expect(yield* textsIn(broker)).toEqual(["poison"])
      })
    ))

  it("counts what was in doubt as what may be stored too", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* open({ events: () => "Disconnected" })
        const told = yield* Effect.flip(notes.publish(note("k", "0")))
        expect(told).toMatchObject({ outcome: { deadLettered: { Disconnected: 1 }, mayBeStored: 1 } })
        expect(legRow(leat)).toMatchObject({
          deadLettered: { Disconnected: 1 },
          droppedMayBeStored: 1,
          balanced: true
        })
      })
    ))

  it("waits for a fence that fails for a passing reason, and sets nothing aside because of it", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes, calls } = yield* open({
          events: (_, call) => (call === 0 ? "Disconnected" : undefined),
          fence: (call) => (call < 30 ? "Unavailable" : undefined)
        })
        yield* notes.publish(note("k", "0"))
        expect(calls.fences).toBe(31)
        expect(legRow(leat)).toMatchObject({ stored: 1, deadLettered: {}, balanced: true })
      })
    ))
})

describe("an outage of a sink that dead-letters", () => {
  it("is waited out and told once: the topic is not drained", () => {
    const warnings: Array<string> = []
    const logger = Logger.make(({ message }) => void warnings.push(String(message)))
    story(
      Effect.gen(function* () {
        let isDown = true
        const { broker, leat, notes } = yield* open({ events: () => (isDown ? "Unavailable" : undefined) })
        for (let index = 0; index < 1000; index++) notes.offer(note("k", `${index}`))
        yield* Effect.sleep("5 minutes")
        expect(legRow(leat)).toMatchObject({ stored: 0, deadLettered: {}, deadLettering: 0, balanced: true })
        isDown = false
        yield* leat.flush
        expect((yield* stored(broker)).length).toBe(1000)
        expect(legRow(leat)).toMatchObject({ stored: 1000, deadLettered: {}, balanced: true })
        expect(warnings.filter((one) => one.startsWith("most of what"))).toEqual([
          "most of what is sent to local/notes fails: what fails for a passing reason is not dead-lettered now, it waits and is tried again",
          "most of what is sent to local/notes is stored again; what still fails is dead-lettered"
        ])
      }).pipe(Effect.provide(Logger.layer([logger])), Effect.provideService(References.MinimumLogLevel, "All"))
    )
  })

  it("is none where most is stored: one record that fails for a passing reason is set aside", () =>
    story(
      Effect.gen(function* () {
        const events = (texts: ReadonlyArray<string>) => (poison(texts) === undefined ? undefined : "Throttled")
        const { broker, leat, notes } = yield* open({ events })
        for (let index = 0; index < 60; index++) yield* notes.publish(note("k", `${index}`))
        yield* Effect.flip(notes.publish(note("k", "poison")))
        expect(yield* textsIn(broker)).toEqual(["poison"])
        expect(legRow(leat)).toMatchObject({ stored: 60, deadLettered: { Throttled: 1 } })
      })
    ))
})

describe("a topic of dead letters that refuses for good", () => {
  it("halts the lane, which names both faults, and resume tries the event itself", () => {
    const warnings: Array<string> = []
    const logger = Logger.make(({ message }) => void warnings.push(String(message)))
    story(
      Effect.gen(function* () {
        let isRefusing = true
        const refuse = () => (isRefusing ? ("Rejected" as const) : undefined)
        const { broker, leat, notes } = yield* open({
          events: refuse,
          letters: () => (isRefusing ? "TooLarge" : undefined)
        })
        const publishing = yield* Effect.forkChild(notes.publish(note("k", "0")))
        yield* until("halted", () => leat.halted().length > 0)
        const [halted] = leat.halted()
        expect(halted).toMatchObject({ tag: "Rejected", attempts: 1, partition: 0, stream: "test.notes" })
        expect(halted?.detail).toContain("planted send; and local/notes.undelivered refuses it too: ")
        expect(halted?.detail).toContain("TooLarge")
        expect(legRow(leat)).toMatchObject({ queued: 1, deadLettering: 0, balanced: true })
        expect(warnings.filter((one) => one.startsWith("publishing test.notes to local/notes stands"))).toHaveLength(1)
        isRefusing = false
        yield* leat.resume
        yield* Fiber.join(publishing)
        expect((yield* stored(broker)).map(({ text }) => text)).toEqual(["0"])
        expect(legRow(leat)).toMatchObject({ stored: 1, deadLettered: {}, balanced: true })
      }).pipe(Effect.provide(Logger.layer([logger])), Effect.provideService(References.MinimumLogLevel, "All"))
    )
  })

  it("is told once for each halt, however many letters it refuses behind that", () => {
    const warnings: Array<string> = []
    const logger = Logger.make(({ message }) => void warnings.push(String(message)))
    story(
      Effect.gen(function* () {
        // Each waits once, so that the next comes to stand in line behind it, and is then refused.
        const letters = (call: number) => (call % 2 === 0 ? "Unavailable" : "Rejected")
        const { leat, notes } = yield* open({ events: poison, letters })
        for (const text of ["poison 0", "poison 1", "poison 2"]) {
          notes.offer(note("k", text))
          yield* Effect.sleep("20 millis")
        }
        yield* until("all are refused", () => legRow(leat)?.queued === 3)
        yield* Effect.sleep("1 second")
        expect(warnings.filter((one) => one.startsWith("publishing test.notes to local/notes stands"))).toHaveLength(1)
      }).pipe(Effect.provide(Logger.layer([logger])), Effect.provideService(References.MinimumLogLevel, "All"))
    )
  })

  it("may do so in the very step in which it is asked: nothing is lost from the queue", async () => {
    const { broker, driver, calls } = scripted({ events: poison })
    const refusing: Driver = {
      ...driver,
      open: (...asked) =>
        Effect.map(driver.open(...asked), (transport) => ({
          ...transport,
          openWriter: (name) =>
            name === topic ? Effect.fail(errorOf("open", "Unauthorized")) : transport.openWriter(name)
        }))
    }
    const program = Effect.gen(function* () {
      const routes = documentOf({ policy: aside })
      const leat = yield* Leat.make({ source: "test", routes, drivers: [refusing] })
      const notes = yield* leat.stream(noteContract())
      for (const text of ["0", "poison", "2", "3"]) notes.offer(note("k", text))
      yield* until("halted", () => leat.halted().length > 0)
      const row = legRow(leat)
      expect(row).toMatchObject({ balanced: true, deadLettering: 0 })
      expect((row?.stored ?? 0) + (row?.queued ?? 0)).toBe(4)
      expect((yield* stored(broker)).map(({ text }) => text)).not.toContain("poison")
      expect(calls.letters).toBe(0)
    })
    // The scheduler of the simulation begins nothing at once.
    await Effect.runPromise(program.pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None")))
  })
})

describe("closing while something is set aside", () => {
  it("waits until its letter is stored", () =>
    story(
      Effect.gen(function* () {
        let isDown = true
        const scope = yield* Scope.make()
        const setting = { events: poison, letters: () => (isDown ? ("Unavailable" as const) : undefined) }
        const { broker, leat, notes } = yield* open(setting).pipe(Scope.provide(scope))
        notes.offer(note("k", "poison"))
        yield* until("it is on its way", () => legRow(leat)?.deadLettering === 1)
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* Effect.sleep("20 seconds")
        isDown = false
        yield* Fiber.join(closing)
        expect(yield* textsIn(broker)).toEqual(["poison"])
        expect(legRow(leat)).toMatchObject({ deadLettered: { Rejected: 1 }, dropped: {}, balanced: true })
      })
    ))

  it("sets no record aside that only announces drops, and is no event", () =>
    story(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const drop = [
          { on: ["TooLarge"], then: "drop" },
          { on: ["*"], then: "deadLetter" }
        ]
        const events = ([text]: ReadonlyArray<string>): Answer => (text === "poison" ? "TooLarge" : "Rejected")
        const { leat, log, notes } = yield* open({ events }, { policy: drop }).pipe(Scope.provide(scope))
        notes.offer(note("k", "poison"))
        yield* until("it is dropped", () => legRow(leat)?.dropped["TooLarge"] === 1)
        yield* Scope.close(scope, Exit.void)
        expect(log).toEqual(["poison: TooLarge", ": Rejected"])
        expect(legRow(leat)).toMatchObject({ admitted: 1, dropped: { TooLarge: 1 }, deadLettered: {}, balanced: true })
      })
    ))

  it("gives it up when the drain is over, counted and told", () =>
    story(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const setting = { events: poison, letters: () => "Unavailable" as const }
        const { leat, notes } = yield* open(setting, { drain: "2 seconds" }).pipe(Scope.provide(scope))
        const told = yield* Deferred.make<unknown>()
        yield* Effect.forkDetach(
          Effect.flatMap(Effect.flip(notes.publish(note("k", "poison"))), (error) => Deferred.succeed(told, error))
        )
        yield* until("it is on its way", () => legRow(leat)?.deadLettering === 1)
        const startMs = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        yield* Scope.close(scope, Exit.void)
        const endMs = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        expect(endMs - startMs).toBe(2000)
        expect(yield* Deferred.await(told)).toMatchObject({ outcome: { dropped: { closed: 1 }, mayBeStored: 0 } })
        expect(legRow(leat)).toMatchObject({
          deadLettered: {},
          dropped: { closed: 1 },
          deadLettering: 0,
          balanced: true
        })
      })
    ))

  it("waits for letters of a lane that halts too, before it gives up what stands", () =>
    story(
      Effect.gen(function* () {
        let isDown = true
        const scope = yield* Scope.make()
        const events = (texts: ReadonlyArray<string>) => poison(texts) ?? ("Unauthorized" as const)
        const policy = [
          { on: ["Rejected"], then: "deadLetter" },
          { on: ["*"], then: "halt" }
        ]
        const letters = () => (isDown ? ("Unavailable" as const) : undefined)
        const { broker, leat, notes } = yield* open({ events, letters }, { policy }).pipe(Scope.provide(scope))
        notes.offer(note("k", "poison"))
        yield* until("it is on its way", () => legRow(leat)?.deadLettering === 1)
        notes.offer(note("k", "stands"))
        yield* until("halted", () => leat.halted().length > 0)
        const startMs = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* Effect.sleep("5 seconds")
        expect(legRow(leat)).toMatchObject({ deadLettering: 1, queued: 1 })
        isDown = false
        yield* Fiber.join(closing)
        // Not at the end of its drain.
        const endMs = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        expect(endMs - startMs).toBeLessThan(30_000)
        expect(yield* textsIn(broker)).toEqual(["poison"])
        expect(legRow(leat)).toMatchObject({ deadLettered: { Rejected: 1 }, dropped: { closed: 1 }, balanced: true })
      })
    ))
})

describe("what is set aside", () => {
  it("is told at once, and how many more in a line later, for nobody may wait for what is offered", () => {
    const warnings: Array<string> = []
    const logger = Logger.make(({ message }) => void warnings.push(String(message)))
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* open({ events: poison })
        notes.offer(note("k", "poison 0"))
        yield* until("it is set aside", () => legRow(leat)?.deadLettered["Rejected"] === 1)
        // Among others: where most of it fails it is no poison.
        for (let index = 1; index <= 150; index++)
          notes.offer(note("k", index % 3 === 0 ? `poison ${index}` : `${index}`))
        yield* until("all are", () => legRow(leat)?.deadLettered["Rejected"] === 51)
        expect(warnings).toHaveLength(1)
        yield* Effect.sleep("5 minutes")
      }).pipe(Effect.provide(Logger.layer([logger])), Effect.provideService(References.MinimumLogLevel, "All"))
    )
    const where = "local/notes.undelivered now"
    const why = "Rejected after 1 attempt: planted send"
    expect(warnings).toEqual([
      `publishing to local/notes has dead-lettered an event, which is in ${where} (meant for partition 0): ${why}`,
      `publishing to local/notes has dead-lettered 50 events more in 5 minutes, which are in ${where} (50 Rejected); the last one: ${why}`
    ])
  })
})

describe("routes that change while something is set aside", () => {
  it("let its letter go its way, and others end by the new policy", () =>
    story(
      Effect.gen(function* () {
        let isDown = true
        const letters = () => (isDown ? ("Unavailable" as const) : undefined)
        const { broker, leat, notes } = yield* open({ events: poison, letters })
        notes.offer(note("k", "poison 0"))
        yield* until("it is on its way", () => legRow(leat)?.deadLettering === 1)
        yield* leat.swapRoutes({ ...documentOf({ policy: [{ on: ["*"], then: "drop" }] }), version: 2 })
        yield* Effect.flip(notes.publish(note("k", "poison 1")))
        isDown = false
        yield* leat.flush
        expect(yield* textsIn(broker)).toEqual(["poison 0"])
        expect(legRow(leat)).toMatchObject({ deadLettered: { Rejected: 1 }, dropped: { Rejected: 1 }, balanced: true })
      })
    ))
})
