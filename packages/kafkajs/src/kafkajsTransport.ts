/**
 * The transport for Kafka over connections of kafkajs. The retries, partitioning, commits, idempotence and groups of kafkajs are not used;
 * docs/decisions/0014 says why.
 */
import { kafkaDefaults, type KafkaOptions, whenTopicIsMissing } from "@leat/kafka"
import { Effect, type Scope, Stream } from "effect"
import {
  type Lane,
  OfferedLanes,
  type PartitionBounds,
  type Subscription,
  type Transport,
  type TransportError,
  writerOf
} from "leat/transport"
import { Brokers, type TopicLeaders } from "./client/Brokers.ts"
import { failure, failureOf, transportName } from "./client/failureOf.ts"
import { settingsOf } from "./client/Settings.ts"
import { ensureTopic } from "./ensureTopic.ts"
import { GroupMember } from "./group/GroupMember.ts"
import { groupsOf } from "./groupsOf.ts"
import { kafkajsCapabilities } from "./kafkajsCapabilities.ts"
import { KafkajsWriter } from "./KafkajsWriter.ts"
import { positionsAt, settledPositions } from "./Offsets.ts"
import { readRange } from "./readRange.ts"

/**
 * Connects to a cluster; closes with the scope. Fails when no broker can be reached, or authentication fails.
 *
 * @example
 * ```ts
 * const transport = yield* kafkajsTransport({ brokers: ["k1:9092"] })
 * const [first] = yield* transport.bounds("risk.beacons.sighting", "positions")
 * ```
 */
export const kafkajsTransport = (options: KafkaOptions): Effect.Effect<Transport, TransportError, Scope.Scope> =>
  Effect.gen(function* () {
    const context = yield* Effect.context<never>()
    const log = (sentence: string) => void Effect.runForkWith(context)(Effect.logDebug(sentence))
    const brokers = yield* Effect.acquireRelease(
      Effect.sync(() => new Brokers(settingsOf(options, log))),
      (open) => Effect.sync(() => open.close())
    )
    yield* tried("open", () => brokers.anyLink("ask"))
    return transportOver(brokers, options)
  })

const tried = <A>(operation: string, run: () => Promise<A>): Effect.Effect<A, TransportError> =>
  Effect.tryPromise({ try: run, catch: (error) => failureOf(error, operation, "kafka") })

function transportOver(brokers: Brokers, options: KafkaOptions): Transport {
  const capabilities = kafkajsCapabilities(options)
  return {
    name: transportName,
    capabilities,
    openWriter: (topic) =>
      Effect.flatMap(
        tried("openWriter", () => openTopic(brokers, options, topic)),
        ({ partitions }) =>
          writerOf(transportName, new KafkajsWriter(brokers, topic, partitions, capabilities.recordBytesMax))
      ),
    partitionsOf: (topic) => tried("partitionsOf", () => partitionsOf(brokers, options, topic)),
    subscribe: (subscription) => subscribe(brokers, options, subscription),
    read: (topic, partition, range) => readRange(brokers, topic, partition, range),
    bounds: (topic, group) => tried("bounds", () => boundsOf(brokers, topic, group)),
    ensure: (spec) => tried("ensure", () => ensureTopic(brokers, options, spec)),
    topics: tried("topics", () => brokers.topics()),
    groups: (topic) => tried("groups", () => groupsOf(brokers, topic))
  }
}

/** The topic; created if it does not exist and the options say how. */
async function openTopic(brokers: Brokers, options: KafkaOptions, topic: string): Promise<TopicLeaders> {
  try {
    return await brokers.lookUp(topic)
  } catch (error) {
    const partitions = partitionsIfMissing(error, options, topic)
    await ensureTopic(brokers, options, { topic, partitions })
    return brokers.lookUp(topic)
  }
}

/** The number of partitions of the topic, or the number with which `openTopic` would create it. */
async function partitionsOf(brokers: Brokers, options: KafkaOptions, topic: string): Promise<number> {
  try {
    return (await brokers.lookUp(topic)).partitions
  } catch (error) {
    return partitionsIfMissing(error, options, topic)
  }
}

/** The number of partitions with which a missing topic is created; throws the error if it is another one, or says what to do. */
function partitionsIfMissing(error: unknown, options: KafkaOptions, topic: string): number {
  const { reason, operation, detail } = failureOf(error, "metadata", topic)
  if (reason !== "UnknownTopic") throw error
  const partitions = options.topic?.partitions
  if (partitions === undefined) throw failure(reason, operation, `${detail}; ${whenTopicIsMissing}`)
  return partitions
}

async function boundsOf(
  brokers: Brokers,
  topic: string,
  group: string | undefined
): Promise<ReadonlyArray<PartitionBounds>> {
  // Not from the cache: it knows nothing of partitions that were added, or of a topic that was created anew.
  const { id, leaders } = await brokers.lookUp(topic)
  const partitions = [...leaders.keys()].toSorted((left, right) => left - right)
  const [starts, ends, settled] = await Promise.all([
    positionsAt(brokers, topic, partitions, "earliest"),
    positionsAt(brokers, topic, partitions, "latest"),
    group === undefined ? undefined : settledPositions(brokers, group, { topic, id }, partitions)
  ])
  return partitions.map((partition) => {
    const bounds = { partition, start: starts.get(partition) ?? 0n, end: ends.get(partition) ?? 0n }
    const found = settled?.get(partition)
    return found === undefined || found.isOfOtherLog ? bounds : { ...bounds, settled: found.position }
  })
}

function subscribe(
  brokers: Brokers,
  options: KafkaOptions,
  { topic, group, from, drainMs }: Subscription
): Stream.Stream<Lane, TransportError, Scope.Scope> {
  const join = Effect.gen(function* () {
    const lanes = yield* OfferedLanes.make
    const membership = { topic, group, from, drainMs, sessionMs: options.sessionMs ?? kafkaDefaults.sessionMs }
    const member = new GroupMember(brokers, membership, {
      given: (held) => lanes.offer(held),
      failed: (error) => lanes.fail(error)
    })
    yield* Effect.addFinalizer(() => Effect.promise(() => member.leave()))
    void member.run()
    return lanes.stream(Effect.sync(() => member.takeNoMore()))
  })
  return Stream.fromEffect(
    Effect.andThen(
      tried("subscribe", () => openTopic(brokers, options, topic)),
      Effect.uninterruptible(join)
    )
  ).pipe(Stream.flatten)
}
