/** Where the lane of a member reads and settles: what librdkafka gave and leat has not pulled, and the member that commits. */
import { HeldLane, type LaneSource, type Position, type ReceivedBatch, TransportError } from "leat/transport"
import type { ClientMessage } from "../client/client.ts"
import { failure, transportName } from "../client/failure.ts"
import { batchOfMessages, offsetOf } from "../client/received.ts"

/** Records and bytes that wait in a lane before its partition is paused, until they are pulled. */
const waitingRecordsMax = 5000
const waitingBytesMax = 4 * 1024 * 1024

/** What a lane asks of its member. */
export interface LaneOwner {
  readonly topic: string
  readonly group: string
  /** Commits an offset, and says once what became of it. */
  readonly commit: (lane: GroupLane, offset: number, done: (error: TransportError | undefined) => void) => void
  readonly over: () => void
  /** The partition is to be fetched no more for now, or again. */
  readonly pause: (lane: GroupLane, isPaused: boolean) => void
}

export class GroupLane implements LaneSource {
  readonly held: HeldLane
  readonly topic: string
  /** Whether it may be given away. */
  mayGo = false
  #isPaused = false
  #isOtherLog = false
  readonly #owner: LaneOwner
  #waiting: Array<ClientMessage> = []
  #waitingBytes = 0
  /** Offset behind what was handed out. */
  #pulled: number
  /** Offset behind what is known, gaps included. */
  #known: number

  constructor(owner: LaneOwner, partition: number, start: number) {
    const { topic, group } = owner
    this.#owner = owner
    this.topic = topic
    this.#pulled = start
    this.#known = start
    const options = { transport: transportName, topic, group, partition, start: BigInt(start) }
    // Kafka does not tell of members that vanished.
    this.held = new HeldLane({ ...options, abandoned: 0 }, this)
  }

  get partition(): number {
    return this.held.partition
  }

  /**
   * Takes what came; what nobody pulls any more is somebody else's to read. Offsets of one log rise: where they go back, librdkafka has
   * noticed that the topic is another one, or was cut, and reads it from its beginning. The stay in the group ends, because what it has
   * settled says nothing about that log.
   */
  received(message: ClientMessage): void {
    if (!this.held.isHeld || this.#isOtherLog) return
    if (message.offset < this.#known) {
      this.#isOtherLog = true
      const { topic, partition } = this
      const detail = `${topic}/${partition}: offset ${message.offset} came after ${this.#known - 1}; the topic was made anew, or its log was cut`
      return this.held.fail(failure("Unavailable", "fetch", detail))
    }
    this.#waiting.push(message)
    this.#waitingBytes += (message.value?.length ?? 0) + (message.key?.length ?? 0)
    this.#known = message.offset + 1
  }

  /** Nothing readable stands before this offset any more. */
  passed(offset: number): void {
    if (offset > this.#known) this.#known = offset
  }

  /** After anything came: wakes who pulls, or stops the fetching. */
  flow(): void {
    if (this.#known > this.#pulled) this.held.wake()
    const isFull = this.#waiting.length > waitingRecordsMax || this.#waitingBytes > waitingBytesMax
    if (isFull && !this.#isPaused && this.held.isHeld) this.#pause(true)
  }

  read(): ReceivedBatch | undefined {
    if (this.#known <= this.#pulled) return undefined
    const batch = batchOfMessages(this.#waiting, this.#pulled, this.#known)
    this.#waiting = []
    this.#waitingBytes = 0
    this.#pulled = this.#known
    if (this.#isPaused) this.#pause(false)
    return batch
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
    this.#owner.over()
  }

  #pause(isPaused: boolean): void {
    this.#isPaused = isPaused
    this.#owner.pause(this, isPaused)
  }
}
