/**
 * kafkajs without leat. At its best it is given arrays of about 1000 messages of one partition, so many at a time as there are
 * partitions; larger ones, smaller ones and mixed ones were not faster.
 */
import { Buffer } from "node:buffer"
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { type IHeaders, Kafka, logLevel, type Message, Partitioners, type Producer } from "kafkajs"
import { eventsOf, Feed } from "./events.ts"
import { partitions } from "./plan.ts"
import { bucketOf, encode, partitionOf, type HeaderShape, rawHeaders, type RawHeaders } from "./RawRecords.ts"
import type { ConsumeWay, OpenSide, ProduceWay, Side, SideCase, SidePlan, SideTopics, Stopwatch } from "./Side.ts"
import { steadily } from "./steadily.ts"

const messagesPerSendMax = 1000
/** A broker left as it comes takes batches of 1 MiB; kafkajs leaves it to its user to stay below that. */
const valueBytesPerSendMax = 512 * 1024
const sendsAtOnce = partitions
/** As often as leat settles. */
const commitEveryMs = 100

export const openKafkajs: OpenSide = async (plan, one) => {
  const kafka = new Kafka({ brokers: [plan.bootstrap], logLevel: logLevel.NOTHING })
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  return new KafkajsSide(kafka, producer, plan, one)
}

const headerShape: HeaderShape<IHeaders> = {
  compact: (leat) => ({ leat }),
  cloudEvents: (constant) => {
    const [version, source, type, content, epoch] = constant.map(([, value]) => value)
    return (id, time) => ({
      ce_specversion: version,
      ce_source: source,
      ce_type: type,
      "content-type": content,
      ce_leatepoch: epoch,
      ce_id: id,
      ce_time: time
    })
  }
}

class KafkajsSide implements Side {
  readonly incarnation: string
  readonly #kafka: Kafka
  readonly #producer: Producer
  readonly #topics: SideTopics
  readonly #feed: Feed
  readonly #messagesPerSend: number
  readonly #headers: RawHeaders<IHeaders>

  constructor(
    kafka: Kafka,
    producer: Producer,
    { wire }: SidePlan,
    { valueBytes, topics, incarnation = "" }: SideCase
  ) {
    this.incarnation = incarnation
    this.#kafka = kafka
    this.#producer = producer
    this.#topics = topics
    this.#feed = new Feed(eventsOf(valueBytes))
    this.#messagesPerSend = Math.min(messagesPerSendMax, Math.floor(valueBytesPerSendMax / valueBytes))
    this.#headers = rawHeaders(wire, incarnation, headerShape)
  }

  async produce(way: ProduceWay, events: number): Promise<void> {
    const { main, bare, naive } = this.#topics
    if (way === "naive") return this.#oneByOne(naive, events)
    return way === "bare" ? this.#inArrays(bare, events, false) : this.#inArrays(main, events, true)
  }

  async #inArrays(topic: string, events: number, hasHeaders: boolean): Promise<void> {
    const full: Array<Array<Message>> = Array.from({ length: partitions }, () => [])
    const flying: Array<Promise<unknown>> = []
    const send = (messages: Array<Message>) => flying.push(this.#producer.send({ topic, acks: -1, messages }))
    for (let left = events; left > 0; left--) {
      const message = this.#message(hasHeaders)
      const partition = message.partition ?? 0
      const messages = full[partition] ?? []
      messages.push(message)
      if (messages.length < this.#messagesPerSend) continue
      full[partition] = []
      send(messages)
      if (flying.length >= sendsAtOnce) await flying.shift()
    }
    for (const messages of full) if (messages.length > 0) send(messages)
    await Promise.all(flying)
  }

  async #oneByOne(topic: string, events: number): Promise<void> {
    for (let left = events; left > 0; left--) {
      await this.#producer.send({ topic, acks: -1, messages: [this.#message(true)] })
    }
  }

  #message(hasHeaders: boolean): Message {
    const event = this.#feed.next()
    const key = Buffer.from(event.beaconId)
    const bucket = bucketOf(key)
    const partition = partitionOf(bucket)
    const value = encode(event)
    return hasHeaders ? { key, value, partition, headers: this.#headers.next(bucket) } : { key, value, partition }
  }

  /** The events of one burst are one array: what a user collects in a few milliseconds. */
  async latencies(perSecond: number, seconds: number): Promise<ReadonlyArray<number>> {
    const taken: Array<number> = []
    const sends: Array<Promise<void>> = []
    await steadily(perSecond, seconds, (events) => {
      const calledMs = performance.now()
      const messages = Array.from({ length: events }, () => this.#message(true))
      const sent = this.#producer.send({ topic: this.#topics.main, acks: -1, messages }).then(() => {
        const ms = performance.now() - calledMs
        for (const _ of messages) taken.push(ms)
      })
      sends.push(sent)
    })
    await Promise.all(sends)
    return taken
  }

  async consume(_way: ConsumeWay, group: string, events: number, watch: Stopwatch): Promise<void> {
    const consumer = this.#kafka.consumer({ groupId: group })
    consumer.on("consumer.group_join", watch.start)
    await consumer.connect()
    await consumer.subscribe({ topic: this.#topics.read, fromBeginning: true })
    let handled = 0
    let committedMs = performance.now()
    const { promise, resolve } = Promise.withResolvers<void>()
    await consumer.run({
      autoCommit: false,
      partitionsConsumedConcurrently: partitions,
      eachBatch: async (given) => {
        const { messages } = given.batch
        for (const { value } of messages) {
          if (value !== null) BeaconSighting.decode(value)
        }
        handled += messages.length
        if (handled >= events) {
          watch.stop()
          return resolve()
        }
        if (performance.now() - committedMs < commitEveryMs) return
        committedMs = performance.now()
        await given.commitOffsetsIfNecessary(given.uncommittedOffsets())
      }
    })
    await promise
    await consumer.disconnect()
  }

  async close(): Promise<void> {
    await this.#producer.disconnect()
  }
}
