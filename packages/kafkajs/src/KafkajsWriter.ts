/** The writer of one topic: one request in flight per partition, in the order of the sends. */
import { monotonicMs, wallMs } from "./client/clock.ts"
import { Effect } from "effect"
import type { EffectWriter, OutgoingBatch, Run, TransportError } from "leat/transport"
import { type Brokers, hasMoved } from "./client/Brokers.ts"
import { failure, failureOf } from "./client/failureOf.ts"
import type { Link } from "./client/Link.ts"
import { producedBy, produceFrame } from "./protocol/produce.ts"

/** Above this size brokers close the connection without an answer (`socket.request.max.bytes` is 100 MiB). */
const requestBytesMax = 90 * 1024 * 1024

interface Order {
  readonly partition: number
  readonly batch: OutgoingBatch
  readonly from: number
  readonly to: number
  /** Instant of `monotonicMs`. */
  readonly deadlineMs: number
  /** The caller no longer waits; a request that is not written yet is not written. */
  isAbandoned: boolean
}

export class KafkajsWriter implements EffectWriter {
  readonly partitions: number
  readonly #brokers: Brokers
  readonly #topic: string
  readonly #recordBytesMax: number
  /** The last send of each partition; the next send begins after it. */
  readonly #tails = new Map<number, Promise<unknown>>()
  /** Instant of `monotonicMs` at which throttling by the brokers ends. */
  #throttledUntilMs = 0

  constructor(brokers: Brokers, topic: string, partitions: number, recordBytesMax: number) {
    this.#brokers = brokers
    this.#topic = topic
    this.partitions = partitions
    this.#recordBytesMax = recordBytesMax
  }

  readonly send = (
    partition: number,
    batch: OutgoingBatch,
    from: number,
    to: number,
    timeoutMs: number
  ): Effect.Effect<ReadonlyArray<Run>> => {
    if (to <= from) return Effect.succeed([])
    return Effect.callback((resume) => {
      const deadlineMs = monotonicMs() + timeoutMs
      const order: Order = { partition, batch, from, to, deadlineMs, isAbandoned: false }
      const before = this.#tails.get(partition)
      const sent = before === undefined ? this.#send(order) : before.then(() => this.#send(order))
      this.#tails.set(partition, sent)
      void sent.then((runs) => {
        if (this.#tails.get(partition) === sent) this.#tails.delete(partition)
        resume(Effect.succeed(runs))
      })
      return Effect.sync(() => {
        order.isAbandoned = true
      })
    })
  }

  readonly fence = (partition: number): Effect.Effect<never, TransportError> =>
    Effect.fail(
      failure(
        "Unsupported",
        "fence",
        `${this.#topic}/${partition}: what was written and not answered may still land, and kafkajs cannot prevent it`
      )
    )

  /** Never rejects. */
  async #send(order: Order): Promise<ReadonlyArray<Run>> {
    const { from, to } = order
    try {
      const refused = this.#refusal(order)
      if (refused !== undefined) return [{ from, to, fate: "notStored", error: refused }]
      const link = await this.#link(order)
      return await this.#produce(link, order)
    } catch (error) {
      // Nothing has been written up to here.
      const failed = failureOf(error, "send", `${this.#topic}/${order.partition}`)
      if (hasMoved(failed)) this.#brokers.forget(this.#topic)
      return [{ from, to, fate: "notStored", error: failed.mayBeStored ? withReason(failed) : failed }]
    }
  }

  #refusal({ batch, from, to, partition, isAbandoned }: Order): TransportError | undefined {
    if (isAbandoned) return failure("Closed", "send", "nobody waits for it any more")
    if (partition < 0 || partition >= this.partitions || !Number.isInteger(partition)) {
      const detail = `${this.#topic} has ${this.partitions} partitions, no ${partition}`
      return failure("UnknownTopic", "send", detail)
    }
    const bytes = batch.rangeBytes(from, to) + batch.noticeBytes
    if (bytes > requestBytesMax)
      return failure("TooLarge", "send", `a batch of ${bytes} bytes; a request may have ${requestBytesMax}`)
    // If all records together are below the limit, each of them is.
    for (let index = bytes > this.#recordBytesMax ? from : to; index < to; index++) {
      const size = batch.recordBytes(index)
      if (size > this.#recordBytesMax)
        return failure("TooLarge", "send", `a record of ${size} bytes; the limit is ${this.#recordBytesMax}`)
    }
    return undefined
  }

  /** A connection to the leader; fails if there is none before the deadline. */
  async #link({ partition, deadlineMs }: Order): Promise<Link> {
    const place = `${this.#topic}/${partition}`
    const leftMs = deadlineMs - monotonicMs()
    const waitMs = this.#throttledUntilMs - monotonicMs()
    if (leftMs <= 0) throw failure("Unavailable", "send", `${place}: the deadline passed before anything was written`)
    if (waitMs >= leftMs)
      throw failure("Throttled", "send", `${place}: brokers ask to wait for ${Math.ceil(waitMs)} ms more`)
    const reaching = async () => {
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
      return this.#brokers.link("produce", await this.#brokers.leader(this.#topic, partition))
    }
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      const error = failure("Unavailable", "send", `${place}: its leader could not be reached before the deadline`)
      timer = setTimeout(() => reject(error), leftMs)
    })
    try {
      return await Promise.race([reaching(), late])
    } finally {
      clearTimeout(timer)
    }
  }

  async #produce(link: Link, order: Order): Promise<ReadonlyArray<Run>> {
    const { batch, from, to, partition, deadlineMs } = order
    const place = { topic: this.#topic, partition }
    const leftMs = deadlineMs - monotonicMs()
    if (order.isAbandoned || leftMs <= 0)
      throw failure(
        "Unavailable",
        "send",
        `${this.#topic}/${partition}: the deadline passed before anything was written`
      )
    // The time-out of the broker is shorter than ours, so that its answer arrives in time.
    const frame = produceFrame(link, place, batch.columns(from, to), wallMs(), Math.max(1, Math.floor(leftMs * 0.9)))
    const exchange = await link.exchange(frame, leftMs)
    const { runs, hasMoved: moved, throttleMs } = producedBy(exchange, place, order)
    if (moved) this.#brokers.forget(this.#topic)
    if (throttleMs > 0) this.#throttledUntilMs = monotonicMs() + throttleMs
    return runs
  }
}

/** The same failure with a reason that excludes storing, because nothing was written. */
function withReason({ detail, operation, cause }: TransportError): TransportError {
  return failure("Unavailable", operation, detail, cause)
}
