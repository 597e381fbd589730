import { type Admin, Kafka, logLevel } from "kafkajs"
import { setTimeout as sleep } from "node:timers/promises"
import { partitions } from "./plan.ts"

const createMsMax = 10_000

/** The topics of the comparison, seen by nobody who is measured: what really is in them. */
export class Topics {
  readonly #kafka: Kafka
  readonly #admin: Admin

  private constructor(kafka: Kafka) {
    this.#kafka = kafka
    this.#admin = kafka.admin()
  }

  static async connect(bootstrap: string): Promise<Topics> {
    const topics = new Topics(new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING }))
    await topics.#admin.connect()
    return topics
  }

  async create(names: ReadonlyArray<string>): Promise<void> {
    await this.#admin.createTopics({
      topics: names.map((topic) => ({ topic, numPartitions: partitions })),
      waitForLeaders: false
    })
    const untilMs = performance.now() + createMsMax
    while (!(await this.#areLed(names))) {
      if (performance.now() > untilMs) throw new Error(`the broker has no leaders for ${names.join(", ")}`)
      await sleep(20)
    }
  }

  /** The broker creates first and knows it a little later; its client takes that for a failure. */
  #areLed(names: ReadonlyArray<string>): Promise<boolean> {
    return this.#admin.fetchTopicMetadata({ topics: [...names] }).then(
      ({ topics }) => topics.every((topic) => topic.partitions.every(({ leader }) => leader >= 0)),
      () => false
    )
  }

  async remove(names: ReadonlyArray<string>): Promise<void> {
    await this.#admin.deleteTopics({ topics: [...names] })
  }

  /** Records stored so far. */
  async stored(topic: string): Promise<number> {
    const offsets = await this.#admin.fetchTopicOffsets(topic)
    return offsets.reduce((total, { offset }) => total + Number(offset), 0)
  }

  /** The first records of each partition, by partition. */
  async first(topic: string, records: number): Promise<ReadonlyArray<ReadonlyArray<StoredRecord>>> {
    const found: Array<Array<StoredRecord>> = Array.from({ length: partitions }, () => [])
    const consumer = this.#kafka.consumer({ groupId: `first-of-${topic}` })
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    const { promise, resolve } = Promise.withResolvers<void>()
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        const partition = found[batch.partition]
        for (const { key, value, headers } of batch.messages) {
          if (partition === undefined || partition.length >= records) break
          partition.push({ key, value, headers: Object.entries(headers ?? {}) })
        }
        if (found.every(({ length }) => length >= records)) resolve()
      }
    })
    await promise
    await consumer.disconnect()
    return found
  }

  async close(): Promise<void> {
    await this.#admin.disconnect()
  }
}

export interface StoredRecord {
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** In their order. */
  readonly headers: ReadonlyArray<readonly [name: string, value: unknown]>
}
