import { ApiKey, type FaultProxy, type Kafka, startKafka } from "@leat/brokers"
import { describeKafka, describeOwnKafka } from "@leat/brokers/vitest"
import { kafkajsTransport } from "@leat/kafkajs"
import { Effect, Stream } from "effect"
import { Kafka as KafkajsClient, logLevel } from "kafkajs"
import { batchOf, sendEffect } from "leat/transport"
import { waitUntil } from "leat/testing"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Brokers } from "../src/client/Brokers.ts"
import { asking } from "../src/Offsets.ts"
import { refusal } from "../src/client/failureOf.ts"
import { settingsOf } from "../src/client/Settings.ts"
import { benchAt, numbered, recordsOf, run, send, textOf, valuesOf } from "./support/bench.ts"

/** kafkajs as its documentation has it, to see that the trap is there. */
const naive = (bootstrap: string, more: object = {}) =>
  new KafkajsClient({ brokers: bootstrap.split(","), logLevel: logLevel.NOTHING, ...more })

describeKafka("where kafkajs goes wrong by itself", (bootstrap) => {
  const storedBy = Effect.fnUntraced(function* (
    work: (producer: ReturnType<KafkajsClient["producer"]>) => Promise<void>
  ) {
    const producer = naive(bootstrap).producer({ allowAutoTopicCreation: false, createPartitioner: () => () => 0 })
    yield* Effect.promise(async () => {
      await producer.connect()
      await work(producer)
      await producer.disconnect()
    })
  })
  const headers = ["b", "2", "b", "1"].map((name, index) => [name, Uint8Array.of(index)] as const)

  it("T37 headers in turns keep their order, and kafkajs's own bend them", () =>
    run(
      Effect.gen(function* () {
        const { transport, topic, writer } = yield* benchAt(bootstrap)
        yield* storedBy(async (producer) => {
          const bent: Record<string, Array<Buffer>> = {}
          for (const [name, value] of headers) bent[name] = [...(bent[name] ?? []), Buffer.from(value)]
          await producer.send({ topic, messages: [{ key: "k", value: "v", headers: bent }] })
        })
        yield* send(writer, [{ key: "k", value: "v", headers }])
        const orders = (yield* recordsOf(transport, topic)).map((record) => record.headers.map(([, value]) => value[0]))
        expect(orders).toEqual([
          [3, 1, 0, 2],
          [0, 1, 2, 3]
        ])
      })
    ))

  it("T36 a position of 64 bits is settled and told as it is", () =>
    run(
      Effect.gen(function* () {
        const { transport, topic } = yield* benchAt(bootstrap)
        const offset = (1n << 62n) + 1n
        yield* Effect.promise(async () => {
          const brokers = new Brokers(settingsOf({ brokers: bootstrap.split(",") }, () => undefined))
          const topics = [{ topic, partitions: [{ partition: 0, offset: String(offset) }] }]
          const asked = { groupId: topic, groupGenerationId: -1, memberId: "", topics }
          const commit = async () => {
            const link = await brokers.coordinator(topic, "test")
            const { responses } = await link.call("OffsetCommit", asked, 5000)
            const code = responses[0]?.partitions[0]?.errorCode ?? -1
            if (code !== 0) throw refusal(code, "commit", topic)
          }
          await asking(commit, () => brokers.forgetCoordinator(topic))
          brokers.close()
        })
        expect((yield* transport.bounds(topic, topic))[0]?.settled).toBe(offset)
      })
    ))

  it("T23 a group without settled positions misses what was there before, by kafkajs's default, and here gets it", () =>
    run(
      Effect.gen(function* () {
        const { transport, topic, writer } = yield* benchAt(bootstrap)
        yield* send(writer, numbered(3, "before"))
        const seen: Array<string | null> = []
        const consumer = naive(bootstrap).consumer({ groupId: `${topic}-naive`, maxWaitTimeInMs: 100 })
        yield* Effect.promise(async () => {
          const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve))
          await consumer.connect()
          await consumer.subscribe({ topic })
          await consumer.run({ eachMessage: async ({ message: { value } }) => void seen.push(textOf(value)) })
          await joined
          await new Promise((resolve) => setTimeout(resolve, 1500))
        })
        yield* send(writer, numbered(1, "after"))
        yield* waitUntil(
          "the naive consumer has read",
          Effect.sync(() => seen.length > 0)
        )
        yield* Effect.promise(() => consumer.disconnect())
        expect(seen).toEqual(["after0"])
        const subscription = { topic, group: topic, from: "earliest", drainMs: 100 } as const
        const [first] = yield* Stream.runCollect(
          transport.subscribe(subscription).pipe(
            Stream.flatMap((lane) => lane.batches),
            Stream.take(1)
          )
        )
        expect(valuesOf(first?.records ?? [])).toEqual(["before0", "before1", "before2", "after0"])
      })
    ))

  it("T26 what a transaction aborted is not read, what an open one wrote is waited for by nobody", () =>
    run(
      Effect.gen(function* () {
        const { transport, topic, writer } = yield* benchAt(bootstrap)
        yield* send(writer, numbered(1, "plain"))
        const producer = naive(bootstrap).producer({ transactionalId: topic, idempotent: true, maxInFlightRequests: 1 })
        const put = async (value: string) => {
          const transaction = await producer.transaction()
          await transaction.send({ topic, messages: [{ partition: 0, key: "k", value }] })
          return transaction
        }
        const open = yield* Effect.promise(async () => {
          await producer.connect()
          await (await put("aborted")).abort()
          await (await put("committed")).commit()
          return put("open")
        })
        const read = yield* Effect.timeout(recordsOf(transport, topic), "3 seconds")
        expect(valuesOf(read)).toEqual(["plain0", "committed"])
        const batches = yield* Stream.runCollect(transport.read(topic, 0, { fromPosition: 0n }))
        expect(batches.some(({ gap }) => gap === "control")).toBe(true)
        yield* Effect.promise(async () => {
          await open.abort()
          await producer.disconnect()
        })
      })
    ))

  it("what kafkajs compressed is read: gzip", () =>
    run(
      Effect.gen(function* () {
        const { transport, topic } = yield* benchAt(bootstrap)
        yield* storedBy(async (producer) => {
          await producer.send({ topic, compression: 1, messages: [{ key: "k", value: "zipped".repeat(50) }] })
        })
        expect(valuesOf(yield* recordsOf(transport, topic))).toEqual(["zipped".repeat(50)])
      })
    ))

  it("T3 a large batch and a small one behind it, sent without waiting, stand in that order", () =>
    run(
      Effect.gen(function* () {
        const { transport, topic, writer } = yield* benchAt(bootstrap)
        const large = Array.from({ length: 5000 }, (_, index) => ({
          key: "k",
          value: `large${index}`.padEnd(150, ".")
        }))
        yield* Effect.all([send(writer, large), send(writer, numbered(1, "small"))], { concurrency: "unbounded" })
        const values = valuesOf(yield* recordsOf(transport, topic))
        expect([values.length, values.at(-1)]).toEqual([5001, "small0"])
      })
    ))

  it("a batch over the limit of the broker is TooLarge, stores nothing, and the next one goes through", () =>
    run(
      Effect.gen(function* () {
        const { transport, topic, writer } = yield* benchAt(bootstrap)
        const value = "x".repeat(700_000)
        const told = yield* send(writer, [
          { key: "k", value },
          { key: "k", value }
        ])
        expect([told.fate, told.error?.reason]).toEqual(["notStored", "TooLarge"])
        expect((yield* send(writer, [{ key: "k", value }])).fate).toBe("stored")
        expect((yield* recordsOf(transport, topic)).length).toBe(1)
      })
    ))

  it("a record without a key in a compacted topic is Rejected, with the broker's reason", () =>
    run(
      Effect.gen(function* () {
        const transport = yield* kafkajsTransport({ brokers: bootstrap.split(",") })
        const topic = `compacted-${Date.now()}`
        yield* transport.ensure({ topic, partitions: 1, compacted: true })
        const writer = yield* transport.openWriter(topic)
        const batch = batchOf([...numbered(1), { key: null, value: "v" }])
        const runs = yield* sendEffect(writer, 0, batch, 0, 2, 5000)
        expect(runs.map(({ from, to, fate, error }) => [from, to, fate, error?.reason])).toEqual([
          [0, 1, "notStored", undefined],
          [1, 2, "notStored", "Rejected"]
        ])
        expect(runs[1]?.error?.detail).toContain("cannot accept message without key")
      })
    ))

  it("a topic is created by its first use where the options say how, and is unknown otherwise", () =>
    run(
      Effect.gen(function* () {
        const strict = yield* kafkajsTransport({ brokers: bootstrap.split(",") })
        const topic = `first-use-${Date.now()}`
        expect((yield* Effect.flip(strict.openWriter(topic))).reason).toBe("UnknownTopic")
        const creating = yield* kafkajsTransport({ brokers: bootstrap.split(","), topic: { partitions: 3 } })
        expect((yield* creating.openWriter(topic)).partitions).toBe(3)
      })
    ))

  it("bounds cost a few requests on one connection, so that they can be asked for all the time", () =>
    run(
      Effect.gen(function* () {
        const { transport, topic } = yield* benchAt(bootstrap, 4)
        const admin = naive(bootstrap).admin()
        yield* Effect.acquireRelease(
          Effect.promise(() => admin.connect()),
          () => Effect.promise(() => admin.disconnect())
        )
        const spentMs = { bounds: 0, requests: 0 }
        for (let count = 0; count < 50; count++) {
          const startMs = performance.now()
          yield* transport.bounds(topic, topic)
          const betweenMs = performance.now()
          // A look for the earliest and one for the latest offsets.
          yield* Effect.promise(() => admin.fetchTopicOffsets(topic))
          // The first ones look for leaders and coordinators.
          if (count === 0) continue
          spentMs.bounds += betweenMs - startMs
          spentMs.requests += performance.now() - betweenMs
        }
        process.stdout.write(`bounds take ${(spentMs.bounds / spentMs.requests).toFixed(1)} plain looks\n`)
        expect(spentMs.bounds / spentMs.requests).toBeLessThan(3)
      })
    ))
})

await describeOwnKafka("where kafkajs sends again by itself", () => {
  let kafka: Kafka
  let proxy: FaultProxy
  const behind = () => kafka.proxied?.bootstrap ?? ""
  beforeAll(async () => {
    kafka = await startKafka({ proxied: true })
    proxy = kafka.nodes[0]?.proxy as FaultProxy
  })
  afterAll(() => kafka.close())

  describe("T6 an acknowledgement is lost", () => {
    it("and kafkajs stores the record twice, and says stored", () =>
      run(
        Effect.gen(function* () {
          const { transport, topic } = yield* benchAt(behind())
          yield* Effect.promise(async () => {
            const producer = naive(behind(), { requestTimeout: 500 }).producer({ createPartitioner: () => () => 0 })
            await producer.connect()
            proxy.dropResponse({ apiKey: ApiKey.produce, then: "reset" })
            await producer.send({ topic, messages: [{ key: "k", value: "twice" }] })
            await producer.disconnect()
          })
          expect(valuesOf(yield* recordsOf(transport, topic))).toEqual(["twice", "twice"])
        })
      ))

    it("and here it is stored once, and unknown", () =>
      run(
        Effect.gen(function* () {
          const { transport, topic, writer } = yield* benchAt(behind())
          proxy.dropResponse({ apiKey: ApiKey.produce, then: "hold" })
          expect((yield* send(writer, numbered(1, "once"), { withinMs: 1200 })).fate).toBe("unknown")
          yield* Effect.sleep(1500)
          expect(valuesOf(yield* recordsOf(transport, topic))).toEqual(["once0"])
        })
      ))
  })
})
