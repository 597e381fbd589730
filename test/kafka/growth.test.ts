import { describeKafka } from "@leat/brokers/vitest"
import { confluent } from "@leat/confluent"
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { kafkajs } from "@leat/kafkajs"
import { Effect, Logger } from "effect"
import { Kafka as Foreign, logLevel } from "kafkajs"
import { Leat } from "leat"
import { waitUntil } from "./waitUntil.ts"
import { expect, it } from "vitest"
import { numbers, sightingAmong } from "./sightings.ts"

const sighting = sightingAmong(10_000)

let topics = 0

for (const driver of [kafkajs, confluent])
  describeKafka(
    `a topic that is given more partitions under an open stream, through ${driver.name}`,
    (brokers) => {
      it("T40 T41 is told once; who had it open goes on with its own, who opens it now uses all, and a group that runs reads all", async () => {
        const topic = `grown-${Date.now()}-${topics++}`
        const lines: Array<string> = []
        const logger = Logger.make(({ message }) => void lines.push(String(message)))
        const open = Effect.flatMap(
          Leat.make({
            source: "growth",
            routes: {
              version: 1,
              clusters: { kafka: { transport: driver.name, brokers, topic: { partitions: 2 } } },
              routes: [{ match: { stream: "*" }, to: [{ cluster: "kafka", topic }] }],
              subscriptions: [{ match: { stream: "*" }, from: "latest" }]
            },
            drivers: [driver]
          }),
          (leat) => leat.stream(BeaconSighting)
        )
        const program = Effect.gen(function* () {
          const old = yield* open
          yield* old.publishAll(numbers(0, 20).map(sighting))
          const handled = new Map<number, number>()
          yield* old.handle("group", ({ inputRef }, { partition }) =>
            Effect.sync(() => void handled.set(Number(inputRef), partition))
          )
          // It begins behind what is there; from some moment on it reads.
          let next = 1000
          yield* waitUntil(
            "the group reads both partitions",
            Effect.map(
              old.publishAll(numbers((next += 20), 20).map(sighting)),
              () => new Set(handled.values()).size === 2
            ),
            { everyMs: 100 }
          )
          const admin = new Foreign({ brokers: brokers.split(","), logLevel: logLevel.NOTHING }).admin()
          yield* Effect.promise(async () => {
            await admin.connect()
            await admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] })
            await admin.disconnect()
          })
          yield* waitUntil(
            "the new partitions are known",
            Effect.map(old.bounds(), (rows) => rows.length === 4),
            { everyMs: 100 }
          )
          const fresh = yield* open
          yield* fresh.publishAll(numbers(5000, 40).map(sighting))
          yield* old.publishAll(numbers(6000, 40).map(sighting))
          yield* waitUntil(
            "all of it is read",
            Effect.sync(() => [...numbers(5000, 40), ...numbers(6000, 40)].every((number) => handled.has(number))),
            { withinMs: 40_000, everyMs: 50 }
          )
          const partitionsOf = (from: number) => new Set(numbers(from, 40).map((number) => handled.get(number)))
          expect(partitionsOf(5000)).toEqual(new Set([0, 1, 2, 3]))
          expect(partitionsOf(6000)).toEqual(new Set([0, 1]))
          yield* waitUntil(
            "it is told",
            Effect.sync(() => lines.length > 0),
            { withinMs: 10_000 }
          )
          yield* Effect.sleep("6 seconds")
        })
        await Effect.runPromise(Effect.scoped(Effect.provide(program, Logger.layer([logger]))))
        expect(lines.length).toBe(1)
        expect(lines[0]).toContain(`kafka/${topic} has 4 partitions now, and had 2 when this process opened it`)
      })

      it("T41 is read whole by a group that begins at the latest record and was stopped when they were added", async () => {
        const topic = `grown-${Date.now()}-${topics++}`
        const open = Effect.flatMap(
          Leat.make({
            source: "growth",
            routes: {
              version: 1,
              clusters: { kafka: { transport: driver.name, brokers, topic: { partitions: 2 } } },
              routes: [{ match: { stream: "*" }, to: [{ cluster: "kafka", topic }] }],
              subscriptions: [{ match: { stream: "*" }, from: "latest" }]
            },
            drivers: [driver]
          }),
          (leat) => leat.stream(BeaconSighting)
        )
        const handled = new Set<number>()
        const partitions = new Set<number>()
        const reads = Effect.flatMap(open, (stream) =>
          stream.handle("group", ({ inputRef }, { partition }) =>
            Effect.sync(() => {
              handled.add(Number(inputRef))
              partitions.add(partition)
            })
          )
        )
        const program = Effect.gen(function* () {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const old = yield* open
              yield* old.publishAll(numbers(0, 20).map(sighting))
              yield* reads
              let next = 1000
              yield* waitUntil(
                "the group reads both partitions",
                Effect.map(old.publishAll(numbers((next += 20), 20).map(sighting)), () => partitions.size === 2),
                { everyMs: 100 }
              )
            })
          )
          expect(numbers(0, 20).filter((number) => handled.has(number))).toEqual([])
          const admin = new Foreign({ brokers: brokers.split(","), logLevel: logLevel.NOTHING }).admin()
          yield* Effect.promise(async () => {
            await admin.connect()
            await admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] })
            await admin.disconnect()
          })
          const fresh = yield* open
          yield* waitUntil(
            "the new partitions are known",
            Effect.map(fresh.bounds(), (rows) => rows.length === 4),
            { everyMs: 100 }
          )
          yield* fresh.publishAll(numbers(5000, 40).map(sighting))
          yield* reads
          yield* waitUntil(
            "all of it is read",
            Effect.sync(() => numbers(5000, 40).every((number) => handled.has(number))),
            { withinMs: 40_000, everyMs: 50 }
          )
          expect(partitions).toEqual(new Set([0, 1, 2, 3]))
          expect(numbers(0, 20).filter((number) => handled.has(number))).toEqual([])
        })
        await Effect.runPromise(Effect.scoped(Effect.provide(program, Logger.layer([]))))
      })
    },
    { isConfluent: driver === confluent, isConcurrent: true }
  )
