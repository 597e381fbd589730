import { describeKafka } from "@leat/brokers/vitest"
import { confluent } from "@leat/confluent"
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { kafkajs } from "@leat/kafkajs"
import { Effect, Fiber, Stream } from "effect"
import { Kafka as Foreign, logLevel } from "kafkajs"
import { Leat } from "leat"
import { expect, it } from "vitest"
import { sightingAmong } from "./sightings.ts"

const beacons = 8
const partitions = 4
const count = 12_000
const sighting = sightingAmong(beacons)
/** Each event is far smaller than the limit, and the batches of a leg are larger. */
const requestBytesMax = 100_000
const padding = "x".repeat(1000)

let topics = 0

for (const [name, driver, more] of [
  [kafkajs.name, kafkajs, {}],
  [confluent.name, confluent, {}],
  [`${confluent.name} with positions`, confluent, { positions: true }]
] as const)
  describeKafka(
    `a topic that takes smaller requests than leat sends, through ${name}`,
    (brokers) => {
      it("T42 stores every event once, and those of a key in order: nothing is stored behind what was refused with it", async () => {
        const topic = `small-requests-${Date.now()}-${topics++}`
        const program = Effect.gen(function* () {
          const admin = new Foreign({ brokers: brokers.split(","), logLevel: logLevel.NOTHING }).admin()
          yield* Effect.promise(async () => {
            await admin.connect()
            const configEntries = [{ name: "max.message.bytes", value: String(requestBytesMax) }]
            await admin.createTopics({
              topics: [{ topic, numPartitions: partitions, configEntries }],
              waitForLeaders: true
            })
            await admin.disconnect()
          })
          const leat = yield* Leat.make({
            source: "small",
            routes: {
              version: 1,
              clusters: { kafka: { transport: driver.name, brokers, ...more } },
              routes: [{ match: { stream: "*" }, to: [{ cluster: "kafka", topic }] }]
            },
            drivers: [driver]
          })
          const stream = yield* leat.stream(BeaconSighting)
          const publish = (number: number) => stream.publish({ ...sighting(number), inputRef: `${number} ${padding}` })
          // A trickle beside the batches of the other partitions: what comes during a flush is what librdkafka would cut.
          const all = yield* Effect.forEach(
            Array.from({ length: count / 50 }, (_, index) => index * 50),
            (from) =>
              Effect.tap(
                Effect.forEach(
                  Array.from({ length: 50 }, (_, index) => from + index),
                  (number) => Effect.forkScoped(publish(number), { startImmediately: true })
                ),
                Effect.sleep(1)
              )
          )
          for (const fiber of all.flat()) yield* Fiber.join(fiber)
          const numbers: Array<number> = []
          const breaks: Array<string> = []
          for (const range of yield* stream.stored()) {
            const last = new Map<string, number>()
            yield* Stream.runForEach(stream.read(range), ({ event }) =>
              Effect.sync(() => {
                if (event === undefined) return
                const number = Number(event.inputRef.split(" ")[0])
                const before = last.get(event.beaconId) ?? -1
                if (number < before) breaks.push(`${event.beaconId}: ${number} stands behind ${before}`)
                last.set(event.beaconId, number)
                numbers.push(number)
              })
            )
          }
          expect(breaks.slice(0, 5)).toEqual([])
          expect(numbers.toSorted((left, right) => left - right)).toEqual(Array.from({ length: count }, (_, n) => n))
          expect(leat.ledger.snapshot().legs).toMatchObject([{ stored: count, balanced: true }])
        })
        await Effect.runPromise(Effect.scoped(program))
      })
    },
    { isConfluent: driver === confluent }
  )
