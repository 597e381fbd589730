/**
 * Lanes and partitions in the hands of a pump. Both come with a record and go with the last one, so what has gone is used again:
 * of ten thousand streams that have a record now and then each would make both anew for every record.
 */
import type { WriteAccount } from "../ledger/Ledger.ts"
import type { Leg } from "../routes/Route.ts"
import type { Writer } from "../transport/index.ts"
import type { Fiber } from "effect"
import type { Alarmed } from "./Calendar.ts"
import type { Halted, LaneHome } from "./LaneHome.ts"
import { WriteLane } from "./WriteLane.ts"
import { type Sending, WritePartition, type WritePartitionOptions } from "./WritePartition.ts"

/** What runs partitions. */
export interface PartitionRunner {
  /** The partition may have something to do. */
  readonly schedule: (partition: PumpedPartition) => void
}

/** What a partition belongs to. */
export interface PartitionHome {
  readonly leg: Leg
  readonly writer: Writer
  /** Of all its partitions. */
  readonly writing: WritePartitionOptions
  /** Is told of the answers to its sends; absent: nobody is. */
  readonly breaker?: { readonly answered: (partition: number, sending: Sending, nowMs: number) => void } | undefined
  /** Is told of what is stored; absent: it has no fallback. */
  readonly fallback?: { readonly stored: (partition: number) => void } | undefined
  /** Whether nothing that was published to a partition waits, here or where it was sent instead. */
  readonly isIdle: (partition: number) => boolean
  /** Lanes may have halted, or have nothing left. */
  readonly driven: (partition: PumpedPartition, hasFailed: boolean) => void
}

/** Whose lane it is: a leg of a stream. */
export interface LaneKeeper {
  readonly account: WriteAccount
  /** Nothing of the lane is left; returns whether it was there. */
  readonly drop: (partition: number, lane: PumpedLane) => boolean
}

/** Lanes that have gone and are kept by their partition. */
const sparesMax = 64

/** A partition in the hands of a pump. */
export class PumpedPartition extends WritePartition implements Alarmed {
  home: PartitionHome
  partition: number
  alarmMs = Number.POSITIVE_INFINITY
  /** Lanes that write to it. */
  lanes = 0
  /** Whether it stands in the line of the pump. */
  isScheduled = false
  /** Whether its sink has closed: nothing more is sent. */
  isClosed = false
  fencing: Fiber.Fiber<unknown, unknown> | undefined
  /** The halt of the partition that was told last. */
  toldHalt: Halted | undefined
  readonly #runner: PartitionRunner
  /** They may still stand in the line of this partition, which is why no other takes them. */
  readonly #spares: Array<PumpedLane> = []

  constructor(runner: PartitionRunner, home: PartitionHome, partition: number) {
    super(home.writing)
    this.#runner = runner
    this.home = home
    this.partition = partition
  }

  /** Begins anew as another partition: nothing is on its way, in doubt or waiting, and it has no lanes. */
  become(home: PartitionHome, partition: number): void {
    this.serve(home.writing)
    this.home = home
    this.partition = partition
    this.fencing = undefined
    this.toldHalt = undefined
  }

  override trip(): void {
    super.trip()
    // That of the destination is asked for anew by whoever sends on; it is not one of the spill, whenever it returns.
    this.fencing?.interruptUnsafe()
    this.fencing = undefined
  }

  override turnBack(isOwed: boolean): void {
    super.turnBack(isOwed)
    // Of the fallback.
    this.fencing?.interruptUnsafe()
    this.fencing = undefined
  }

  /** A lane that writes to it. */
  add(home: LaneHome, keeper: LaneKeeper): PumpedLane {
    this.lanes++
    const spare = this.#spares.pop()
    if (spare === undefined) return new PumpedLane(this, home, keeper)
    spare.become(home, keeper)
    return spare
  }

  /** The lane has gone. */
  remove(lane: PumpedLane): void {
    this.lanes--
    // What was given up while it was on its way may still be answered.
    if (!lane.isSealed && this.#spares.length < sparesMax) this.#spares.push(lane)
  }

  ring(): void {
    this.#runner.schedule(this)
  }
}

/** A lane in the hands of a pump. */
export class PumpedLane extends WriteLane implements Alarmed {
  readonly partition: PumpedPartition
  keeper: LaneKeeper
  alarmMs = Number.POSITIVE_INFINITY
  /** Whether the record that announces its drops at the end was made. */
  isMarked = false

  constructor(partition: PumpedPartition, home: LaneHome, keeper: LaneKeeper) {
    super(home, keeper.account)
    this.partition = partition
    this.keeper = keeper
  }

  /** Begins anew for another leg. */
  become(home: LaneHome, keeper: LaneKeeper): void {
    this.serve(home, keeper.account)
    this.keeper = keeper
  }

  ring(): void {
    this.partition.ready(this)
    this.partition.ring()
  }
}
