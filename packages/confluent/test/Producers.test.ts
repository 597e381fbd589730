import { Effect, Fiber } from "effect"
import { waitUntil } from "leat/testing"
import { batchOf, type Run } from "leat/transport"
import { describe, expect, it } from "vitest"
import type { KafkaJavascript } from "../src/client/client.ts"
import { ConfluentWriter } from "../src/produce/ConfluentWriter.ts"
import { Producers } from "../src/produce/Producers.ts"
import { FakeProducer } from "./FakeProducer.ts"

/** The client's package, with producers that the test answers for. */
function fakeKafka() {
  const made: Array<FakeProducer> = []
  class Producer extends FakeProducer {
    constructor() {
      super()
      made.push(this)
    }
    _errorWrap(): void {}
  }
  return { made, kafka: { Producer, CODES: { ERRORS: {} } } as unknown as KafkaJavascript }
}

/** A producer that the leader does not know yet. */
const openNew = Effect.gen(function* () {
  const { made, kafka } = fakeKafka()
  const options = { brokers: ["k1:9092"], requestMs: 1000 }
  const producers = yield* Producers.make({ kafka, options, hasPositions: false, count: 1 })
  yield* producers.prepare("t")
  const writer = new ConfluentWriter({
    topic: "t",
    partitions: 1,
    recordBytesMax: 1000,
    fenceMs: 300,
    outlet: (partition) => producers.outlet(partition),
    end: () => Effect.succeed(7n)
  })
  return { made, writer, producers }
})

/** One that has stored something. */
const open = Effect.gen(function* () {
  const opened = yield* openNew
  const [producer] = opened.made
  const first = batchOf([{ key: "k", value: "first" }])
  const sending = yield* Effect.forkChild(opened.writer.send(0, first, 0, 1, 5000))
  yield* Effect.sleep(10)
  producer?.answer(0, 1, 0)
  yield* Fiber.join(sending)
  producer?.answered.splice(0)
  return opened
})

const batch = batchOf(["a", "b", "c"].map((value) => ({ key: "k", value })))
const send = (writer: ConfluentWriter, withinMs = 5000) => Effect.suspend(() => writer.send(0, batch, 0, 3, withinMs))
const told = (runs: ReadonlyArray<Run>) => runs.map(({ from, to, fate, error }) => [from, to, fate, error?.reason])

describe("a producer whose session is over", () => {
  it("is replaced; what it had is unknown, and what comes meanwhile is refused", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const { made, writer, producers } = yield* open
          const [first] = made
          const sending = yield* Effect.forkChild(send(writer))
          yield* Effect.sleep(10)
          first?.answer(0, 3, -152)
          yield* waitUntil(
            "it is broken",
            Effect.sync(() => producers.outlet(0)?.isBroken !== false)
          )
          expect(told(yield* send(writer))).toEqual([[0, 3, "notStored", "Unavailable"]])
          expect(told(yield* Fiber.join(sending))).toEqual([[0, 3, "unknown", "Disconnected"]])
          yield* waitUntil(
            "it is replaced",
            Effect.sync(() => made.length === 2 && producers.outlet(0) !== undefined)
          )
          expect(yield* writer.fence(0)).toBe(7n)
          const again = yield* Effect.forkChild(send(writer))
          yield* Effect.sleep(10)
          made[1]?.answer(0, 1, 0)
          yield* Effect.sleep(50)
          made[1]?.answer(0, 2, 0)
          expect(told(yield* Fiber.join(again))).toEqual([[0, 3, "stored", undefined]])
        })
      )
    ))
})

describe("the first record of a producer", () => {
  it("goes by itself; the rest, and whatever is sent meanwhile, waits until it is stored", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const { made, writer } = yield* openNew
          const [producer] = made
          const sending = yield* Effect.forkChild(Effect.all([send(writer), send(writer)], { concurrency: 2 }))
          yield* Effect.sleep(10)
          expect(producer?.outstanding).toBe(1)
          producer?.answer(0, 1, 0)
          yield* waitUntil(
            "the rest is sent",
            Effect.sync(() => producer?.outstanding === 5)
          )
          producer?.answer(0, 5, 0)
          expect((yield* Fiber.join(sending)).map(told)).toEqual([
            [[0, 3, "stored", undefined]],
            [[0, 3, "stored", undefined]]
          ])
        })
      )
    ))

  it("that is refused keeps the rest from being sent", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const { made, writer } = yield* openNew
          const sending = yield* Effect.forkChild(send(writer))
          yield* Effect.sleep(10)
          made[0]?.answer(0, 1, 29)
          expect(told(yield* Fiber.join(sending))).toEqual([
            [0, 1, "notStored", "Unauthorized"],
            [1, 3, "notStored", "Unauthorized"]
          ])
          expect(made[0]?.outstanding).toBe(0)
        })
      )
    ))
})

describe("a send that met its deadline", () => {
  it("holds the fence back until it is settled, and is the answer when it is sent again", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const { made, writer } = yield* open
          const [producer] = made
          expect(told(yield* send(writer, 20))).toEqual([[0, 3, "unknown", "Timeout"]])
          expect(yield* Effect.flip(writer.fence(0))).toMatchObject({ reason: "Timeout", operation: "fence" })
          producer?.answer(0, 3, 0)
          expect(yield* writer.fence(0)).toBe(7n)
          expect(told(yield* send(writer, 20))).toEqual([[0, 3, "stored", undefined]])
          expect(producer?.answered.length).toBe(3)
        })
      )
    ))

  it("is asked for again before it is settled: the first that knows answers both", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const { made, writer } = yield* open
          yield* send(writer, 10)
          expect(told(yield* send(writer, 10))).toEqual([[0, 3, "unknown", "Timeout"]])
          const waiting = yield* Effect.forkChild(send(writer))
          yield* Effect.sleep(10)
          made[0]?.answer(0, 3, 0)
          expect(told(yield* Fiber.join(waiting))).toEqual([[0, 3, "stored", undefined]])
          expect(made[0]?.answered.length).toBe(3)
        })
      )
    ))

  it("that was left by whoever waited is remembered too", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const { made, writer } = yield* open
          yield* Effect.timeoutOption(send(writer), 10)
          made[0]?.answer(0, 3, 0)
          yield* writer.fence(0)
          expect(told(yield* send(writer))).toEqual([[0, 3, "stored", undefined]])
          expect(made[0]?.answered.length).toBe(3)
        })
      )
    ))

  it("is sent again where its failures did not tell what became of it, and only that", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const { made, writer } = yield* open
          yield* send(writer, 10)
          made[0]?.answer(0, 1, 0)
          made[0]?.answer(0, 2, -192)
          yield* writer.fence(0)
          const again = yield* Effect.forkChild(send(writer))
          yield* Effect.sleep(10)
          expect(made[0]?.outstanding).toBe(2)
          made[0]?.answer(0, 2, 0)
          expect(told(yield* Fiber.join(again))).toEqual([
            [0, 1, "stored", undefined],
            [1, 3, "stored", undefined]
          ])
        })
      )
    ))
})
