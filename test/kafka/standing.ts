import { type FaultProxy, type Kafka, startKafka } from "@leat/brokers"
import { describeOwnKafka } from "@leat/brokers/vitest"
import { confluent } from "@leat/confluent"
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { kafkajs } from "@leat/kafkajs"
import { Effect, type Scope, Stream } from "effect"
import { readMeta } from "leat"
import type { Driver, Transport } from "leat/transport"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect } from "vitest"

/** What a suite has: its driver, a Kafka behind a proxy, and a folder beside it. */
export interface Standing {
  readonly driver: Driver
  /** A topic of this driver: the suites of a file share the Kafka. */
  readonly topicOf: (name: string) => string
  readonly kafka: () => Kafka
  readonly proxy: () => FaultProxy
  /** Of a route document, through the proxy. */
  readonly cluster: (more: object) => object
  readonly directory: string
  /** The broker stands still until the scope ends, or until the proxy is told to pass. */
  readonly freeze: Effect.Effect<void, never, Scope.Scope>
}

/** A suite for each driver, with one Kafka for both, which can stand still. To be awaited at the top of a test file. */
export async function describeStanding(what: string, define: (standing: Standing) => void): Promise<void> {
  let starting: Promise<Kafka> | undefined
  afterAll(async () => (await starting)?.close())
  for (const driver of [kafkajs, confluent])
    await describeOwnKafka(
      `${what}, through ${driver.name}`,
      () => {
        let started: Kafka | undefined
        const kafka = (): Kafka => {
          if (started === undefined) throw new Error("the Kafka has not been started")
          return started
        }
        const proxy = () => kafka().nodes[0]?.proxy as FaultProxy
        const directory = mkdtempSync(join(tmpdir(), "leat-kafka-standing-"))
        beforeAll(async () => {
          starting ??= startKafka({ proxied: true })
          started = await starting
        })
        afterAll(() => rmSync(directory, { recursive: true, force: true }))
        define({
          driver,
          topicOf: (name) => `${name}-${driver === confluent ? "confluent" : "kafkajs"}`,
          kafka,
          proxy,
          cluster: (more) => ({ transport: driver.name, brokers: kafka().proxied?.bootstrap ?? "", ...more }),
          directory,
          freeze: Effect.acquireRelease(
            Effect.sync(() => proxy().freeze()),
            () => Effect.sync(() => proxy().pass())
          )
        })
      },
      { isConfluent: driver === confluent }
    )
}

/** The topic has so many sightings, and those of each bucket in order. */
export const expectInOrder = Effect.fnUntraced(function* (
  transport: Pick<Transport, "read" | "bounds">,
  topic: string,
  count: number
) {
  const bounds = yield* transport.bounds(topic)
  const read = yield* Effect.forEach(bounds, ({ partition }) =>
    Stream.runCollect(transport.read(topic, partition, { fromPosition: 0n }))
  )
  const seen = new Map<string, Array<number>>()
  for (const { headers } of read.flat().flatMap(({ records }) => records)) {
    const { id } = readMeta(headers, BeaconSighting.stream)
    if (id === undefined) continue
    const bucket = `${id.incarnation} ${id.bucket}`
    const seqs = seen.get(bucket) ?? []
    // A request that was frozen may land after all: a copy, which is no first delivery.
    if (!seqs.includes(id.seq)) seen.set(bucket, [...seqs, id.seq])
  }
  expect([...seen.values()].flat()).toHaveLength(count)
  for (const seqs of seen.values()) expect(seqs).toEqual(seqs.toSorted((one, other) => one - other))
})
