/** What tests of retry topics share: a handler that fails and writes down its calls, and what stands in a topic. */
import { Clock, Effect, Stream } from "effect"
import { type DeliveryInfo, type MemoryBroker, memoryTransport } from "leat"
import { readDeadLetter } from "leat/transport"

export const failure = (tag: string) => Object.assign(new Error(`planted ${tag}`), { _tag: tag })

export const minute = 60_000

/** Tried twice in each lane. */
export const twice = [{ on: ["Bug"], retry: { times: 1, baseMs: 10, jitter: 0 }, then: "deadLetter" as const }]

interface Event {
  readonly key: string
  readonly text: string
}

/** Calls of a handler: key, text, attempt, and the second of the clock. */
export class RetryCalls {
  readonly seen: Array<string> = []
  readonly infos: Array<DeliveryInfo> = []
  /** What the handler of an event fails with. */
  fails: (event: Event, info: DeliveryInfo) => string | undefined = ({ key }) =>
    key.startsWith("bad") ? "Bug" : undefined

  readonly handler = (event: Event, info: DeliveryInfo): Effect.Effect<void, Error> =>
    Effect.gen({ self: this }, function* () {
      const atMs = yield* Clock.currentTimeMillis
      this.seen.push(`${event.key}${event.text}#${info.attempt}@${Math.floor(atMs / 1000)}`)
      this.infos.push(info)
      const tag = this.fails(event, info)
      if (tag !== undefined) return yield* Effect.fail(failure(tag))
    })

  /** What was called since it was asked last. */
  take(): ReadonlyArray<string> {
    return this.seen.splice(0)
  }
}

/** What a partition holds; nothing where there is no topic. */
export const recordsIn = (broker: MemoryBroker, topic: string, partition = 0) =>
  Effect.gen(function* () {
    if (broker.find(topic) === undefined) return []
    const batches = yield* Stream.runCollect(memoryTransport(broker).read(topic, partition, { fromPosition: 0n }))
    return Array.from(batches).flatMap(({ records }) => records)
  }).pipe(Effect.scoped)

export const lettersIn = (broker: MemoryBroker, topic: string) =>
  Effect.map(recordsIn(broker, topic), (records) => records.map(({ headers }) => readDeadLetter(headers)?.letter))
