/** Who leads which partition, and whether all replicas are in sync: asked of the brokers themselves, past the proxies. */
import type { Kafka, KafkaNode } from "@leat/brokers"
import { type Admin, Kafka as KafkaClient, logLevel } from "kafkajs"
import { setTimeout as sleep } from "node:timers/promises"

/** How long brokers may take until all replicas are in sync again, in milliseconds. */
const inSyncMsMax = 60_000

export class Leaders {
  readonly #kafka: Kafka
  readonly #admin: Admin
  #topics: ReadonlyArray<string> = []
  /** Why the brokers told nothing when they were asked last. */
  #fault = ""

  private constructor(kafka: Kafka, admin: Admin) {
    this.#kafka = kafka
    this.#admin = admin
  }

  static async connect(kafka: Kafka): Promise<Leaders> {
    const client = new KafkaClient({ brokers: kafka.bootstrap.split(","), logLevel: logLevel.NOTHING })
    const admin = client.admin({ retry: { retries: 20, maxRetryTime: 1000 } })
    await admin.connect()
    return new Leaders(kafka, admin)
  }

  /** Waits until the topics are there; they are those of the other questions. */
  async wait(topics: ReadonlyArray<string>): Promise<void> {
    this.#topics = topics
    await this.inSync()
  }

  async most(): Promise<KafkaNode> {
    const led = new Map<number, number>()
    for (const { leader } of await this.#partitions()) led.set(leader, (led.get(leader) ?? 0) + 1)
    const sorted = this.#kafka.nodes.toSorted((left, right) => (led.get(right.id) ?? 0) - (led.get(left.id) ?? 0))
    const [node] = sorted
    if (node === undefined) throw new Error("there is no node")
    return node
  }

  async inSync(): Promise<void> {
    const untilMs = performance.now() + inSyncMsMax
    for (;;) {
      const partitions = await this.#partitions()
      if (partitions.length > 0 && partitions.every(({ isr, replicas }) => isr.length === replicas.length)) return
      if (performance.now() > untilMs)
        throw new Error(
          `the replicas are not in sync after ${inSyncMsMax} ms: ${this.#fault || JSON.stringify(partitions)}`
        )
      await sleep(100)
    }
  }

  close(): Promise<void> {
    return this.#admin.disconnect()
  }

  /** None where the broker that was asked does not know them yet, or does not answer. */
  async #partitions() {
    try {
      const { topics } = await this.#admin.fetchTopicMetadata({ topics: [...this.#topics] })
      this.#fault = ""
      return topics.flatMap(({ partitions }) => partitions)
    } catch (error) {
      this.#fault = String(error)
      return []
    }
  }
}
