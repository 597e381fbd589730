import { Buffer } from "node:buffer"
import { describeKafka } from "@leat/brokers/vitest"
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { Effect } from "effect"
import type { Contract, DeliveryInfo, EventStream } from "leat"
import { waitUntil } from "leat/testing"
import { expect } from "vitest"
import { Map as FloorMap } from "../../../packages/protoc-gen-leat/test/gen/test/v1/names.ts"
import { describeDrivers, openLeat, run } from "../src/drivers.ts"
import { Foreign, foreignNames, javaPartitioner, uniqueName } from "../src/Foreign.ts"
import type { ForeignEvent } from "../src/ForeignClient.ts"
import { allSamples } from "../src/samples.ts"

interface Handled<T> {
  /** Undefined: a tombstone. */
  readonly event: T | undefined
  readonly info: DeliveryInfo
}

/** What a group of its own is given until it has `count` of it, and nothing more is left. */
const handled = <T>(stream: EventStream<T>, count: number) =>
  Effect.gen(function* () {
    const seen: Array<Handled<T>> = []
    const subscription = yield* stream.handle(
      uniqueName(),
      (event, info) => Effect.sync(() => void seen.push({ event, info })),
      { onTombstone: (info) => Effect.sync(() => void seen.push({ event: undefined, info })) }
    )
    const isDone = subscription.lag.pipe(
      Effect.map((lag) => lag === 0n && seen.length >= count),
      // A broker that has just started may not be ready to coordinate groups.
      Effect.catchIf(
        ({ isRetryable }) => isRetryable,
        () => Effect.succeed(false)
      )
    )
    yield* waitUntil("all is handled and settled", isDone, { withinMs: 20_000, everyMs: 20 })
    expect(subscription.halted()).toEqual([])
    yield* subscription.stop
    return seen
  })

const sighting = (beaconId: string, seenAtUs: number): ForeignEvent => ({
  key: Buffer.from(beaconId),
  value: { beacon_id: beaconId, seen_at_us: String(seenAtUs) }
})

const seenAt = (seen: ReadonlyArray<Handled<BeaconSighting>>, key: string) =>
  seen.filter(({ info }) => info.key === key).map(({ event }) => Number(event?.seenAtUs))

describeKafka("what others publish", (bootstrap) => {
  const foreign = new Foreign(bootstrap)

  describeDrivers((driver) => {
    const open = () => {
      const prefix = uniqueName()
      return Effect.map(openLeat({ driver, bootstrap, prefix }), (leat) => ({ leat, prefix }))
    }

    for (const name of foreignNames) {
      foreign.it([name], `is handled by its contract, every field of it: ${name}`, () =>
        run(
          Effect.gen(function* () {
            const { leat, prefix } = yield* open()
            for (const { contract, samples } of allSamples) {
              // Opening the stream creates its topic.
              const stream = yield* leat.stream(contract as Contract<unknown>)
              const events = samples.map(({ key, json }) => ({ key: Buffer.from(key), value: json }))
              const topic = `${prefix}.${contract.stream}`
              yield* Effect.promise(() => foreign.client(name).write(topic, contract.name, events))
              const seen = yield* handled(stream, samples.length)
              expect(seen).toHaveLength(samples.length)
              for (const key of new Set(samples.map((sample) => sample.key))) {
                const expected = samples.filter((sample) => sample.key === key).map(({ event }) => event)
                expect(seen.filter(({ info }) => info.key === key).map(({ event }) => event)).toEqual(expected)
              }
              for (const { info } of seen) {
                const { id, epoch, source, type, timeMs, headers } = info
                expect({ id, epoch, source, type, timeMs, headers }).toEqual({})
                expect(info).toMatchObject({ attempt: 1, dropped: [], isMarker: false, topic })
              }
            }
          })
        )
      )

      foreign.it([name], `is handled in order per key: ${name}`, () =>
        run(
          Effect.gen(function* () {
            const { leat, prefix } = yield* open()
            const stream = yield* leat.stream(BeaconSighting)
            const keys = Array.from({ length: 7 }, (_, index) => `b${index}`)
            const events = Array.from({ length: 700 }, (_, at) => sighting(keys[(at * at) % 7] ?? "", at))
            const topic = `${prefix}.${BeaconSighting.stream}`
            yield* Effect.promise(() => foreign.client(name).write(topic, BeaconSighting.name, events))
            const seen = yield* handled(stream, events.length)
            expect(seen).toHaveLength(events.length)
            for (const key of keys) {
              const expected = events.flatMap(({ key: bytes }, at) => (String(bytes) === key ? [at] : []))
              expect(seenAt(seen, key)).toEqual(expected)
            }
          })
        )
      )

      foreign.it([name], `shares one key with leat in one partition and one order: ${name}`, () =>
        run(
          Effect.gen(function* () {
            const { leat, prefix } = yield* open()
            const stream = yield* leat.stream(BeaconSighting)
            const topic = `${prefix}.${BeaconSighting.stream}`
            const client = foreign.client(name)
            for (let turn = 0; turn < 6; turn += 2) {
              const theirs = [sighting("🦥", turn), sighting("b9", turn)]
              yield* Effect.promise(() => client.write(topic, BeaconSighting.name, theirs, javaPartitioner(name)))
              for (const beaconId of ["🦥", "b9"]) {
                const seenAtUs = BigInt(turn + 1)
                yield* stream.publish({ beaconId, sensorId: "", rssiDbm: 0, seenAtUs, inputRef: "" })
              }
            }
            const seen = yield* handled(stream, 12)
            for (const key of ["🦥", "b9"]) {
              expect(seenAt(seen, key)).toEqual([0, 1, 2, 3, 4, 5])
              const ofKey = seen.filter(({ info }) => info.key === key)
              expect(new Set(ofKey.map(({ info }) => info.partition)).size).toBe(1)
              expect(ofKey.map(({ info }) => info.id !== undefined)).toEqual([false, true, false, true, false, true])
            }
          })
        )
      )

      foreign.it([name], `removes a key: ${name}`, () =>
        run(
          Effect.gen(function* () {
            const { leat, prefix } = yield* open()
            const topic = `${prefix}.${FloorMap.stream}`
            const transport = yield* leat.transport("kafka")
            yield* transport.ensure({ topic, partitions: 4, compacted: true })
            const stream = yield* leat.stream(FloorMap)
            const key = Buffer.from("ground")
            const events = [
              { key, value: { name: "ground", picture: "AP8=" } },
              { key, value: null },
              { key, value: { name: "ground" } }
            ]
            yield* Effect.promise(() => foreign.client(name).write(topic, FloorMap.name, events))
            const seen = yield* handled(stream, events.length)
            expect(seen.map(({ info }) => info.key)).toEqual(["ground", "ground", "ground"])
            expect(seen.map(({ event }) => event?.picture)).toEqual([
              Uint8Array.of(0, 255),
              undefined,
              new Uint8Array(0)
            ])
          })
        )
      )
    }

    foreign.it(["java"], "is handled with a key that is longer than leat's own may be", () =>
      run(
        Effect.gen(function* () {
          const { leat, prefix } = yield* open()
          const stream = yield* leat.stream(BeaconSighting)
          const long = "🦥".repeat(5_000)
          const topic = `${prefix}.${BeaconSighting.stream}`
          yield* Effect.promise(() => foreign.client("java").write(topic, BeaconSighting.name, [sighting(long, 1)]))
          const [first] = yield* handled(stream, 1)
          expect(first?.info.key).toBe(long)
          expect(first?.event?.beaconId).toBe(long)
          expect(stream.offer({ beaconId: long, sensorId: "", rssiDbm: 0, seenAtUs: 0n, inputRef: "" })).toEqual({
            admitted: false,
            reason: "keyTooLarge"
          })
        })
      )
    )

    foreign.it(["java"], "is taken for what its CloudEvents headers say it is", () =>
      run(
        Effect.gen(function* () {
          const { leat, prefix } = yield* open()
          const stream = yield* leat.stream(BeaconSighting)
          const topic = `${prefix}.${BeaconSighting.stream}`
          const headersOf = (type: string) =>
            Object.entries({
              ce_specversion: "1.0",
              ce_id: "order-17",
              ce_source: "/gateways/3",
              ce_type: type,
              ce_time: "2026-11-24T16:00:00.5Z",
              ce_subject: "b7",
              "content-type": "application/protobuf",
              traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
            }).map(([header, text]) => [header, Buffer.from(text)] as const)
          const events = [
            { ...sighting("b7", 1), headers: headersOf(BeaconSighting.name) },
            { ...sighting("b7", 2), headers: headersOf("somebody.else.v1.Sighting") },
            sighting("b7", 3)
          ]
          yield* Effect.promise(() => foreign.client("java").write(topic, BeaconSighting.name, events))
          const seen = yield* handled(stream, 2)
          expect(seenAt(seen, "b7")).toEqual([1, 3])
          const [first] = seen
          expect(first?.info).toMatchObject({
            source: "/gateways/3",
            type: BeaconSighting.name,
            timeMs: Date.UTC(2026, 10, 24, 16, 0, 0, 500),
            traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
          })
          const others = first?.info.headers?.map(([header, value]) => [header, Buffer.from(value).toString()])
          expect(others).toEqual([["ce_subject", "b7"]])
          expect(leat.ledger.snapshot().lanes.map(({ skipped }) => skipped)).toContainEqual({ otherType: 1 })
        })
      )
    )
  })
})
