/** What the tests of this driver do again and again: a topic of their own, records, and what became of them. */
import { kafkajsTransport } from "@leat/kafkajs"
import { Effect, Stream } from "effect"
import type { Scope } from "effect"
import {
  batchOf,
  type PlainRecord,
  type Range,
  type ReceivedRecord,
  type Run,
  type Transport,
  type TransportError,
  type Writer,
  sendEffect
} from "leat/transport"

let topics = 0

export const newName = (prefix: string): string => `${prefix}-${process.pid}-${Date.now().toString(36)}-${topics++}`

/** Runs a test; every connection that it opens is closed at its end. */
export const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.scoped(effect))

export interface Bench {
  readonly transport: Transport
  readonly topic: string
  readonly writer: Writer
}

/** A connection, and a topic of its own. */
export const benchAt = Effect.fnUntraced(function* (
  bootstrap: string,
  partitions = 1,
  options: Omit<Parameters<typeof kafkajsTransport>[0], "brokers"> = {}
): Effect.fn.Return<Bench, TransportError, Scope.Scope> {
  const transport = yield* kafkajsTransport({ brokers: bootstrap.split(","), ...options })
  const topic = newName("topic")
  yield* transport.ensure({ topic, partitions })
  const writer = yield* transport.openWriter(topic)
  return { transport, topic, writer }
})

export const numbered = (count: number, prefix = ""): ReadonlyArray<PlainRecord> =>
  Array.from({ length: count }, (_, index) => ({ key: "k", value: `${prefix}${index}` }))

/** Sends records as one batch, with so much time. */
export const send = (
  writer: Writer,
  records: ReadonlyArray<PlainRecord>,
  { partition = 0, withinMs = 10_000 } = {}
): Effect.Effect<Run> =>
  Effect.map(
    Effect.suspend(() => sendEffect(writer, partition, batchOf(records), 0, records.length, withinMs)),
    ([first, ...others]) => {
      if (first === undefined || others.length > 0) throw new Error(`one run was expected, not ${others.length + 1}`)
      return first
    }
  )

export const recordsOf = (
  transport: Transport,
  topic: string,
  range: Range = { fromPosition: 0n },
  partition = 0
): Effect.Effect<ReadonlyArray<ReceivedRecord>, TransportError> =>
  Effect.map(Stream.runCollect(transport.read(topic, partition, range)), (batches) =>
    batches.flatMap(({ records }) => records)
  )

export const textOf = (bytes: Uint8Array | null): string | null =>
  bytes === null ? null : Buffer.from(bytes).toString("utf8")

export const valuesOf = (records: ReadonlyArray<ReceivedRecord>): ReadonlyArray<string | null> =>
  records.map(({ value }) => textOf(value))
