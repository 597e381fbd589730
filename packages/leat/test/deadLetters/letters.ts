import { Effect, Stream } from "effect"
import { batchOf, type DeadLetter, deadLetterHeaders, type Header, sendEffect, type Transport } from "leat/transport"

export const which = { topic: "orders", group: "billing" }
export const dlq = "orders.billing.dlq"
export const replays = "orders.billing.replay"

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
export const textOf = (bytes: Uint8Array | null): string | null =>
  bytes === null ? null : new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)

/** A letter of the group, of the record at a position of the topic. */
export interface Written extends Partial<DeadLetter> {
  readonly key?: string | null
  readonly value?: string | null
  readonly headers?: ReadonlyArray<Header>
}

/** Writes letters to one partition, as a subscription does; the first one makes the topic, with two partitions. */
export const writeLetters = Effect.fnUntraced(function* (
  transport: Transport,
  partition: number,
  letters: ReadonlyArray<Written>
) {
  yield* transport.ensure({ topic: dlq, partitions: 2 })
  const writer = yield* transport.openWriter(dlq)
  const records = letters.map(({ key = "k", value = "v", headers = [], ...letter }) => {
    const said: DeadLetter = {
      by: "leat",
      ...which,
      partition,
      stage: "handle",
      tag: "Declined",
      replays: 0,
      ...letter
    }
    return { key, value, headers: [...deadLetterHeaders(said), ...headers] }
  })
  yield* sendEffect(writer, partition, batchOf(records), 0, records.length, 10_000)
}, Effect.scoped)

/** All records of a topic, partition by partition. */
export const readAll = Effect.fnUntraced(function* (transport: Pick<Transport, "read" | "bounds">, topic: string) {
  const rows = yield* transport.bounds(topic)
  return yield* Effect.forEach(rows, ({ partition, start }) =>
    Effect.map(Stream.runCollect(transport.read(topic, partition, { fromPosition: start })), (batches) =>
      batches.flatMap(({ records }) => records)
    )
  )
})
