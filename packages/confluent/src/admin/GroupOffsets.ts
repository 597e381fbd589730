/**
 * Committed offsets of groups, read by a client with the group's id that never joins it. The admin client is not used: it crashes on the
 * answer NOT_COORDINATOR (a null pointer in librdkafka), or asks the old coordinator for minutes after the coordinator has moved.
 */
import { begunWithIn, isOfOtherLog, kafkaCodes, kafkaDefaults, type KafkaOptions } from "@leat/kafka"
import { Effect, Exit, Scope, Semaphore } from "effect"
import type { TransportError } from "leat/transport"
import { ask } from "../client/ask.ts"
import { askingClient } from "../client/askingClient.ts"
import type { Consumer, KafkaJavascript } from "../client/client.ts"
import { offsetsConfig } from "../client/clientConfig.ts"
import { codeOfThrown, failureOf } from "../client/failure.ts"

/** Clients that are kept; each has some threads. */
const clientsMax = 16
/** Of those that are closed again. Each request waits in one of the four threads that the whole process shares. */
const clientsAtATime = 2

/** A topic, and its id: one that is made anew has another. Undefined: the brokers have no ids. */
export interface IdentifiedTopic {
  readonly topic: string
  readonly id: string | undefined
}

/** A committed offset. */
export interface Settled {
  readonly offset: number
  /** It was committed in a topic of the same name that is no more: it says nothing of this one. */
  readonly isOfOtherLog: boolean
  /** Partitions that the topic had when the group began in it; absent: nobody has said so. */
  readonly begunWith?: number | undefined
}

interface Asked {
  readonly topic: IdentifiedTopic
  readonly partitions: ReadonlyArray<number>
  readonly group: string
  readonly operation: string
}

interface Asking {
  readonly client: Consumer
  readonly scope: Scope.Closeable
}

export class GroupOffsets {
  readonly #kafka: KafkaJavascript
  readonly #options: KafkaOptions
  /** By group, the least recently used first. */
  readonly #clients = new Map<string, Asking>()
  /** One request in flight, so that no client is closed during a request. */
  readonly #turns = Semaphore.makeUnsafe(1)

  private constructor(kafka: KafkaJavascript, options: KafkaOptions) {
    this.#kafka = kafka
    this.#options = options
  }

  static readonly make = (
    kafka: KafkaJavascript,
    options: KafkaOptions
  ): Effect.Effect<GroupOffsets, never, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.sync(() => new GroupOffsets(kafka, options)),
      (offsets) => offsets.#close
    )

  /** By partition; absent if nothing is committed. */
  settled(
    topic: IdentifiedTopic,
    partitions: ReadonlyArray<number>,
    group: string
  ): Effect.Effect<ReadonlyMap<number, Settled>, TransportError> {
    const asked = { topic, partitions, group, operation: "bounds" }
    return this.#turns.withPermits(1)(Effect.flatMap(this.#clientOf(group), (client) => this.#ask(client, asked)))
  }

  /** Those of `groups` that have committed something there. Each is asked by a client that is closed at once: there may be very many. */
  groupsOf(
    topic: IdentifiedTopic,
    partitions: ReadonlyArray<number>,
    groups: ReadonlyArray<string>
  ): Effect.Effect<ReadonlyArray<string>, TransportError> {
    return Effect.map(
      Effect.forEach(groups, (group) => this.#askOnce({ topic, partitions, group, operation: "groups" }), {
        concurrency: clientsAtATime
      }),
      (all) =>
        all.flatMap((found, index) =>
          [...found.values()].some((one) => !one.isOfOtherLog) ? groups.slice(index, index + 1) : []
        )
    )
  }

  /**
   * Fails where one of these groups has no coordinator that answers, or may not be asked for. The admin client would end the process: its
   * description of a group that has an error is a null pointer.
   */
  proveKnown(topic: IdentifiedTopic, groups: ReadonlyArray<string>): Effect.Effect<void, TransportError> {
    return Effect.forEach(groups, (group) => this.#askOnce({ topic, partitions: [0], group, operation: "groups" }), {
      concurrency: clientsAtATime,
      discard: true
    })
  }

  #askOnce(asked: Asked): Effect.Effect<ReadonlyMap<number, Settled>, TransportError> {
    return askingClient(this.#kafka, offsetsConfig(this.#options, asked.group), this.#options).pipe(
      Effect.flatMap((client) => this.#ask(client, asked)),
      Effect.scoped
    )
  }

  #ask(
    client: Consumer,
    { topic: { topic, id }, partitions, group, operation }: Asked
  ): Effect.Effect<ReadonlyMap<number, Settled>, TransportError> {
    const timeoutMs = this.#options.requestMs ?? kafkaDefaults.requestMs
    const asked = partitions.map((partition) => ({ topic, partition }))
    const what = `group ${group}`
    return Effect.gen(function* () {
      const rows = yield* ask<Parameters<Parameters<Consumer["committed"]>[2]>[1]>(operation, what, (done) =>
        client.committed(asked, timeoutMs, done)
      )
      const found = new Map<number, Settled>()
      for (const row of rows) {
        if (row instanceof Error) {
          const code = codeOfThrown(row) ?? kafkaCodes.UNKNOWN_SERVER_ERROR
          return yield* failureOf({ code, message: "" }, operation, what)
        }
        const { partition, offset, metadata } = row
        if (offset !== undefined && offset >= 0)
          found.set(partition, {
            offset,
            isOfOtherLog: isOfOtherLog(metadata, id),
            begunWith: begunWithIn(metadata, id)
          })
      }
      return found
    })
  }

  #clientOf(group: string): Effect.Effect<Consumer, TransportError> {
    return Effect.gen({ self: this }, function* () {
      const found = this.#clients.get(group)
      this.#clients.delete(group)
      const asking = found ?? (yield* this.#open(group))
      this.#clients.set(group, asking)
      const [oldest] = this.#clients
      if (this.#clients.size > clientsMax && oldest !== undefined) {
        this.#clients.delete(oldest[0])
        yield* Scope.close(oldest[1].scope, Exit.void)
      }
      return asking.client
    })
  }

  #open(group: string): Effect.Effect<Asking, TransportError> {
    return Effect.gen({ self: this }, function* () {
      const scope = yield* Scope.make()
      const client = yield* Scope.provide(
        askingClient(this.#kafka, offsetsConfig(this.#options, group), this.#options),
        scope
      ).pipe(Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))))
      return { client, scope }
    })
  }

  readonly #close: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach(this.#clients.values(), ({ scope }) => Scope.close(scope, Exit.void), { discard: true })
  )
}
