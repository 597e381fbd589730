import { Buffer } from "node:buffer"
import { describeKafka } from "@leat/brokers/vitest"
import { kafkajs } from "@leat/kafkajs"
import { Effect } from "effect"
import type { Contract } from "leat"
import { seededRandom } from "leat/testing"
import { describe, expect } from "vitest"
import { hash } from "../../../packages/leat/src/record/Key.ts"
import { BytesKey, Defaults, NumberKey } from "../../../packages/protoc-gen-leat/test/gen/test/v1/options.ts"
import { describeDrivers, openLeat, run } from "../src/drivers.ts"
import { Foreign, type ForeignName, javaPartitioner, uniqueName } from "../src/Foreign.ts"

const random = seededRandom(20_261_124)
const integer = (from: number, to: number) => from + Math.floor(random() * (to - from + 1))
const times = <A>(count: number, make: (index: number) => A) => Array.from({ length: count }, (_, index) => make(index))
const letters = Array.from("abcXYZ019-_. /éßüñ漢字кл🦥🚫👩‍🚀\u{10FFFF}\u{10000}\u0000\uFEFF")
const text = (units: number) => times(units, () => letters[integer(0, letters.length - 1)]).join("")

const texts = [
  ...times(3_200, (index) => `b${index}`),
  ...times(1_500, (index) => String(index).padStart(integer(1, 12), "0")),
  ...times(2_000, () => text(integer(1, 40))),
  ...times(400, () => text(integer(41, 400))),
  // The longest key that leat publishes has 4096 bytes, and a character at most 4.
  ...times(60, () => text(1_024)),
  ...times(40, (index) => "é".repeat(2_048 - index))
]
/** Longer than leat's own may be. */
const longTexts = times(20, () => text(10_000))
const bytes = times(1_500, () => Uint8Array.from({ length: integer(1, 70) }, () => integer(0, 255)))
const numbers = [-(2 ** 31), 2 ** 31 - 1, 0, -1, ...times(1_496, () => integer(-(2 ** 31), 2 ** 31 - 1))]

interface Keyed {
  readonly contract: Contract<unknown>
  readonly keyed: ReadonlyMap<string, unknown>
}

/** One event for each different key of a contract, by the bytes of the key in base64. */
function keyed<T, K>(
  contract: Contract<T>,
  keys: ReadonlyArray<K>,
  bytesOf: (key: K) => Uint8Array,
  event: (key: K) => T
) {
  const found = keys.map((key) => [Buffer.from(bytesOf(key)).toString("base64"), event(key)] as const)
  return { contract: contract as Contract<unknown>, keyed: new Map<string, unknown>(found) }
}

const streams: ReadonlyArray<Keyed> = [
  keyed(
    Defaults,
    texts,
    (id) => Buffer.from(id),
    (id) => ({ id })
  ),
  keyed(
    BytesKey,
    bytes,
    (id) => id,
    (id) => ({ id })
  ),
  keyed(
    NumberKey,
    numbers,
    (smallId) => Buffer.from(String(smallId)),
    (smallId) => ({ smallId })
  )
]
const leatKeys = new Set(streams.flatMap(({ keyed: events }) => [...events.keys()]))
const allKeys = [...leatKeys, ...longTexts.map((key) => Buffer.from(key).toString("base64"))]

/** A type that takes any message: of the values nothing is asked here. */
const anyType = "test.v1.Empty"

describeKafka("ten thousand keys", (bootstrap) => {
  const foreign = new Foreign(bootstrap)

  describe.each([4, 16])("on %d partitions", (partitions) => {
    /** Where each key is, as the broker holds it. */
    const readPartitions = async (topic: string): Promise<ReadonlyArray<readonly [key: string, partition: number]>> => {
      const records = await foreign.client("java").read(topic, anyType)
      return records.map(({ key, partition }) => [key?.toString("base64") ?? "", partition])
    }

    /** Where a client of another language puts each key, in a topic that leat has created. */
    const placedBy = async (name: ForeignName) => {
      const topic = uniqueName()
      await run(
        Effect.gen(function* () {
          const leat = yield* openLeat({ driver: kafkajs, bootstrap, prefix: topic })
          const transport = yield* leat.transport("kafka")
          yield* transport.ensure({ topic, partitions })
        })
      )
      const events = allKeys.map((key) => ({ key: Buffer.from(key, "base64"), value: {} }))
      await foreign.client(name).write(topic, anyType, events, javaPartitioner(name))
      return new Map(await readPartitions(topic))
    }

    let placing: Promise<ReadonlyMap<string, number>> | undefined
    const placedByJava = () => (placing ??= placedBy("java"))

    foreign.it(["java"], "are spread over all of them by Java's own partitioner", async () => {
      const placed = await placedByJava()
      expect(leatKeys.size).toBeGreaterThanOrEqual(10_000)
      expect(placed.size).toBe(allKeys.length)
      expect(new Set(placed.values()).size).toBe(partitions)
    })

    foreign.it(
      ["java"],
      "of ten thousand characters, which leat does not publish, are where its hash would put them",
      async () => {
        const placed = await placedByJava()
        for (const key of longTexts.map((long) => Buffer.from(long))) {
          const view = new DataView(key.buffer, key.byteOffset, key.length)
          expect(hash(view, key.length) % partitions).toBe(placed.get(key.toString("base64")))
        }
      }
    )

    for (const name of ["python", "kcat"] as const) {
      foreign.it(["java", name], `are where Java puts them by ${name}, told to partition so`, async () => {
        expect(await placedBy(name)).toEqual(await placedByJava())
      })
    }

    describeDrivers((driver) => {
      foreign.it(["java"], "are where Java puts them by leat", async () => {
        const prefix = uniqueName()
        await run(
          Effect.gen(function* () {
            const leat = yield* openLeat({ driver, bootstrap, prefix, partitions })
            for (const { contract, keyed: events } of streams) {
              const stream = yield* leat.stream(contract)
              const { admitted } = yield* stream.publishAll(events.values())
              expect(admitted).toBe(events.size)
            }
          })
        )
        const java = await placedByJava()
        for (const { contract, keyed: events } of streams) {
          const placed = await readPartitions(`${prefix}.${contract.stream}`)
          expect(placed).toHaveLength(events.size)
          const elsewhere = placed.filter(([key, partition]) => java.get(key) !== partition)
          expect(elsewhere).toEqual([])
        }
      })
    })
  })
})
