/**
 * Fetches for the lanes of one member: one request in flight to each leader, for all its lanes that have room. A lane that is not pulled is
 * left out, and does not delay the others.
 */
import { kafkaCodes } from "@leat/kafka"
import type { TransportError } from "leat/transport"
import { type Brokers, movedCodes } from "../client/Brokers.ts"
import { failure, failureOf, refusal } from "../client/failureOf.ts"
import { positionsAt } from "../Offsets.ts"
import { type FetchAnswer, fetchFrame, type FetchedPartition, readFetchAnswer } from "../protocol/fetch.ts"
import { readRecordBatches } from "../protocol/readRecordBatches.ts"
import { batchOf } from "../readRange.ts"
import type { GroupLane } from "./GroupLane.ts"

const bounds = { waitMs: 500, bytesMax: 16 * 1024 ** 2, partitionBytesMax: 1024 ** 2 }
/** Pause after a failure of a broker, in milliseconds. */
const againMs = 100
/** A deleted topic ends its lanes; leat then joins again. */
const passing: ReadonlySet<string> = new Set(["Unavailable", "Disconnected", "Timeout", "Throttled"])
const endless = (1n << 63n) - 1n

export class Fetcher {
  readonly #brokers: Brokers
  readonly #topic: string
  readonly #purpose: string
  readonly #lanes: () => Iterable<GroupLane>
  readonly #busy = new Set<number>()
  #isScheduled = false
  #again: NodeJS.Timeout | undefined
  #isStopped = false
  /** Requests so far: each names its partitions from another one on. */
  #requests = 0

  constructor(brokers: Brokers, topic: string, purpose: string, lanes: () => Iterable<GroupLane>) {
    this.#brokers = brokers
    this.#topic = topic
    this.#purpose = purpose
    this.#lanes = lanes
  }

  /** A lane is new, or has room again. */
  wake(): void {
    if (this.#isScheduled || this.#isStopped) return
    this.#isScheduled = true
    // Lanes that change together share one request.
    setImmediate(() => {
      this.#isScheduled = false
      void this.#start()
    })
  }

  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#again)
  }

  /** Never rejects. */
  async #start(): Promise<void> {
    const wanting = [...this.#lanes()].filter(({ wantsMore }) => wantsMore)
    if (this.#isStopped || wanting.length === 0) return
    const ofLeader = new Map<number, Array<GroupLane>>()
    const find = async (lane: GroupLane): Promise<void> => {
      try {
        const { id } = await this.#brokers.topic(this.#topic)
        if (id !== undefined && lane.topicId !== undefined && id !== lane.topicId)
          return lane.fail(failure("Unavailable", "fetch", `${this.#topic}/${lane.partition}: the topic was made anew`))
        const leader = await this.#brokers.leader(this.#topic, lane.partition)
        const led = ofLeader.get(leader)
        if (led === undefined) ofLeader.set(leader, [lane])
        else led.push(lane)
      } catch (error) {
        this.#failed([lane], error)
      }
    }
    // Concurrently: shared requests are sent once, and many lanes take no longer than one.
    await Promise.all(wanting.map(find))
    for (const [leader, lanes] of ofLeader) if (!this.#busy.has(leader)) void this.#fetch(leader, lanes)
  }

  async #fetch(leader: number, candidates: ReadonlyArray<GroupLane>): Promise<void> {
    // Checked again: the leader was looked up in between.
    const wanting = candidates.filter(({ wantsMore }) => wantsMore)
    if (wanting.length === 0) return
    // A batch that is larger than what a partition may have comes for the first partition that has something, and for no other one (KIP-74).
    const first = this.#requests++ % wanting.length
    const lanes = [...wanting.slice(first), ...wanting.slice(0, first)]
    this.#busy.add(leader)
    for (const lane of lanes) lane.isFetching = true
    try {
      const answer = await this.#ask(leader, lanes)
      for (const one of answer.partitions) {
        const lane = lanes.find(({ partition }) => partition === one.partition)
        if (lane !== undefined) await this.#take(lane, one)
      }
    } catch (error) {
      this.#failed(lanes, error)
      if (!this.#isStopped) await new Promise((resolve) => setTimeout(resolve, againMs))
    } finally {
      this.#busy.delete(leader)
      for (const lane of lanes) lane.isFetching = false
      this.wake()
    }
  }

  async #ask(leader: number, lanes: ReadonlyArray<GroupLane>): Promise<FetchAnswer> {
    const link = await this.#brokers.link(this.#purpose, leader)
    const wanted = lanes.map(({ partition, next }) => ({ partition, position: next }))
    // All lanes that are left are of one topic: those of the old one have failed.
    const frame = fetchFrame(link, { name: this.#topic, id: lanes[0]?.topicId }, wanted, bounds)
    const exchange = await link.exchange(frame, bounds.waitMs + this.#brokers.settings.requestMs)
    if ("error" in exchange) throw exchange.error
    const answer = readFetchAnswer(exchange.payload, frame, this.#topic)
    if (answer.code !== 0) throw refusal(answer.code, "fetch", this.#topic)
    return answer
  }

  async #take(lane: GroupLane, { code, bytes, aborted }: FetchedPartition): Promise<void> {
    const where = `${this.#topic}/${lane.partition}`
    try {
      if (code === kafkaCodes.OFFSET_OUT_OF_RANGE) return await this.#passExpired(lane)
      if (code !== 0) {
        if (movedCodes.has(code)) throw failure("Unavailable", "fetch", `${where}: another broker leads it by now`)
        throw refusal(code, "fetch", where)
      }
      const before = lane.next
      const fetched = readRecordBatches(ownBytes(bytes), before, endless, aborted, where)
      if (fetched.next > before) lane.received(batchOf(before, fetched), bytes.length)
    } catch (error) {
      this.#failed([lane], error)
    }
  }

  /** The next offset of the lane has expired. kafkajs would commit an offset of its own here, and skip records. */
  async #passExpired(lane: GroupLane): Promise<void> {
    const start =
      (await positionsAt(this.#brokers, this.#topic, [lane.partition], "earliest")).get(lane.partition) ?? 0n
    if (start > lane.next) return lane.received({ records: [], next: start, gap: "expired" }, 0)
    const where = `${this.#topic}/${lane.partition}`
    lane.fail(failure("Unavailable", "fetch", `${where} ends before ${lane.next}: it was cut short, or made anew`))
  }

  /** Once for all lanes that failed: otherwise each failure would cause several more. */
  #wakeLater(): void {
    if (this.#isStopped) return
    this.#again ??= setTimeout(() => {
      this.#again = undefined
      this.wake()
    }, againMs)
  }

  /** A moved leader or a broken connection is transient. Any other failure ends the lanes. */
  #failed(lanes: ReadonlyArray<GroupLane>, cause: unknown): void {
    const error: TransportError = failureOf(cause, "fetch", this.#topic)
    if (passing.has(error.reason)) {
      this.#brokers.forget(this.#topic)
      return this.#wakeLater()
    }
    for (const lane of lanes) lane.fail(error)
  }
}

/** Records are views: one that is held for long would keep what came for all partitions of its answer. */
function ownBytes(bytes: Buffer): Buffer {
  if (bytes.length * 2 >= bytes.buffer.byteLength) return bytes
  // Not of the pool of small buffers, which is another one that is kept whole.
  return Buffer.from(new Uint8Array(bytes).buffer)
}
