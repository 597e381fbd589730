/** What a sink has of its fallbacks: which of its partitions go there, when they go back, and who sends on what is there. */
import { Effect, Fiber } from "effect"
import type { Ledger, WriteAccount } from "../../ledger/Ledger.ts"
import type { PlainRecord } from "../../record/batchOf.ts"
import { taggedStream } from "../../record/CompactHeader.ts"
import type { DroppedRange } from "../../record/DropNotice.ts"
import { formatUuid } from "../../record/EventId.ts"
import type { Leg } from "../../routes/Route.ts"
import { warn } from "../../Telemetry.ts"
import { endWithin } from "../../transport/endWithin.ts"
import type { PartitionBounds, Position, Writer } from "../../transport/index.ts"
import { Wake } from "../../Wake.ts"
import type { Halted, LaneFallback } from "../LaneHome.ts"
import type { LaneRules } from "../LaneRules.ts"
import type { LegLanes } from "../LegLanes.ts"
import type { Pump } from "../Pump.ts"
import type { PartitionHome, PumpedLane, PumpedPartition } from "../Pumped.ts"
import { type SinkBreaker, sentOn } from "../SinkBreaker.ts"
import type { Span } from "../Span.ts"
import type { Undelivered } from "../Undelivered.ts"
import type { WriteLane } from "../WriteLane.ts"
import { EarlierPlaces, type WaitingFor } from "./EarlierPlaces.ts"
import { Fallback, type FallbackPart, type PlacePart } from "./Fallback.ts"
import { FallbackReturn, pauseAgain, type ReturnHome } from "./FallbackReturn.ts"
import type { HaltedRecord } from "../sendOn/SendOn.ts"
import { type FallbackPlace, type FallbackPlaces, settledOf } from "./openFallback.ts"
import { Redrive, type RedriveHome } from "./Redrive.ts"

/** What the fallback asks of its sink. */
export interface FallingSink extends PartitionHome {
  readonly rules: LaneRules
  /** 16 bytes. */
  readonly incarnation: Uint8Array
  readonly isCompacted: boolean
  readonly recordBytesMax: number
  readonly ledger: Ledger
  /** Undefined where the leg has none. */
  readonly breaker: SinkBreaker | undefined
  /** Those that asked for the sink. */
  readonly streams: ReadonlySet<string>
  /** The lanes of each stream. */
  readonly legs: ReadonlyMap<WriteAccount, LegLanes>
  /** A partition that something is written to; undefined: there is none at the moment. */
  readonly find: (partition: number) => PumpedPartition | undefined
}

/** How long closing waits for what was asked of drivers to end, in milliseconds. */
const endMs = 5000

/** How long what was known last of what stands is shown, in milliseconds: it is looked at each half minute. */
const standingMs = 90_000

/** A fallback that is tried again so long after it had nothing is another matter, in milliseconds. */
const quietMs = 60_000

/** What is shown of one place. */
export interface PlaceState {
  /** Name of its cluster. */
  readonly cluster: string
  /** The partitions that go there. */
  readonly partitions: ReadonlyArray<number>
  /** Records there that are not sent on yet, of all publishers, when it was looked at last; undefined: they stay, or nobody has looked. */
  readonly waiting: number | undefined
}

/** What is shown of the fallbacks of a sink: of all of them, and where there are several of each. */
export interface FallbackState extends Omit<PlaceState, "cluster"> {
  readonly places?: ReadonlyArray<PlaceState>
}

/** Times are milliseconds of the monotonic clock. */
interface Standing {
  readonly sinceMs: number
  readonly lastMs: number
  readonly why: string
}

/** What has gone there since it was told that something does. */
interface Tally {
  readonly sinceMs: number
  fellBack: number
}

export class SinkFallback implements LaneFallback, ReturnHome, RedriveHome {
  readonly deadLetters: string
  readonly #fallback: Fallback
  readonly #sink: FallingSink
  readonly #pump: Pump
  readonly #undelivered: Undelivered
  readonly #return: FallbackReturn
  /** Whether a lane has halted since none stood that the fallback had refused: there may be thousands to look at. */
  #mayHaveRefused = false
  /** Of each place; empty where what is there stays. */
  readonly #redrives: ReadonlyArray<Redrive>
  /** Of each place: those before it. */
  readonly #earlier: ReadonlyArray<EarlierPlaces>
  readonly #running: Array<Fiber.Fiber<never>> = []
  #tally: Tally | undefined
  /** When it was over without that anything had come there; Infinity: something had. */
  #unusedMs = Number.POSITIVE_INFINITY
  /** Places that did not take something, and were left for the next one, since something goes to a fallback. */
  readonly #left = new Set<FallbackPlace>()
  /** Of each place that was looked at. */
  readonly #waiting = new Map<FallbackPlace, number>()
  /** What of others stands, by place and partition, as it was known last. */
  readonly #standing = new Map<string, Standing>()

  constructor(places: FallbackPlaces, destination: Writer, sink: FallingSink, pump: Pump, undelivered: Undelivered) {
    this.deadLetters = undelivered.name
    this.#fallback = new Fallback(places, destination)
    this.#sink = sink
    this.#pump = pump
    this.#undelivered = undelivered
    this.#return = new FallbackReturn(this.#fallback, this, pump, () => new Wake(pump.scheduler))
    this.#redrives = this.#fallback.back === "redrive" ? places.map((place) => new Redrive(place, this, pump)) : []
    this.#earlier = places.map((place, index) => {
      const waiting: WaitingFor = { stands: (...told) => this.stands(place, ...told) }
      return new EarlierPlaces(places.slice(0, index), waiting, pump)
    })
  }

  /** What the lanes of the sink write to. */
  get writer(): Writer {
    return this.#fallback.writer
  }

  isOn(partition: number): boolean {
    return this.#fallback.isOn(partition)
  }

  /** What is sent on tells the breaker of the destination how that does. */
  watched(writer: Writer): Writer {
    const sink = this.#sink
    const watching = {
      get breaker() {
        return sink.breaker
      },
      isSpilling: () => true
    }
    return sentOn(writer, watching)
  }

  get destination(): Writer {
    return this.#fallback.destination
  }

  get leg(): Leg {
    return this.#sink.leg
  }

  get rules(): LaneRules {
    return this.#sink.rules
  }

  /** A record without a key has no place in a compacted topic. */
  get markerBytesMax(): number {
    return this.#sink.isCompacted ? 0 : this.#sink.recordBytesMax
  }

  get state(): FallbackState {
    const { places, on, parts } = this.#fallback
    const of = (place: FallbackPlace): PlaceState => ({
      cluster: place.cluster,
      partitions: on.filter((partition) => parts[partition]?.at === place.index),
      waiting: this.#waiting.get(place)
    })
    return { partitions: on, waiting: this.#waits, ...(places.length === 1 ? {} : { places: places.map(of) }) }
  }

  /** In all places together; undefined where nobody has looked. */
  get #waits(): number | undefined {
    if (this.#waiting.size === 0) return undefined
    return Array.from(this.#waiting.values()).reduce((total, one) => total + one, 0)
  }

  /** Sends on what is there, and looks when partitions go back, until `close`. */
  start(): void {
    const { parts, places, back } = this.#fallback
    for (const place of places) {
      if (back === "redrive") this.#waiting.set(place, waitingIn(place.bounds))
      const found = parts.filter(({ there }) => there[place.index]?.isEmpty === false).length
      if (found > 0)
        this.#tell(
          `${place.name} holds events for ${found} partitions of ${this.leg.sink} that were not sent on yet: what is published there now goes behind them`
        )
    }
    for (const { run } of [this.#return, ...this.#redrives])
      this.#running.push(Effect.runForkWith(this.#pump.context)(run))
  }

  /** A partition that is written to begins: where it goes is known already. */
  begin(partition: PumpedPartition): void {
    const part = this.#fallback.parts[partition.partition]
    if (part === undefined) return
    partition.isSpilling = part.isOn
    partition.isHeldBack = part.isHeld
    if (!part.isOn && part.isOwed) this.#turnBack(partition, part)
  }

  /** From now on what the partition is sent goes to the fallback. */
  trip(partition: PumpedPartition, { tag, detail }: Halted): boolean {
    const part = this.#fallback.parts[partition.partition]
    if (part === undefined || part.isOn) return part !== undefined
    const { nowMs } = this.#pump
    pauseAgain(part, nowMs, this.leg.timeoutMs)
    this.#fallback.trip(part, nowMs)
    this.#tell(
      `what is published to ${this.leg.sink} goes to ${this.#fallback.places[0].name} until it is stored there again: ${tag}: ${detail}`
    )
    this.#turnThere(partition)
    return true
  }

  goOn(lane: WriteLane, { tag, detail }: Halted): void {
    const { partition } = lane as PumpedLane
    const part = this.#fallback.parts[partition.partition]
    const place = this.#fallback.placeOf(partition.partition)
    if (part === undefined || place === undefined) return
    const next = this.#fallback.places[this.#fallback.next(part)]
    if (next === undefined || next === place) return
    this.#fallback.turn(part, next.index, this.#pump.nowMs)
    this.#return.letGo(partition.partition)
    // Once until it is over: a partition may try all of them again and again.
    if (!this.#left.has(place))
      this.#say(
        `${place.name} does not take what is published to ${this.leg.sink}, which goes to ${next.name}: ${tag}: ${detail}`
      )
    this.#left.add(place)
    this.#resumeRefused(partition)
    this.#turnThere(partition)
  }

  canFence(lane: WriteLane): boolean {
    return this.fences((lane as PumpedLane).partition)
  }

  /** Whether the place that the partition is at can promise that nothing sent earlier still lands. */
  fences({ partition }: PumpedPartition): boolean {
    return this.#fallback.placeOf(partition)?.transport.capabilities.fencing !== "none"
  }

  /** What is sent goes to another place. */
  #turnThere(partition: PumpedPartition): void {
    partition.trip()
    this.#turn(partition)
    this.#return.signal()
  }

  took(lane: WriteLane, { from, to, queued }: Span, base: Position | undefined): void {
    const { partition } = (lane as PumpedLane).partition
    const part = this.#fallback.parts[partition]
    const place = this.#fallback.placeOf(partition)
    const there = part?.there[place?.index ?? -1]
    if (part === undefined || place === undefined || there === undefined) return
    if (base !== undefined && this.#isAnew(there, base)) this.anew(place, partition, there, there.left)
    this.#fallback.took(part, to - from, base)
    if (this.#tally !== undefined && !queued.batch.isMarker(from)) this.#tally.fellBack += to - from
  }

  /**
   * Whether a record of this leat that stands at `base` shows that its topic was made anew. Positions of one publisher never go back, and what was sent on
   * before it was sent stands before it; what is sent on since may be ahead of its answer.
   */
  #isAnew({ tookEnd, settledBefore }: PlacePart, base: Position): boolean {
    return base < tookEnd || base < settledBefore
  }

  driven(partition: number, hasHalted: boolean): void {
    this.#mayHaveRefused ||= hasHalted
    if (this.#fallback.isOn(partition) && this.isUnsent(partition)) this.#return.signal()
  }

  /** Something was not taken while the sink is being closed. */
  tryNow(partition: number): void {
    if (this.#fallback.isOn(partition)) this.#return.tryNow(partition)
  }

  /** Nobody resumes a lane while its sink is being closed: what it holds goes to the fallback. */
  giveUp(lane: PumpedLane): boolean {
    lane.resume(this.#pump.nowMs, this.#pump.wallMs)
    this.trip(lane.partition, { tag: "closed", attempts: 0, detail: "it is being closed" })
    this.#return.isClosing = true
    this.#return.letGo(lane.partition.partition)
    lane.partition.ready(lane)
    this.#pump.schedule(lane.partition)
    return true
  }

  /** What stands until `resume`. */
  get halted(): ReadonlyArray<HaltedRecord> {
    return this.#redrives.flatMap(({ halted }) => halted)
  }

  resume(): void {
    for (const redrive of this.#redrives) redrive.resume()
  }

  /** Sends nothing on any more: others do, or the next process. */
  readonly close: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    const all = (of: (redrive: Redrive) => Effect.Effect<void>) =>
      Effect.forEach(this.#redrives, of, { concurrency: "unbounded", discard: true })
    yield* all(({ leave }) => leave)
    const settled = all(({ last }) => last)
    const ended = yield* endWithin(Effect.andThen(settled, Fiber.interruptAll(this.#running)), endMs)
    if (ended === undefined)
      yield* warn(`${this.#name} is not closed within ${endMs} ms, and is not waited for any longer`)
  })

  isUnsent(partition: number): boolean {
    return this.#sink.find(partition)?.isUnsent ?? true
  }

  /** Whether a partition is held back has changed. */
  looked(number: number): void {
    const partition = this.#sink.find(number)
    if (partition === undefined) return
    partition.isHeldBack = this.#fallback.parts[number]?.isHeld === true
    this.#pump.schedule(partition)
  }

  /** A partition goes back to the destination. */
  back(number: number, part: FallbackPart): void {
    // What was sent on was stored; where it stays, the next thing to be stored shows it.
    if (this.#fallback.back === "redrive") this.stores(number)
    const partition = this.#sink.find(number)
    if (partition !== undefined) this.#turnBack(partition, part)
  }

  #turnBack(partition: PumpedPartition, part: FallbackPart): void {
    partition.turnBack(part.isOwed)
    part.isOwed = false
    this.#resumeRefused(partition)
    this.#turn(partition)
  }

  /** Not of what a gate holds: that waits for its gate. */
  get hasRefused(): boolean {
    this.#mayHaveRefused &&= this.#refused.length > 0
    return this.#mayHaveRefused && this.#refused.some(({ isGated }) => !isGated)
  }

  get #refused(): ReadonlyArray<PumpedLane> {
    return Array.from(this.#sink.legs.values()).flatMap(({ all }) =>
      Array.from(all).filter(({ halted }) => halted?.isOfFallback === true)
    )
  }

  /** What stood because the fallback refuses it has another place now. */
  #resumeRefused(partition: PumpedPartition): void {
    for (const lane of this.#refused) if (lane.partition === partition) lane.resume(this.#pump.nowMs, this.#pump.wallMs)
  }

  /** Where it goes has changed. */
  #turn(partition: PumpedPartition): void {
    for (const lanes of this.#sink.legs.values())
      for (const lane of lanes.all) {
        if (lane.partition !== partition) continue
        lane.turn()
        partition.ready(lane)
      }
    this.#pump.schedule(partition)
  }

  over(sinceMs: number): void {
    if (this.#tally === undefined) return
    const { sinceMs: from, fellBack } = this.#tally
    // Nothing has come there, because it takes nothing either: that a partition tries the destination now and then is no news.
    if (fellBack === 0) {
      this.#unusedMs = Math.min(this.#unusedMs, this.#pump.nowMs)
      return
    }
    this.#tally = undefined
    this.#left.clear()
    const seconds = Math.round((sinceMs - from) / 1000)
    const where = this.#fallback.back === "stay" ? "they stay there" : "they were sent on, or ended as its policy says"
    this.#say(
      `${this.leg.sink} stores again: nothing goes to ${this.#name} any more after ${seconds} seconds, in which ${fellBack} events went there; ${where}`
    )
  }

  waits(place: FallbackPlace, rows: ReadonlyArray<PartitionBounds>): void {
    this.#waiting.set(place, waitingIn(rows))
    for (const row of rows) if (settledOf(row) >= row.end) this.#standing.delete(`${place.index} ${row.partition}`)
    this.#redrives[place.index]?.watch(rows)
  }

  /** A compact record has a tag in place of the name of its stream. */
  accountOf(stream: string): WriteAccount {
    const { sink, epoch } = this.leg
    const isOf = (name: string) => name === stream || taggedStream(name) === stream
    const open = Array.from(this.#sink.legs.keys()).find((one) => isOf(one.stream))
    return open ?? this.#sink.ledger.fallingAccount(Array.from(this.#sink.streams).find(isOf) ?? stream, sink, epoch)
  }

  get unreadAccount(): WriteAccount {
    const [first = "an unknown stream", ...others] = this.#sink.streams
    return this.accountOf(others.length === 0 ? first : "an unknown stream")
  }

  get incarnation(): string {
    return formatUuid(this.#sink.incarnation)
  }

  announce(account: WriteAccount, ranges: ReadonlyArray<DroppedRange>): boolean {
    return this.#sink.legs.get(account)?.announce(ranges) === true
  }

  sentOn(place: FallbackPlace, partition: number, position: Position): void {
    this.#return.sentOn(place, partition, position)
  }

  earlier({ index }: FallbackPlace, partition: number): Effect.Effect<void> {
    return this.#earlier[index]?.sentOn(partition) ?? Effect.void
  }

  /** What has no answer yet has nothing behind it in a fallback. */
  sinkFenced(number: number, fence: Effect.Effect<void>): Effect.Effect<void> {
    const part = this.#fallback.parts[number]
    const isAnswered = () => this.#sink.find(number)?.unanswered.every(({ isOfSpill }) => isOfSpill) ?? true
    if (part === undefined) return Effect.void
    const fenced = Effect.suspend(() => {
      if (!part.isOn || !part.mayLandLate || !isAnswered()) return Effect.void
      part.isFencing = true
      return Effect.andThen(fence, () => Effect.sync(() => void (part.mayLandLate = false)))
    })
    return part.fencing.withPermits(1)(
      Effect.ensuring(
        fenced,
        Effect.sync(() => void (part.isFencing = false))
      )
    )
  }

  letGo(partition: number): void {
    this.#return.letGo(partition)
  }

  endOf({ index }: FallbackPlace, partition: number): Position {
    return this.#fallback.parts[partition]?.there[index]?.end ?? 0n
  }

  /**
   * What is on goes nowhere else until it is sent on. Of a partition that is not on, what others have there stands, and what is published is stored
   * all the same.
   */
  stands({ index }: FallbackPlace, partition: number | undefined, sinceMs: number, why: string): void {
    const on = this.#fallback.on
    for (const standing of on) if (partition === undefined || partition === standing) this.fails(standing, sinceMs, why)
    if (partition === undefined ? on.length > 0 : on.includes(partition)) return
    const { nowMs } = this.#pump
    const key = `${index} ${partition ?? "all"}`
    const before = this.#standing.get(key)
    const isSame = before !== undefined && nowMs - before.lastMs <= standingMs
    this.#standing.set(key, { sinceMs: isSame ? Math.min(before.sinceMs, sinceMs) : sinceMs, lastMs: nowMs, why })
  }

  /** What of others is not sent on, in words that follow the name of the sink; undefined: nothing that is known. */
  get trouble(): string | undefined {
    const { nowMs } = this.#pump
    const [first] = Array.from(this.#standing.values())
      .filter(({ lastMs }) => nowMs - lastMs <= standingMs)
      .toSorted((one, other) => one.sinceMs - other.sinceMs)
    if (first === undefined || this.#waits === 0) return undefined
    const seconds = Math.round((nowMs - first.sinceMs) / 1000)
    return `has what others have left in its fallback stand for ${seconds} seconds: ${first.why}`
  }

  /** The destination has stored something of the partition. */
  stored(partition: number): void {
    this.#return.stored(partition)
  }

  anew(place: FallbackPlace, partition: number, there: PlacePart, lost: number): void {
    this.#redrives[place.index]?.anew(partition)
    this.#fallback.renew(there)
    this.#say(
      `${place.name}, partition ${partition}, was made anew while it was in use: ${lost} events that stood there and were not sent on are lost`
    )
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

  /** Of all places, as warnings call them. */
  get #name(): string {
    const [{ name }, ...others] = this.#fallback.places
    return others.length === 0 ? name : `the fallbacks of ${this.leg.sink}`
  }

  /** Once until it is over. */
  #tell(sentence: string): void {
    if (this.#pump.nowMs - this.#unusedMs > quietMs) this.#tally = undefined
    this.#unusedMs = Number.POSITIVE_INFINITY
    if (this.#tally !== undefined) return
    this.#tally = { sinceMs: this.#pump.nowMs, fellBack: 0 }
    this.#say(sentence)
  }

  #say(sentence: string): void {
    Effect.runForkWith(this.#pump.context)(warn(sentence))
  }
}

function waitingIn(rows: ReadonlyArray<PartitionBounds>): number {
  return rows.reduce((total, row) => total + Number(row.end - settledOf(row)), 0)
}
