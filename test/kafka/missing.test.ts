import { describeKafka } from "@leat/brokers/vitest"
import { confluent } from "@leat/confluent"
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { kafkajs } from "@leat/kafkajs"
import { Effect, Fiber, Logger, type Scope } from "effect"
import { Kafka as Foreign, logLevel } from "kafkajs"
import { Leat } from "leat"
import { waitUntil } from "./waitUntil.ts"
import type { TransportError } from "leat/transport"
import { expect, it } from "vitest"

const advice =
  "create it, or write `topic: { partitions: N }` into the section of the cluster, and it is created at its first use"

for (const driver of [kafkajs, confluent])
  describeKafka(
    `a topic that is not there, through ${driver.name}`,
    (brokers) => {
      it("is warned of while its stream waits for it, with what to do; the stream opens when somebody has created it", () => {
        const topic = `missing-${driver === kafkajs ? "k" : "c"}-${Date.now()}`
        const warnings: Array<string> = []
        const logger = Logger.make(({ message, logLevel: level }) => {
          if (level === "Warn") warnings.push(String(message))
        })
        const program = Effect.gen(function* () {
          const leat = yield* Leat.make({
            source: "missing",
            routes: {
              version: 1,
              clusters: { fronting: { transport: driver.name, brokers } },
              routes: [{ match: { stream: "*" }, to: [{ cluster: "fronting", topic }] }]
            },
            drivers: [driver]
          })
          const opening = yield* Effect.forkChild(leat.stream(BeaconSighting))
          yield* waitUntil(
            "a warning",
            Effect.sync(() => warnings.length > 0),
            { withinMs: 5000, everyMs: 50 }
          )
          expect(warnings).toEqual([
            expect.stringMatching(/^fronting\/missing-.* is not open yet, and is tried again: .*UnknownTopic: missing-/)
          ])
          expect(warnings[0]).toContain(advice)
          const admin = new Foreign({ brokers: brokers.split(","), logLevel: logLevel.NOTHING }).admin()
          yield* Effect.promise(() => admin.connect())
          // Waiting for its leaders, this client takes a broker for well that does not know the topic yet; the stream waits for it all the same.
          const asked = { topics: [{ topic, numPartitions: 1 }], waitForLeaders: false }
          yield* Effect.promise(() => admin.createTopics(asked))
          yield* Effect.promise(() => admin.disconnect())
          expect((yield* Fiber.join(opening)).contract).toBe(BeaconSighting)
        })
        return Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Logger.layer([logger]))))
      })

      it("is what opening it says, with what to do", () =>
        Effect.runPromise(
          Effect.scoped(
            Effect.gen(function* () {
              const transport = yield* driver.open("fronting", { brokers })
              for (const call of [transport.partitionsOf("none"), transport.openWriter("none")]) {
                const error = yield* Effect.flip<unknown, TransportError, Scope.Scope>(call)
                expect(error.reason).toBe("UnknownTopic")
                expect(error.detail).toContain(advice)
              }
            })
          )
        ))
    },
    { isConfluent: driver === confluent, isConcurrent: true }
  )
