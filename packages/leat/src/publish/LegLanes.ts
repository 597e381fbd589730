/**
 * The write side of one leg of a stream, as the publisher sees it: room, then commit. A lane is made by its first record, one for each
 * partition, and goes when nothing of it is left.
 *
 * The publisher asks `hasRoom` of every required leg first; when all have it, it takes a batch with `room`, writes the record behind
 * the last one of the batch, commits it and calls `appended`. What a best-effort leg has no room for is `refused`.
 */
import type { WriteAccount } from "../ledger/Ledger.ts"
import type { Waiter } from "../ledger/Waiter.ts"
import { type DroppedRange, forgotten } from "../record/DropNotice.ts"
import type { RecordBatch } from "../record/RecordBatch.ts"
import type { IsStored } from "./LaneQueue.ts"
import type { LaneKeeper, PumpedLane } from "./Pumped.ts"
import type { Span } from "./Span.ts"

/** What makes lanes and has the budget: the sink. */
export interface LaneMaker {
  readonly partitions: number
  readonly makeLane: (legLanes: LegLanes, partition: number) => PumpedLane | undefined
  readonly hasRoom: (lane: PumpedLane | undefined, bytes: number) => boolean
  readonly makeRoom: (
    lane: PumpedLane,
    bytes: number,
    expectedBytes: number,
    isPromised: boolean
  ) => RecordBatch | undefined
  readonly appended: (lane: PumpedLane) => void
  readonly flushLane: (lane: PumpedLane) => void
  /** The lane may have something to send; never sends inside this call. */
  readonly ready: (lane: PumpedLane) => void
  /** All that the lane holds is another leg's from now on: `take` is told of each range. Returns what it had to announce. */
  readonly moveOut: (lane: PumpedLane, isStored: IsStored, take: TakeMoved) => ReadonlyArray<DroppedRange>
  /** Records of another leg stand in the lane, in front of its own or behind them. */
  readonly moveIn: (lane: PumpedLane, batches: ReadonlyArray<RecordBatch>, isInFront: boolean) => void
}

/** Is told of records that leave their lane; their arena is used again afterwards. */
export type TakeMoved = (batch: RecordBatch, span: Span) => void

export class LegLanes implements LaneKeeper {
  readonly account: WriteAccount
  /** Why their gate is shut for so long, in words that follow the name of the sink; undefined: it is not. */
  trouble: string | undefined
  readonly #maker: LaneMaker
  readonly #lanes: Array<PumpedLane | undefined> = []
  /** Bytes of recent batches: the next one starts with as much. */
  #expectedBytes = 0
  #isGated = false

  constructor(account: WriteAccount, maker: LaneMaker) {
    this.account = account
    this.#maker = maker
  }

  /** Whether `room` would give a batch. Changes nothing. */
  hasRoom(partition: number, bytes: number): boolean {
    return this.#maker.hasRoom(this.#lanes[partition], bytes)
  }

  /**
   * A batch with room for `bytes` more; undefined when the budget is used up and nothing may be dropped for it. `isPromised`: `hasRoom` has
   * said that there is one, and only other legs of the same event have taken something since.
   */
  room(partition: number, bytes: number, isPromised = false): RecordBatch | undefined {
    const lane = this.#lanes[partition]
    const open = lane?.open
    if (open !== undefined && open.room >= bytes) return open
    // No lane for a record that finds no room: nothing would be left of it, and nothing would end it.
    if (lane === undefined && !isPromised && !this.#maker.hasRoom(undefined, bytes)) return undefined
    return this.#make(lane ?? this.#maker.makeLane(this, partition), bytes, isPromised)
  }

  /** A record was committed to the batch that `room` gave. */
  appended(partition: number): void {
    const lane = this.#lanes[partition]
    if (lane === undefined) return
    const bytes = lane.open?.bytes ?? 0
    const isStarting = lane.appended()
    // Follows larger batches at once and smaller ones slowly: growing costs a copy, an arena too large some budget.
    if (lane.open === undefined) this.#expectedBytes = Math.max(bytes, this.#expectedBytes - (this.#expectedBytes >> 3))
    if (isStarting) this.#maker.appended(lane)
  }

  /** An admitted event found no room in this best-effort leg. */
  refused(partition: number, bucket: number, seq: number, reason: string): void {
    const lane = this.#lanes[partition] ?? this.#maker.makeLane(this, partition)
    lane?.refused(bucket, seq, reason)
  }

  /** Drops that no lane has counted, for the next record of their lanes to announce. False: there are no lanes any more. */
  announce(ranges: ReadonlyArray<DroppedRange>): boolean {
    const { partitions } = this.#maker
    const isForgotten = (range: DroppedRange) => range.bucket === forgotten.bucket
    // Nobody knows where those would have gone that were not remembered.
    const told = ranges.some(isForgotten)
      ? Array.from({ length: partitions }, (_, partition) => partition)
      : new Set(ranges.map(({ bucket }) => bucket % partitions))
    const lanes = Array.from(
      told,
      (partition) => [partition, this.#lanes[partition] ?? this.#maker.makeLane(this, partition)] as const
    )
    // One that is closing has made its last record.
    if (lanes.some(([, lane]) => lane === undefined || lane.isMarked)) return false
    for (const [partition, lane] of lanes)
      lane?.announce(ranges.filter((range) => isForgotten(range) || range.bucket % partitions === partition))
    return true
  }

  /** Sends what is there without waiting for linger, and has `waiter` told of each record. */
  flush(waiter: Waiter): void {
    for (const lane of this.#lanes) {
      if (lane === undefined) continue
      this.#maker.flushLane(lane)
      lane.await(waiter)
    }
  }

  /** Whether nothing is sent: the lanes fill. */
  get isGated(): boolean {
    return this.#isGated
  }

  /**
   * Shuts the gate, or opens it. Behind it the lanes fill, those that are made later too, and nothing is sent; what is on its way or in doubt has
   * its answer and its fence all the same. It costs nothing while it stands: no deadline of a policy runs before the first send.
   */
  gate(isGated: boolean): void {
    if (this.#isGated === isGated) return
    this.#isGated = isGated
    for (const lane of this.all) {
      lane.isGated = isGated
      if (!isGated) this.#maker.ready(lane)
    }
  }

  /** Takes all out of the lanes, which go; `take` is told of each range. Returns the drops that are left to announce. */
  moveOut(isStored: IsStored, take: TakeMoved): ReadonlyArray<DroppedRange> {
    return this.all.flatMap((lane) => this.#maker.moveOut(lane, isStored, take))
  }

  /** Records of another leg that go to a partition here, in front of what is there or behind it. Batches have room of this sink. */
  moveIn(partition: number, batches: ReadonlyArray<RecordBatch>, isInFront: boolean): void {
    const lane = this.#lanes[partition] ?? this.#maker.makeLane(this, partition)
    if (lane !== undefined) this.#maker.moveIn(lane, batches, isInFront)
  }

  /** The partitions that they have written to, or are to. */
  get partitions(): ReadonlyArray<number> {
    return this.#lanes.flatMap((_, partition) => [partition])
  }

  /** Those that there are. */
  get all(): ReadonlyArray<PumpedLane> {
    return this.#lanes.filter((lane) => lane !== undefined)
  }

  /** The lane was made; it may have been another leg's, whose gate was not this one. */
  keep(partition: number, lane: PumpedLane): void {
    lane.isGated = this.#isGated
    this.#lanes[partition] = lane
  }

  /** Nothing of the lane is left; returns whether it was there. */
  drop(partition: number, lane: PumpedLane): boolean {
    if (this.#lanes[partition] !== lane) return false
    this.#lanes[partition] = undefined
    if (lane.unannounced.length > 0) this.account.unannounced.hold({ all: lane.unannounced })
    return true
  }

  #make(lane: PumpedLane | undefined, bytes: number, isPromised: boolean): RecordBatch | undefined {
    if (lane === undefined) return undefined
    const before = lane.open
    const batch = this.#maker.makeRoom(lane, bytes, this.#expectedBytes, isPromised)
    if (before !== undefined && batch !== before) this.#expectedBytes = Math.max(this.#expectedBytes, before.bytes)
    return batch
  }
}

/** Why some of them have been gated for so long. */
export function troubleOfLegs(legs: ReadonlyMap<WriteAccount, LegLanes>): string | undefined {
  for (const { trouble } of legs.values()) if (trouble !== undefined) return trouble
  return undefined
}
