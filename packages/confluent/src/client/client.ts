/**
 * The low-level API of @confluentinc/kafka-javascript, as far as this driver uses it, and how the native addon is loaded: when
 * the first cluster is opened, not when this package is imported, because not every machine has it.
 */
import { createRequire } from "node:module"

/** An error of the client: librdkafka's code, negative where it is librdkafka's own and not a broker's. */
export interface ClientError {
  readonly code: number
  readonly message: string
}

/** An entry of librdkafka's log. */
export interface LogEntry {
  /** What it is about: `FAIL` for a connection that failed. */
  readonly fac: string
  readonly message: string
}

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

export interface TopicPartitionOffset extends TopicPartition {
  readonly offset: number
}

/** The outcome of one message; `opaque` is the value that was passed with it. */
export interface DeliveryReport extends TopicPartition {
  /** Negative: not known. */
  readonly offset: number
  readonly key: Buffer | null
  /** Only with `dr_msg_cb`. */
  readonly value?: Buffer | null
  readonly timestamp?: number
  readonly opaque?: unknown
}

export interface ClientMessage extends TopicPartitionOffset {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly timestamp: number
  readonly headers?: ReadonlyArray<object>
}

export interface TopicMetadata {
  readonly name: string
  readonly partitions: ReadonlyArray<{ readonly id: number; readonly leader: number }>
}

export interface Metadata {
  readonly brokers: ReadonlyArray<{ readonly id: number }>
  readonly topics: ReadonlyArray<TopicMetadata>
}

type Done<A = void> = (error: ClientError | null | undefined, value: A) => void

export type ClientConfig = Record<string, unknown>

/** What producers and consumers have in common. */
export interface Client {
  connect(options: { readonly timeout: number; readonly topic?: string }, done: Done<Metadata>): void
  disconnect(done: () => void): void
  getMetadata(
    options: { readonly topic?: string; readonly allTopics?: boolean; readonly timeout: number },
    done: Done<Metadata>
  ): void
  isConnected(): boolean
  on(event: "event.error", listener: (error: ClientError) => void): void
  on(event: "event.log", listener: (entry: LogEntry) => void): void
  on(event: "event.stats", listener: (stats: { readonly message: string }) => void): void
  on(event: "delivery-report", listener: (error: ClientError | null, report: DeliveryReport) => void): void
  on(event: "partition.eof", listener: (eof: TopicPartitionOffset) => void): void
  on(event: "error", listener: (error: unknown) => void): void
}

export interface Producer extends Client {
  produce(
    topic: string,
    partition: number,
    value: Uint8Array | null,
    key: Uint8Array | null,
    timestamp: number | undefined,
    opaque: unknown,
    headers: ReadonlyArray<object> | undefined
  ): void
  flush(timeoutMs: number, done: (error: ClientError | null | undefined) => void): void
  setPollInBackground(isSet: boolean): void
  /** Without the flush that `disconnect` begins with. */
  _disconnect(done: () => void): void
}

export interface Consumer extends Client {
  subscribe(topics: ReadonlyArray<string>): void
  unsubscribe(): void
  assign(partitions: ReadonlyArray<TopicPartitionOffset>): void
  unassign(): void
  incrementalAssign(partitions: ReadonlyArray<TopicPartitionOffset>): void
  incrementalUnassign(partitions: ReadonlyArray<TopicPartition>): void
  rebalanceProtocol(): string
  assignmentLost(): boolean
  setDefaultConsumeTimeout(timeoutMs: number): void
  consume(count: number, done: Done<ReadonlyArray<ClientMessage>>): void
  /** Of the last fetch: librdkafka sets them before it gives the records of it. Negative: not known. Throws for what it does not know. */
  getWatermarkOffsets(topic: string, partition: number): { readonly lowOffset: number; readonly highOffset: number }
  pause(partitions: ReadonlyArray<TopicPartition>): void
  resume(partitions: ReadonlyArray<TopicPartition>): void
  committed(
    partitions: ReadonlyArray<TopicPartition>,
    timeoutMs: number,
    done: Done<
      ReadonlyArray<{ readonly partition: number; readonly offset?: number; readonly metadata?: string } | Error>
    >
  ): void
  /** Only queues the commit; `offset_commit_cb` has its result. */
  commit(offsets: ReadonlyArray<TopicPartitionOffset & { readonly metadata?: string }>): void
}

export interface OffsetsOfPartition extends TopicPartitionOffset {
  readonly error?: ClientError
}

export interface Admin {
  createTopic(
    topic: {
      readonly topic: string
      readonly num_partitions: number
      readonly replication_factor: number
      readonly config: Readonly<Record<string, string>>
    },
    timeoutMs: number,
    done: (error?: ClientError) => void
  ): void
  describeTopics(
    topics: ReadonlyArray<string>,
    options: { readonly timeout: number },
    done: Done<
      ReadonlyArray<{
        readonly name: string
        readonly error?: ClientError
        /** Zero: the brokers have no ids. */
        readonly topicId?: { readonly mostSignificantBits: bigint; readonly leastSignificantBits: bigint }
        readonly partitions: ReadonlyArray<{ readonly partition: number; readonly leader: unknown }>
      }>
    >
  ): void
  /** Failures to list those of one broker are among the errors. */
  listGroups(
    options: { readonly timeout: number },
    done: Done<{
      readonly groups: ReadonlyArray<{ readonly groupId: string }>
      readonly errors: ReadonlyArray<ClientError>
    }>
  ): void
  listOffsets(
    partitions: ReadonlyArray<TopicPartition & { readonly offset: { readonly timestamp: number } }>,
    options: { readonly timeout: number; readonly isolationLevel?: number },
    done: Done<ReadonlyArray<OffsetsOfPartition>>
  ): void
}

/** The package's main entry. */
export interface KafkaJavascript {
  readonly Producer: {
    new (config: ClientConfig, topicConfig?: ClientConfig): Producer
    /** Throws the error of a code: the only way to its text. */
    readonly prototype: { _errorWrap(code: number): unknown }
  }
  readonly KafkaConsumer: new (config: ClientConfig, topicConfig?: ClientConfig) => Consumer
  readonly AdminClient: { createFrom(client: Client): Admin }
  readonly CODES: { readonly ERRORS: Readonly<Record<string, number>> }
  readonly librdkafkaVersion: string
  /** What librdkafka was built with: codecs, security protocols. */
  readonly features: ReadonlyArray<string>
}

const name = "@confluentinc/kafka-javascript"
/** The version of the client that this package wants, as its manifest says. */
export const wantedVersion = "1.10.1"
let loaded: KafkaJavascript | undefined

/** Loads the addon; throws if it is not installed or not built. */
export function loadClient(): KafkaJavascript {
  loaded ??= createRequire(import.meta.url)(name) as KafkaJavascript
  return loaded
}

/** Without the variable the build downloads the sources of openssl, zlib, zstd and libcurl, and fails where it cannot. */
const compiling = (command: string) =>
  `compile it with what the machine has: \`CKJS_LINKING=dynamic npm ${command}\`, which needs g++, make, python3 and the ` +
  "headers of openssl and zlib"

/** Why the addon cannot be used, from what loading it has thrown, and what to do; for a person. */
export function whyNotLoaded(thrown: unknown): string {
  // Node's code for an addon that is there: of another version of Node, or without a library that it needs.
  if (thrown instanceof Error && "code" in thrown && thrown.code === "ERR_DLOPEN_FAILED") {
    const said = thrown.message.trim().replace(/\.$/, "").replaceAll(/\s+/g, " ")
    return (
      `the native addon of ${name} does not load in Node ${process.versions.node}: ${said}; run \`npm run confluent\` in leat's ` +
      `repository; elsewhere \`npm rebuild ${name}\` with this Node, or ${compiling(`rebuild ${name}`)}`
    )
  }
  // npm takes an optional package whose install script fails away again, and says nothing; there is nothing to rebuild then.
  if (thrown instanceof Error && thrown.message.startsWith(`Cannot find module '${name}'`)) {
    const install = `install ${name}@${wantedVersion}`
    return (
      `the package ${name} is not installed: npm leaves it out, and says nothing, where its native addon can neither be downloaded ` +
      `nor built; \`npm ${install}\` says why, or ${compiling(install)}`
    )
  }
  return (
    `the native addon of ${name} is not there: run \`npm run confluent\` in leat's repository; elsewhere install ${name} and let ` +
    `its install script run, or ${compiling(`rebuild ${name}`)}`
  )
}
