/** Administrative requests to a cluster: topics, offsets, groups. They have a client of their own, with few requests in flight. */
import { monotonicMs } from "../client/clock.ts"
import {
  groupsTopic,
  kafkaCodes,
  kafkaDefaults,
  type KafkaOptions,
  newKafkaTopic,
  probeGroups,
  topicIdOf,
  topicStatus,
  whenTopicIsMissing
} from "@leat/kafka"
import { Effect, Schedule, type Scope, Semaphore } from "effect"
import type { PartitionBounds, TopicSpec, TopicStatus, TransportError } from "leat/transport"
import { ask } from "../client/ask.ts"
import { askingClient } from "../client/askingClient.ts"
import type { Admin, Client, ClientError, KafkaJavascript, Metadata, OffsetsOfPartition } from "../client/client.ts"
import { controlConfig } from "../client/clientConfig.ts"
import { failure, failureOf, reasonOf } from "../client/failure.ts"
import { GroupOffsets, type IdentifiedTopic, type Settled } from "./GroupOffsets.ts"

/** Each request waits in one of the four threads that all clients of the process, and Node's file system, share. */
const questionsMax = 2
const earliest = -2
const latest = -1
const readUncommitted = 0
const readCommitted = 1
/** Time until every broker knows a new topic, in milliseconds. */
const appearMs = 15_000
/** How long leaders that have moved, or that a new topic has just got, are looked for, in milliseconds. */
const leadersMs = 5000
/** Pause between two requests for a topic that is not known yet, in milliseconds. */
const lookMs = 20

export class Control {
  readonly #client: Client
  readonly #admin: Admin
  readonly #offsets: GroupOffsets
  readonly #options: KafkaOptions
  readonly #turns: Semaphore.Semaphore
  readonly #timeoutMs: number
  /** Topics that were created here, and until when a broker may not know them yet. */
  readonly #created = new Map<string, number>()

  constructor(client: Client, admin: Admin, offsets: GroupOffsets, options: KafkaOptions, turns: Semaphore.Semaphore) {
    this.#client = client
    this.#admin = admin
    this.#offsets = offsets
    this.#options = options
    this.#turns = turns
    this.#timeoutMs = options.requestMs ?? kafkaDefaults.requestMs
  }

  static readonly open = Effect.fnUntraced(function* (
    kafka: KafkaJavascript,
    options: KafkaOptions
  ): Effect.fn.Return<Control, TransportError, Scope.Scope> {
    const client = yield* askingClient(kafka, controlConfig(options), options)
    const offsets = yield* GroupOffsets.make(kafka, options)
    const turns = yield* Semaphore.make(questionsMax)
    return new Control(client, kafka.AdminClient.createFrom(client), offsets, options, turns)
  })

  /** Number of partitions of a topic; fails with `UnknownTopic` if it does not exist. Creates nothing. */
  partitions(operation: string, topic: string): Effect.Effect<number, TransportError> {
    return Effect.map(this.#known(operation, topic), ({ partitions }) => partitions.length)
  }

  /** The number of partitions of a topic, and its id: one that is made anew has another. Undefined: the brokers have no ids. */
  topicOf(
    operation: string,
    topic: string
  ): Effect.Effect<{ readonly id: string | undefined; readonly partitions: number }, TransportError> {
    return Effect.map(this.#known(operation, topic), (found) => ({
      id: idOf(found),
      partitions: found.partitions.length
    }))
  }

  /** Names of all topics. */
  get topics(): Effect.Effect<ReadonlyArray<string>, TransportError> {
    const asked = ask<Metadata>("topics", "topics", (done) =>
      this.#client.getMetadata({ allTopics: true, timeout: this.#timeoutMs }, done)
    )
    return Effect.map(this.#turns.withPermits(1)(asked), ({ topics }) => topics.map(({ name }) => name))
  }

  /** Number of partitions of a topic; for one that does not exist, the number with which `writable` would create it. */
  partitionsOf(topic: string): Effect.Effect<number, TransportError> {
    return this.#orMissing("partitionsOf", topic, Effect.succeed)
  }

  /** The same for a writer: creates a topic that does not exist, if the cluster section says so. */
  writable(topic: string): Effect.Effect<number, TransportError> {
    return this.#orMissing("openWriter", topic, (partitions) =>
      Effect.map(this.ensure({ topic, partitions }), (status) => status.partitions)
    )
  }

  /** `missing` gets the number of partitions that the cluster section has for topics that do not exist. */
  #orMissing(
    operation: string,
    topic: string,
    missing: (partitions: number) => Effect.Effect<number, TransportError>
  ): Effect.Effect<number, TransportError> {
    const { partitions } = this.#options.topic ?? {}
    return this.partitions(operation, topic).pipe(
      Effect.catch((error) => {
        if (error.reason !== "UnknownTopic") return Effect.fail(error)
        if (partitions !== undefined) return missing(partitions)
        return Effect.fail(failure("UnknownTopic", operation, `${error.detail}; ${whenTopicIsMissing}`))
      })
    )
  }

  /**
   * Waits until the leader of each partition serves it. A new partition is known before it accepts records. A producer whose first request
   * is rejected there may have its second one accepted; a retry of the first is then answered "stored", although it is lost.
   */
  served(topic: string, partitions: number): Effect.Effect<void, TransportError> {
    const all = Array.from({ length: partitions }, (_, partition) => partition)
    return this.edges("openWriter", topic, all, "latest").pipe(
      Effect.retry({
        schedule: Schedule.spaced(lookMs),
        while: ({ isRetryable, reason }) =>
          monotonicMs() < (this.#created.get(topic) ?? 0) && (isRetryable || reason === "UnknownTopic")
      })
    )
  }

  /** First or next offset of each partition; `stable`: the offset of the first open transaction, if there is one. */
  edges(
    operation: string,
    topic: string,
    partitions: ReadonlyArray<number>,
    edge: "earliest" | "latest" | "stable"
  ): Effect.Effect<ReadonlyMap<number, number>, TransportError> {
    const isolationLevel = edge === "stable" ? readCommitted : readUncommitted
    return this.#edges(operation, topic, partitions, edge === "earliest" ? earliest : latest, isolationLevel)
  }

  /** The first offset of each partition at or after a time; absent if there is none. */
  positionsAt(
    operation: string,
    topic: string,
    partitions: ReadonlyArray<number>,
    timeMs: number
  ): Effect.Effect<ReadonlyMap<number, number>, TransportError> {
    return Effect.map(
      // Negative times have another meaning to a broker.
      this.#edges(operation, topic, partitions, Math.max(0, Math.ceil(timeMs))),
      (found) => new Map([...found].filter(([, offset]) => offset >= 0))
    )
  }

  bounds(topic: string, group: string | undefined): Effect.Effect<ReadonlyArray<PartitionBounds>, TransportError> {
    return Effect.gen({ self: this }, function* () {
      const found = yield* this.#known("bounds", topic)
      const id = idOf(found)
      const partitions = Array.from({ length: found.partitions.length }, (_, partition) => partition)
      const [starts, ends, settled] = yield* Effect.all(
        [
          this.edges("bounds", topic, partitions, "earliest"),
          this.edges("bounds", topic, partitions, "latest"),
          group === undefined
            ? Effect.succeed(new Map<number, Settled>())
            : this.settled({ topic, id }, partitions, group)
        ],
        { concurrency: "unbounded" }
      )
      return partitions.map((partition) => {
        const committed = settled.get(partition)
        return {
          partition,
          start: BigInt(starts.get(partition) ?? 0),
          end: BigInt(ends.get(partition) ?? 0),
          ...(committed === undefined || committed.isOfOtherLog ? {} : { settled: BigInt(committed.offset) })
        }
      })
    })
  }

  /** Committed offsets of a group, by partition; absent if there is none. */
  settled(
    topic: IdentifiedTopic,
    partitions: ReadonlyArray<number>,
    group: string
  ): Effect.Effect<ReadonlyMap<number, Settled>, TransportError> {
    return this.#offsets.settled(topic, partitions, group)
  }

  /** Names of the groups that have a committed offset in the topic. */
  groups(topic: string): Effect.Effect<ReadonlyArray<string>, TransportError> {
    return Effect.gen({ self: this }, function* () {
      const described = yield* this.#known("groups", topic)
      const partitions = Array.from(described.partitions.keys())
      const all = yield* this.#allGroups({ topic, id: idOf(described) })
      return yield* this.#offsets.groupsOf({ topic, id: idOf(described) }, partitions, all)
    })
  }

  /**
   * A coordinator that is just beginning lists nothing, without an error: all are known to have begun before the second list, and have to be the
   * same in the end. The first list has those of one that begins anew meanwhile. Fails where a group may not be seen: others may be hidden too.
   */
  #allGroups(topic: IdentifiedTopic): Effect.Effect<ReadonlyArray<string>, TransportError> {
    const asked = ask<Parameters<Parameters<Admin["listGroups"]>[1]>[1]>("groups", "groups", (done) =>
      this.#admin.listGroups({ timeout: this.#timeoutMs }, done)
    )
    const listed = Effect.flatMap(this.#turns.withPermits(1)(asked), ({ groups, errors: [error] }) =>
      error === undefined
        ? Effect.succeed(groups.map(({ groupId }) => groupId))
        : Effect.fail(failureOf(error, "groups", "a broker does not list its groups"))
    )
    return Effect.gen({ self: this }, function* () {
      const before = yield* this.#coordinators
      const first = yield* listed
      yield* this.#offsets.proveKnown(topic, before.length === 0 ? probeGroups() : probeGroups(before.length))
      const second = yield* listed
      if (before.join() !== (yield* this.#coordinators).join())
        return yield* failure("Unavailable", "groups", "coordinators of groups have moved while they were asked")
      return [...new Set([...first, ...second])]
    })
  }

  /** Who leads each partition of their topic; empty where it is not there yet, or not for us to see. */
  get #coordinators(): Effect.Effect<ReadonlyArray<string>, TransportError> {
    return Effect.flatMap(this.#describe("groups", groupsTopic), ({ error, partitions }) => {
      const reason = error === undefined ? undefined : reasonOf(error.code)
      if (reason === "UnknownTopic" || reason === "Unauthorized") return Effect.succeed([])
      if (error !== undefined) return Effect.fail(failureOf(error, "groups", groupsTopic))
      const dark = partitions.find(({ leader }) => leader === null)
      if (dark === undefined) return Effect.succeed(partitions.map(({ leader }) => JSON.stringify(leader)))
      const detail = `${groupsTopic}/${dark.partition} has no leader at present`
      return Effect.fail(failure("Unavailable", "groups", detail))
    })
  }

  ensure(spec: TopicSpec): Effect.Effect<TopicStatus, TransportError> {
    return Effect.gen({ self: this }, function* () {
      if (!Number.isInteger(spec.partitions) || spec.partitions < 1) {
        const detail = `${spec.topic}: a topic has 1 or more partitions, not ${spec.partitions}`
        return yield* failure("Unsupported", "ensure", detail)
      }
      const before = yield* this.#describe("ensure", spec.topic)
      if (before.error === undefined) return statusOf(spec, before.partitions.length)
      if (!isUnknownTopic(before.error)) return yield* failureOf(before.error, "ensure", spec.topic)
      const isNew = yield* this.#create(spec)
      this.#created.set(spec.topic, monotonicMs() + appearMs)
      yield* this.#appeared(spec)
      if (isNew) return { status: "created", partitions: spec.partitions } as const
      return statusOf(spec, yield* this.partitions("ensure", spec.topic))
    })
  }

  /** Creates the topic; false if it exists by now. */
  #create(spec: TopicSpec): Effect.Effect<boolean, TransportError> {
    const { topic, partitions, replicationFactor, configs } = newKafkaTopic(spec, this.#options)
    const asked = {
      topic,
      num_partitions: partitions,
      replication_factor: replicationFactor,
      config: Object.fromEntries(configs.map(({ name, value }) => [name, value]))
    }
    const created = Effect.callback<boolean, TransportError>((resume) => {
      this.#admin.createTopic(asked, this.#timeoutMs, (error) => {
        if (error === undefined || error === null) resume(Effect.succeed(true))
        else if (error.code === kafkaCodes.TOPIC_ALREADY_EXISTS) resume(Effect.succeed(false))
        else resume(Effect.fail(failureOf(error, "ensure", topic)))
      })
    })
    return this.#turns.withPermits(1)(created)
  }

  /** Waits until the topic is known and each partition has a leader: the answer to its creation comes before that. */
  #appeared(spec: TopicSpec): Effect.Effect<void, TransportError> {
    const look: Effect.Effect<void, TransportError> = Effect.flatMap(
      this.#describe("ensure", spec.topic),
      ({ error, partitions }) =>
        error === undefined && partitions.length > 0 && partitions.every(({ leader }) => leader !== null)
          ? Effect.void
          : Effect.andThen(Effect.sleep(lookMs), look)
    )
    const late = failure("Unavailable", "ensure", `${spec.topic}: created, and not known to the brokers yet`)
    return Effect.timeoutOrElse(look, { duration: appearMs, orElse: () => Effect.fail(late) })
  }

  /** Fails with `UnknownTopic` for a topic that does not exist. */
  #known(operation: string, topic: string): Effect.Effect<Described, TransportError> {
    return Effect.flatMap(this.#describe(operation, topic), (described) => {
      const { error } = described
      if (error === undefined) return Effect.succeed(described)
      const isLate = isUnknownTopic(error) && monotonicMs() < (this.#created.get(topic) ?? 0)
      if (isLate) return Effect.andThen(Effect.sleep(lookMs), this.#known(operation, topic))
      return Effect.fail(failureOf(error, operation, topic))
    })
  }

  #describe(operation: string, topic: string) {
    const asked = ask<ReadonlyArray<Described>>(operation, topic, (done) =>
      this.#admin.describeTopics([topic], { timeout: this.#timeoutMs }, done)
    )
    return Effect.flatMap(this.#turns.withPermits(1)(asked), ([found]) =>
      found === undefined
        ? Effect.fail(failure("UnknownTopic", operation, `there is no topic ${topic}`))
        : Effect.succeed(found)
    )
  }

  #edges(
    operation: string,
    topic: string,
    partitions: ReadonlyArray<number>,
    timestamp: number,
    isolationLevel = readUncommitted
  ) {
    if (partitions.length === 0) return Effect.succeed<ReadonlyMap<number, number>>(new Map())
    const specs = partitions.map((partition) => ({ topic, partition, offset: { timestamp } }))
    const asked = ask<ReadonlyArray<OffsetsOfPartition>>(operation, topic, (done) =>
      this.#admin.listOffsets(specs, { timeout: this.#timeoutMs, isolationLevel }, done)
    )
    const answered = Effect.flatMap(this.#turns.withPermits(1)(asked), (rows) => rowsOf(operation, topic, rows))
    // The client keeps asking the leaders that it knows, and refreshes them only every few minutes without this request.
    const again = Effect.andThen(this.#lookForLeaders(operation, topic), Effect.andThen(Effect.sleep(lookMs), answered))
    return Effect.suspend(() => {
      const untilMs = monotonicMs() + leadersMs
      const isWorthIt = ({ isRetryable }: TransportError) => isRetryable && monotonicMs() < untilMs
      return answered.pipe(
        Effect.catch((error) => (error.isRetryable ? Effect.retry(again, { while: isWorthIt }) : Effect.fail(error)))
      )
    })
  }

  #lookForLeaders(operation: string, topic: string): Effect.Effect<void, TransportError> {
    const asked = ask(operation, topic, (done) => this.#client.getMetadata({ topic, timeout: this.#timeoutMs }, done))
    return Effect.asVoid(this.#turns.withPermits(1)(asked))
  }
}

type Described = Parameters<Parameters<Admin["describeTopics"]>[2]>[1][number]

function idOf({ topicId }: Described): string | undefined {
  return topicId === undefined ? undefined : topicIdOf(topicId.mostSignificantBits, topicId.leastSignificantBits)
}

const isUnknownTopic = ({ code }: ClientError): boolean => reasonOf(code) === "UnknownTopic"

function rowsOf(
  operation: string,
  topic: string,
  rows: ReadonlyArray<OffsetsOfPartition>
): Effect.Effect<ReadonlyMap<number, number>, TransportError> {
  const failed = rows.find(({ error }) => error !== undefined)
  if (failed?.error !== undefined) {
    return Effect.fail(failureOf(failed.error, operation, `${topic}/${failed.partition}`))
  }
  return Effect.succeed(new Map(rows.map(({ partition, offset }) => [partition, offset])))
}

/** Compares partitions only: this client cannot read the configuration of a topic. */
function statusOf(spec: TopicSpec, partitions: number): TopicStatus {
  return topicStatus({ topic: spec.topic, partitions: spec.partitions }, { partitions, configs: [] })
}
