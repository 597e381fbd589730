import { describeKafka } from "@leat/brokers/vitest"
import { confluent } from "@leat/confluent"
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { kafkajs } from "@leat/kafkajs"
import { Effect } from "effect"
import { Kafka as Foreign, logLevel } from "kafkajs"
import { Audit, Leat } from "leat"
import { expect, it } from "vitest"
import { numbers, sightingAmong } from "./sightings.ts"

const sighting = sightingAmong(50)
const count = 500
const stream = "risk.beacons.sighting"

let topics = 0

for (const driver of [kafkajs, confluent])
  describeKafka(
    `an audit on a real Kafka through ${driver.name}`,
    (brokers) => {
      it("finds all that leat published, what another tool has lost or doubled, and nothing of what was deleted", async () => {
        const topic = `audited-${process.pid}-${topics++}`
        const foreign = new Foreign({ brokers: brokers.split(","), logLevel: logLevel.NOTHING })
        const program = Effect.gen(function* () {
          const leat = yield* Leat.make({
            source: "audit",
            routes: {
              version: 1,
              clusters: { kafka: { transport: driver.name, brokers, topic: { partitions: 3 } } },
              routes: [{ match: { stream: "*" }, to: [{ cluster: "kafka", topic }] }]
            },
            drivers: [driver]
          })
          const sightings = yield* leat.stream(BeaconSighting)
          yield* sightings.publishAll(numbers(0, count).map(sighting))
          const transport = yield* leat.transport("kafka")
          const audit = Audit.topic(transport, topic, { streams: [stream], group: "positions" })
          expect(yield* audit).toMatchObject({
            events: count,
            copies: 0,
            missing: 0,
            outOfOrder: 0,
            unauditable: 0,
            foreign: 0,
            publishers: 1,
            group: { settled: 0, waiting: count }
          })

          // A tool that mirrors the topic of another cluster, and has lost one of its events, and stored one twice.
          const id = (seq: number) => `0198c1d2-6a00-7000-8000-000000000000/${stream}/3/${seq}`
          const messages = [0, 1, 1, 3].map((seq) => ({
            key: "b3",
            value: "v",
            partition: 1,
            headers: { ce_id: id(seq) }
          }))
          yield* Effect.promise(async () => {
            const producer = foreign.producer()
            await producer.connect()
            await producer.send({ topic, messages: [...messages, { key: "b3", value: "of nobody", partition: 1 }] })
            await producer.disconnect()
          })
          const report = yield* audit
          expect(report).toMatchObject({ events: count + 3, copies: 1, missing: 1, foreign: 1, publishers: 2 })
          expect(report.missingRanges).toMatchObject([{ stream, bucket: 3, from: 2, to: 3 }])

          yield* Effect.promise(async () => {
            const admin = foreign.admin()
            await admin.connect()
            // It knows no topic before it is asked for one.
            await admin.fetchTopicOffsets(topic)
            await admin.deleteTopicRecords({
              topic,
              partitions: [
                { partition: 0, offset: "40" },
                { partition: 1, offset: "-1" }
              ]
            })
            await admin.disconnect()
          })
          const after = yield* audit
          expect(after).toMatchObject({ missing: 0, copies: 0 })
          // Of buckets that are gone altogether nothing says that they ever had an event.
          expect(after.events + after.unauditable).toBeLessThan(count)
        }).pipe(Effect.scoped)
        await Effect.runPromise(program)
      })
    },
    { isConfluent: driver === confluent }
  )
