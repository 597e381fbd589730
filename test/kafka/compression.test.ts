import { describeKafka } from "@leat/brokers/vitest"
import { confluent } from "@leat/confluent"
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { kafkajs } from "@leat/kafkajs"
import { Effect } from "effect"
import { Leat } from "leat"
import type { Driver } from "leat/transport"
import client from "kafkajs"
import { zstdCompressSync, zstdDecompressSync } from "node:zlib"
import { beforeEach, expect, it } from "vitest"

const sightings = Array.from({ length: 200 }, (_, number): BeaconSighting => ({
  beaconId: `b${number % 3}`,
  sensorId: "a sensor with a long name ".repeat(10),
  rssiDbm: -60,
  seenAtUs: BigInt(number),
  inputRef: `${number}`
}))
const refs = sightings.map(({ inputRef }) => inputRef)

/** kafkajs itself has no zstd, so its reader shows whether records are compressed so. */
let zstdBatches = 0
client.CompressionCodecs[client.CompressionTypes.ZSTD] = () => ({
  compress: ({ buffer }: { readonly buffer: Buffer }) => Promise.resolve(zstdCompressSync(buffer)),
  decompress: (buffer: Buffer) => {
    zstdBatches++
    return Promise.resolve(zstdDecompressSync(buffer))
  }
})

let topics = 0

describeKafka(
  "records compressed by zstd",
  (bootstrap) => {
    const plainClient = new client.Kafka({ brokers: bootstrap.split(","), logLevel: client.logLevel.NOTHING })

    beforeEach(() => {
      zstdBatches = 0
    })

    const open = (driver: Driver, topic: string, more: object = {}) =>
      Leat.make({
        source: "compression",
        routes: {
          version: 1,
          clusters: { kafka: { transport: driver.name, brokers: bootstrap, topic: { partitions: 1 }, ...more } },
          routes: [{ match: { stream: "*" }, to: [{ cluster: "kafka", topic }] }]
        },
        drivers: [driver]
      }).pipe(Effect.flatMap((leat) => leat.stream(BeaconSighting)))

    const publish = (driver: Driver, topic: string, more?: object) =>
      Effect.runPromise(
        Effect.scoped(Effect.flatMap(open(driver, topic, more), (stream) => stream.publishAll(sightings)))
      )

    /** The references of the events that a group of this driver is given. */
    const read = (driver: Driver, topic: string) =>
      Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const stream = yield* open(driver, topic)
            const all = Promise.withResolvers<ReadonlyArray<string>>()
            const given: Array<string> = []
            yield* stream.handle(`group-of-${driver.name}`, ({ inputRef }) =>
              Effect.sync(() => {
                if (given.push(inputRef) === refs.length) all.resolve(given)
              })
            )
            return yield* Effect.promise(() => all.promise)
          })
        )
      )

    /** Reads the topic with kafkajs itself, which counts the batches. */
    const countZstdBatches = async (topic: string) => {
      const consumer = plainClient.consumer({ groupId: `plain-${topic}` })
      const end = Promise.withResolvers<void>()
      let count = 0
      await consumer.connect()
      await consumer.subscribe({ topic, fromBeginning: true })
      await consumer.run({
        eachMessage: () => {
          if (++count === refs.length) end.resolve()
          return Promise.resolve()
        }
      })
      await end.promise
      await consumer.disconnect()
      return zstdBatches
    }

    it("are written by confluent, and read by both drivers", async () => {
      const topic = `zstd-written-${Date.now()}-${topics++}`
      await publish(confluent, topic, { compression: "zstd" })
      expect(await read(kafkajs, topic)).toEqual(refs)
      expect(await read(confluent, topic)).toEqual(refs)
      expect(await countZstdBatches(topic)).toBeGreaterThan(0)
    })

    it("are read by confluent where the broker compresses what kafkajs writes", async () => {
      const topic = `zstd-of-the-broker-${Date.now()}-${topics++}`
      const admin = plainClient.admin()
      await admin.connect()
      const configEntries = [{ name: "compression.type", value: "zstd" }]
      await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1, configEntries }] })
      await admin.disconnect()
      await publish(kafkajs, topic)
      expect(await read(confluent, topic)).toEqual(refs)
      expect(await countZstdBatches(topic)).toBeGreaterThan(0)
    })
  },
  { isConfluent: true, codec: "zstd" }
)
