import { type Kafka, startKafka } from "@leat/brokers"
import { describeOwnKafka } from "@leat/brokers/vitest"
import { confluentTransport } from "@leat/confluent"
import { Effect, Layer, Schedule, Stream } from "effect"
import { Kafka as Foreign, logLevel } from "kafkajs"
import { runCase, transportCases, TransportUnderTest, waitUntil } from "leat/testing"
import { batchOf, type Lane, type ReceivedBatch } from "leat/transport"
import { afterAll, beforeAll, expect, it } from "vitest"
import { firstLane, readValues, send } from "./bench.ts"

/** Groups of brokers that do not know KIP-848, and compaction, which only a broker of one's own does soon. */
await describeOwnKafka(
  "@leat/confluent on a Kafka with classic groups",
  () => {
    let kafka: Kafka
    beforeAll(async () => {
      kafka = await startKafka({
        properties: {
          "group.coordinator.rebalance.protocols": "classic",
          "log.cleaner.backoff.ms": "100",
          "log.cleaner.min.cleanable.ratio": "0.001",
          // A segment for nearly every batch: the last one is never compacted.
          "log.roll.ms": "1"
        }
      })
    })
    afterAll(() => kafka.close())

    const open = Effect.suspend(() => confluentTransport({ brokers: [kafka.bootstrap], sessionMs: 6000 }))
    // Not T33, which wants the newest records compacted: those of the last segment never are.
    const cases = transportCases.filter(({ name }) => /group|lane|T2\d|T3[0-24-9]|settl|member|consumer/.test(name))

    it.each(cases)("$name", async (one) => {
      const layer = Layer.succeed(TransportUnderTest, { connect: open })
      expect(await Effect.runPromise(runCase(one, layer, "30 seconds"))).toBe("passed")
    })

    it("T41 a member is given partitions that are added, and reads them from their beginning although it began at the latest", () =>
      Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const transport = yield* open
            const topic = `grown-${Date.now()}`
            yield* transport.ensure({ topic, partitions: 1 })
            const given: Array<Lane> = []
            yield* transport.subscribe({ topic, group: "grown", from: "latest", drainMs: 1000 }).pipe(
              Stream.runForEach((lane) => Effect.sync(() => void given.push(lane))),
              Effect.forkScoped
            )
            const has = (count: number) =>
              waitUntil(
                `it is given lane ${count}`,
                Effect.sync(() => given.length === count),
                { withinMs: 30_000 }
              )
            yield* has(1)
            yield* Effect.promise(async () => {
              const admin = new Foreign({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING }).admin()
              await admin.connect()
              await admin.createPartitions({ topicPartitions: [{ topic, count: 2 }] })
              await admin.disconnect()
            })
            // Another process opens the topic before the group has heard of it.
            const opened = Effect.filterOrFail(transport.openWriter(topic), ({ partitions }) => partitions === 2)
            const writer = yield* Effect.retry(opened, { times: 50, schedule: Schedule.spaced(50) })
            yield* send(writer, 1, batchOf([{ key: "k", value: "first" }]), 5000)
            yield* has(2)
            expect(given.map(({ partition, start }) => [partition, start])).toEqual([
              [0, 0n],
              [1, 0n]
            ])
          })
        )
      ))

    it("T33 positions that compaction has taken away are passed over, and the last of each key stays", () =>
      Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const transport = yield* open
            const topic = `compacted-${Date.now()}`
            yield* transport.ensure({ topic, partitions: 1, compacted: true })
            const writer = yield* transport.openWriter(topic)
            for (let round = 0; round < 5; round++) {
              const pair = ["x", "y"].map((key) => ({ key, value: `${key}${round}` }))
              yield* send(writer, 0, batchOf(pair), 5000)
              yield* Effect.sleep(5)
            }
            yield* send(writer, 0, batchOf([{ key: "z", value: "z0" }]), 5000)
            yield* waitUntil(
              "compaction",
              Effect.map(readValues(transport, topic, 0), (values) => values.length === 3),
              { withinMs: 20_000, everyMs: 200 }
            )
            const lane = yield* firstLane(transport, topic)
            const pull = yield* Stream.toPull(lane.batches)
            const batches: Array<ReceivedBatch> = []
            while (batches.at(-1)?.next !== 11n) batches.push(...(yield* pull))
            expect(batches.flatMap(({ records }) => records.map(({ position }) => position))).toEqual([8n, 9n, 10n])
            expect(batches[0]?.gap).toBe("compacted")
            yield* lane.settle(11n)
            expect((yield* transport.bounds(topic, topic))[0]).toMatchObject({ end: 11n, settled: 11n })
          })
        )
      ))
  },
  { isConfluent: true, isConcurrent: true }
)
