/**
 * Sends on what a spill holds, in order, and turns a partition off when nothing of it is left. It begins when the spill belongs to this process
 * alone, with what earlier ones have left there.
 *
 * What is sent on is settled in the spill behind the answer of the destination, a portion at a time, and before it is closed. What was stored and is
 * not settled when this process crashes is sent once more by the next one: part of a portion, or all since a settle that has no answer. The
 * destination is fenced before the first of it, so that nothing sent earlier lands behind.
 */
import { Effect, type Fiber, type Scope } from "effect"
import { textOfThrown } from "../../given/thrown.ts"
import { warn } from "../../Telemetry.ts"
import { leaving } from "../../transport/endWithin.ts"
import type { Position, ReceivedRecord } from "../../transport/index.ts"
import { Wake } from "../../Wake.ts"
import { takenOver } from "../Admission.ts"
import type { Halted } from "../LaneHome.ts"
import { boundedFence } from "../boundedFence.ts"
import type { Pump } from "../Pump.ts"
import { type HaltedRecord, SendOn, type SentPartition } from "../sendOn/SendOn.ts"
import { type OlderHome, OlderSpills, type OlderTurn } from "./OlderSpills.ts"
import { sentPartition } from "./sentPartition.ts"
import { type ProvenPart, proving, provenSoon } from "./proving.ts"
import type { Spill, SpillPart } from "./Spill.ts"
import { SpillEndings } from "./SpillEndings.ts"
import { type Portion, type Sizes, SpillLanes } from "./SpillLanes.ts"
import { SpillParting } from "./SpillParting.ts"
import { SpillTurns } from "./SpillTurns.ts"

/** Pause after a defect, and before it is told that the disk gives nothing, in milliseconds. */
const againMs = 5000

/** How often it is looked whether everything that is on its way to the spill has its answer, in milliseconds. */
const answeredMs = 10

/** How long after its time an answer of the spill may come and be heard, in milliseconds. */
const lateMs = 2000

/** How long a partition that was turned on is waited for to send something, in milliseconds. */
const freshMs = 1000

/**
 * How long what is published waits in its buffer for the last of a spill to be sent on, in milliseconds; twice as long each time that was too
 * short, and at most.
 */
const heldMs = 1000
const heldMsMax = 8000

/** How long after its first look at a spill its owner looks again, in milliseconds; twice as long each time that there was nothing, and at most. */
const lookMs = 5000
const lookMsMax = 300_000

/** How long a process that before it had the spill with other partitions is waited for, in milliseconds: by whoever publishes, and by who only looks. */
const olderMs = 30_000
const olderLookMs = 1000

/** What the drain asks of its sink. */
export interface DrainHome extends OlderHome {
  /** Something of a partition has changed: whether it is held back, or where it goes. */
  readonly looked: (partition: number) => void
  /** Whether nothing of a partition is on its way. */
  readonly isQuiet: (partition: number) => boolean
  /** Whether something goes to the spill again that may stand there. */
  readonly isOwing: (partition: number) => boolean
}

export class SpillDrain {
  readonly #spill: Spill
  readonly #home: DrainHome
  readonly #pump: Pick<Pump, "transport" | "context" | "scheduler" | "nowMs" | "wallMs">
  readonly #wake: Wake
  /** By partition: what is being sent on. */
  readonly #running = new Map<number, Wake>()
  readonly #endings: SpillEndings
  readonly #sendOn: SendOn
  readonly #parting: SpillParting
  readonly #turns: SpillTurns
  readonly #older: OlderSpills
  readonly #turn: OlderTurn = {
    isOver: () => this.#isOver,
    isWanted: () => this.isWanted,
    answers: (partition) => this.answers(partition)
  }
  /** Whether the turn of this process is over: nothing is sent on any more, and what is on its way is waited for. */
  #isOver = false

  constructor(
    spill: Spill,
    home: DrainHome,
    pump: Pick<Pump, "transport" | "context" | "scheduler" | "nowMs" | "wallMs">
  ) {
    this.#spill = spill
    this.#home = home
    this.#pump = pump
    this.#wake = new Wake(pump.scheduler)
    this.#endings = new SpillEndings(spill, home, pump)
    this.#sendOn = new SendOn(spill.name, this.#endings.notices, home, pump)
    this.#parting = new SpillParting(home, pump, this.#sendOn, this.#endings)
    this.#older = new OlderSpills(spill, home, pump, this.#turn)
    this.#turns = new SpillTurns(spill, this.#older, this)
  }

  /** Runs until it is interrupted. */
  start(): Fiber.Fiber<never> {
    return Effect.runForkWith(this.#pump.context)(
      Effect.forever(
        Effect.suspend(() => Effect.andThen(this.#turns.due, Effect.raceFirst(this.#owned, this.#turns.missed)))
      )
    )
  }

  /** For turns. */
  get nowMs(): number {
    return this.#pump.nowMs
  }

  /** Whether the destination of a partition answers: nobody takes the spill of a cluster that is away, but who publishes. */
  answers(partition: number): Effect.Effect<boolean> {
    const { leg } = this.#home
    if (this.#pump.transport.capabilities.fencing === "none") return Effect.succeed(true)
    const fenced = boundedFence(this.#spill.destination, partition, leg.sink, leg.timeoutMs)
    // Whoever publishes meanwhile does not wait for a driver that goes on with it.
    return Effect.map(leaving(fenced), (failure) => failure === undefined)
  }

  /** Nothing stands before a position any more. */
  passed(partition: number, position: Position): void {
    this.#sendOn.passed(partition, position)
  }

  /** Something is published: this process needs the spill, and keeps it. */
  want(): void {
    this.#turns.want()
  }

  /** Whether it does. */
  get isWanted(): boolean {
    return this.#turns.isWanted
  }

  /** A driver that breaks in between must not end it, nor leave the spill to nobody. */
  get #owned(): Effect.Effect<void> {
    return Effect.catchDefect(Effect.scoped(this.#own), (defect) => {
      this.#setReady(false)
      return Effect.andThen(
        warn(`${this.#spill.name} has failed, and is opened anew: ${textOfThrown(defect)}`),
        Effect.sleep(againMs)
      )
    })
  }

  /** From now on what a partition is sent goes to the spill. */
  trip(partition: number, { tag, detail }: Halted): void {
    if (this.#spill.isOn(partition)) return
    this.#turnOn(partition)
    this.#endings.tellOnce(
      `what is published to ${this.#home.leg.sink} goes to ${this.#spill.name} until it is stored there again: ${tag}: ${detail}`
    )
  }

  /** Its sink is being closed: what waits in the buffer goes to the spill, and for nothing else. */
  close(partition: number): void {
    this.#spill.isClosing = true
    const part = this.#spill.parts[partition]
    if (part !== undefined) this.#hold(partition, part, false)
  }

  /** Something of a partition was answered, or is not on its way any more. */
  driven(partition: number): void {
    this.#running.get(partition)?.signal()
  }

  /** Begins nothing any more, and waits for what is on its way to the destination; not for long. Then it may be interrupted. */
  get leave(): Effect.Effect<void> {
    return Effect.andThen(this.#sendOn.leave, this.#older.leave)
  }

  /** What stands until `resume`. */
  get halted(): ReadonlyArray<HaltedRecord> {
    return [...this.#sendOn.halted, ...this.#older.halted]
  }

  /** Lets what stands go on. */
  resume(): void {
    this.#sendOn.resume()
    this.#older.resume()
  }

  /** Whether what is published waits in its buffer. */
  #hold(partition: number, part: SpillPart, isHeld: boolean): void {
    if (part.isHeld === isHeld) return
    part.isHeld = isHeld
    this.#home.looked(partition)
  }

  #sent(partition: number, part: SpillPart, lanes: SpillLanes): SentPartition {
    return sentPartition({
      partition,
      part,
      lanes,
      writer: this.#spill.destination,
      parting: this.#parting,
      endings: this.#endings,
      turn: this.#turn,
      ended: () => this.driven(partition),
      stands: () => this.#hold(partition, part, false)
    })
  }

  #turnOn(partition: number): void {
    this.#endings.begin()
    this.#spill.trip(partition)
    this.#wake.signal()
  }

  /** The spill belongs to this process until another one has taken it. */
  get #own(): Effect.Effect<void, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      if (this.isWanted) this.#spill.waitsSinceMs ??= this.#pump.nowMs
      this.#isOver = false
      const lanes = yield* SpillLanes.open(this.#spill, this.#home.leg.sink)
      this.#turns.given()
      yield* this.#answered
      if (!(yield* this.#tookOlder(lanes))) return
      yield* this.#recover(lanes)
      this.#spill.waitsSinceMs = undefined
      this.#setReady(true)
      const serving = Effect.scoped(Effect.raceFirst(lanes.lost, this.#serve(lanes)))
      // What has ended is not sent on by the next process.
      const settles = Effect.andThen(this.#provenSoon(lanes), () =>
        Effect.all(
          this.#spill.parts.map(({ at }, partition) => lanes.last(partition, at)),
          { concurrency: "unbounded", discard: true }
        )
      )
      yield* Effect.raceFirst(
        Effect.onInterrupt(serving, () => settles),
        Effect.andThen(this.#turns.over, this.#answeredOn)
      )
      this.#setReady(false)
    })
  }

  /** False: the spill is another process's before all is taken over that stands in those of other partitions. */
  #tookOlder(lanes: SpillLanes): Effect.Effect<boolean> {
    const taken = this.#older.taken(this.isWanted ? olderMs : olderLookMs, this.#emptied(lanes))
    const over = Effect.andThen(this.#older.over, this.#answeredOn)
    return Effect.raceAllFirst([Effect.as(taken, true), Effect.as(lanes.lost, false), Effect.as(over, false)])
  }

  /** Sends on what stands there, and nothing else. */
  #emptied(lanes: SpillLanes): Effect.Effect<void> {
    return Effect.andThen(
      Effect.suspend(() => this.#recover(lanes, false)),
      Effect.scoped(Effect.raceFirst(this.#sendOnAll(lanes), this.#spill.off))
    )
  }

  /**
   * Nothing is begun any more, and what was sent on has its answer, or is fenced: the next process sends on what has none, and nothing may land
   * behind that.
   */
  get #answeredOn(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#isOver = true
      const mostMs = this.#home.leg.timeoutMs * 3
      return Effect.andThen(this.#sendOn.quietAll(mostMs), this.#older.quietAll(mostMs))
    })
  }

  /** What an earlier process has left is settled once it is known to count where it was stored. */
  #proven(lanes: SpillLanes): ReadonlyArray<ProvenPart> {
    return this.#spill.parts.map((part, partition) => ({
      spill: this.#spill,
      part,
      nowMs: () => this.#pump.nowMs,
      settle: Effect.suspend(() => lanes.settle(partition, part.at)),
      lost: () => {
        this.#turnOn(partition)
        this.driven(partition)
      }
    }))
  }

  #provenSoon(lanes: SpillLanes): Effect.Effect<void> {
    const { departures } = this.#home
    return departures === undefined ? Effect.void : provenSoon(departures, this.#proven(lanes))
  }

  #setReady(isReady: boolean): void {
    this.#spill.isReady = isReady
    for (const partition of this.#spill.parts.keys()) this.#home.looked(partition)
  }

  /** What was on its way when another process got the spill: nothing may be noted behind the end that is found. */
  get #answered(): Effect.Effect<void> {
    const { parts } = this.#spill
    const quiet: Effect.Effect<void> = Effect.suspend(() =>
      parts.some(({ unnoted }) => unnoted.isSending) ? Effect.andThen(Effect.sleep(answeredMs), quiet) : Effect.void
    )
    // Later nobody hears an answer any more.
    return Effect.asVoid(Effect.timeoutOption(quiet, this.#home.leg.timeoutMs + lateMs))
  }

  /** Finds what is there: what an earlier process has left is sent before anything of this one. */
  #recover(lanes: SpillLanes, isTold = true): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const bounds = yield* lanes.bounds
      let found = 0
      let taken = 0
      for (const { partition, start, settled, end } of bounds) {
        const part = this.#spill.parts[partition]
        if (part === undefined) continue
        if (end < part.seenEnd) {
          this.#endings.anew(partition, part)
          this.#sendOn.forget(partition)
        }
        if (settled > part.at) taken += part.book.skip(part.at, settled, takenOver, true)
        // What has ended here and is not settled yet has ended all the same.
        if (part.at < settled) part.at = settled
        part.unproven.proven(settled)
        // What was sent on is trimmed once it is settled: this was not.
        this.#endings.missing(partition, part, start)
        part.settled = settled
        found += this.#found(part, end, yield* lanes.sizes(partition, part.at, end))
        if (part.at > settled) yield* Effect.forkChild(lanes.settle(partition, part.at))
        else if (settled > 0n) yield* lanes.trim(partition, settled)
        if (part.at < end) this.#turnOn(partition)
      }
      if (taken > 0)
        yield* warn(
          `another process has sent on ${taken} events of ${this.#spill.name}: what became of them is not known here, and they are counted as dropped (${takenOver}), which may be stored; give each process a spill of its own`
        )
      if (found > 0 && isTold) this.#tellFound(found)
    })
  }

  #serve(lanes: SpillLanes): Effect.Effect<never, never, Scope.Scope> {
    return Effect.andThen(Effect.forkScoped(this.#lookAgain(lanes)), this.#sendOnAll(lanes))
  }

  /** Sends on what is on, each partition for itself. */
  #sendOnAll(lanes: SpillLanes): Effect.Effect<never, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      this.#running.clear()
      const { departures } = this.#home
      if (departures !== undefined)
        for (const one of this.#proven(lanes)) yield* Effect.forkScoped(proving(departures, one))
      for (;;) {
        for (const [partition, part] of this.#spill.parts.entries()) {
          if (!part.isOn || this.#running.has(partition)) continue
          this.#running.set(partition, new Wake(this.#pump.scheduler))
          yield* Effect.forkScoped(this.#persistently(partition, part, this.#drain(partition, part, lanes)))
        }
        yield* this.#wake.wait
      }
    })
  }

  /**
   * What a process before this one had handed to the disk may land behind the first look: it is dead, or does not know yet that it has the spill no
   * more. What is on is read anyway.
   */
  #lookAgain(lanes: SpillLanes): Effect.Effect<never> {
    return Effect.gen({ self: this }, function* () {
      for (let pauseMs = lookMs; ;) {
        yield* Effect.sleep(pauseMs)
        yield* this.#older.taken(olderLookMs)
        // A disk that does not answer now does later.
        const bounds = yield* Effect.orElseSucceed(lanes.boundsNow, () => [])
        let found = 0
        for (const { partition, end } of bounds) {
          const part = this.#spill.parts[partition]
          if (part !== undefined && end > part.end) found += yield* this.#landed(partition, part, lanes, end)
        }
        if (found > 0) this.#tellFound(found)
        pauseMs = found > 0 ? lookMs : Math.min(pauseMs * 2, lookMsMax)
      }
    })
  }

  /** Turns a partition on for what has landed there before `end`; says how many events that are. */
  #landed(partition: number, part: SpillPart, lanes: SpillLanes, end: Position): Effect.Effect<number> {
    const { at } = part
    const isOther = () => part.isOn || part.at !== at || this.#spill.isClosing
    const quiet: Effect.Effect<void> = Effect.suspend(() =>
      this.#home.isQuiet(partition) || isOther() ? Effect.void : Effect.andThen(Effect.sleep(answeredMs), quiet)
    )
    return Effect.gen({ self: this }, function* () {
      if (isOther()) return 0
      const sizes = yield* lanes.sizes(partition, at, end)
      // The destination is fenced before anything is sent on: what is on its way would be in doubt, and go there twice.
      this.#hold(partition, part, true)
      yield* Effect.timeoutOption(quiet, this.#home.leg.timeoutMs + lateMs)
      if (isOther()) return 0
      const found = this.#found(part, end, sizes)
      this.#turnOn(partition)
      return found
    }).pipe(Effect.ensuring(Effect.sync(() => this.#hold(partition, part, false))))
  }

  /** Takes what stands before the end of a partition for what is to be sent on; says how many events that are. */
  #found(part: SpillPart, end: Position, { bytes, markers }: Sizes): number {
    part.end = end
    if (part.seenEnd < end) part.seenEnd = end
    part.room.waiting = bytes
    part.markers = markers
    return Number(end - part.at) - markers
  }

  #tellFound(found: number): void {
    const line = `${this.#spill.name} holds ${found} events for ${this.#home.leg.sink}: they are sent before what is published now`
    if (this.isWanted) this.#endings.tell(line)
    // One that only reads finds the same in each of its turns.
    else this.#endings.tellOnce(line)
  }

  /** A defect must not look like an outage without end, nor keep in memory what is published meanwhile. */
  #persistently(partition: number, part: SpillPart, drain: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.catchDefect(drain, (defect) => {
      this.#hold(partition, part, false)
      return warn(
        `sending on what ${this.#spill.name} holds has failed, and begins again: ${textOfThrown(defect)}`
      ).pipe(
        Effect.andThen(Effect.sleep(againMs)),
        Effect.andThen(Effect.suspend(() => this.#persistently(partition, part, drain)))
      )
    })
  }

  #drain(partition: number, part: SpillPart, lanes: SpillLanes): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      let longestMs = heldMs
      const sent = this.#sent(partition, part, lanes)
      yield* this.#goneBack(part, lanes)
      part.isFenced = false
      yield* this.#parting.fenced(sent, part, this.#head(partition, part, lanes))
      for (;;) {
        yield* this.#goneBack(part, lanes)
        const wake = this.#running.get(partition)
        const noted = part.unnoted.notedEnd(this.#home.isOwing(partition))
        if (part.at < part.end && noted !== undefined && part.at >= noted) {
          // Whose it is would never be known.
          yield* wake?.waitFor(freshMs) ?? Effect.yieldNow
          continue
        }
        if (part.at < part.end) {
          // A cluster, or a disk, that takes its time keeps nothing in memory: the disk is there.
          const released = Effect.forever(
            Effect.andThen(Effect.sleep(longestMs), () => {
              if (part.isHeld) longestMs = Math.min(longestMs * 2, heldMsMax)
              this.#hold(partition, part, false)
              return Effect.void
            })
          )
          yield* Effect.raceFirst(this.#portion(sent, part, lanes, noted), released)
          continue
        }
        // What the partition was turned on for goes there first, or a cluster that answers now and then would never be spared.
        if (part.isFresh) {
          yield* Effect.timeoutOption(this.#used(part, wake), freshMs)
          part.isFresh = false
          continue
        }
        if (this.#spill.isClosing) {
          yield* wake?.waitFor(freshMs) ?? Effect.yieldNow
          continue
        }
        if (!part.isFenced) {
          yield* this.#parting.fenced(sent, part, this.#head(partition, part, lanes))
          continue
        }
        this.#hold(partition, part, true)
        if (this.#home.isQuiet(partition) && part.at >= part.end) {
          if (part.fencedEnd <= part.end) break
          // What had no answer and was then given up may stand there all the same: it must not come behind what is published now.
          part.end = part.fencedEnd
          continue
        }
        yield* wake?.wait ?? Effect.yieldNow
      }
      this.#turnOff(partition, part)
    })
  }

  /** What does not count where it was stored is read, and looked at, once more. */
  #goneBack(part: SpillPart, lanes: SpillLanes): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!part.unproven.isLost) return Effect.void
      part.goBack()
      return lanes.again
    })
  }

  /** Reads what stands first, sends it on, and has it settled. */
  #portion(sent: SentPartition, part: SpillPart, lanes: SpillLanes, noted: Position | undefined): Effect.Effect<void> {
    const { partition } = sent
    return Effect.gen({ self: this }, function* () {
      const to = noted === undefined || noted > part.end ? part.end : noted
      const { records, next } = yield* this.#read(partition, part, lanes, to)
      // What is published meanwhile waits in its buffer, so that there is an end.
      if (next >= part.end && !this.#spill.isClosing) this.#hold(partition, part, true)
      if (!(yield* this.#parting.send(sent, part, records, this.#head(partition, part, lanes)))) return
      if (next > part.at) this.#endings.missing(partition, part, next)
      yield* this.#parting.announce(sent, records)
      yield* lanes.settle(partition, next)
    })
  }

  /** What stands first. */
  #head(partition: number, part: SpillPart, lanes: SpillLanes): Effect.Effect<ReceivedRecord | undefined> {
    return Effect.suspend(() =>
      part.at < part.end
        ? Effect.map(lanes.read(partition, part.at, part.at + 1n), ({ records }) => records[0])
        : Effect.succeed(undefined)
    )
  }

  /** While the disk gives nothing, nothing is stored either, and that is told as any standstill. */
  #read(partition: number, part: SpillPart, lanes: SpillLanes, to: Position): Effect.Effect<Portion> {
    const sinceMs = this.#pump.nowMs
    const telling = Effect.andThen(Effect.sleep(againMs), () =>
      Effect.sync(() => {
        const why = lanes.trouble(partition)
        const said = why === undefined ? "" : `: ${why}`
        this.#home.fails(partition, sinceMs, `${this.#spill.name} does not give what it holds${said}`)
      })
    )
    return Effect.raceFirst(lanes.read(partition, part.at, to), Effect.forever(telling))
  }

  /** Until something has gone to a partition that was turned on. */
  #used(part: SpillPart, wake: Wake | undefined): Effect.Effect<void> {
    const used: Effect.Effect<void> = Effect.suspend(() =>
      part.isFresh && wake !== undefined ? Effect.andThen(wake.wait, used) : Effect.void
    )
    return used
  }

  #turnOff(partition: number, part: SpillPart): void {
    part.isOn = false
    part.isHeld = false
    part.room.waiting = 0
    part.markers = 0
    part.unnoted.clear()
    this.#sendOn.forget(partition)
    part.book.empty()
    this.#running.delete(partition)
    this.#home.looked(partition)
    if (!this.#spill.parts.some(({ isOn }) => isOn)) this.#endings.empty()
  }
}
