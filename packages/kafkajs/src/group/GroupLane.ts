/** Where the lane of a member reads and settles: what was fetched ahead of who pulls it, and the member that commits. */
import { HeldLane, type LaneSource, type Position, type ReceivedBatch, type TransportError } from "leat/transport"
import { failureOf, transportName } from "../client/failureOf.ts"

/** What a lane needs of the member that holds it. */
export interface LaneHolder {
  readonly topic: string
  readonly group: string
  /** Stores a position; rejects with `LaneLost` when it may not. */
  readonly commit: (lane: GroupLane, position: Position) => Promise<void>
  /** There is room for more. */
  readonly hasRoom: (lane: GroupLane) => void
  /** It may be given away. */
  readonly over: (lane: GroupLane) => void
}

/** Bytes that a lane fetches ahead of who pulls it. */
const aheadBytes = 1024 ** 2

export class GroupLane implements LaneSource {
  readonly held: HeldLane
  /** Next position that is fetched. */
  next: Position
  /** Whether a fetch is on its way. */
  isFetching = false
  #hasFailed = false
  readonly #batches: Array<{ readonly batch: ReceivedBatch; readonly bytes: number }> = []
  #aheadBytes = 0
  readonly #holder: LaneHolder

  constructor(holder: LaneHolder, partition: number, start: Position) {
    const { topic, group } = holder
    this.next = start
    this.#holder = holder
    // Kafka does not count members that vanished.
    this.held = new HeldLane({ transport: transportName, topic, group, partition, start, abandoned: 0 }, this)
  }

  get partition(): number {
    return this.held.partition
  }

  get wantsMore(): boolean {
    return this.held.isHeld && !this.#hasFailed && !this.isFetching && this.#aheadBytes < aheadBytes
  }

  /** Takes what was fetched from `next` on. */
  received(batch: ReceivedBatch, bytes: number): void {
    if (!this.held.isHeld) return
    this.next = batch.next
    if (batch.records.length === 0 && batch.gap === undefined) return
    this.#batches.push({ batch, bytes })
    this.#aheadBytes += bytes
    this.held.wake()
  }

  /** Nothing more can be fetched; whoever pulls is told why. */
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
