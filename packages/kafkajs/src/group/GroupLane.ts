/** The source of one lane of a member: a buffer of fetched batches, and commits through the member. */
import type { SettledNote } from "@leat/kafka"
import { HeldLane, type LaneSource, type Position, type ReceivedBatch, type TransportError } from "leat/transport"
import { failureOf, transportName } from "../client/failureOf.ts"

/** The member that holds a lane, as the lane sees it. */
export interface LaneHolder {
  readonly topic: string
  readonly group: string
  /** Commits a position; rejects with `LaneLost` if another member has the lane. */
  readonly commit: (lane: GroupLane, position: Position) => Promise<void>
  /** The lane can take more. */
  readonly hasRoom: (lane: GroupLane) => void
  /** The lane was released or lost, and may be assigned to another member. */
  readonly over: (lane: GroupLane) => void
}

/** Bytes that a lane buffers ahead of its reader. */
const aheadBytes = 1024 ** 2

export class GroupLane implements LaneSource {
  readonly held: HeldLane
  /** Position of the next fetch. */
  next: Position
  /** What its commits say of themselves: the id of the topic is that when the lane began. */
  readonly said: SettledNote
  /** A fetch is in flight. */
  isFetching = false
  #hasFailed = false
  readonly #batches: Array<{ readonly batch: ReceivedBatch; readonly bytes: number }> = []
  #aheadBytes = 0
  readonly #holder: LaneHolder

  constructor(holder: LaneHolder, partition: number, start: Position, said: SettledNote = {}) {
    const { topic, group } = holder
    this.said = said
    this.next = start
    this.#holder = holder
    // `abandoned` is 0: Kafka does not count vanished holders.
    this.held = new HeldLane({ transport: transportName, topic, group, partition, start, abandoned: 0 }, this)
  }

  /** Its offsets mean nothing in a topic that is created anew. Undefined: the brokers have no ids. */
  get topicId(): string | undefined {
    return this.said.topicId
  }

  get partition(): number {
    return this.held.partition
  }

  get wantsMore(): boolean {
    return this.held.isHeld && !this.#hasFailed && !this.isFetching && this.#aheadBytes < aheadBytes
  }

  /** Takes a batch that was fetched at `next`. */
  received(batch: ReceivedBatch, bytes: number): void {
    if (!this.held.isHeld) return
    this.next = batch.next
    if (batch.records.length === 0 && batch.gap === undefined) return
    this.#batches.push({ batch, bytes })
    this.#aheadBytes += bytes
    this.held.wake()
  }

  /** Ends the lane after a permanent failure; its reader gets the error. */
  fail(error: TransportError): void {
    this.#hasFailed = true
    this.held.fail(error)
  }

  read(): ReceivedBatch | undefined {
    const first = this.#batches.shift()
    if (first === undefined) return undefined
    this.#aheadBytes -= first.bytes
    this.#holder.hasRoom(this)
    return first.batch
  }

  commit(position: Position, tell: Parameters<LaneSource["commit"]>[1]): void {
    void this.#holder.commit(this, position).then(
      () => tell(undefined),
      (error: unknown) => tell(failureOf(error, "settle", this.held.lane.id))
    )
  }

  ended(): void {
    this.#batches.length = 0
  }

  over(): void {
    this.#holder.over(this)
  }
}
