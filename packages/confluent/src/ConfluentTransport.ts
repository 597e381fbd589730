/** A connection to one Kafka cluster through librdkafka. */
import { kafkaCapabilities, kafkaDefaults, type KafkaOptions } from "@leat/kafka"
import { Effect, type Scope, Stream } from "effect"
import {
  type Capabilities,
  type EffectWriter,
  type Lane,
  type Subscription,
  type Transport,
  type TransportError,
  writerOf
} from "leat/transport"
import { type Compression, missingCodec } from "./client/compression.ts"
import { type KafkaJavascript, loadClient, whyNotLoaded } from "./client/client.ts"
import { ConfluentWriter } from "./produce/ConfluentWriter.ts"
import { Control } from "./admin/Control.ts"
import { failure, transportName } from "./client/failure.ts"
import { GroupMember } from "./group/GroupMember.ts"
import { Producers } from "./produce/Producers.ts"
import { RecordReader } from "./RecordReader.ts"

/** How a cluster is reached; the same fields as in a cluster section of a route document. */
export interface ConfluentOptions extends KafkaOptions {
  /**
   * Whether a send reports the positions of its records and, if some fail, exactly which. This needs a report for each record: more than
   * twice the processor time. Default: false.
   */
  readonly positions?: boolean | undefined
  /** How the records of a batch are compressed. Default: `none`. Records are read whatever their compression. */
  readonly compression?: Compression | undefined
}

/** Producers of one cluster; each serves its share of the partitions. A second one costs a quarter more processor time. */
const producers = 1
/** Deadline of a fence, in request timeouts. */
const fenceFactor = 3

/**
 * What Kafka can do by this driver.
 *
 * @example
 * ```ts
 * confluentCapabilities({ positions: true }).appendWithPosition // true
 * ```
 */
export function confluentCapabilities({
  positions,
  ...options
}: Pick<ConfluentOptions, "recordBytesMax" | "positions">): Capabilities {
  return kafkaCapabilities(options, {
    ordering: "perPartition",
    batch: "prefix",
    appendWithPosition: positions ?? false,
    handover: "drain",
    backpressure: "lane",
    fencing: "hard",
    dedupe: { kind: "producerSession", windowMs: Number.POSITIVE_INFINITY }
  })
}

/**
 * Connects to a cluster; everything is closed with the scope. Fails with `Unsupported` where the native addon is not there or lacks a codec, with
 * `Unavailable` where no broker can be reached.
 *
 * @example
 * ```ts
 * const transport = yield* confluentTransport({ brokers: ["localhost:9092"] })
 * const [first] = yield* transport.bounds("risk.beacons.sighting", "positions")
 * ```
 */
export const confluentTransport = Effect.fnUntraced(function* (
  options: ConfluentOptions
): Effect.fn.Return<Transport, TransportError, Scope.Scope> {
  const kafka = yield* Effect.try({
    try: loadClient,
    catch: (thrown) => failure("Unsupported", "open", whyNotLoaded(thrown))
  })
  const missing = missingCodec(kafka, options.compression ?? "none")
  if (missing !== undefined) return yield* missing
  const hasPositions = options.positions ?? false
  const control = yield* Control.open(kafka, options)
  const outlets = yield* Producers.make({ kafka, options, hasPositions, count: producers })
  const reader = yield* RecordReader.make(kafka, options, control)
  return {
    name: transportName,
    capabilities: confluentCapabilities(options),
    openWriter: (topic) =>
      Effect.flatMap(openWriter(topic, control, outlets, options), (writer) => writerOf(transportName, writer)),
    partitionsOf: (topic) => control.partitionsOf(topic),
    subscribe: (subscription) => subscribe(kafka, options, control, subscription),
    read: (topic, partition, range) => reader.read(topic, partition, range),
    bounds: (topic, group) => control.bounds(topic, group),
    ensure: (spec) => control.ensure(spec),
    topics: control.topics,
    groups: (topic) => control.groups(topic)
  }
})

function openWriter(
  topic: string,
  control: Control,
  outlets: Producers,
  options: ConfluentOptions
): Effect.Effect<EffectWriter, TransportError> {
  return Effect.gen(function* () {
    const partitions = yield* control.writable(topic)
    yield* outlets.prepare(topic)
    yield* control.served(topic, partitions)
    return new ConfluentWriter({
      topic,
      partitions,
      recordBytesMax: options.recordBytesMax ?? kafkaDefaults.recordBytesMax,
      fenceMs: (options.requestMs ?? kafkaDefaults.requestMs) * fenceFactor,
      outlet: (partition) => outlets.outlet(partition),
      end: (partition) =>
        Effect.map(control.edges("fence", topic, [partition], "latest"), (ends) => BigInt(ends.get(partition) ?? 0))
    })
  })
}

function subscribe(
  kafka: KafkaJavascript,
  options: KafkaOptions,
  control: Control,
  subscription: Subscription
): Stream.Stream<Lane, TransportError, Scope.Scope> {
  return Stream.fromEffect(
    Effect.flatMap(control.partitions("subscribe", subscription.topic), (partitions) =>
      GroupMember.join({ kafka, options, control, subscription, partitions })
    )
  ).pipe(Stream.flatMap((member) => member.lanes.stream(member.takeNoMore)))
}
