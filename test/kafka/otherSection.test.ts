import { describeKafka } from "@leat/brokers/vitest"
import { confluent } from "@leat/confluent"
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { kafkajs } from "@leat/kafkajs"
import { Effect, Fiber, Schedule } from "effect"
import { Leat } from "leat"
import { waitUntil } from "./waitUntil.ts"
import { expect, it } from "vitest"
import { numbers, sightingAmong } from "./sightings.ts"

const sighting = sightingAmong(4)

/** Kafka's driver in JavaScript cannot fence, so a contract that needs order in doubt has another one. */
const Unordered: typeof BeaconSighting = { ...BeaconSighting, needs: [] }

let topics = 0

for (const driver of [kafkajs, confluent])
  describeKafka(`another section of a cluster that is open, through ${driver.name}`, (brokers) => {
    it("is taken over while events are published and read: none is lost, doubled or overtaken", () =>
      Effect.gen(function* () {
        const topic = `sections-${Date.now()}-${topics++}`
        const routes = (version: number, more: object) => ({
          version,
          clusters: { kafka: { transport: driver.name, brokers, topic: { partitions: 2 }, ...more } },
          routes: [{ match: { stream: "*" }, to: [{ cluster: "kafka", topic, linger: "2 millis" }] }],
          subscriptions: [{ match: { stream: "*" }, from: "earliest" }]
        })
        const leat = yield* Leat.make({ source: "sections", routes: routes(1, {}), drivers: [driver] })
        const stream = yield* leat.stream(Unordered)
        const seen = new Map<string, Array<number>>()
        const subscription = yield* stream.handle("group", ({ beaconId, inputRef }) =>
          Effect.sync(() => seen.set(beaconId, [...(seen.get(beaconId) ?? []), Number(inputRef)]))
        )
        for (const [index, more] of [{ requestMs: 9000 }, { clientId: "other" }].entries()) {
          const publishing = yield* Effect.forkChild(
            Effect.forEach(numbers(index * 1000, 1000), (number) =>
              Effect.andThen(stream.publish(sighting(number), { level: "queued" }), Effect.sleep(1))
            )
          )
          yield* Effect.sleep(200)
          yield* Effect.retry(leat.swapRoutes(routes(index + 2, more)), { times: 100, schedule: Schedule.spaced(200) })
          yield* Fiber.join(publishing)
        }
        yield* leat.flush
        expect(leat.ledger.snapshot().legs[0]).toMatchObject({ admitted: 2000, stored: 2000, balanced: true })
        const ends = (yield* stream.bounds()).reduce((sum, { end }) => sum + Number(end), 0)
        expect(ends).toBe(2000)
        yield* waitUntil(
          "everything is handled",
          Effect.map(subscription.lag, (lag) => lag === 0n)
        )
        for (let beacon = 0; beacon < 4; beacon++) {
          const once = [...new Set(seen.get(`b${beacon}`) ?? [])]
          expect(once).toEqual(numbers(0, 500).map((at) => at * 4 + beacon))
        }
      }).pipe(Effect.scoped, Effect.runPromise))
  })
