/**
 * Committed offsets of groups, read by a client with the group's id that never joins it. The admin client is not used: it crashes on the
 * answer NOT_COORDINATOR (a null pointer in librdkafka), or asks the old coordinator for minutes after the coordinator has moved.
 */
import { isOfOtherLog, kafkaCodes, kafkaDefaults, type KafkaOptions } from "@leat/kafka"
import { Effect, Exit, Scope, Semaphore } from "effect"
import type { TransportError } from "leat/transport"
import { ask } from "../client/ask.ts"
import { askingClient } from "../client/askingClient.ts"
import type { Consumer, KafkaJavascript } from "../client/client.ts"
import { offsetsConfig } from "../client/clientConfig.ts"
import { codeOfThrown, failureOf } from "../client/failure.ts"

/** Clients that are kept; each has some threads. */
const clientsMax = 16

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
    { topic, id }: IdentifiedTopic,
    partitions: ReadonlyArray<number>,
    group: string
  ): Effect.Effect<ReadonlyMap<number, Settled>, TransportError> {
    const timeoutMs = this.#options.requestMs ?? kafkaDefaults.requestMs
    const asked = partitions.map((partition) => ({ topic, partition }))
    const what = `group ${group}`
    return this.#turns.withPermits(1)(
      Effect.gen({ self: this }, function* () {
        const client = yield* this.#clientOf(group)
        const rows = yield* ask<Parameters<Parameters<Consumer["committed"]>[2]>[1]>("bounds", what, (done) =>
          client.committed(asked, timeoutMs, done)
        )
        const found = new Map<number, Settled>()
        for (const row of rows) {
          if (row instanceof Error)
            return yield* failureOf(
              { code: codeOfThrown(row) ?? kafkaCodes.UNKNOWN_SERVER_ERROR, message: "" },
              "bounds",
              what
            )
          const { partition, offset, metadata } = row
          if (offset !== undefined && offset >= 0)
            found.set(partition, { offset, isOfOtherLog: isOfOtherLog(metadata, id) })
        }
        return found
      })
    )
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
