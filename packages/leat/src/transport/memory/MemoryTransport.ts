/**
 * The reference transport: a broker in memory, with partitions, groups, hand-over, redelivery, replay and retention. It is
 * what runs without a route document, and what tests use; it does not lie about anything it declares.
 */
import { Clock, Effect, Result, Schema, SchemaIssue, Stream } from "effect"
import { formFault } from "../../given/formFault.ts"
import { takes } from "../../given/takes.ts"
import { monotonicMs } from "../../Wake.ts"
import { MemoryGroup } from "./MemoryGroup.ts"
import { MemoryPartition } from "./MemoryPartition.ts"
import {
  type Capabilities,
  type Driver,
  type OutgoingBatch,
  type Position,
  type Range,
  type ReceivedBatch,
  type Run,
  type TopicSpec,
  type TopicStatus,
  type Transport,
  TransportError
} from "../index.ts"

/** What a memory broker keeps, and how much of it. In a route document: the fields of a cluster with `transport: memory`. */
export interface MemoryOptions {
  /** Partitions of a topic that is created by its first use; 4 when absent. */
  readonly partitions?: number | undefined
  /** Largest record in bytes; 1 MiB when absent. */
  readonly recordBytesMax?: number | undefined
  /**
   * Bytes that a partition keeps before it lets the oldest go, or compacts what is compacted; 256 MiB when absent. The batch that came last is kept,
   * however large it is, and so is the last record of each key in a compacted topic.
   */
  readonly retentionBytes?: number | undefined
}

const partitionsDefault = 4
const recordBytesMaxDefault = 1024 * 1024
const retentionBytesDefault = 256 * 1024 * 1024

/** Bytes up to which small batches are kept together. */
const chunkBytesMost = 64 * 1024

class Topic {
  readonly spec: TopicSpec
  readonly partitions: ReadonlyArray<MemoryPartition>
  readonly groups = new Map<string, MemoryGroup>()

  constructor(spec: TopicSpec) {
    this.spec = spec
    this.partitions = Array.from({ length: spec.partitions }, () => new MemoryPartition())
  }

  group(name: string): MemoryGroup {
    let group = this.groups.get(name)
    if (group === undefined) {
      group = new MemoryGroup(this.spec.topic, name, this.partitions)
      this.groups.set(name, group)
    }
    return group
  }
}

/**
 * The broker: what several transports, as several processes would, connect to. Everything in it is gone with the object.
 *
 * @example
 * ```ts
 * const broker = new MemoryBroker({ partitions: 4 })
 * const leat = yield* Leat.make({ source: "test", drivers: [memoryDriver(broker)] })
 * const sightings = yield* leat.stream(BeaconSighting)
 * broker.topics // ["risk.beacons.sighting"]
 * ```
 */
export class MemoryBroker {
  /** What was asked for, with every default filled in. */
  readonly options: { readonly [Name in keyof MemoryOptions]-?: number }
  readonly #topics = new Map<string, Topic>()

  constructor({ partitions, recordBytesMax, retentionBytes }: MemoryOptions = {}) {
    this.options = {
      partitions: partitions ?? partitionsDefault,
      recordBytesMax: recordBytesMax ?? recordBytesMaxDefault,
      retentionBytes: retentionBytes ?? retentionBytesDefault
    }
  }

  /** Names of the topics that there are, in the order they were made. */
  get topics(): ReadonlyArray<string> {
    return Array.from(this.#topics.keys())
  }

  /** The topic, created on first use with the broker's number of partitions. */
  topic(name: string): Topic {
    return this.#topics.get(name) ?? this.#create({ topic: name, partitions: this.options.partitions })
  }

  /** The topic, if it is there; creates none. */
  find(name: string): Topic | undefined {
    return this.#topics.get(name)
  }

  /** Creates a topic, or says how the one that is there differs from what is asked; changes nothing then. */
  ensure(spec: TopicSpec): TopicStatus {
    const found = this.#topics.get(spec.topic)
    if (found === undefined) return { status: "created", partitions: this.#create(spec).partitions.length }
    const partitions = found.partitions.length
    const differences = [
      ["partitions", spec.partitions, partitions] as const,
      ["compacted", spec.compacted ?? false, found.spec.compacted ?? false] as const,
      ["retention.timeMs", spec.retention?.timeMs, found.spec.retention?.timeMs] as const,
      ["retention.bytes", spec.retention?.bytes, found.spec.retention?.bytes] as const
    ].flatMap(([property, asked, has]) =>
      asked === has ? [] : [{ property, asked: String(asked ?? "default"), found: String(has ?? "default") }]
    )
    return differences.length === 0 ? { status: "exists", partitions } : { status: "differs", partitions, differences }
  }

  /** Lets compacted topics keep only the last record of each key, as a broker does now and then. */
  compact(): void {
    for (const { spec, partitions } of this.#topics.values()) {
      if (spec.compacted === true) for (const partition of partitions) partition.compact()
    }
  }

  #create(spec: TopicSpec): Topic {
    const topic = new Topic(spec)
    this.#topics.set(spec.topic, topic)
    return topic
  }
}

/** What a memory broker with these options can do. */
export function memoryCapabilities(options: MemoryOptions = {}): Capabilities {
  return {
    ordering: "perPartition",
    // A send is answered before the next one can be handed over.
    pipeline: 5,
    batch: "atomic",
    appendWithPosition: true,
    replay: { offset: true, time: true },
    groups: "broker",
    handover: "drain",
    backpressure: "lane",
    fencing: "hard",
    acks: ["leader"],
    dedupe: { kind: "none", windowMs: 0 },
    transactions: false,
    compaction: true,
    headers: { binary: true, duplicates: true },
    recordBytesMax: options.recordBytesMax ?? recordBytesMaxDefault,
    lag: "exact",
    partitions: "fixed",
    ephemeral: true
  }
}

/**
 * A connection to a broker, as a driver would open it: for raw reads in tests, and for the conformance suite.
 *
 * @example
 * ```ts
 * const transport = memoryTransport(broker)
 * const [first] = yield* transport.bounds("risk.beacons.sighting")
 * first // { partition: 0, start: 0n, end: 12n }
 * ```
 */
export function memoryTransport(broker: MemoryBroker): Transport {
  takes("memoryTransport", "a MemoryBroker", broker instanceof MemoryBroker, broker)
  return {
    name: "memory",
    capabilities: memoryCapabilities(broker.options),
    openWriter: (name) =>
      Effect.map(Clock.Clock, (clock) => {
        const topic = broker.topic(name)
        return {
          partitions: topic.partitions.length,
          send: (partition, batch, from, to, _timeoutMs, answer) =>
            answer([append(broker, topic, { partition, batch, from, to }, monotonicMs(clock))]),
          // A send is stored or not when it returns: there is never anything on its way that could still land.
          fence: (partition) => Effect.map(partitionOf(topic, partition, "fence"), (log): Position => log.end)
        }
      }),
    partitionsOf: (name) => Effect.sync(() => broker.find(name)?.partitions.length ?? broker.options.partitions),
    subscribe: ({ topic, group, from, drainMs }) =>
      Stream.suspend(() => broker.topic(topic).group(group).join(from, drainMs)),
    read: (name, partition, range) =>
      Stream.unwrap(
        Effect.map(
          Effect.flatMap(topicOf(broker, name, "read"), (topic) => partitionOf(topic, partition, "read")),
          (log) => readRange(log, range)
        )
      ),
    bounds: (name, group) =>
      Effect.map(topicOf(broker, name, "bounds"), (topic) =>
        topic.partitions.map(({ start, end }, partition) => {
          const settled = group === undefined ? undefined : topic.groups.get(group)?.settled(partition)
          return settled === undefined ? { partition, start, end } : { partition, start, end, settled }
        })
      ),
    ensure: (spec) =>
      Number.isInteger(spec.partitions) && spec.partitions > 0
        ? Effect.sync(() => broker.ensure(spec))
        : Effect.fail(failure("Unsupported", "ensure", `a topic has 1 or more partitions, not ${spec.partitions}`)),
    topics: Effect.sync(() => broker.topics),
    groups: (name) =>
      Effect.map(topicOf(broker, name, "groups"), ({ groups }) =>
        Array.from(groups).flatMap(([group, { hasBegun }]) => (hasBegun ? [group] : []))
      ),
    trim: (name, partition, before) =>
      topicOf(broker, name, "trim").pipe(
        Effect.flatMap((topic) => partitionOf(topic, partition, "trim")),
        Effect.map((log) => log.trim(before))
      )
  }
}

const Config = Schema.Struct({
  partitions: Schema.optionalKey(
    Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000 })).annotate({ examples: [8] })
  ),
  recordBytesMax: Schema.optionalKey(
    Schema.Int.check(Schema.isBetween({ minimum: 256, maximum: 1024 ** 3 })).annotate({ examples: [1_048_576] })
  ),
  retentionBytes: Schema.optionalKey(
    Schema.Int.check(Schema.isBetween({ minimum: 4096, maximum: 1024 ** 4 })).annotate({ examples: [268_435_456] })
  )
})
const decodeConfig = Schema.decodeUnknownResult(Config, { errors: "all", onExcessProperty: "error" })
const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1()

/** `shared`: the broker that all clusters of the driver are; without one each has its own. */
function driver(brokerOf: (options: MemoryOptions) => MemoryBroker, shared?: MemoryBroker): Driver {
  const addresses = shared === undefined ? [] : [shared]
  return {
    name: "memory",
    inspect: (config) => {
      const decoded = decodeConfig(config)
      if (Result.isSuccess(decoded)) return { capabilities: memoryCapabilities(decoded.success), addresses }
      const { issues } = formatIssues(decoded.failure.issue)
      return { issues: issues.map((issue) => formFault(issue, Config)) }
    },
    open: (cluster, config) =>
      Effect.suspend(() => {
        const decoded = decodeConfig(config)
        if (Result.isSuccess(decoded)) return Effect.succeed(memoryTransport(brokerOf(decoded.success)))
        return Effect.fail(failure("Unsupported", "open", `cluster ${cluster}: ${decoded.failure.message}`))
      })
  }
}

/**
 * The driver that route documents call `memory`: each cluster is a broker of its own, gone with its leat. It is always
 * allowed and need not be named among `drivers`.
 *
 * @example
 * ```ts
 * const routes = {
 *   version: 1,
 *   clusters: { local: { transport: "memory", partitions: 8 } },
 *   routes: [{ match: { stream: "*" }, to: [{ cluster: "local", topic: "{stream}" }] }]
 * }
 * const table = Routes.compile(routes, { drivers: [memory], contracts: [BeaconSighting] })
 * ```
 */
export const memory: Driver = driver((options) => new MemoryBroker(options))

/**
 * The same over a broker that is already there, so that several leats share it as processes share a cluster.
 *
 * @example
 * ```ts
 * const broker = new MemoryBroker()
 * const publisher = yield* Leat.make({ source: "mobile-app", drivers: [memoryDriver(broker)] })
 * const consumer = yield* Leat.make({ source: "positions", drivers: [memoryDriver(broker)] })
 * ```
 */
export function memoryDriver(broker: MemoryBroker): Driver {
  return driver(() => broker, broker)
}

interface Appending {
  readonly partition: number
  readonly batch: OutgoingBatch
  readonly from: number
  readonly to: number
}

function append(
  { options }: MemoryBroker,
  { partitions, spec }: Topic,
  { partition, batch, from, to }: Appending,
  nowMs: number
): Run {
  const log = partitions[partition]
  if (log === undefined) {
    const detail = `${spec.topic} has ${partitions.length} partitions, no ${partition}`
    return { from, to, fate: "notStored", error: failure("UnknownTopic", "send", detail) }
  }
  // What all of them take no single one exceeds.
  const mayBeLarge = batch.rangeBytes(from, to) + batch.noticeBytes > options.recordBytesMax
  for (let index = mayBeLarge ? from : to; index < to; index++) {
    const bytes = batch.recordBytes(index)
    if (bytes <= options.recordBytesMax) continue
    const detail = `a record of ${bytes} bytes; the limit is ${options.recordBytesMax}`
    return { from, to, fate: "notStored", error: failure("TooLarge", "send", detail) }
  }
  const { timeMs, bytes = options.retentionBytes } = spec.retention ?? {}
  // What is kept by its age goes batch by batch, and what is kept by its size in small parts of that.
  const chunkBytesMax = timeMs === undefined ? Math.min(chunkBytesMost, bytes / 16) : 0
  const base = log.append(batch, from, to, nowMs, chunkBytesMax)
  // A compacted topic has no retention, unless its own spec sets one.
  if (spec.compacted === true && spec.retention === undefined) log.compactOver(bytes)
  else log.retain(timeMs === undefined ? Number.NEGATIVE_INFINITY : nowMs - timeMs, bytes)
  return { from, to, fate: "stored", base }
}

function readRange(log: MemoryPartition, range: Range): Stream.Stream<ReceivedBatch> {
  return Stream.suspend(() => {
    const isByTime = "fromTimeMs" in range
    const to = isByTime
      ? range.toTimeMs === undefined
        ? log.end
        : log.positionAt(range.toTimeMs)
      : (range.toPosition ?? log.end)
    const from = isByTime ? log.positionAt(range.fromTimeMs) : range.fromPosition
    return Stream.unfold(from, (at) =>
      Effect.sync(() => {
        const batch = log.read(at, to)
        return batch === undefined ? undefined : ([batch, batch.next] as const)
      })
    )
  })
}

function topicOf(broker: MemoryBroker, name: string, operation: string): Effect.Effect<Topic, TransportError> {
  return Effect.suspend(() => {
    const topic = broker.find(name)
    return topic === undefined
      ? Effect.fail(failure("UnknownTopic", operation, `there is no topic ${name}`))
      : Effect.succeed(topic)
  })
}

function partitionOf(
  topic: Topic,
  partition: number,
  operation: string
): Effect.Effect<MemoryPartition, TransportError> {
  const log = topic.partitions[partition]
  if (log !== undefined) return Effect.succeed(log)
  return Effect.fail(
    failure("UnknownTopic", operation, `${topic.spec.topic} has ${topic.partitions.length} partitions, no ${partition}`)
  )
}

function failure(reason: TransportError["reason"], operation: string, detail: string): TransportError {
  return new TransportError({ reason, transport: "memory", operation, detail })
}
