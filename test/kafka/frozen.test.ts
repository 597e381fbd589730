import { type FaultProxy, type Kafka, startKafka } from "@leat/brokers"
import { describeOwnKafka } from "@leat/brokers/vitest"
import { confluent } from "@leat/confluent"
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { kafkajs } from "@leat/kafkajs"
import { Effect, Logger } from "effect"
import { Leat } from "leat"
import { afterAll, beforeAll, expect, it } from "vitest"
import { numbers, sightingAmong } from "./sightings.ts"

const sighting = sightingAmong(12)

/** A policy that drops is refused for a contract that needs order where nothing fences. */
const Unordered: typeof BeaconSighting = { ...BeaconSighting, needs: [] }

for (const driver of [kafkajs, confluent])
  await describeOwnKafka(
    `a broker that stands still, through ${driver.name}`,
    () => {
      let kafka: Kafka
      let proxy: FaultProxy
      beforeAll(async () => {
        kafka = await startKafka({ proxied: true })
        proxy = kafka.nodes[0]?.proxy as FaultProxy
      })
      afterAll(() => kafka.close())

      it("halts no lane whose policy goes on after Unavailable and Timeout, says once that nothing is stored, and all is stored afterwards", () => {
        const routes = {
          version: 1,
          clusters: {
            kafka: {
              transport: driver.name,
              brokers: kafka.proxied?.bootstrap ?? "",
              topic: { partitions: 4 },
              connectMs: 1000,
              requestMs: 2000
            }
          },
          policies: { realtime: [{ on: ["Unavailable", "Timeout"], retry: { base: "100 millis" }, then: "drop" }] },
          routes: [
            {
              match: { stream: "*" },
              to: [{ cluster: "kafka", topic: "frozen", policy: "realtime", timeout: "2 seconds" }]
            }
          ]
        }
        const lines: Array<string> = []
        const logger = Logger.make(({ message }) => void lines.push(String(message)))
        const ofSink = (text: string) => lines.filter((line) => line.startsWith(`kafka/frozen ${text}`))
        const program = Effect.gen(function* () {
          const leat = yield* Leat.make({ source: "frozen", routes, drivers: [driver], drain: "2 seconds" })
          const stream = yield* leat.stream(Unordered)
          yield* stream.publishAll(numbers(0, 12).map(sighting))
          yield* Effect.acquireRelease(
            Effect.sync(() => proxy.freeze()),
            () => Effect.sync(() => proxy.pass())
          )
          for (let from = 12; from < 108; from += 12) {
            for (const number of numbers(from, 12)) expect(stream.offer(sighting(number)).admitted).toBe(true)
            yield* Effect.sleep("1500 millis")
          }
          expect(leat.halted()).toEqual([])
          expect(leat.sinks()).toMatchObject([{ trouble: expect.stringMatching(/^has stored nothing on partition/) }])
          proxy.pass()
          yield* leat.flush
          expect(leat.halted()).toEqual([])
          const ends = (yield* stream.bounds()).map(({ end }) => Number(end))
          expect(ends.reduce((sum, end) => sum + end, 0)).toBeGreaterThanOrEqual(108)
        })
        const logged = Effect.provide(Effect.scoped(program), Logger.layer([logger]))
        return Effect.runPromise(logged).then(() => {
          expect(ofSink("has stored nothing on partition")).toHaveLength(1)
          expect(ofSink("stores again, after")).toHaveLength(1)
        })
      })
    },
    { isConfluent: driver === confluent }
  )
