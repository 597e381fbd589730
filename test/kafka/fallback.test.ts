import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { log } from "@leat/log"
import { Effect } from "effect"
import { Leat, type LegRow, MemoryBroker, memoryDriver } from "leat"
import { type FaultPlan, faultDriver } from "leat/testing"
import { waitUntil } from "./waitUntil.ts"
import { expect, it } from "vitest"
import { numbers, sightingAmong } from "./sightings.ts"
import { describeStanding, expectInOrder } from "./standing.ts"

const sighting = sightingAmong(12)
const partitions = 4

await describeStanding("a broker that stands still beside a fallback", (standing) => {
  const { driver } = standing
  const topic = standing.topicOf("fallen")

  it("everything is stored in the fallback, and is in Kafka in order when that goes on", async () => {
    const routes = {
      version: 1,
      clusters: {
        kafka: standing.cluster({ topic: { partitions }, connectMs: 1000, requestMs: 1000 }),
        second: { transport: "@leat/log", directory: standing.directory }
      },
      policies: { falling: [{ on: ["passing"], retry: { times: 1, base: "50 millis" }, then: "fallback" }] },
      routes: [
        {
          match: { stream: "*" },
          to: [
            {
              cluster: "kafka",
              topic,
              policy: ["falling", "strict"],
              timeout: "1 second",
              fallback: { cluster: "second", back: "redrive" }
            }
          ]
        }
      ]
    }
    const story = Effect.gen(function* () {
      const leat = yield* Leat.make({ source: "fallback", routes, drivers: [driver, log], drain: "4 seconds" })
      const stream = yield* leat.stream(BeaconSighting)
      const row = (): LegRow | undefined => leat.ledger.snapshot().legs[0]
      yield* stream.publishAll(numbers(0, 24).map(sighting))
      yield* standing.freeze
      // Each is stored when it has resolved, though nothing of it is in Kafka.
      const told = yield* stream.publishAll(numbers(24, 96).map(sighting))
      expect(told.admitted).toBe(96)
      expect(row()).toMatchObject({ stored: 24, fellBack: 96, balanced: true })
      standing.proxy().pass()
      const isBack = () => leat.sinks()[0]?.fallback?.partitions.length === 0
      yield* waitUntil("it goes to Kafka again", Effect.sync(isBack), { withinMs: 60_000 })
      yield* stream.publishAll(numbers(120, 24).map(sighting))
      expect(row()).toMatchObject({ admitted: 144, fellBack: 96, recovered: 96, stored: 144, balanced: true })
      const transport = yield* leat.transport("kafka")
      yield* expectInOrder(transport, topic, 144)
    })
    await Effect.runPromise(Effect.scoped(story))
  })

  for (const back of ["redrive", "stay"] as const)
    it(`a Kafka is a fallback: ${back}`, async () => {
      const far = new MemoryBroker({ partitions })
      let faults: FaultPlan = {}
      const away = faultDriver(memoryDriver(far), {
        send: (one) => faults.send?.(one),
        fence: (one) => faults.fence?.(one)
      })
      const positions = driver.name === "@leat/confluent" ? { positions: true } : {}
      const routes = {
        version: 1,
        clusters: {
          main: { transport: "memory" },
          second: { transport: driver.name, brokers: standing.kafka().bootstrap, ...positions }
        },
        policies: { falling: [{ on: ["passing"], then: "fallback" }] },
        routes: [
          {
            match: { stream: "*" },
            to: [
              {
                cluster: "main",
                topic: standing.topicOf(`behind.${back}`),
                policy: ["falling", "strict"],
                timeout: "5 seconds",
                fallback: { cluster: "second", back }
              }
            ]
          }
        ]
      }
      const story = Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "fallback", routes, drivers: [away, driver], drain: "4 seconds" })
        const stream = yield* leat.stream(back === "stay" ? { ...BeaconSighting, needs: [] } : BeaconSighting)
        const row = (): LegRow | undefined => leat.ledger.snapshot().legs[0]
        let seen = 0
        yield* stream.handle("g", () => Effect.sync(() => void seen++))
        yield* stream.publishAll(numbers(0, 24).map(sighting))
        faults = { send: () => ({ kind: "fail", reason: "Unavailable" }), fence: () => "Unavailable" }
        yield* stream.publishAll(numbers(24, 96).map(sighting))
        expect(row()).toMatchObject({ stored: 24, fellBack: 96, balanced: true })
        if (back === "stay")
          yield* waitUntil(
            "what fell back is handled",
            Effect.sync(() => seen === 120),
            { withinMs: 60_000 }
          )
        faults = {}
        const isBack = () => leat.sinks()[0]?.fallback?.partitions.length === 0
        yield* waitUntil("it is back", Effect.sync(isBack), { withinMs: 60_000 })
        yield* stream.publishAll(numbers(120, 24).map(sighting))
        expect(row()).toMatchObject({ fellBack: 96, recovered: back === "stay" ? 0 : 96, balanced: true })
        yield* waitUntil(
          "all is handled",
          Effect.sync(() => seen >= 144),
          { withinMs: 60_000 }
        )
      })
      await Effect.runPromise(Effect.scoped(story))
    })
})
