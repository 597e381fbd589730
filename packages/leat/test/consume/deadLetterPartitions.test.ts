import { expect, it } from "@effect/vitest"
import { Effect, Fiber, Logger, Scheduler } from "effect"
import { TestClock } from "effect/testing"
import { Leat, MemoryBroker, memoryDriver, memoryTransport } from "leat"
import { faultDriver } from "leat/testing"
import { type Transport, TransportError, type TransportReason } from "leat/transport"
import { describe } from "vitest"
import { DeadLetters } from "../../src/transport/DeadLetters.js"
import { noteContract } from "../contracts/Note.ts"
import { routes, until } from "./support.ts"

const dlq = "notes.g.dlq"
const failure = (tag: string) => Object.assign(new Error(`planted ${tag}`), { _tag: tag })
const errorOf = (operation: string, reason: TransportReason) =>
  new TransportError({ reason, transport: "memory", operation, detail: "planted" })

interface Script {
  readonly partitions: number
  /**
   * What the writer with a number, from 0, answers to a send; undefined: it is stored; `first`: of several the first one is; `late`: it is stored, and
   * the answer takes 25 seconds.
   */
  readonly answers: (writer: number, partition: number) => TransportReason | "silence" | "first" | "late" | undefined
  /** How many records a send has. */
  readonly onSend?: (count: number) => void
  readonly opens?: (writer: number) => TransportReason | "silence" | undefined
  /** How long a writer takes to close. */
  readonly closingMs?: (writer: number) => number
}

/** Dead letters in a topic whose writers do as the script says; `log` has what became of them, `sends` their number and the partition. */
const scripted = Effect.fnUntraced(function* ({ partitions, answers, onSend, opens, closingMs = () => 0 }: Script) {
  const broker = new MemoryBroker({ partitions })
  const memory = memoryTransport(broker)
  const log: Array<string> = []
  const sends: Array<string> = []
  let writers = 0
  const context = yield* Effect.context<never>()
  const openWriter = Effect.fnUntraced(function* (topic: string) {
    const number = writers++
    const refusal = opens?.(number)
    // As a driver does that is opening when it is told to end.
    if (refusal === "silence") return yield* Effect.uninterruptible(Effect.never)
    if (refusal !== undefined) return yield* errorOf("open", refusal)
    const inner = yield* memory.openWriter(topic)
    log.push(`opened ${number}`)
    yield* Effect.addFinalizer(() =>
      Effect.delay(
        Effect.sync(() => void log.push(`closed ${number}`)),
        closingMs(number)
      )
    )
    const send: typeof inner.send = (partition, batch, from, to, timeoutMs, answer) => {
      sends.push(`${number}: ${partition}`)
      onSend?.(to - from)
      const said = answers(number, partition)
      if (said === "first" && to - from > 1)
        inner.send(partition, batch, from, from + 1, timeoutMs, (runs) => {
          const error = errorOf("send", "Unavailable")
          answer([...runs, { from: from + 1, to, fate: "notStored", error }])
        })
      else if (said === "first") answer([{ from, to, fate: "notStored", error: errorOf("send", "Unavailable") }])
      else if (said === "late")
        inner.send(partition, batch, from, to, timeoutMs, (runs) => {
          Effect.runForkWith(context)(
            Effect.delay(
              Effect.sync(() => answer(runs)),
              "25 seconds"
            )
          )
        })
      else if (said === undefined) inner.send(partition, batch, from, to, timeoutMs, answer)
      else if (said !== "silence") answer([{ from, to, fate: "notStored", error: errorOf("send", said) }])
    }
    return { ...inner, send }
  })
  const transport: Transport = { ...memory, openWriter }
  yield* memory.ensure({ topic: dlq, partitions })
  yield* memory.ensure({ topic: "notes", partitions: 4 })
  const scheduler = yield* Scheduler.Scheduler
  const letters = new DeadLetters({
    transport,
    deadLetters: dlq,
    topic: "notes",
    who: "the group g of s",
    waiting: "their keys wait",
    context,
    scheduler
  })
  const ended: Array<string> = []
  const put = (partition: number, key: string, isWanted = () => true) => {
    const done = (fault: string | undefined) => void ended.push(fault === undefined ? key : `${key} refused`)
    letters.put({ partition, record: () => ({ key, value: null }), isWanted, done })
  }
  return { letters, put, ended, log, sends, broker }
})

describe("a partition of dead letters that cannot be written", () => {
  it.live("does not hold up the other partitions of the subscription", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 2 })
      let isDown = true
      const driver = faultDriver(memoryDriver(broker), {
        send: ({ topic, partition }) =>
          topic === dlq && partition === 0 && isDown ? { kind: "fail", reason: "Unavailable" } : undefined
      })
      const document = { ...routes(), clusters: { local: { transport: "memory", partitions: 2 } } }
      const leat = yield* Leat.make({ source: "test", routes: document, drivers: [driver] })
      const notes = yield* leat.stream(noteContract())
      const count = 100
      const isPoison = (index: number) => index % 10 === 0
      const events = Array.from({ length: count }, (_, index) => ({ key: `k${index}`, text: `${index}` }))
      yield* notes.publishAll(events)
      const subscription = yield* notes.handle(
        "g",
        ({ text }) => (isPoison(Number(text)) ? Effect.fail(failure("Poison")) : Effect.void),
        { policy: [{ on: ["*"], then: "deadLetter" }] }
      )
      const settled = Effect.map(notes.bounds("g"), (rows) => rows.map((row) => (row.settled ?? 0n) === row.end))
      yield* until("the other has settled all", () => broker.find(dlq)?.partitions[1]?.end !== undefined)
      const isSettled = Effect.repeat(Effect.delay(settled, 5), { until: ([, second]) => second === true })
      yield* Effect.timeout(isSettled, "10 seconds")
      expect(yield* settled).toEqual([false, true])
      isDown = false
      yield* subscription.caughtUp
      const [first, second] = broker.find(dlq)?.partitions ?? []
      expect((first?.end ?? 0n) + (second?.end ?? 0n)).toBe(BigInt(count / 10))
    })
  )

  it.effect("keeps its letters in order until it can, while others are stored", () =>
    Effect.gen(function* () {
      let isDown = true
      const answers = (_: number, partition: number) => (partition === 0 && isDown ? "Unavailable" : undefined)
      const { put, ended, log } = yield* scripted({ partitions: 4, answers })
      for (let round = 0; round < 5; round++) {
        for (let partition = 0; partition < 4; partition++) put(partition, `${partition}${round}`)
        yield* TestClock.adjust("1 minute")
      }
      expect(ended.filter((one) => one.startsWith("0"))).toEqual([])
      expect(ended).toHaveLength(15)
      isDown = false
      yield* TestClock.adjust("1 minute")
      expect(ended.slice(15)).toEqual(["00", "01", "02", "03", "04"])
      expect(log).toEqual(["opened 0"])
    })
  )

  it.effect("has what it has stored in part not stored again by the writer that takes over", () =>
    Effect.gen(function* () {
      let isRefusing = false
      const answers = (writer: number, partition: number) =>
        writer > 0 ? undefined : partition === 1 ? "first" : isRefusing ? "Rejected" : undefined
      const { put, ended, log, broker } = yield* scripted({ partitions: 2, answers })
      put(0, "opens")
      yield* TestClock.adjust("1 second")
      for (const key of ["1", "2", "3"]) put(1, key)
      yield* TestClock.adjust("1 second")
      isRefusing = true
      put(0, "bad")
      yield* TestClock.adjust("1 second")
      put(0, "again")
      yield* TestClock.adjust("1 minute")
      expect(log.filter((line) => line.startsWith("opened"))).toEqual(["opened 0", "opened 1"])
      expect(ended.toSorted()).toEqual(["1", "2", "3", "again", "bad refused", "opens"])
      expect(broker.topic(dlq).partitions[1]?.end).toBe(3n)
    })
  )

  it.effect("has the letters of lanes that were given back tidied away meanwhile", () =>
    Effect.gen(function* () {
      let isDown = true
      const answers = () => (isDown ? "Unavailable" : undefined)
      const { put, ended } = yield* scripted({ partitions: 1, answers })
      let given = 0
      let looks = 0
      const count = 10_000
      for (let index = 0; index < count; index++) {
        put(0, `${index}`, () => {
          looks++
          // The first of them is on its way, and stays so.
          return index === 0 || index >= given
        })
        if (index % 100 !== 0) continue
        given = index
        yield* TestClock.adjust("10 millis")
      }
      expect(looks).toBeLessThan(count * 3)
      isDown = false
      looks = 0
      yield* TestClock.adjust("1 minute")
      expect(looks).toBeLessThan(1000)
      expect(ended).toEqual(["0", ...Array.from({ length: count - given }, (_, index) => `${given + index}`)])
    })
  )

  it.effect("is told once, however often others are stored, and again when it has been stored and fails again", () => {
    const told: Array<string> = []
    const logger = Logger.make(({ message }) => void told.push(String(message)))
    return Effect.gen(function* () {
      let down: ReadonlyArray<number> = [0, 1]
      const answers = (_: number, partition: number) => (down.includes(partition) ? "Unavailable" : undefined)
      const { put, ended } = yield* scripted({ partitions: 3, answers })
      const minute = Effect.gen(function* () {
        for (let second = 0; second < 60; second++) {
          for (let partition = 0; partition < 3; partition++) put(partition, `${partition}`)
          yield* TestClock.adjust("1 second")
        }
      })
      yield* TestClock.adjust("1 second")
      yield* minute
      expect(told).toEqual([
        "the group g of s cannot store dead letters in notes.g.dlq, and tries again; their keys wait: memory send: Unavailable: planted"
      ])
      // One of them alone is not the end of it.
      down = [0]
      yield* minute
      expect(ended).toContain("1")
      expect(told).toHaveLength(1)
      down = []
      yield* minute
      down = [1]
      yield* minute
      expect(told).toHaveLength(2)
    }).pipe(Effect.scoped, Effect.provide(Logger.layer([logger])))
  })
})

describe("many dead letters of one partition", () => {
  it.effect("go in requests of 256, or a mebibyte, and each is made when its turn has come", () =>
    Effect.gen(function* () {
      let isDown = true
      const sizes: Array<number> = []
      const { letters, ended } = yield* scripted({
        partitions: 1,
        answers: () => (isDown ? "Unavailable" : undefined),
        onSend: (count) => void sizes.push(count)
      })
      let made = 0
      const put = (name: string, bytes: number) => {
        const record = () => {
          made++
          return { key: name, value: new Uint8Array(bytes) }
        }
        const done = () => void ended.push(name)
        letters.put({ partition: 0, record, isWanted: () => true, done })
      }
      const names = Array.from({ length: 600 }, (_, index) => `${index}`)
      for (const name of names) put(name, 10)
      for (const name of ["a", "b", "c", "d"]) put(name, 400_000)
      yield* TestClock.adjust("1 minute")
      expect(made).toBe(256)
      isDown = false
      sizes.length = 0
      yield* TestClock.adjust("1 minute")
      // 88 small ones, and three that fill the mebibyte.
      expect(sizes).toEqual([256, 256, 91, 1])
      expect(ended).toEqual([...names, "a", "b", "c", "d"])
    }).pipe(Effect.scoped)
  )
})

describe("a topic of dead letters with fewer partitions than the topic", () => {
  it.effect("has one send at a time on its way to each of them", () =>
    Effect.gen(function* () {
      const { put, sends } = yield* scripted({ partitions: 2, answers: () => "silence" })
      for (let partition = 0; partition < 4; partition++) {
        put(partition, `${partition}`)
        yield* TestClock.adjust("1 second")
      }
      expect(sends).toEqual(["0: 0", "0: 1"])
    })
  )
})

describe("a writer of dead letters that refuses one", () => {
  it.effect("is opened again for all that come, and closed when nobody uses it", () =>
    Effect.gen(function* () {
      const answers = (writer: number, partition: number) => {
        if (partition === 0) return writer === 0 ? ("silence" as const) : undefined
        return writer === 0 ? ("Unauthorized" as const) : undefined
      }
      const { put, ended, log, sends } = yield* scripted({ partitions: 2, answers })
      put(0, "waits")
      put(1, "first")
      yield* TestClock.adjust("1 second")
      expect(ended).toEqual(["first refused"])
      put(1, "second")
      yield* TestClock.adjust("1 second")
      expect(ended).toEqual(["first refused", "second"])
      expect(log).toEqual(["opened 0", "opened 1"])
      // What the first writer still has goes on with the second, once nothing of it is on its way: a send without an answer is given up after a minute.
      yield* TestClock.adjust("50 seconds")
      expect(ended).toEqual(["first refused", "second"])
      yield* TestClock.adjust("20 seconds")
      expect(ended).toEqual(["first refused", "second", "waits"])
      expect(log).toEqual(["opened 0", "opened 1", "closed 0"])
      expect(sends.toSorted()).toEqual(["0: 0", "0: 1", "1: 0", "1: 1"])
    })
  )

  it.effect("has the answer to what is on its way waited for, and sends none of it again", () =>
    Effect.gen(function* () {
      const answers = (writer: number, partition: number) =>
        writer > 0 ? undefined : partition === 0 ? ("late" as const) : ("Unauthorized" as const)
      const { put, ended, sends, broker } = yield* scripted({ partitions: 2, answers })
      put(0, "late")
      put(1, "refused")
      yield* TestClock.adjust("1 second")
      put(1, "next")
      yield* TestClock.adjust("40 seconds")
      expect(ended.toSorted()).toEqual(["late", "next", "refused refused"])
      expect(sends.toSorted()).toEqual(["0: 0", "0: 1", "1: 1"])
      expect(broker.find(dlq)?.partitions[0]?.end).toBe(1n)
    })
  )

  it.effect("keeps nobody waiting where it cannot be opened again", () =>
    Effect.gen(function* () {
      let isDown = true
      const answers = (writer: number) => (writer === 0 ? ("Unauthorized" as const) : undefined)
      const opens = (writer: number) => (writer > 0 && isDown ? ("Unauthorized" as const) : undefined)
      const { put, ended } = yield* scripted({ partitions: 2, answers, opens })
      put(0, "a")
      yield* TestClock.adjust("1 second")
      put(1, "b")
      yield* TestClock.adjust("1 second")
      expect(ended).toEqual(["a refused", "b refused"])
      isDown = false
      put(0, "a")
      put(1, "b")
      yield* TestClock.adjust("1 second")
      expect(ended.slice(2).toSorted()).toEqual(["a", "b"])
    })
  )
})

describe("a topic of dead letters whose opening has no answer", () => {
  it.effect("is opened again after half a minute, is told once, and keeps nobody from closing", () => {
    const told: Array<string> = []
    const logger = Logger.make(({ message }) => void told.push(String(message)))
    return Effect.gen(function* () {
      const opens = (writer: number) => (writer < 3 ? ("silence" as const) : undefined)
      const { letters, put, ended } = yield* scripted({ partitions: 1, answers: () => undefined, opens })
      put(0, "a")
      yield* TestClock.adjust("40 seconds")
      expect([ended, told]).toEqual([
        [],
        [
          "the group g of s cannot store dead letters in notes.g.dlq, and tries again; their keys wait: memory open: Timeout: no answer within 30000 ms"
        ]
      ])
      yield* TestClock.adjust("1 minute")
      expect([ended, told.length]).toEqual([["a"], 1])
      const closing = yield* Effect.forkChild(letters.close)
      yield* TestClock.adjust("11 seconds")
      expect(closing.pollUnsafe()).toBeDefined()
    }).pipe(Effect.scoped, Effect.provide(Logger.layer([logger])))
  })
})

describe("the end of dead letters", () => {
  it.effect("ends what is on its way first, and then all writers", () =>
    Effect.gen(function* () {
      const answers = (writer: number, partition: number) =>
        writer === 0 && partition === 1 ? ("Unauthorized" as const) : ("silence" as const)
      const { letters, put, log, ended, sends } = yield* scripted({ partitions: 3, answers, closingMs: () => 500 })
      put(0, "waits")
      put(1, "refused")
      yield* TestClock.adjust("1 second")
      put(2, "waits too")
      yield* TestClock.adjust("1 second")
      expect(log).toEqual(["opened 0", "opened 1"])
      const closing = yield* Effect.forkChild(letters.close)
      for (let second = 0; second < 3; second++) yield* TestClock.adjust("1 second")
      expect(closing.pollUnsafe()).toBeDefined()
      expect(log.toSorted()).toEqual(["closed 0", "closed 1", "opened 0", "opened 1"])
      const count = sends.length
      yield* TestClock.adjust("1 hour")
      expect(sends).toHaveLength(count)
      expect(ended).toEqual(["refused refused"])
    })
  )

  it.effect("waits for the writer that is being closed already, and not for ever", () =>
    Effect.gen(function* () {
      const answers = (writer: number) => (writer === 0 ? ("Unauthorized" as const) : undefined)
      const { letters, put, log } = yield* scripted({
        partitions: 1,
        answers,
        closingMs: (writer) => (writer === 0 ? 3000 : 0)
      })
      put(0, "refused")
      yield* TestClock.adjust("1 second")
      put(0, "stored")
      yield* TestClock.adjust("1 second")
      expect(log).toEqual(["opened 0", "opened 1"])
      const closing = yield* Effect.forkChild(letters.close)
      yield* TestClock.adjust("1 second")
      expect(closing.pollUnsafe()).toBeUndefined()
      yield* TestClock.adjust("5 seconds")
      expect(closing.pollUnsafe()).toBeDefined()
      expect(log.slice(2).toSorted()).toEqual(["closed 0", "closed 1"])
      const slow = yield* scripted({ partitions: 1, answers: () => undefined, closingMs: () => 3_600_000 })
      slow.put(0, "stored")
      yield* TestClock.adjust("1 second")
      const bounded = yield* Effect.forkChild(slow.letters.close)
      yield* TestClock.adjust("11 seconds")
      yield* Fiber.join(bounded)
    })
  )
})
