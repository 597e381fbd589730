/** One lane of a member: the records that librdkafka delivered and leat has not pulled, and the commits of the lane. */
import { monotonicMs } from "../client/clock.ts"
import { HeldLane, type LaneSource, type Position, type ReceivedBatch, TransportError } from "leat/transport"
import type { ClientMessage } from "../client/client.ts"
import { failure, transportName } from "../client/failure.ts"
import { batchesOfMessages, offsetOf } from "../client/received.ts"

/** Records and bytes that may wait in a lane. Beyond that its partition is paused until they are pulled. */
const waitingRecordsMax = 5000
const waitingBytesMax = 4 * 1024 * 1024

/** How long the client may keep the partition of a lane that is over, in milliseconds: after a real loss its heartbeats tell it sooner. */
const forgottenMs = 10_000

/** The member, as its lanes use it. */
export interface LaneOwner {
  readonly topic: string
  readonly group: string
  /** Commits an offset; calls `done` once with the result. */
  readonly commit: (lane: GroupLane, offset: number, done: (error: TransportError | undefined) => void) => void
  readonly over: () => void
  /** The first offset of the partition that was kept at the last fetch; negative where that is not known. */
  readonly first: (lane: GroupLane) => number
  /** Pauses or resumes the fetching of the partition. */
  readonly pause: (lane: GroupLane, isPaused: boolean) => void
}

/** Where a lane begins. */
export interface LaneStart {
  /** Where its group had come to. */
  readonly start: number
  /** The first record that is kept from there on: what stood in between has expired. */
  readonly kept: number
  /** Of the topic as it is now. Undefined: the brokers have no ids. */
  readonly topicId?: string | undefined
  /** Partitions that the topic had when the group began in it. */
  readonly begunWith?: number | undefined
}

export class GroupLane implements LaneSource {
  readonly held: HeldLane
  readonly topic: string
  /** Of the topic as it was when the lane began. Undefined: the brokers have no ids. */
  readonly topicId: string | undefined
  /** As `LaneStart.begunWith`. */
  readonly begunWith: number | undefined
  /** True once the partition may be given back. */
  mayGo = false
  /** The client has asked for its partition. */
  isAskedFor = false
  #overAtMs = Number.POSITIVE_INFINITY
  #isPaused = false
  #isOtherLog = false
  readonly #owner: LaneOwner
  #waiting: Array<ClientMessage> = []
  #waitingBytes = 0
  /** Offset behind the last record that was pulled. */
  #pulled: number
  /** Offset behind the last record that was received, gaps included. */
  #known: number
  /** What stands before it and was not pulled has expired. */
  #kept: number
  /** Something is missing, and it is not known whether it has expired. */
  #isUnsure = false
  /** What is behind the last batch, and was received with it. */
  #rest: ReceivedBatch | undefined

  constructor(owner: LaneOwner, partition: number, { start, kept, topicId, begunWith }: LaneStart) {
    const { topic, group } = owner
    this.#owner = owner
    this.topicId = topicId
    this.begunWith = begunWith
    this.topic = topic
    this.#pulled = start
    this.#known = kept
    this.#kept = kept
    const options = { transport: transportName, topic, group, partition, start: BigInt(start) }
    // Kafka does not report crashed members.
    this.held = new HeldLane({ ...options, abandoned: 0 }, this)
  }

  get partition(): number {
    return this.held.partition
  }

  /**
   * Takes a record; after the end of the lane it is dropped, for the next holder reads it. Offsets of one log rise. If they go back, the
   * topic was made anew or its log was cut, and librdkafka reads from its beginning. Then the lane fails, because the committed offset
   * belongs to another log.
   */
  received(message: ClientMessage): void {
    if (!this.held.isHeld || this.#isOtherLog) return
    if (message.offset < this.#known) {
      const detail = `offset ${message.offset} came after ${this.#known - 1}; the topic was made anew, or its log was cut`
      return this.#end(detail)
    }
    if (message.offset > this.#known) this.#lookForExpired()
    this.#waiting.push(message)
    this.#waitingBytes += bytesOf(message)
    this.#known = message.offset + 1
  }

  /** Compares the id of the topic as it is now. librdkafka goes on in a topic that was made anew with the offsets of the old one. */
  isNow(topicId: string | undefined): void {
    if (this.#isOtherLog || topicId === undefined || this.topicId === undefined || topicId === this.topicId) return
    this.#end("the topic was made anew")
  }

  /** Whether leat is done with it, and the client keeps its partition all the same: nobody reads that any more. */
  isForgotten(nowMs: number): boolean {
    return !this.isAskedFor && nowMs - this.#overAtMs >= forgottenMs
  }

  /** There is nothing more to read before this offset. */
  passed(offset: number): void {
    if (offset <= this.#known) return
    this.#lookForExpired()
    this.#known = offset
  }

  /** After each delivery: wakes a waiting pull, or pauses the fetching. */
  flow(): void {
    if (this.#known > this.#pulled) this.held.wake()
    const isFull = this.#waiting.length > waitingRecordsMax || this.#waitingBytes > waitingBytesMax
    if (isFull && !this.#isPaused && this.held.isHeld) this.#pause(true)
  }

  read(): ReceivedBatch | undefined {
    const rest = this.#rest
    this.#rest = undefined
    if (rest !== undefined) return rest
    if (this.#known <= this.#pulled) return undefined
    if (this.#isUnsure) this.#lookForExpired()
    const [batch, more] = batchesOfMessages(this.#waiting, this.#pulled, this.#known, this.#kept)
    this.#rest = more
    this.#waiting = []
    this.#waitingBytes = 0
    this.#pulled = this.#known
    if (this.#isPaused) this.#pause(false)
    return batch
  }

  /**
   * Something is missing: it has expired if it stands before what is kept. The client forgets that for a moment when a fetch fails; then it is
   * asked again when the lane is pulled.
   */
  #lookForExpired(): void {
    const first = this.#owner.first(this)
    this.#isUnsure = first < 0
    this.#kept = Math.max(this.#kept, first)
  }

  commit(position: Position, done: Parameters<LaneSource["commit"]>[1]): void {
    const offset = offsetOf(position, "settle")
    if (offset instanceof TransportError) done(offset)
    else this.#owner.commit(this, offset, done)
  }

  ended(): void {
    this.#waiting = []
  }

  over(): void {
    this.mayGo = true
    this.#overAtMs = monotonicMs()
    this.#owner.over()
  }

  /** The records are those of another log: the lane fails, and leat joins again. */
  #end(why: string): void {
    this.#isOtherLog = true
    this.held.fail(failure("Unavailable", "fetch", `${this.topic}/${this.partition}: ${why}`))
  }

  #pause(isPaused: boolean): void {
    this.#isPaused = isPaused
    this.#owner.pause(this, isPaused)
  }
}

/** Bytes of key, value and headers, about. */
function bytesOf({ key, value, headers = [] }: ClientMessage): number {
  let bytes = (key?.length ?? 0) + (value?.length ?? 0)
  for (const header of headers)
    for (const [name, of] of Object.entries(header)) bytes += name.length + (hasLength(of) ? of.length : 0)
  return bytes
}

function hasLength(value: unknown): value is { readonly length: number } {
  return typeof value === "string" || value instanceof Uint8Array
}
