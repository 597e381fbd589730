/**
 * One destination, (cluster, topic): one budget of bytes, the lanes of all streams that write to it, and the writer. What the lanes do
 * is run by the pump of the cluster.
 */
import { Effect, Scope } from "effect"
import type { Ledger, PendingCensus, WriteAccount } from "../ledger/Ledger.ts"
import type { Waiter } from "../ledger/Waiter.ts"
import type { DroppedRange } from "../record/DropNotice.ts"
import type { RecordBatch } from "../record/RecordBatch.ts"
import type { Leg } from "../routes/Route.ts"
import { register, unregister } from "../ledger/pulled.ts"
import { attribute } from "../Telemetry.ts"
import type { Position, TransportError, Writer } from "../transport/index.ts"
import { tellGivenUp, tellHalts } from "./haltNotices.ts"
import { lastAttempt } from "./lastAttempt.ts"
import { type LaneMaker, LegLanes, type TakeMoved, troubleOfLegs } from "./LegLanes.ts"
import type { IsStored } from "./LaneQueue.ts"
import { openPlaces, type PlacedLeg, type Places } from "./openPlaces.ts"
import { outageFor } from "./outageFor.ts"
import type { Pump } from "./Pump.ts"
import type { PartitionHome, PumpedLane, PumpedPartition } from "./Pumped.ts"
import type { RoomQueue } from "./RoomQueue.ts"
import { Changes } from "./Changes.ts"
import { seriesOf } from "./sinkSeries.ts"
import { type BreakerHome, sentOn, SinkBreaker } from "./SinkBreaker.ts"
import { SinkBuffer } from "./SinkBuffer.ts"
import type { Queued, Span } from "./Span.ts"
import { lettersMax, Undelivered } from "./Undelivered.ts"
import { budgetFor, isSetAlike, type LaneRules } from "./LaneRules.ts"
import { type FallbackState, SinkFallback } from "./fallback/SinkFallback.ts"
import type { StandIn } from "./spill/awayTransport.ts"
import { SinkSpill } from "./spill/SinkSpill.ts"
import type { Halted, HaltedLane, LaneHome } from "./LaneHome.ts"
import type { WriteLane } from "./WriteLane.ts"
import type { WritePartition, WritePartitionOptions } from "./WritePartition.ts"

/** How much of the time for closing is kept for giving what is left to the spill, or to the fallback, at most, in milliseconds. */
const toSpillMs = 2000

export interface SinkOptions extends PlacedLeg {
  /** Of the cluster. */
  readonly pump: Pump
  readonly ledger: Ledger
  /** 16 bytes: whose drops are announced. */
  readonly incarnation: Uint8Array
  /** How long closing waits for what is buffered, in milliseconds. */
  readonly drainMs: number
  /** Those that asked for the sink, also before they are open. */
  readonly streams: ReadonlySet<string>
  /** What stands for the cluster, where that was not there. */
  readonly away: Pick<StandIn, "trouble"> | undefined
}

export class Sink implements LaneMaker, LaneHome, PartitionHome, BreakerHome {
  leg: Leg
  readonly partitions: number
  /** Those who wait for room. */
  readonly waiting: RoomQueue
  /** Records may have ended, or a fence has returned. */
  readonly changes: Changes
  /** Bytes of the largest record that can ever be taken. */
  largest: number
  readonly writer: Writer
  readonly ledger: Ledger
  /** Those that asked for it, also before they are open. */
  readonly streams: ReadonlySet<string>
  readonly recordBytesMax: number
  readonly lettersMax = lettersMax
  readonly canFence: boolean
  readonly rules: LaneRules
  readonly writing: WritePartitionOptions
  /** Absent where the leg has none. */
  breaker: SinkBreaker | undefined
  readonly #undelivered: Undelivered
  readonly #away: SinkOptions["away"]
  readonly fallback: SinkFallback | undefined
  readonly spill: SinkSpill | undefined
  /** One of them. */
  readonly #standIn: SinkSpill | SinkFallback | undefined
  readonly buffer: SinkBuffer
  readonly #pump: Pump
  readonly incarnation: Uint8Array
  readonly isCompacted: boolean
  readonly #legs = new Map<WriteAccount, LegLanes>()
  readonly #partitions: Array<PumpedPartition | undefined> = []
  /** How many there are. */
  #lanes = 0
  #closing: "draining" | "closed" | undefined
  /** Events that were dropped because it closes. */
  #givenUp = 0
  /** Lanes that were given to the spill because they stood while closing. */
  #givenToSpill: Set<PumpedLane> | undefined
  #drained: (() => void) | undefined

  constructor(
    { leg, pump, ledger, incarnation, compaction, streams, away }: SinkOptions,
    { writer, spill, fallback }: Places
  ) {
    const { fencing, pipeline } = pump.transport.capabilities
    const places = [pump, ...(spill === undefined ? (fallback ?? []) : [spill])]
    const recordBytesMax = Math.min(...places.map(({ transport }) => transport.capabilities.recordBytesMax))
    const { policy, lingerMs, batchBytes, batchRecords } = leg
    this.leg = leg
    this.partitions = writer.partitions
    this.waiting = pump.roomQueue()
    this.changes = new Changes(pump.scheduler)
    this.buffer = new SinkBuffer(pump.arenas, leg, () => this.waiting.freed())
    this.largest = Math.min(recordBytesMax, this.buffer.bytesMax)
    this.ledger = ledger
    this.streams = streams
    this.#away = away
    this.recordBytesMax = recordBytesMax
    this.canFence = fencing !== "none"
    this.#undelivered = new Undelivered({ leg, pump, answered: (...told) => this.#answered(...told) })
    const watched = {
      budget: budgetFor(policy, undefined),
      outage: outageFor(policy, undefined, this.#undelivered.outages)
    }
    this.rules = { policy, lingerMs, batchBytes, batchRecords, retries: 0, ...watched }
    const trip = (partition: WritePartition, failure: Halted) =>
      this.#standIn?.trip(partition as PumpedPartition, failure) ?? false
    const ofFallback = fallback && {
      canFence: (partition: WritePartition) => this.fallback?.fences(partition as PumpedPartition) === true
    }
    // What has no answer is sent again behind what was stored meanwhile: of a state that copy would be the last word.
    const inFlightMax = compaction ? 1 : pipeline
    this.writing = { rules: this.rules, pipeline: inFlightMax, canFence: this.canFence, fallback: ofFallback, trip }
    this.#pump = pump
    this.incarnation = incarnation
    this.isCompacted = compaction !== undefined
    this.#brokenBy(leg)
    const sent = sentOn(writer, this)
    this.spill = spill && new SinkSpill(spill, sent, this, pump, this.#undelivered)
    this.fallback = fallback && new SinkFallback(fallback, writer, this, pump, this.#undelivered)
    this.#standIn = this.spill ?? this.fallback
    this.writer = this.spill?.spill.writer ?? this.fallback?.writer ?? writer
  }

  /** Opens the writer; closing the scope drains the lanes until `drainMs` have passed and drops the rest. */
  static readonly open = (options: SinkOptions): Effect.Effect<Sink, TransportError, Scope.Scope> =>
    Effect.flatMap(openPlaces(options), (found) =>
      // In one step: what stands in for the destination would run, and hold what it has, for as long as the process lives.
      Effect.uninterruptible(
        Effect.flatMap(Effect.scope, (scope) =>
          Effect.suspend(() => {
            const sink = new Sink(options, found)
            sink.#standIn?.start()
            const close = () => Effect.andThen(sink.#close(options.drainMs), () => sink.#unregister())
            // Not `acquireRelease`, which keeps the whole context of whoever opens it for as long as the sink is open.
            return Effect.map(Scope.addFinalizerExit(scope, close), () => sink.#registered())
          })
        )
      )
    )

  /** Takes over other settings for the same destination. What is buffered stays; a smaller budget only lets nothing more in. */
  configure(leg: Leg): void {
    const { policy, lingerMs, batchBytes, batchRecords } = leg
    const was = this.leg
    this.leg = leg
    if (isSetAlike(was, leg)) return
    Object.assign(this.rules, { policy, lingerMs, batchBytes, batchRecords })
    this.rules.budget = budgetFor(policy, this.rules.budget)
    this.rules.outage = outageFor(policy, this.rules.outage, this.#undelivered.outages)
    this.#brokenBy(leg)
    this.buffer.configure(leg)
    this.largest = Math.min(this.recordBytesMax, this.buffer.bytesMax)
    for (const lane of this.#all) this.ready(lane)
    this.waiting.freed()
  }

  /** The lanes of one stream and epoch. */
  lanesOf(account: WriteAccount): LegLanes {
    let lanes = this.#legs.get(account)
    if (lanes === undefined) {
      lanes = new LegLanes(account, this)
      this.#legs.set(account, lanes)
    }
    return lanes
  }

  /** Whether it takes nothing more. */
  get isClosing(): boolean {
    return this.#closing !== undefined
  }

  /** Bytes of the arenas that hold records. */
  get bufferedBytes(): number {
    return this.buffer.usedBytes
  }

  /** Of the bound over all buffers, what is its own, in bytes; undefined where there is none. */
  get shareBytes(): number | undefined {
    return this.buffer.shareBytes
  }

  /** The bound over all buffers, in bytes, where that was why the last record had no room; undefined when its own buffer was full. */
  get fullBytesMax(): number | undefined {
    return this.buffer.fullBytesMax
  }

  /** What its spill holds; undefined where it has none. */
  get spilling(): { readonly records: number; readonly bytes: number } | undefined {
    const { records, bytes } = this.spill?.spill ?? {}
    return records === undefined || bytes === undefined ? undefined : { records, bytes }
  }

  /** Whether a partition goes to the spill, or to the fallback: what the destination is sent of it comes from there. */
  isSpilling(partition: number): boolean {
    return this.spill?.spill.isOn(partition) === true || this.fallback?.isOn(partition) === true
  }

  isIdle(partition: number): boolean {
    if (this.isSpilling(partition)) return false
    return this.#all.every((lane) => lane.partition.partition !== partition || lane.isEmpty)
  }

  /** Which of its partitions go to the fallback; undefined where it has none. */
  get fallingBack(): FallbackState | undefined {
    return this.fallback?.state
  }

  /** What of it stores nothing, in words that follow its name; undefined while all does. */
  get trouble(): string | undefined {
    const own = this.#away?.trouble() ?? this.spill?.trouble ?? this.#pump.standstills.troubleOf(this)
    return own ?? this.fallback?.trouble ?? troubleOfLegs(this.#legs)
  }

  get pending(): number {
    return this.#all.reduce((total, lane) => total + lane.pending, 0)
  }

  wake(partition: number | undefined): boolean {
    const lanes = this.#all.filter((lane) => (partition ?? lane.partition.partition) === lane.partition.partition)
    for (const lane of lanes) this.ready(lane)
    return lanes.length > 0
  }

  /** Sends what is there without waiting for linger, and has `waiter` told of each record. */
  flush(waiter: Waiter): void {
    for (const lane of this.#all) {
      this.flushLane(lane)
      lane.await(waiter)
    }
  }

  get halted(): ReadonlyArray<HaltedLane> {
    const { sink } = this.leg
    const ofLanes = this.#all.flatMap((lane) => {
      const halted = lane.halted ?? lane.partition.halted
      if (halted === undefined || lane.isEmpty) return []
      return [{ ...halted, sink, partition: lane.partition.partition, stream: lane.account.stream }]
    })
    return [...ofLanes, ...(this.#standIn?.halted ?? []).map((halted) => ({ ...halted, sink }))]
  }

  /** Lets halted lanes go on. */
  readonly resume: Effect.Effect<void> = Effect.sync(() => {
    this.#standIn?.resume()
    for (const partition of this.#partitions) {
      if (partition?.halted === undefined) continue
      partition.resume()
      this.#pump.schedule(partition)
    }
    for (const lane of this.#all) {
      if (lane.halted === undefined) continue
      lane.resume(this.#pump.nowMs, this.#pump.wallMs)
      this.ready(lane)
    }
  })

  makeLane(legLanes: LegLanes, partition: number): PumpedLane | undefined {
    if (this.#closing !== undefined || !(partition >= 0 && partition < this.partitions)) return undefined
    const lane = this.#partitionOf(partition).add(this, legLanes)
    this.#lanes++
    legLanes.keep(partition, lane)
    return lane
  }

  hasRoom(lane: PumpedLane | undefined, bytes: number): boolean {
    if (lane?.isSealed === true || this.#closing !== undefined) return false
    return this.buffer.hasRoom(lane?.open, bytes)
  }

  makeRoom(lane: PumpedLane, bytes: number, expectedBytes: number, isPromised: boolean): RecordBatch | undefined {
    if (lane.isSealed) return undefined
    const { open } = lane
    if (open !== undefined && this.buffer.grow(open, bytes)) return open
    // It may be the same object as `open`, which was dropped for it.
    const batch = this.buffer.take(bytes, expectedBytes, isPromised)
    if (batch === undefined) return undefined
    this.buffer.begun(lane.begin(batch, this.#pump.offeredAtMs))
    // The batch before takes no more, so it need not wait for its linger.
    if (open !== undefined) this.ready(lane)
    return batch
  }

  appended(lane: PumpedLane): void {
    if (lane.lingerDueMs <= this.#pump.offeredAtMs) this.ready(lane)
    else this.#pump.alarm(lane, lane.lingerDueMs)
  }

  flushLane(lane: PumpedLane): void {
    lane.flush()
    this.ready(lane)
  }

  get deadLetters(): string {
    return this.#undelivered.name
  }

  setAside(one: WriteLane, span: Span, failure: Halted): void {
    this.#undelivered.put(one as PumpedLane, span, failure)
  }

  trip(one: WriteLane, failure: Halted): boolean {
    return this.#standIn?.trip((one as PumpedLane).partition, failure) ?? false
  }

  spilled(one: WriteLane, span: Span, base: Position): void {
    this.spill?.add(one as PumpedLane, span, base)
  }

  moveOut(lane: PumpedLane, isStored: IsStored, take: TakeMoved): ReadonlyArray<DroppedRange> {
    // What closing would announce by a record of its own is announced elsewhere.
    lane.isMarked ||= this.isClosing
    const drops = lane.moveOut(isStored, take)
    this.#gone(lane)
    return drops
  }

  moveIn(lane: PumpedLane, batches: ReadonlyArray<RecordBatch>, isInFront: boolean): void {
    this.buffer.movedIn(lane.moveIn(batches, isInFront), isInFront)
    this.ready(lane)
  }

  /** The lanes of each stream. */
  get legs(): ReadonlyMap<WriteAccount, LegLanes> {
    return this.#legs
  }

  find(partition: number): PumpedPartition | undefined {
    return this.#partitions[partition]
  }

  /** What became of letters: the lane may have halted, or have nothing left. */
  #answered(lane: PumpedLane, hasHalted: boolean): void {
    if (hasHalted) lane.partition.haltedLanes.push(lane)
    if (this.#closing === "draining") this.#dropStanding()
    if (!lane.isEmpty) this.ready(lane)
    this.changes.signal()
  }

  driven(partition: PumpedPartition, hasFailed: boolean): void {
    const hasHalted = partition.halted !== undefined || partition.haltedLanes.length > 0
    if (hasHalted) tellHalts(this, this.#pump, partition)
    if (this.#closing === "draining" && (hasFailed || hasHalted)) {
      this.fallback?.tryNow(partition.partition)
      this.#dropStanding()
    }
    this.#standIn?.driven(partition.partition, hasHalted)
    this.breaker?.driven(partition.partition)
    this.#leave(partition)
    this.changes.signal()
  }

  /** A partition that nobody writes to, and of which nothing is in doubt, is forgotten. */
  #leave(partition: PumpedPartition): void {
    if (partition.lanes > 0 || !partition.isIdle || partition.isScheduled) return
    this.#partitions[partition.partition] = undefined
    this.#pump.end(partition)
  }

  /** Takes the breaker of a leg over, or that it has none. */
  #brokenBy({ breaker }: Leg): void {
    if (breaker === undefined) this.breaker?.close()
    else if (this.breaker !== undefined) return this.breaker.configure(breaker)
    this.breaker = breaker && new SinkBreaker(this, this.#pump, breaker)
    this.rules.breaker = this.breaker
  }

  get #all(): ReadonlyArray<PumpedLane> {
    return Array.from(this.#legs.values()).flatMap(({ all }) => all)
  }

  ready(lane: PumpedLane): void {
    lane.partition.ready(lane)
    this.#pump.schedule(lane.partition)
  }

  #partitionOf(partition: number): PumpedPartition {
    const found = this.#partitions[partition]
    if (found !== undefined) return found
    const begun = this.#pump.begin(this, partition)
    this.#partitions[partition] = begun
    this.#standIn?.begin(begun)
    return begun
  }

  recycle(one: WriteLane, queued: Queued): void {
    const lane = one as PumpedLane
    this.buffer.give(queued)
    this.waiting.freed()
    this.changes.signal()
    if (this.#closing === undefined ? lane.isIdle : lane.isEmpty && !this.#mark(lane)) this.#gone(lane)
  }

  #gone(lane: PumpedLane): void {
    const { partition, keeper } = lane
    if (!keeper.drop(partition.partition, lane)) return
    this.#lanes--
    this.#pump.forget(lane)
    partition.remove(lane)
    // One that is being driven is asked when that is over: its line may hold the lane.
    if (!this.#pump.isDriving(partition)) this.#leave(partition)
    if (this.#closing === "draining" && this.#lanes === 0) this.#drained?.()
  }

  #close(drainMs: number): Effect.Effect<void> {
    const begin = () => {
      this.#closing = "draining"
      lastAttempt(this.#all, this.#undelivered, this.breaker, this.fallback)
      for (const lane of this.#all) {
        lane.seal()
        if (lane.isEmpty && !this.#mark(lane)) this.#gone(lane)
        else this.ready(lane)
      }
      this.#dropStanding()
    }
    const spillMs = this.#standIn === undefined ? 0 : Math.min(toSpillMs, drainMs / 2)
    return this.#emptied(drainMs - spillMs, begin).pipe(
      Effect.andThen(this.#standIn === undefined ? Effect.void : this.#emptied(spillMs, () => this.#giveToSpill())),
      Effect.andThen(
        Effect.sync(() => {
          this.#closing = "closed"
          for (const lane of this.#all) this.#abandon(lane)
          for (const partition of this.#partitions) if (partition !== undefined) this.#pump.close(partition)
          this.buffer.close()
          this.#pump.standstills.close(this)
          this.breaker?.close()
          this.#pump.rest()
          this.waiting.freed()
          this.changes.signal()
        })
      ),
      // What is sent on until then may need a letter.
      Effect.andThen(this.#standIn?.close ?? Effect.void),
      Effect.andThen(this.#undelivered.close),
      Effect.andThen(() => tellGivenUp(this.leg.sink, this.#givenUp))
    )
  }

  /** Waits until no lane is left, or the time is over. */
  #emptied(ms: number, begin: () => void): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      this.#drained = () => resume(Effect.void)
      begin()
      if (this.#lanes === 0) resume(Effect.void)
    }).pipe(
      // Never inside the stack of the pump.
      Effect.andThen(Effect.yieldNow),
      Effect.timeoutOption(ms),
      Effect.asVoid
    )
  }

  /** Closing is nearly over: what the destination has not taken by now, the next process finds in the spill. */
  #giveToSpill(): void {
    for (const lane of this.#all) {
      // What no gate has let go was never to be sent: another process would.
      if (lane.isEmpty || lane.isGated) continue
      this.#pump.giveUp(lane.partition)
      this.#givesToSpill(lane)
    }
  }

  /** Nobody resumes a lane while it is being closed: what it holds is given up as soon as nothing of it may still become a dead letter. */
  #dropStanding(): void {
    for (const lane of this.#all) {
      // What the fallback refuses may go back to the first cluster while there is time.
      const isStanding =
        (lane.halted !== undefined && (lane.isGated || lane.halted.isOfFallback !== true)) ||
        lane.partition.halted !== undefined
      if (!isStanding || lane.isDeadLettering) continue
      if (!this.#givesToSpill(lane)) this.#abandon(lane)
    }
  }

  /** Once for each lane: one that stands there too, because the spill is full and its letters are refused for example, would go there again without an end. */
  #givesToSpill(lane: PumpedLane): boolean {
    if (lane.isGated || this.#givenToSpill?.has(lane) === true || this.#standIn?.giveUp(lane) !== true) return false
    this.#givenToSpill = (this.#givenToSpill ?? new Set()).add(lane)
    return true
  }

  #abandon(lane: PumpedLane): void {
    lane.isMarked = true
    const { dropped } = lane.account
    const before = dropped["closed"] ?? 0
    lane.abandon("closed")
    this.#givenUp += (dropped["closed"] ?? 0) - before
    this.#gone(lane)
  }

  /** Drops that no later record announces are announced by a record of their own, at the end of the lane. Returns whether it was made. */
  #mark(lane: PumpedLane): boolean {
    if (lane.isMarked || this.isCompacted || this.#closing === "closed" || lane.unannounced.length === 0) return false
    lane.isMarked = true
    const marked = { incarnation: this.incarnation, stream: lane.account.stream }
    const batch = this.buffer.takeMarker(marked, this.#pump.wallMs)
    this.buffer.begun(lane.begin(batch, this.#pump.offeredAtMs))
    lane.flush()
    this.ready(lane)
    return true
  }

  /** Registers what is read of the sink when somebody looks. */
  #registered(): this {
    register(seriesOf(this), this, { [attribute.sink]: this.leg.sink }, this.#pump.context)
    this.ledger.watchPending(this)
    return this
  }

  #unregister(): Effect.Effect<void> {
    unregister(seriesOf(this), this, { [attribute.sink]: this.leg.sink }, this.#pump.context)
    this.ledger.unwatchPending(this)
    return Effect.void
  }

  /** Counts what its lanes hold at this moment. */
  census(add: Parameters<PendingCensus["census"]>[0]): void {
    for (const lane of this.#all)
      lane.census((batch, from, to, place) => {
        for (let at = from; at < to; at++) if (!batch.isMarker(at)) add(lane.account.index, place, 1)
      })
  }
}
