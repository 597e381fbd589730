import { type FaultProxy, type Kafka, startKafka } from "@leat/brokers"
import { describeOwnKafka } from "@leat/brokers/vitest"
import { confluent } from "@leat/confluent"
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { kafkajs } from "@leat/kafkajs"
import { log } from "@leat/log"
import { Effect, Exit, Logger, Scope, Stream } from "effect"
import { Leat, type LegRow, readMeta } from "leat"
import { waitUntil } from "leat/testing"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, it } from "vitest"
import { numbers, sightingAmong } from "./sightings.ts"

const sighting = sightingAmong(12)
const partitions = 4

for (const driver of [kafkajs, confluent])
  await describeOwnKafka(
    `a broker that stands still beside a spill, through ${driver.name}`,
    () => {
      let kafka: Kafka
      let proxy: FaultProxy
      const directory = mkdtempSync(join(tmpdir(), "leat-kafka-spill-"))
      beforeAll(async () => {
        kafka = await startKafka({ proxied: true })
        proxy = kafka.nodes[0]?.proxy as FaultProxy
      })
      afterAll(async () => {
        await kafka.close()
        rmSync(directory, { recursive: true, force: true })
      })

      it("everything is safe on disk, and the next process, which starts meanwhile, sends it on in order, before its own", async () => {
        const routes = {
          version: 1,
          clusters: {
            kafka: {
              transport: driver.name,
              brokers: kafka.proxied?.bootstrap ?? "",
              topic: { partitions },
              connectMs: 1000,
              requestMs: 1000
            },
            disk: { transport: "@leat/log", directory }
          },
          policies: { spilling: [{ on: ["passing"], retry: { times: 1, base: "50 millis" }, then: "spill" }] },
          routes: [
            {
              match: { stream: "*" },
              level: "durable",
              to: [
                {
                  cluster: "kafka",
                  topic: "spilled",
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
        const freeze = Effect.acquireRelease(
          Effect.sync(() => proxy.freeze()),
          () => Effect.sync(() => proxy.pass())
        )
        const first = Effect.gen(function* () {
          const { leat, stream } = yield* make
          yield* stream.publishAll(numbers(0, 24).map(sighting), { level: "stored" })
          yield* freeze
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
              yield* freeze
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
          return yield* Effect.forEach(numbers(0, partitions), (partition) =>
            Stream.runCollect(transport.read("spilled", partition, { fromPosition: 0n }))
          )
        })
        const lines: Array<string> = []
        const logger = Logger.make(({ message }) => void lines.push(String(message)))
        const run = <A, E>(program: Effect.Effect<A, E>) =>
          Effect.runPromise(Effect.provide(program, Logger.layer([logger])))
        const left = await run(Effect.scoped(first))
        expect(rowOf(left)).toMatchObject({ spilled: 96, balanced: true })
        await run(restarted)
        const read = await run(Effect.scoped(last))
        const seen = new Map<string, Array<number>>()
        for (const { headers } of read.flat().flatMap(({ records }) => records)) {
          const { id } = readMeta(headers, BeaconSighting.stream)
          if (id === undefined) continue
          const bucket = `${id.incarnation} ${id.bucket}`
          const seqs = seen.get(bucket) ?? []
          // A request that was frozen may land after all: a copy, which is no first delivery.
          if (!seqs.includes(id.seq)) seen.set(bucket, [...seqs, id.seq])
        }
        expect([...seen.values()].flat()).toHaveLength(168)
        for (const seqs of seen.values()) expect(seqs).toEqual(seqs.toSorted((one, other) => one - other))
        const told = (text: string) => lines.filter((line) => line.includes(text))
        expect(told("goes to the spill kafka.spilled.4.spill until")).toHaveLength(1)
        expect(told("96 events for kafka/spilled stay in the spill")).toHaveLength(1)
        expect(told("the spill kafka.spilled.4.spill holds 96 events")).toHaveLength(1)
      })
    },
    { isConfluent: driver === confluent }
  )
