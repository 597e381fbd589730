import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { log } from "@leat/log"
import { Effect, Exit, Logger, Scope } from "effect"
import { Leat, type LegRow } from "leat"
import { waitUntil } from "./waitUntil.ts"
import { expect, it } from "vitest"
import { numbers, sightingAmong } from "./sightings.ts"
import { describeStanding, expectInOrder } from "./standing.ts"

const sighting = sightingAmong(12)
const partitions = 4

await describeStanding("a broker that stands still beside a spill", (standing) => {
  const { driver } = standing
  const topic = standing.topicOf("spilled")

  it("everything is safe on disk, and the next process, which starts meanwhile, sends it on in order, before its own", async () => {
    const routes = {
      version: 1,
      clusters: {
        kafka: standing.cluster({ topic: { partitions }, connectMs: 1000, requestMs: 1000 }),
        disk: { transport: "@leat/log", directory: standing.directory }
      },
      policies: { spilling: [{ on: ["passing"], retry: { times: 1, base: "50 millis" }, then: "spill" }] },
      routes: [
        {
          match: { stream: "*" },
          level: "durable",
          to: [
            {
              cluster: "kafka",
              topic,
              policy: ["spilling", "strict"],
              timeout: "1 second",
              spill: { cluster: "disk" }
            }
          ]
        }
      ]
    }
    const make = Effect.gen(function* () {
      const leat = yield* Leat.make({ source: "spill", routes, drivers: [driver, log], drain: "4 seconds" })
      return { leat, stream: yield* leat.stream(BeaconSighting) }
    })
    const rowOf = (leat: { readonly ledger: Leat["Service"]["ledger"] }): LegRow | undefined =>
      leat.ledger.snapshot().legs[0]
    const first = Effect.gen(function* () {
      const { leat, stream } = yield* make
      yield* stream.publishAll(numbers(0, 24).map(sighting), { level: "stored" })
      yield* standing.freeze
      // Each is on disk when it has resolved, though nothing of it is in Kafka.
      const told = yield* stream.publishAll(numbers(24, 96).map(sighting))
      expect(told.admitted).toBe(96)
      expect(rowOf(leat)).toMatchObject({ stored: 24, spilled: 96, balanced: true })
      return leat
    })
    // It cannot ask how many partitions there are when it starts.
    const restarted = Effect.gen(function* () {
      const opened = yield* Effect.scoped(
        Effect.gen(function* () {
          yield* standing.freeze
          const scope = yield* Scope.make()
          const one = yield* Scope.provide(make, scope)
          const told = yield* one.stream.publishAll(numbers(120, 24).map(sighting))
          expect(told.admitted).toBe(24)
          expect(rowOf(one.leat)).toMatchObject({ stored: 0, spilled: 24, balanced: true })
          return { ...one, scope }
        })
      )
      const { leat, scope } = opened
      yield* waitUntil(
        "what the first has left is stored, and its own",
        Effect.sync(() => rowOf(leat)?.recovered === 96 && rowOf(leat)?.spilled === 0),
        { withinMs: 60_000 }
      )
      expect(rowOf(leat)).toMatchObject({ admitted: 24, stored: 120, balanced: true })
      yield* Scope.close(scope, Exit.void)
    })
    const last = Effect.gen(function* () {
      const { leat, stream } = yield* make
      yield* stream.publishAll(numbers(144, 24).map(sighting), { level: "stored" })
      expect(rowOf(leat)).toMatchObject({ admitted: 24, recovered: 0, stored: 24, spilled: 0, balanced: true })
      const transport = yield* leat.transport("kafka")
      yield* expectInOrder(transport, topic, 168)
    })
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => void lines.push(String(message)))
    const run = <A, E>(program: Effect.Effect<A, E>) =>
      Effect.runPromise(Effect.provide(program, Logger.layer([logger])))
    const left = await run(Effect.scoped(first))
    expect(rowOf(left)).toMatchObject({ spilled: 96, balanced: true })
    await run(restarted)
    await run(Effect.scoped(last))
    const told = (text: string) => lines.filter((line) => line.includes(text))
    expect(told(`goes to the spill kafka.${topic}.4.spill until`)).toHaveLength(1)
    expect(told(`96 events for kafka/${topic} stay in the spill`)).toHaveLength(1)
    expect(told(`the spill kafka.${topic}.4.spill holds 96 events`)).toHaveLength(1)
  })
})
