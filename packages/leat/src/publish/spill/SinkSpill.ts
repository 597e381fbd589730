/** What a sink has of its spill: which of its partitions go there, and what the drain asks of the sink. */
import { Effect, Fiber } from "effect"
import type { Ledger, WriteAccount } from "../../ledger/Ledger.ts"
import type { PlainRecord } from "../../record/batchOf.ts"
import { taggedStream } from "../../record/CompactHeader.ts"
import type { DroppedRange } from "../../record/DropNotice.ts"
import { formatUuid } from "../../record/EventId.ts"
import type { Leg } from "../../routes/Route.ts"
import { warn } from "../../Telemetry.ts"
import { endWithin } from "../../transport/endWithin.ts"
import type { Position, Writer } from "../../transport/index.ts"
import type { Halted } from "../LaneHome.ts"
import type { LaneRules } from "../LaneRules.ts"
import type { LegLanes } from "../LegLanes.ts"
import type { Pump } from "../Pump.ts"
import type { PartitionHome, PumpedLane, PumpedPartition } from "../Pumped.ts"
import type { Span } from "../Span.ts"
import { seconds, standstillMs } from "../Standstills.ts"
import type { Undelivered } from "../Undelivered.ts"
import type { HaltedRecord } from "../sendOn/SendOn.ts"
import { type Departures, fateOf } from "./Departures.ts"
import { unprovenText } from "./proving.ts"
import { Spill, type SpillPlace } from "./Spill.ts"
import { type DrainHome, SpillDrain } from "./SpillDrain.ts"

/** How long closing waits for what was asked of drivers to end, in milliseconds. */
const endMs = 5000

/** What the spill asks of its sink. */
export interface SpilledSink extends PartitionHome {
  readonly rules: LaneRules
  /** 16 bytes. */
  readonly incarnation: Uint8Array
  readonly isCompacted: boolean
  readonly recordBytesMax: number
  readonly ledger: Ledger
  /** Those that asked for the sink. What an earlier process has left is sent on before the other sinks of its stream are open. */
  readonly streams: ReadonlySet<string>
  /** The lanes of each stream. */
  readonly legs: ReadonlyMap<WriteAccount, LegLanes>
  /** A partition that something is written to; undefined: there is none at the moment. */
  readonly find: (partition: number) => PumpedPartition | undefined
}

export class SinkSpill implements DrainHome {
  readonly spill: Spill
  readonly deadLetters: string
  readonly #sink: SpilledSink
  readonly #pump: Pump
  readonly #undelivered: Undelivered
  readonly #drain: SpillDrain
  #running: Fiber.Fiber<never> | undefined

  constructor(place: SpillPlace, destination: Writer, sink: SpilledSink, pump: Pump, undelivered: Undelivered) {
    this.spill = new Spill(place, destination, (partition) => this.isOwing(partition), pump.context)
    this.deadLetters = undelivered.name
    this.#sink = sink
    this.#pump = pump
    this.#undelivered = undelivered
    this.#drain = new SpillDrain(this.spill, this, pump)
  }

  get leg(): Leg {
    return this.#sink.leg
  }

  get departures(): Departures | undefined {
    return this.spill.place.departures
  }

  get rules(): LaneRules {
    return this.#sink.rules
  }

  get incarnation(): string {
    return formatUuid(this.#sink.incarnation)
  }

  /** A record without a key has no place in a compacted topic. */
  get markerBytesMax(): number {
    return this.#sink.isCompacted ? 0 : this.#sink.recordBytesMax
  }

  get ledger(): Ledger {
    return this.#sink.ledger
  }

  /** Finds what an earlier process has left, and sends on what is there, until `close`. */
  start(): void {
    this.#running = this.#drain.start()
  }

  /** This process is to have it although it publishes nothing there: a stream has left, and what it holds of that goes along. */
  want(): void {
    this.#drain.want()
  }

  /** Whether something is on its way to the destination whose stream has left it. */
  get isLeaving(): boolean {
    const { departures } = this
    if (departures === undefined) return false
    return this.spill.parts.some(({ sending }) =>
      sending.some((record) => fateOf(record, this.leg.sink, departures) !== "send")
    )
  }

  /** A partition that is written to begins: where it goes is known already. */
  begin(partition: PumpedPartition): void {
    this.#drain.want()
    partition.isSpilling = this.spill.isOn(partition.partition)
    partition.isHeldBack = this.spill.isHeldBack(partition.partition)
    partition.isBarred = !this.spill.isReady
  }

  /** From now on what the partition is sent goes to the spill. */
  trip({ partition }: PumpedPartition, failure: Halted): boolean {
    this.#drain.trip(partition, failure)
    this.looked(partition)
    return true
  }

  /** Records of a lane are in the spill. */
  add({ account, partition }: PumpedLane, { queued, from, to, mayBeStored }: Span, base: Position): void {
    const { batch } = queued
    const isDoubtful = mayBeStored || batch.isDoubtful
    this.spill.add(partition.partition, { account, batch, from, to, mayBeStored: isDoubtful }, base)
  }

  driven(partition: number): void {
    this.#drain.driven(partition)
  }

  /** Nobody resumes a lane while its sink is being closed: the next process finds what it holds. False where that cannot be. */
  giveUp(lane: PumpedLane): boolean {
    if (!this.spill.isReady) return false
    this.#drain.close(lane.partition.partition)
    lane.resume(this.#pump.nowMs, this.#pump.wallMs)
    this.trip(lane.partition, { tag: "closed", attempts: 0, detail: "it is being closed" })
    lane.partition.ready(lane)
    this.#pump.schedule(lane.partition)
    return true
  }

  /** What stands until `resume`. */
  get halted(): ReadonlyArray<HaltedRecord> {
    return this.#drain.halted
  }

  resume(): void {
    this.#drain.resume()
  }

  /** Sends nothing on any more; whoever waits is told that the next process does. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    const running = this.#running
    if (running === undefined) return this.#leave
    return Effect.gen({ self: this }, function* () {
      yield* this.#drain.leave
      const ended = yield* endWithin(Fiber.interrupt(running), endMs)
      if (ended === undefined)
        yield* warn(`${this.spill.name} is not closed within ${endMs} ms, and is not waited for any longer`)
      yield* this.#leave
    })
  })

  readonly #leave: Effect.Effect<void> = Effect.suspend(() => {
    const { parts, records, name } = this.spill
    for (const { book, doubtEnd } of parts) book.leave(doubtEnd)
    const lines: Array<string> = []
    const unsettled = parts.reduce((total, part) => total + part.unsettled, 0)
    if (unsettled > 0)
      lines.push(
        `${name} could not settle ${unsettled} records that were sent on, or given up: the next process sends them once more`
      )
    const doubtful = parts.reduce((total, { at, doubtEnd }) => total + Math.max(0, Number(doubtEnd - at)), 0)
    const inDoubt = doubtful === 0 ? "" : `; ${doubtful} of them had no answer, and may be stored already`
    // Where another process has it, that one knows what it holds.
    if (records > 0 && (this.spill.isReady || this.#drain.isWanted))
      lines.push(
        `${records} events for ${this.leg.sink} stay in ${name}: the next process that opens it sends them${inDoubt}`
      )
    return Effect.forEach(lines, warn, { discard: true })
  })

  /** Whether a partition is held back, or where it goes, has changed. */
  looked(number: number): void {
    const partition = this.#sink.find(number)
    if (partition === undefined) return
    partition.isHeldBack = this.spill.isHeldBack(number)
    partition.isBarred = !this.spill.isReady
    const isOn = this.spill.isOn(number)
    if (partition.isSpilling !== isOn) {
      if (isOn) partition.trip()
      else partition.isSpilling = false
      for (const lanes of this.#sink.legs.values()) {
        for (const lane of lanes.all) {
          if (lane.partition !== partition) continue
          lane.turn()
          partition.ready(lane)
        }
      }
    }
    this.#pump.schedule(partition)
  }

  isQuiet(partition: number): boolean {
    return this.#sink.find(partition)?.isQuiet ?? true
  }

  /** Why nothing is sent, in words that follow the name of the sink: this process does not have it; undefined: it has, or has waited for a moment. */
  get trouble(): string | undefined {
    const { waitsSinceMs, why, waitsFor, name } = this.spill
    const forMs = waitsSinceMs === undefined ? 0 : this.#pump.nowMs - waitsSinceMs
    if (forMs < standstillMs) return this.#unproven
    return `has sent nothing for ${seconds(forMs)}: ${name} ${why?.() ?? waitsFor?.() ?? "does not say what it holds"}`
  }

  /** What an earlier process has left was sent on, and is not settled while the control stream is away. */
  get #unproven(): string | undefined {
    const { parts, name } = this.spill
    const sinceMs = Math.min(...parts.map(({ unproven }) => unproven.sinceMs ?? Number.POSITIVE_INFINITY))
    const forMs = this.#pump.nowMs - sinceMs
    const trouble = this.departures?.trouble
    if (forMs < standstillMs || trouble === undefined) return undefined
    return `stores, and has waited for the control stream for ${seconds(forMs)}: ${name} ${unprovenText(trouble)}`
  }

  isOwing(partition: number): boolean {
    return this.#sink.find(partition)?.isOwing === true
  }

  /** A compact record has a tag in place of the name of its stream. */
  accountOf(stream: string): WriteAccount {
    const { sink, epoch } = this.leg
    const isOf = (name: string) => name === stream || taggedStream(name) === stream
    const open = Array.from(this.#sink.legs.keys()).find((one) => isOf(one.stream))
    return open ?? this.ledger.spillingAccount(Array.from(this.#sink.streams).find(isOf) ?? stream, sink, epoch)
  }

  announce(account: WriteAccount, ranges: ReadonlyArray<DroppedRange>): boolean {
    return this.#sink.legs.get(account)?.announce(ranges) === true
  }

  setAside(partition: number, record: PlainRecord, failure: Halted): Effect.Effect<string | undefined> {
    return this.#undelivered.putRecord(partition, record, failure)
  }

  stores(partition: number): void {
    this.#pump.standstills.stores(this.#sink, partition)
  }

  fails(partition: number, sentAtMs: number, why: string): void {
    this.#pump.standstills.fails(this.#sink, partition, sentAtMs, why)
  }
}
