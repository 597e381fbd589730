import { Buffer } from "node:buffer"
import { Effect, Stream } from "effect"
import { CloudEvent, Kafka } from "cloudevents"
import { type EventContext, formatEventId } from "leat"
import type { ReceivedRecord } from "leat/transport"
import { describeKafka } from "@leat/brokers/vitest"
import { beforeAll, describe, expect, it } from "vitest"
import { hash } from "../../../packages/leat/src/record/Key.ts"
import { Map as FloorMap } from "../../../packages/protoc-gen-leat/test/gen/test/v1/names.ts"
import { describeDrivers, openLeat, type OpenOptions, run, source, wires } from "../src/drivers.ts"
import { Foreign, foreignNames, uniqueName } from "../src/Foreign.ts"
import type { ForeignHeader, ForeignRecord } from "../src/ForeignClient.ts"
import { type Published, type PublishedStream, publishSamples } from "../src/publish.ts"

const textHeaders = (headers: ReadonlyArray<ForeignHeader>) => headers.map(([name, value]) => [name, String(value)])
const hexHeaders = (headers: ReadonlyArray<ForeignHeader>) =>
  headers.map(([name, value]) => [name, value === null ? null : value.toString("hex")])

/** Headers that both wires have in common. */
function contextHeaders(context: EventContext): ReadonlyArray<ForeignHeader> {
  const texts = [
    ["traceparent", context.traceparent],
    ["tracestate", context.tracestate],
    ["baggage", context.baggage],
    ["ce_correlationid", context.correlationId],
    ["ce_causationid", context.causationId]
  ] as const
  return [
    ...texts.flatMap(([name, text]) => (text === undefined ? [] : [[name, Buffer.from(text)] as const])),
    ...(context.headers ?? []).map(([name, value]) => [name, Buffer.from(value)] as const)
  ]
}

function tagOf(stream: string): number {
  const name = Buffer.from(stream)
  return hash(new DataView(name.buffer, name.byteOffset, name.length), name.length)
}

/** The header `leat`, read as the guide describes it. */
function readCompact(header: Buffer) {
  const bytes = [...header.subarray(27)]
  const varint = (): number => {
    const end = bytes.findIndex((byte) => byte < 128) + 1
    return bytes.splice(0, end).reduceRight((rest, byte) => rest * 128 + (byte & 127), 0)
  }
  return {
    format: header[0],
    incarnation: header.toString("hex", 1, 17),
    timeMs: header.readUIntBE(17, 6),
    tag: header.readUInt32BE(23),
    bucket: varint(),
    seq: varint(),
    epoch: varint(),
    rest: bytes
  }
}

function expectCompact(record: ForeignRecord, { id, context }: Published): void {
  const [first, ...others] = record.headers
  expect(first?.[0]).toBe("leat")
  expect(readCompact(first?.[1] ?? Buffer.alloc(0))).toEqual({
    format: 3,
    incarnation: id.incarnation.replaceAll("-", ""),
    timeMs: record.timeMs,
    tag: tagOf(id.stream),
    bucket: id.bucket,
    seq: id.seq,
    epoch: 1,
    rest: []
  })
  expect(hexHeaders(others)).toEqual(hexHeaders(contextHeaders(context)))
}

function expectCloudEvent(record: ForeignRecord, { id, context }: Published, type: string): void {
  expect(textHeaders(record.headers.slice(0, 7))).toEqual([
    ["ce_specversion", "1.0"],
    ["ce_source", source],
    ["ce_type", type],
    ["content-type", "application/protobuf"],
    ["ce_leatepoch", "1"],
    ["ce_id", formatEventId(id)],
    ["ce_time", new Date(record.timeMs).toISOString()]
  ])
  expect(hexHeaders(record.headers.slice(7))).toEqual(hexHeaders(contextHeaders(context)))
}

const headerText = (headers: ReceivedRecord["headers"], name: string) =>
  String(Buffer.from(headers.find(([found]) => found === name)?.[1] ?? []))

/** A record as the SDK wants it. */
function kafkaMessage({ headers, key, value }: ReceivedRecord) {
  return {
    headers: Object.fromEntries(headers.map(([name, bytes]) => [name, Buffer.from(bytes).toString()])),
    key: Buffer.from(key ?? []).toString(),
    value,
    body: value
  }
}

/** All records of a topic, as leat's driver reads them. */
const readBack = (options: OpenOptions, topic: string): Promise<ReadonlyArray<ReceivedRecord>> =>
  run(
    Effect.gen(function* () {
      const transport = yield* Effect.flatMap(openLeat(options), (leat) => leat.transport("kafka"))
      const partitions = yield* transport.bounds(topic)
      const batches = yield* Effect.forEach(partitions, ({ partition }) =>
        Stream.runCollect(transport.read(topic, partition, { fromPosition: 0n }))
      )
      return batches.flat().flatMap(({ records }) => records)
    })
  )

/** The events of one key, whichever partition they are in. */
const ofKey = (records: ReadonlyArray<ForeignRecord>, key: string) =>
  records.filter((record) => record.key?.toString() === key)

describeKafka("what leat publishes", (bootstrap) => {
  const foreign = new Foreign(bootstrap)

  describeDrivers((driver) => {
    describe.each(wires)("in the wire %s", (wire) => {
      const options = { driver, bootstrap, wire, prefix: uniqueName() }
      let streams: ReadonlyArray<PublishedStream>
      beforeAll(async () => {
        streams = await publishSamples(options)
      })

      for (const name of foreignNames) {
        foreign.it(
          [name],
          `is read by ${name}: key, partition, time, headers, and each field of the value`,
          async () => {
            for (const { topic, contract, published } of streams) {
              const records = await foreign.client(name).read(topic, contract.name)
              expect(records).toHaveLength(published.length)
              for (const key of new Set(published.map(({ sample }) => sample.key))) {
                const read = ofKey(records, key)
                const expected = published.filter(({ sample }) => sample.key === key)
                expect(read.map(({ value }) => value)).toEqual(expected.map(({ sample }) => sample.json))
                expect(new Set(read.map(({ partition }) => partition)).size).toBe(1)
                for (const [index, record] of read.entries()) {
                  const one = expected[index]
                  if (one === undefined) throw new Error("more records than events")
                  if (wire === "compact") expectCompact(record, one)
                  else expectCloudEvent(record, one, contract.name)
                }
              }
            }
          }
        )
      }
    })

    for (const name of foreignNames) {
      foreign.it([name], `is a tombstone to ${name} where a key is removed`, async () => {
        const options = { driver, bootstrap, prefix: uniqueName() }
        const topic = `${options.prefix}.${FloorMap.stream}`
        await run(
          Effect.gen(function* () {
            const leat = yield* openLeat(options)
            const transport = yield* leat.transport("kafka")
            yield* transport.ensure({ topic, partitions: 4, compacted: true })
            const maps = yield* leat.stream(FloorMap)
            yield* maps.publish({ name: "ground", parts: new Map(), neighbours: [], picture: Uint8Array.of(0, 255) })
            expect(maps.offerTombstone("ground")).toEqual({ admitted: true })
          })
        )
        const records = await foreign.client(name).read(topic, FloorMap.name)
        expect(records.map(({ key, value }) => [key?.toString(), value])).toEqual([
          ["ground", { name: "ground", picture: "AP8=" }],
          ["ground", null]
        ])
        expect(records.map(({ headers }) => headers.map(([header]) => header))).toEqual([["leat"], ["leat"]])
      })
    }

    it("is an event to the CloudEvents SDK, in the wire cloudevents", async () => {
      const options = { driver, bootstrap, wire: "cloudevents", prefix: uniqueName() } as const
      const streams = await publishSamples(options)
      for (const { topic, contract, published } of streams) {
        const records = await readBack(options, topic)
        expect(records).toHaveLength(published.length)
        for (const { id, sample, context } of published) {
          const record = records.find(({ headers }) => headerText(headers, "ce_id") === formatEventId(id))
          if (record === undefined) throw new Error(`no record has the id ${formatEventId(id)}`)
          const event = Kafka.toEvent(kafkaMessage(record))
          if (!(event instanceof CloudEvent)) throw new Error("the SDK sees a batch")
          expect(event.validate()).toBe(true)
          expect(event).toMatchObject({
            specversion: "1.0",
            id: formatEventId(id),
            source,
            type: contract.name,
            time: new Date(record.timeMs).toISOString(),
            datacontenttype: "application/protobuf",
            leatepoch: "1",
            ...(context.correlationId === undefined ? {} : { correlationid: context.correlationId })
          })
          expect(contract.decode(event.data as Uint8Array)).toEqual(sample.event)
        }
      }
    })
  })
})
