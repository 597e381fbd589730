import type {
  Client,
  ClientConfig,
  ClientError,
  ClientMessage,
  Consumer,
  KafkaJavascript,
  TopicPartition,
  TopicPartitionOffset
} from "../src/client/client.js"

type Told = (error: ClientError | undefined, partitions: ReadonlyArray<TopicPartition>) => void

const assignPartitions = -175
const revokePartitions = -174

/** A consumer of the client that is connected at once, and a member of its group when the test says so. */
export class FakeConsumer implements Consumer {
  /** What the next look finds. */
  messages: Array<ClientMessage> = []
  /** The code with which every commit fails; 0: none does. */
  commitCode = 0
  commits = 0
  /** Partitions that are not fetched. As in librdkafka, neither giving a partition nor taking it away changes that. */
  readonly paused = new Set<number>()
  #isLost = false
  readonly #rebalanced: Told
  readonly #committed: Told

  constructor(config: ClientConfig) {
    this.#rebalanced = config["rebalance_cb"] as Told
    this.#committed = config["offset_commit_cb"] as Told
  }

  give(partitions: ReadonlyArray<TopicPartition>): void {
    this.#rebalanced({ code: assignPartitions, message: "" }, partitions)
  }

  /** Takes partitions away that are lost already. */
  lose(partitions: ReadonlyArray<TopicPartition>): void {
    this.#isLost = true
    this.#rebalanced({ code: revokePartitions, message: "" }, partitions)
  }

  getWatermarkOffsets(): { readonly lowOffset: number; readonly highOffset: number } {
    return { lowOffset: 0, highOffset: 0 }
  }

  connect(...[, done]: Parameters<Client["connect"]>): void {
    done(undefined, { brokers: [], topics: [] })
  }

  disconnect(done: () => void): void {
    done()
  }

  getMetadata(...[, done]: Parameters<Client["getMetadata"]>): void {
    done(undefined, { brokers: [], topics: [] })
  }

  consume(...[, done]: Parameters<Consumer["consume"]>): void {
    setImmediate(() => done(undefined, this.messages.splice(0)))
  }

  commit(offsets: ReadonlyArray<TopicPartitionOffset>): void {
    this.commits++
    const { commitCode } = this
    setImmediate(() => this.#committed(commitCode === 0 ? undefined : { code: commitCode, message: "" }, offsets))
  }

  committed(...[, , done]: Parameters<Consumer["committed"]>): void {
    done(undefined, [])
  }

  isConnected(): boolean {
    return true
  }

  assignmentLost(): boolean {
    return this.#isLost
  }

  rebalanceProtocol(): string {
    return "COOPERATIVE"
  }

  on(): void {}
  subscribe(): void {}
  unsubscribe(): void {}
  assign(): void {}
  unassign(): void {}
  incrementalAssign(): void {}
  incrementalUnassign(): void {}
  setDefaultConsumeTimeout(): void {}

  pause(partitions: ReadonlyArray<TopicPartition>): void {
    for (const { partition } of partitions) this.paused.add(partition)
  }

  resume(partitions: ReadonlyArray<TopicPartition>): void {
    for (const { partition } of partitions) this.paused.delete(partition)
  }
}

/** A client whose consumers are put into `made`. */
export function fakeClient(made: Array<FakeConsumer>): KafkaJavascript {
  const none = (): never => {
    throw new Error("the fake has only consumers")
  }
  return {
    Producer: Object.assign(none, { prototype: { _errorWrap: none } }) as unknown as KafkaJavascript["Producer"],
    KafkaConsumer: class extends FakeConsumer {
      constructor(config: ClientConfig) {
        super(config)
        made.push(this)
      }
    },
    AdminClient: { createFrom: none },
    CODES: { ERRORS: {} },
    features: [],
    librdkafkaVersion: "fake"
  }
}
