import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { batchOf } from "../../src/record/batchOf.js"
import {
  type DeadLetter,
  deadLetterHeaders,
  deadLetterTopics,
  readDeadLetter,
  readResolution,
  replayHeader,
  resolutionHeader
} from "../../src/record/DeadLetter.js"
import { EventIdCursor } from "../../src/record/EventIdCursor.js"
import type { Header } from "../../src/record/Headers.js"
import { readMeta } from "../../src/record/Wire.js"

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array): string => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)
const text = fc.string({ unit: "grapheme", maxLength: 40 })
const maybe = <A>(one: fc.Arbitrary<A>) => fc.option(one, { nil: undefined })
const number = fc.nat({ max: 2 ** 31 })

const letters: fc.Arbitrary<DeadLetter> = fc
  .record({
    topic: maybe(text),
    partition: maybe(number),
    position: maybe(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })),
    group: maybe(text),
    stage: maybe(fc.constantFrom("decode", "handle", "crash", "publish")),
    tag: maybe(text),
    message: maybe(text),
    attempts: maybe(number),
    atMs: maybe(fc.maxSafeNat()),
    timeMs: maybe(fc.maxSafeNat()),
    replays: fc.nat(1000)
  })
  .map((fields) => ({ by: "leat", replays: 0, ...Object.fromEntries(said(fields)) }))
const said = (fields: object) => Object.entries(fields).filter(([, value]) => value !== undefined)

const others: fc.Arbitrary<ReadonlyArray<Header>> = fc.array(
  fc.tuple(
    text.filter((name) => !/^(leat-dlq|__dlq\.errors\.)/.test(name)),
    fc.uint8Array({ maxLength: 20 })
  ),
  { maxLength: 4 }
)

/** Headers of an event of the stream `s`, sequence 5 of bucket 3. */
const eventHeaders: ReadonlyArray<Header> = [
  ["ce_id", bytesOf("01930000-0000-7000-8000-000000000000/s/3/5")],
  ["ce_type", bytesOf("test.Event")]
]

function hasId(headers: ReadonlyArray<Header>): boolean {
  const { bytes, headersAt, origin } = batchOf([{ key: "k", value: "v", headers }]).columns(0, 1)
  return new EventIdCursor().read(bytes, (headersAt[0] ?? 0) - origin)
}

describe("the topics of a group's dead letters", () => {
  it("are of the group, with a name that Kafka takes", () => {
    expect(deadLetterTopics("orders", "billing-2")).toEqual({
      deadLetters: "orders.billing-2.dlq",
      replays: "orders.billing-2.replay"
    })
    expect(deadLetterTopics("orders", "a/b ü").deadLetters).toBe("orders.a_2fb_20_c3_bc.dlq")
  })

  it("are of no other group, and of no other topic", () => {
    const name = fc.string({
      unit: fc.constantFrom("a", "2", "0", "_", ".", " ", "€", "-"),
      minLength: 1,
      maxLength: 6
    })
    fc.assert(
      fc.property(name, name, name, name, (topic, group, otherTopic, otherGroup) => {
        fc.pre(topic !== otherTopic || group !== otherGroup)
        expect(deadLetterTopics(topic, group)).not.toEqual(deadLetterTopics(otherTopic, otherGroup))
      }),
      { numRuns: 20_000 }
    )
    expect(deadLetterTopics("shop", "a.b")).not.toEqual(deadLetterTopics("shop.a", "b"))
    expect(deadLetterTopics("t", "x y")).not.toEqual(deadLetterTopics("t", "x_20y"))
    expect(deadLetterTopics("t", " ac")).not.toEqual(deadLetterTopics("t", "€"))
  })
})

describe("a dead letter", () => {
  it("reads back as it was written, and what the record had before comes back byte for byte", () => {
    fc.assert(
      fc.property(letters, others, (letter, headers) => {
        expect(readDeadLetter([...deadLetterHeaders(letter), ...headers])).toEqual({ letter, headers })
      })
    )
  })

  it("of what was a dead letter before, or looks like one, comes back byte for byte too", () => {
    const whole = letters.map((letter) => ({
      ...letter,
      topic: "t",
      partition: 0,
      position: 1n,
      group: "g",
      message: "m"
    }))
    const alike = fc.tuple(fc.constantFrom("leat-dlq", "__dlq.errors.topic", "__dlq.errors.x"), fc.uint8Array())
    const own = fc.oneof(
      fc.tuple(others, fc.array(alike), others).map((some) => some.flat()),
      fc.tuple(whole, others).map(([letter, some]) => [...deadLetterHeaders(letter), ...some])
    )
    fc.assert(
      fc.property(whole, own, (letter, headers) => {
        const attempts = letter.attempts ?? 1
        const found = readDeadLetter([...deadLetterHeaders({ ...letter, attempts }), ...headers])
        expect(found).toEqual({ letter: { ...letter, attempts }, headers })
      })
    )
  })

  it("says in Kafka's own headers, as text, where it comes from", () => {
    const letter = { topic: "orders", partition: 2, position: 17n, group: "billing", attempts: 6, message: "declined" }
    const headers = deadLetterHeaders({ by: "leat", replays: 0, ...letter })
    expect(headers.slice(1).map(([name, value]) => [name, textOf(value)])).toEqual([
      ["__dlq.errors.topic", "orders"],
      ["__dlq.errors.partition", "2"],
      ["__dlq.errors.offset", "17"],
      ["__dlq.errors.group", "billing"],
      ["__dlq.errors.delivery.count", "6"],
      ["__dlq.errors.message", "declined"]
    ])
  })

  it("cuts a long message, and takes half of a character for what UTF-8 has instead", () => {
    const message = `\ud800${"x".repeat(5000)}`
    const found = readDeadLetter(deadLetterHeaders({ by: "leat", replays: 0, message }))
    expect(found?.letter.message).toBe(`\ufffd${"x".repeat(999)}`)
  })

  it("and its replay have no id that keeps them from being stored again, whatever the event has", () => {
    expect(hasId(eventHeaders)).toBe(true)
    expect(hasId([...deadLetterHeaders({ by: "leat", replays: 0 }), ...eventHeaders])).toBe(false)
    expect(hasId([replayHeader(1), ...eventHeaders])).toBe(false)
  })

  it("replayed is the event that it was, and says how often it was replayed", () => {
    const before = readMeta(eventHeaders, "s")
    expect(before.id).toMatchObject({ bucket: 3, seq: 5 })
    expect(readMeta([replayHeader(2), ...eventHeaders], "s")).toEqual({ ...before, replays: 2 })
  })

  it("of others is read: share groups of Kafka, Connect, Streams and Spring", () => {
    const own: Header = ["trace", bytesOf("t")]
    const textHeaders = (fields: Readonly<Record<string, string>>): ReadonlyArray<Header> =>
      Object.entries(fields).map(([name, value]) => [name, bytesOf(value)])
    const place = { topic: "orders", partition: 1, position: 9n, replays: 0 }
    const kafka = textHeaders({
      "__dlq.errors.topic": "orders",
      "__dlq.errors.partition": "1",
      "__dlq.errors.offset": "9",
      "__dlq.errors.group": "g",
      "__dlq.errors.delivery.count": "5"
    })
    expect(readDeadLetter([own, ...kafka])).toEqual({
      letter: { ...place, by: "kafka", group: "g", attempts: 5 },
      headers: [own]
    })
    const connect = textHeaders({
      "__connect.errors.topic": "orders",
      "__connect.errors.partition": "1",
      "__connect.errors.offset": "9",
      "__connect.errors.connector.name": "sink-1",
      "__connect.errors.exception.class.name": "org.example.Bad",
      "__connect.errors.exception.message": "no"
    })
    expect(readDeadLetter([...connect, own])).toEqual({
      letter: { ...place, by: "connect", group: "sink-1", tag: "org.example.Bad", message: "no" },
      headers: [own]
    })
    const streams = textHeaders({
      "__streams.errors.topic": "orders",
      "__streams.errors.partition": "1",
      "__streams.errors.offset": "9",
      "__streams.errors.exception": "Bad",
      "__streams.errors.message": "no"
    })
    expect(readDeadLetter(streams)?.letter).toEqual({ ...place, by: "streams", tag: "Bad", message: "no" })
    const spring: ReadonlyArray<Header> = [
      ["kafka_dlt-original-topic", bytesOf("orders")],
      ["kafka_dlt-original-partition", Uint8Array.of(0, 0, 0, 1)],
      ["kafka_dlt-original-offset", Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 9)],
      ["kafka_dlt-original-consumer-group", bytesOf("g")],
      ["kafka_dlt-exception-fqcn", bytesOf("Outer")],
      ["kafka_dlt-exception-cause-fqcn", bytesOf("Inner")]
    ]
    expect(readDeadLetter(spring)?.letter).toEqual({ ...place, by: "spring", group: "g", tag: "Inner" })
    expect(readDeadLetter([own])).toBeUndefined()
  })

  it("is read from any bytes without an error", () => {
    const names = fc.constantFrom(
      "leat-dlq",
      "__dlq.errors.offset",
      "__dlq.errors.partition",
      "__connect.errors.offset",
      "kafka_dlt-original-offset",
      "kafka_dlt-original-partition"
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(names, fc.uint8Array()), { minLength: 1 }), (headers) => {
        const { replays = -1, position = 0n } = readDeadLetter(headers)?.letter ?? {}
        expect([replays >= 0, typeof position]).toEqual([true, "bigint"])
      })
    )
  })
})

describe("the resolution of a dead letter", () => {
  const resolutions = fc.record(
    {
      partition: number,
      position: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
      how: fc.constantFrom("replayed" as const, "dropped" as const),
      reason: text,
      by: text,
      atMs: fc.maxSafeNat()
    },
    { requiredKeys: ["partition", "position", "how", "atMs"] }
  )

  it("reads back as it was written, and is no dead letter", () => {
    fc.assert(
      fc.property(resolutions, others, (resolution, headers) => {
        const all = [resolutionHeader(resolution), ...headers]
        expect(readResolution(all)).toEqual(resolution)
        expect(readDeadLetter(all)).toBeUndefined()
      })
    )
  })

  it("is read from nothing else", () => {
    fc.assert(
      fc.property(letters, others, (letter, headers) => {
        expect(readResolution([...deadLetterHeaders(letter), ...headers])).toBeUndefined()
      })
    )
    expect(readResolution([replayHeader(1)])).toBeUndefined()
    const resolving = (fields: object) => readResolution([["leat-dlq", bytesOf(JSON.stringify(fields))]])
    expect(resolving({ resolves: "0/1", how: "replayed" })).toEqual({
      partition: 0,
      position: 1n,
      how: "replayed",
      atMs: 0
    })
    for (const resolves of ["0/-1", "0", "a/1", 7, undefined])
      expect(resolving({ resolves, how: "dropped" })).toBeUndefined()
    expect(resolving({ resolves: "0/1", how: "lost" })).toBeUndefined()
  })
})
