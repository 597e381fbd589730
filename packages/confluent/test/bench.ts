import { Effect, Queue, Stream } from "effect"
import {
  batchOf,
  type Lane,
  type RecordBatch,
  type Run,
  type Subscription,
  type Transport,
  type Writer,
  sendEffect
} from "leat/transport"

let topics = 0

/** A new topic and its writer. */
export const topicOf = (transport: Transport, partitions: number) =>
  Effect.gen(function* () {
    const topic = `confluent-${Date.now().toString(36)}-${topics++}`
    yield* transport.ensure({ topic, partitions })
    return { topic, writer: yield* transport.openWriter(topic) }
  })

/** Records whose values are `prefix0`, `prefix1`, ... */
export const numbered = (count: number, prefix = ""): RecordBatch =>
  batchOf(Array.from({ length: count }, (_, index) => ({ key: "k", value: `${prefix}${index}` })))

export const valuesOf = (batch: RecordBatch): ReadonlyArray<string> =>
  Array.from({ length: batch.count }, (_, index) => new TextDecoder().decode(batch.value(index) ?? undefined))

export const readValues = (transport: Transport, topic: string, partition: number) =>
  Effect.map(Stream.runCollect(transport.read(topic, partition, { fromPosition: 0n })), (batches) =>
    Array.from(batches).flatMap(({ records }) =>
      records.map(({ value }) => new TextDecoder().decode(value ?? undefined))
    )
  )

export const send = (writer: Writer, partition: number, batch: RecordBatch, withinMs: number) =>
  Effect.suspend(() => sendEffect(writer, partition, batch, 0, batch.count, withinMs))

/** As leat does: after an unknown outcome a fence, then the same range again. Returns what every try was told. */
export const sendUntilStored = (writer: Writer, partition: number, batch: RecordBatch, withinMs: number) =>
  Effect.gen(function* () {
    const told: Array<string> = []
    for (let tries = 0; tries < 50; tries++) {
      const runs: ReadonlyArray<Run> = yield* send(writer, partition, batch, withinMs)
      told.push(...new Set(runs.map(({ fate }) => fate)))
      if (runs.every(({ fate }) => fate === "stored")) return told
      if (runs.some(({ fate }) => fate === "unknown")) yield* Effect.retry(writer.fence(partition), { times: 50 })
      else yield* Effect.sleep(100)
    }
    return yield* Effect.die(new Error(`not stored: ${told.join()}`))
  })

/** The first lane that a new member of a group of this topic is given: the group has the name of the topic. */
export const firstLane = (transport: Transport, topic: string, more: Partial<Subscription> = {}) =>
  Effect.gen(function* () {
    const given = yield* Queue.unbounded<Lane>()
    yield* transport.subscribe({ topic, group: topic, from: "earliest", drainMs: 5000, ...more }).pipe(
      Stream.runForEach((lane) => Queue.offer(given, lane)),
      Effect.forkScoped
    )
    return yield* Queue.take(given)
  })

/** Pulls on and on, and puts the values aside. */
export const pullInto = (lane: Lane, seen: Array<string>) =>
  Stream.runForEach(lane.batches, ({ records }) =>
    Effect.sync(() => {
      for (const { value } of records) seen.push(new TextDecoder().decode(value ?? undefined))
    })
  )

export const until = (condition: () => boolean, withinMs = 15_000) =>
  Effect.gen(function* () {
    const startMs = Date.now()
    while (!condition()) {
      if (Date.now() - startMs > withinMs) return yield* Effect.die(new Error(`did not happen within ${withinMs} ms`))
      yield* Effect.sleep(10)
    }
  })
