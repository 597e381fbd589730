/** Reads of ranges without a group. Each client is assigned one partition at a time, and is kept for the next range. */
import { kafkaDefaults, type KafkaOptions } from "@leat/kafka"
import { Effect, Option, type Scope, Stream } from "effect"
import { type Range, type ReceivedBatch, TransportError } from "leat/transport"
import { attempt, closed, connected } from "./client/ask.ts"
import { monotonicMs } from "./client/clock.ts"
import type { ClientError, ClientMessage, Consumer, KafkaJavascript, TopicPartitionOffset } from "./client/client.ts"
import { readerConfig, topicConfig } from "./client/clientConfig.ts"
import type { Control } from "./admin/Control.ts"
import { failure, failureOf } from "./client/failure.ts"
import { batchesOfMessages, firstOffset, hasHole, offsetOf } from "./client/received.ts"

/** Most records of one batch. */
const batchRecords = 1000
/** Idle clients that are kept. */
const idleMax = 2
/** Wait for more records, in milliseconds, in one of the threads that all clients share. */
const waitMs = 5
/** Time between two questions where the partition ends, while nothing comes of a range, in milliseconds. */
const endLookMs = 1000
/** So many ends before that of the range, one after the other: a leader that is new may say a lower one for a moment. */
const shorterLooks = 5

export class RecordReader {
  readonly #kafka: KafkaJavascript
  readonly #options: KafkaOptions
  readonly #control: Control
  readonly #idle: Array<Reading> = []
  #isClosed = false

  constructor(kafka: KafkaJavascript, options: KafkaOptions, control: Control) {
    this.#kafka = kafka
    this.#options = options
    this.#control = control
  }

  static readonly make = (
    kafka: KafkaJavascript,
    options: KafkaOptions,
    control: Control
  ): Effect.Effect<RecordReader, never, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.sync(() => new RecordReader(kafka, options, control)),
      (reader) => reader.#close
    )

  read(topic: string, partition: number, range: Range): Stream.Stream<ReceivedBatch, TransportError> {
    const range$ = this.#positionsOf(topic, partition, range)
    return Stream.unwrap(
      Effect.map(range$, ({ at, from, to }) => {
        // The client says of nothing why it is not there: it is asked before.
        const expired: ReadonlyArray<ReceivedBatch> =
          from > at ? [{ records: [], next: BigInt(from), gap: "expired" }] : []
        if (from >= to) return Stream.fromIterable(expired)
        const reading = Effect.acquireRelease(this.#take, (one) => this.#give(one))
        const kept = Stream.unwrap(
          Effect.map(reading, (one) =>
            Stream.unwrap(
              Effect.as(
                one.assign(topic, partition, from),
                Stream.flattenIterable(Stream.unfold(from, (next) => this.#next(one, topic, partition, next, to)))
              )
            )
          )
        )
        return Stream.concat(Stream.fromIterable(expired), kept)
      })
    )
  }

  /** The batches from `at` on, and the next offset; undefined at the end. */
  #next(
    reading: Reading,
    topic: string,
    partition: number,
    at: number,
    to: number
  ): Effect.Effect<readonly [ReadonlyArray<ReceivedBatch>, number] | undefined, TransportError> {
    return Effect.flatMap(this.#received(reading, topic, partition, at, to), (received) => {
      if (received === undefined) return Effect.succeed(undefined)
      const { messages, next } = received
      const batches = (kept: number) => {
        const [batch, rest] = batchesOfMessages(messages, at, next, kept)
        return [rest === undefined ? [batch] : [batch, rest], next] as const
      }
      const first = hasHole(messages, at, next) ? reading.first(topic, partition) : 0
      if (first >= 0) return Effect.succeed(batches(first))
      // A fetch has failed since, or the brokers do not say it with each.
      const edges = this.#control.edges("read", topic, [partition], "earliest")
      return Effect.map(edges, (found) => batches(found.get(partition) ?? 0))
    })
  }

  /** What comes next. Fails where the partition has become shorter than the range: what is missing of that will never come, and the client does not say so. */
  #received(
    reading: Reading,
    topic: string,
    partition: number,
    at: number,
    to: number
  ): Effect.Effect<Received | undefined, TransportError> {
    return Effect.gen({ self: this }, function* () {
      let shorter = 0
      for (let lookAtMs = monotonicMs() + endLookMs; ;) {
        const received = yield* reading.next(topic, partition, at, to)
        if (received === undefined || received.next > at) return received
        if (monotonicMs() < lookAtMs) continue
        lookAtMs = monotonicMs() + endLookMs
        // A cluster that is away is waited for.
        const found = yield* Effect.option(this.#control.edges("read", topic, [partition], "latest"))
        const end = Option.getOrUndefined(found)?.get(partition) ?? to
        shorter = end < to ? shorter + 1 : 0
        if (shorter < shorterLooks) continue
        const detail = `${topic}/${partition} ends at offset ${end}, and had ${to} when its range was asked for: it was made anew, or has lost records; ask for what is stored now`
        return yield* failure("Unsupported", "read", detail)
      }
    })
  }

  /** The range in offsets; an open end is the current end of the partition. `at`: where it is to begin, `from`: the first one of it that is still kept. */
  #positionsOf(
    topic: string,
    partition: number,
    range: Range
  ): Effect.Effect<{ readonly at: number; readonly from: number; readonly to: number }, TransportError> {
    return Effect.gen({ self: this }, function* () {
      const count = yield* this.#control.partitions("read", topic)
      if (!(partition >= 0 && partition < count)) {
        return yield* failure("UnknownTopic", "read", `${topic} has ${count} partitions, no ${partition}`)
      }
      // Up to the first open transaction: records behind it cannot be read yet.
      const end = (yield* this.#control.edges("read", topic, [partition], "stable")).get(partition) ?? 0
      const at = (timeMs: number) =>
        Effect.map(
          this.#control.positionsAt("read", topic, [partition], timeMs),
          (found) => found.get(partition) ?? end
        )
      if ("fromTimeMs" in range) {
        const from = yield* at(range.fromTimeMs)
        return { at: from, from, to: range.toTimeMs === undefined ? end : yield* at(range.toTimeMs) }
      }
      const begin = offsetOf(range.fromPosition, "read")
      if (begin instanceof TransportError) return yield* begin
      const to = range.toPosition === undefined ? end : Math.min(end, Number(range.toPosition))
      if (begin >= to) return { at: begin, from: begin, to }
      const first = (yield* this.#control.edges("read", topic, [partition], "earliest")).get(partition) ?? 0
      return { at: begin, from: Math.min(Math.max(begin, first), to), to }
    })
  }

  readonly #take: Effect.Effect<Reading, TransportError> = Effect.suspend(() => {
    const idle = this.#idle.pop()
    if (idle !== undefined) return Effect.succeed(idle)
    const timeoutMs = this.#options.connectMs ?? kafkaDefaults.connectMs
    return attempt(
      "read",
      "the cluster section",
      () => new this.#kafka.KafkaConsumer(readerConfig(this.#options), topicConfig)
    ).pipe(
      Effect.flatMap((consumer) => connected(this.#kafka, consumer, timeoutMs, () => {})),
      Effect.map((consumer) => new Reading(consumer))
    )
  })

  #give(reading: Reading): Effect.Effect<void> {
    if (this.#isClosed || this.#idle.length >= idleMax || !reading.unassign()) return closed(reading.close)
    return Effect.sync(() => {
      this.#idle.push(reading)
    })
  }

  readonly #close: Effect.Effect<void> = Effect.suspend(() => {
    this.#isClosed = true
    return Effect.forEach(this.#idle.splice(0), ({ close }) => closed(close), {
      concurrency: "unbounded",
      discard: true
    })
  })
}

interface Received {
  readonly messages: ReadonlyArray<ClientMessage>
  /** Behind the last of them, and behind what is missing there. */
  readonly next: number
}

/** One client, and the partition that it reads. */
class Reading {
  readonly close: (done: () => void) => void
  readonly #consumer: Consumer
  #eof: TopicPartitionOffset | undefined
  #isAsking = false

  constructor(consumer: Consumer) {
    this.#consumer = consumer
    this.close = (done) => consumer.disconnect(done)
    consumer.setDefaultConsumeTimeout(waitMs)
    consumer.on("partition.eof", (eof) => {
      this.#eof = eof
    })
  }

  assign(topic: string, partition: number, offset: number): Effect.Effect<void, TransportError> {
    return attempt("read", `${topic}/${partition}`, () => {
      this.#eof = undefined
      this.#consumer.assign([{ topic, partition, offset }])
    })
  }

  /**
   * Prepares the client for another range; false if it cannot be reused. The result of a `consume` in flight would go to the other range.
   */
  unassign(): boolean {
    if (this.#isAsking) return false
    try {
      this.#consumer.unassign()
      return true
    } catch {
      return false
    }
  }

  /** As `firstOffset`. */
  first(topic: string, partition: number): number {
    return firstOffset(this.#consumer, topic, partition)
  }

  /** The messages from `at` on, and the next offset: `at` while nothing comes; undefined at the end. */
  next(topic: string, partition: number, at: number, to: number): Effect.Effect<Received | undefined, TransportError> {
    if (at >= to) return Effect.succeed(undefined)
    const consumed = Effect.callback<ReadonlyArray<ClientMessage>, TransportError>((resume) => {
      this.#isAsking = true
      this.#consumer.consume(batchRecords, (error, messages) => {
        this.#isAsking = false
        // librdkafka itself retries a transient failure.
        const found = error ? passing(error, topic, partition) : undefined
        resume(found === undefined ? Effect.succeed(error ? [] : messages) : Effect.fail(found))
      })
    })
    return Effect.flatMap(consumed, (all) => {
      // Records of the earlier range of this client may still arrive.
      const own = all.filter((one) => one.topic === topic && one.partition === partition && one.offset >= at)
      const messages = own.filter(({ offset }) => offset < to)
      const last = messages.at(-1)
      const eof = this.#eof
      const isOver =
        own.length > messages.length ||
        (eof !== undefined && eof.topic === topic && eof.partition === partition && eof.offset >= to)
      if (isOver) return Effect.succeed({ messages, next: to })
      return Effect.succeed({ messages, next: last === undefined ? at : last.offset + 1 })
    })
  }
}

function passing(error: ClientError, topic: string, partition: number): TransportError | undefined {
  const found = failureOf(error, "read", `${topic}/${partition}`)
  return found.isRetryable && found.reason !== "UnknownTopic" ? undefined : found
}
