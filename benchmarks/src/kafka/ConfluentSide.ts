/**
 * @confluentinc/kafka-javascript without leat, through its low-level API. At its best: idempotent as leat is, librdkafka's own linger
 * of 5 ms (0 costs more processor time, 50 gains nothing), its own limits of the queue, no report for what is stored, and a flush
 * that waits for all.
 */
import { Buffer } from "node:buffer"
import { setTimeout as sleep } from "node:timers/promises"
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import kafka from "@confluentinc/kafka-javascript"
import { eventsOf, Feed } from "./events.ts"
import { bucketOf, encodeShared, partitionOf, type HeaderShape, rawHeaders, type RawHeaders } from "./RawRecords.ts"
import type { ConsumeWay, OpenSide, ProduceWay, Side, SideCase, SidePlan, SideTopics, Stopwatch } from "./Side.ts"
import { steadily } from "./steadily.ts"

type Header = Record<string, string | Buffer>

/** Events that one call takes from the client at most. */
const messagesPerConsume = 5000
const consumeMsMax = 50
const flushMsMax = 60_000
/** As often as leat settles. */
const commitEveryMs = 100

export const openConfluent: OpenSide = async (plan, one) => {
  const producer = await connected(plan, { "linger.ms": 5, "delivery.report.only.error": true })
  producer.setPollInterval(commitEveryMs)
  const reporter = await connected(plan, { "linger.ms": 0 })
  reporter.setPollInBackground(true)
  return new ConfluentSide(producer, reporter, plan, one)
}

async function connected({ bootstrap }: SidePlan, config: object): Promise<kafka.Producer> {
  const common = { "bootstrap.servers": bootstrap, "enable.idempotence": true, acks: -1, dr_cb: true }
  const producer = new kafka.Producer({ ...common, ...config })
  await new Promise<void>((resolve, reject) => {
    producer.connect({}, (error) => (error ? reject(error) : resolve()))
  })
  return producer
}

const headerShape: HeaderShape<Array<Header>> = {
  compact: (leat) => [{ leat }],
  cloudEvents: (constant) => {
    const [version = {}, source = {}, type = {}, content = {}, epoch = {}] = constant.map(([name, value]): Header => ({
      [name]: value
    }))
    return (id, time) => [version, source, type, content, epoch, { ce_id: id }, { ce_time: time }]
  }
}

class ConfluentSide implements Side {
  readonly incarnation: string
  readonly #producer: kafka.Producer
  /** Tells of each event: for those that wait for one. */
  readonly #reporter: kafka.Producer
  readonly #bootstrap: string
  readonly #topics: SideTopics
  readonly #feed: Feed
  readonly #headers: RawHeaders<Array<Header>>
  #failures = 0

  constructor(
    producer: kafka.Producer,
    reporter: kafka.Producer,
    { bootstrap, wire }: SidePlan,
    { valueBytes, topics, incarnation = "" }: SideCase
  ) {
    this.incarnation = incarnation
    this.#producer = producer
    this.#reporter = reporter
    this.#bootstrap = bootstrap
    this.#topics = topics
    this.#feed = new Feed(eventsOf(valueBytes))
    this.#headers = rawHeaders(wire, incarnation, headerShape)
    producer.on("delivery-report", () => void this.#failures++)
  }

  async produce(way: ProduceWay, events: number): Promise<void> {
    const { main, bare, naive } = this.#topics
    if (way === "naive") return this.#oneByOne(naive, events)
    return way === "bare" ? this.#queued(bare, events, false) : this.#queued(main, events, true)
  }

  async #queued(topic: string, events: number, hasHeaders: boolean): Promise<void> {
    for (let left = events; left > 0; left--) {
      const event = this.#feed.next()
      const key = Buffer.from(event.beaconId)
      const bucket = bucketOf(key)
      const headers = hasHeaders ? this.#headers.next(bucket) : undefined
      const value = encodeShared(event)
      while (!this.#took(topic, partitionOf(bucket), value, key, headers)) await sleep(1)
    }
    await new Promise<void>((resolve, reject) => {
      this.#producer.flush(flushMsMax, (error) => (isError(error) ? reject(error) : resolve()))
    })
    if (this.#failures > 0) throw new Error(`${this.#failures} events were not stored`)
  }

  /** False: the queue is full. */
  #took(topic: string, partition: number, value: Buffer, key: Buffer, headers: Array<Header> | undefined): boolean {
    try {
      this.#producer.produce(topic, partition, value, key, undefined, undefined, headers)
      return true
    } catch (error) {
      if ((error as { readonly code?: number }).code === kafka.CODES.ERRORS.ERR__QUEUE_FULL) return false
      throw error
    }
  }

  async #oneByOne(topic: string, events: number): Promise<void> {
    for (let left = events; left > 0; left--) {
      await new Promise<void>((resolve, reject) => {
        this.#reporter.once("delivery-report", (error) => (isError(error) ? reject(error) : resolve()))
        this.#reported(topic, undefined)
      })
    }
  }

  #reported(topic: string, opaque: unknown): void {
    const event = this.#feed.next()
    const key = Buffer.from(event.beaconId)
    const bucket = bucketOf(key)
    const headers = this.#headers.next(bucket)
    this.#reporter.produce(topic, partitionOf(bucket), encodeShared(event), key, undefined, opaque, headers)
  }

  async latencies(perSecond: number, seconds: number): Promise<ReadonlyArray<number>> {
    const taken: Array<number> = []
    let sent = 0
    const reported = (error: unknown, { opaque }: kafka.DeliveryReport) => {
      if (isError(error)) this.#failures++
      taken.push(performance.now() - (opaque as number))
    }
    this.#reporter.on("delivery-report", reported)
    await steadily(perSecond, seconds, (events) => {
      for (let left = events; left > 0; left--) this.#reported(this.#topics.main, performance.now())
      sent += events
    })
    while (taken.length < sent) await sleep(1)
    this.#reporter.off("delivery-report", reported)
    return taken
  }

  async consume(_way: ConsumeWay, group: string, events: number, watch: Stopwatch): Promise<void> {
    const consumer = new kafka.KafkaConsumer(
      {
        "bootstrap.servers": this.#bootstrap,
        "group.id": group,
        "enable.auto.commit": true,
        "auto.commit.interval.ms": commitEveryMs,
        rebalance_cb: true
      },
      { "auto.offset.reset": "earliest" }
    )
    consumer.once("rebalance", watch.start)
    await new Promise<void>((resolve, reject) => {
      consumer.connect({}, (error) => (error ? reject(error) : resolve()))
    })
    consumer.setDefaultConsumeTimeout(consumeMsMax)
    consumer.subscribe([this.#topics.read])
    for (let handled = 0; handled < events;) {
      const messages = await new Promise<Array<kafka.Message>>((resolve, reject) => {
        consumer.consume(messagesPerConsume, (error, all) => (isError(error) ? reject(error) : resolve(all)))
      })
      for (const { value } of messages) {
        if (value !== null) BeaconSighting.decode(value)
      }
      handled += messages.length
    }
    watch.stop()
    await new Promise<void>((resolve) => consumer.disconnect(() => resolve()))
  }

  async close(): Promise<void> {
    for (const producer of [this.#producer, this.#reporter]) {
      await new Promise<void>((resolve) => producer.disconnect(() => resolve()))
    }
  }
}

/** The types of the client say that there always is one. */
function isError(error: unknown): boolean {
  return error !== null && error !== undefined
}
