/**
 * Sends on what a spill holds, in order, and turns a partition off when nothing of it is left. It begins when the spill belongs to this process
 * alone, with what earlier ones have left there.
 *
 * What is sent on is settled in the spill behind the answer of the destination, a portion at a time. What has ended and is not settled when this
 * process ends is sent once more by the next one: part of a portion, or all since a settle that has no answer. The destination is
 * fenced before the first of it, so that nothing sent earlier lands behind.
 */
import { Deferred, Effect, type Fiber, Random, type Scope } from "effect"
import { textOfThrown } from "../../given/thrown.ts"
import { batchOf, type PlainRecord } from "../../record/batchOf.ts"
import type { RecordBatch } from "../../record/RecordBatch.ts"
import { readMeta } from "../../record/Wire.ts"
import { warn } from "../../Telemetry.ts"
import { answeredRuns } from "../../transport/answeredRuns.ts"
import type { Position, ReceivedRecord, Run } from "../../transport/index.ts"
import { Pace } from "../../transport/Pace.ts"
import { sendEffect } from "../../transport/Sending.ts"
import { Wake } from "../../Wake.ts"
import { takenOver } from "../Admission.ts"
import { boundedFence } from "../boundedFence.ts"
import type { LaneRules } from "../LaneRules.ts"
import type { Pump } from "../Pump.ts"
import { isRefused, Refusals, type Verdict } from "./Refusals.ts"
import type { Spill, SpillHalt, SpillPart } from "./Spill.ts"
import type { SpillEnding } from "./SpillBook.ts"
import { type EndingsHome, SpillEndings } from "./SpillEndings.ts"
import { type Portion, SpillLanes } from "./SpillLanes.ts"

/** Pauses while the destination takes nothing: the first, and the longest, in milliseconds. */
const againMs = 100
const againMsMax = 5000

/** Records that are sent on at once. */
const portionMax = 500

/** How long a partition that was turned on is waited for to send something, in milliseconds. */
const freshMs = 1000

/** How long what is published waits in its buffer for the last of a spill to be sent on; twice as long each time that was too short. */
const heldMs = 1000

/** What the drain asks of its sink. */
export interface DrainHome extends EndingsHome {
  readonly rules: LaneRules
  /** Something of a partition has changed: whether it is held back, or where it goes. */
  readonly looked: (partition: number) => void
  /** Whether nothing of a partition is on its way. */
  readonly isQuiet: (partition: number) => boolean
  /** Bytes of the largest marker that the destination takes; 0: none. */
  readonly markerBytesMax: number
  /** Stores a dead letter of a record; undefined: it is stored, else why it never will be. */
  readonly setAside: (
    partition: number,
    record: PlainRecord,
    failure: Omit<SpillHalt, "stream">
  ) => Effect.Effect<string | undefined>
  /** Of the topic of dead letters, as `cluster/topic`. */
  readonly deadLetters: string
  /** A send was stored, or failed: what is told of standstills. */
  readonly stores: (partition: number) => void
  readonly fails: (partition: number, sentAtMs: number, why: string) => void
}

export class SpillDrain {
  readonly #spill: Spill
  readonly #home: DrainHome
  readonly #pump: Pick<Pump, "transport" | "context" | "scheduler" | "nowMs" | "wallMs">
  readonly #wake: Wake
  /** Of all partitions together, and as the table in force says. */
  readonly #pace: Pace
  /** By partition: what is being sent on. */
  readonly #running = new Map<number, Wake>()
  #resumed = Deferred.makeUnsafe<void>()
  /** By partition that was resumed: of what stood there no record is later. A clock that was wrong had them refused. */
  readonly #latest = new Map<number, { readonly before: Position; readonly timeMs: number }>()
  readonly #endings: SpillEndings

  constructor(
    spill: Spill,
    home: DrainHome,
    pump: Pick<Pump, "transport" | "context" | "scheduler" | "nowMs" | "wallMs">
  ) {
    this.#spill = spill
    this.#home = home
    this.#pump = pump
    this.#wake = new Wake(pump.scheduler)
    this.#pace = new Pace(
      () => pump.nowMs,
      () => home.leg.spill?.ratePerSecond
    )
    this.#endings = new SpillEndings(spill, home, pump)
  }

  /** Runs until it is interrupted. */
  start(): Fiber.Fiber<never> {
    return Effect.runForkWith(this.#pump.context)(Effect.forever(Effect.scoped(this.#own)))
  }

  /** From now on what a partition is sent goes to the spill. */
  trip(partition: number, { tag, detail }: Omit<SpillHalt, "stream">): void {
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

  /** Lets what stands go on. */
  resume(): void {
    if (!this.#spill.parts.some(({ halted }) => halted !== undefined)) return
    for (const [partition, part] of this.#spill.parts.entries()) {
      if (part.halted === undefined) continue
      part.halted = undefined
      this.#latest.set(partition, { before: part.end, timeMs: this.#pump.wallMs })
    }
    const resumed = this.#resumed
    this.#resumed = Deferred.makeUnsafe<void>()
    Deferred.doneUnsafe(resumed, Effect.void)
  }

  #turnOn(partition: number): void {
    this.#endings.begin()
    this.#spill.trip(partition)
    this.#wake.signal()
  }

  /** The spill belongs to this process until another one has taken it. */
  get #own(): Effect.Effect<void, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const lanes = yield* SpillLanes.open(this.#spill.place, this.#home.leg.sink)
      yield* this.#recover(lanes)
      this.#setReady(true)
      yield* Effect.raceFirst(lanes.lost, this.#serve(lanes))
      this.#setReady(false)
    })
  }

  #setReady(isReady: boolean): void {
    this.#spill.isReady = isReady
    for (const partition of this.#spill.parts.keys()) this.#home.looked(partition)
  }

  /** Finds what is there: what an earlier process has left is sent before anything of this one. */
  #recover(lanes: SpillLanes): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const bounds = yield* lanes.bounds
      let found = 0
      let taken = 0
      for (const { partition, settled, end } of bounds) {
        const part = this.#spill.parts[partition]
        if (part === undefined) continue
        if (settled > part.at) taken += part.book.skip(part.at, settled, takenOver)
        part.at = settled
        if (part.end === 0n) part.ownFrom = end
        part.end = end
        const { bytes, markers } = yield* lanes.sizes(partition, settled, end)
        part.bytes = bytes
        part.markers = markers
        found += Number(end - settled) - markers
        if (settled < end) this.#turnOn(partition)
      }
      if (taken > 0)
        yield* warn(
          `another process has sent on ${taken} events of ${this.#spill.name}: what became of them is not known here, and they are counted as dropped (${takenOver}), which may be stored; give each process a spill of its own`
        )
      if (found === 0) return
      this.#endings.tell(
        `${this.#spill.name} holds ${found} events for ${this.#home.leg.sink}: they are sent before what is published now`
      )
    })
  }

  /** Sends on what is on, each partition for itself. */
  #serve(lanes: SpillLanes): Effect.Effect<never, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      this.#running.clear()
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

  /** A defect must not look like an outage without end, nor keep in memory what is published meanwhile. */
  #persistently(partition: number, part: SpillPart, drain: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.catchDefect(drain, (defect) => {
      this.#hold(partition, part, false)
      return warn(
        `sending on what ${this.#spill.name} holds has failed, and begins again: ${textOfThrown(defect)}`
      ).pipe(
        Effect.andThen(Effect.sleep(againMsMax)),
        Effect.andThen(Effect.suspend(() => this.#persistently(partition, part, drain)))
      )
    })
  }

  #drain(partition: number, part: SpillPart, lanes: SpillLanes): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const pace = this.#pace
      let longestMs = heldMs
      part.halted = undefined
      yield* this.#fence(partition)
      for (;;) {
        if (part.at < part.end) {
          // A cluster, or a disk, that takes its time keeps nothing in memory: the disk is there.
          const released = Effect.forever(
            Effect.andThen(Effect.sleep(longestMs), () => {
              if (part.isHeld) longestMs *= 2
              this.#hold(partition, part, false)
              return Effect.void
            })
          )
          yield* Effect.raceFirst(this.#portion(partition, part, lanes, pace), released)
          continue
        }
        const wake = this.#running.get(partition)
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

  /** Reads what stands first, sends it on, and has it settled. */
  #portion(partition: number, part: SpillPart, lanes: SpillLanes, pace: Pace): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { records, next } = yield* this.#read(partition, part, lanes)
      // What is published meanwhile waits in its buffer, so that there is an end.
      if (next >= part.end && !this.#spill.isClosing) this.#hold(partition, part, true)
      yield* this.#sendOn(partition, part, records, pace)
      if (next > part.at) this.#endings.missing(partition, part, next)
      yield* this.#announceCarried(partition, part)
      yield* lanes.settle(partition, next)
    })
  }

  /** While the disk gives nothing, nothing is stored either, and that is told as any standstill. */
  #read(partition: number, part: SpillPart, lanes: SpillLanes): Effect.Effect<Portion> {
    const sinceMs = this.#pump.nowMs
    const telling = Effect.andThen(Effect.sleep(againMsMax), () =>
      Effect.sync(() => this.#home.fails(partition, sinceMs, `${this.#spill.name} does not give what it holds`))
    )
    return Effect.raceFirst(lanes.read(partition, part.at, part.end), Effect.forever(telling))
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
    part.bytes = 0
    part.markers = 0
    this.#latest.delete(partition)
    part.book.empty()
    this.#running.delete(partition)
    this.#home.looked(partition)
    if (!this.#spill.parts.some(({ isOn }) => isOn)) this.#endings.empty()
  }

  #hold(partition: number, part: SpillPart, isHeld: boolean): void {
    if (part.isHeld === isHeld) return
    part.isHeld = isHeld
    this.#home.looked(partition)
  }

  /** Sends records on, one portion after the other, until each has ended. */
  #sendOn(partition: number, part: SpillPart, records: ReadonlyArray<ReceivedRecord>, pace: Pace): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      let batch = this.#batchOf(partition, records)
      const refusals = new Refusals(this.#home.rules, portionMax)
      let failures = 0
      for (let from = 0; from < batch.count;) {
        const to = refusals.until(from, Math.min(batch.count, from + pace.pageMax(portionMax)))
        const sentAtMs = this.#pump.nowMs
        yield* pace.wait(to - from)
        const runs = yield* this.#send(partition, batch, from, to)
        const stored = storedOf(runs, from)
        if (stored > from) {
          this.#ended(partition, part, records.slice(from, stored), { ending: "stored" })
          this.#home.stores(partition)
          refusals.stored(stored - from, this.#pump.nowMs)
          from = stored
          failures = 0
          if (from === to) continue
        }
        const failed = runs.find(({ fate }) => fate !== "stored")
        if (runs.some(({ fate }) => fate === "unknown")) yield* this.#fence(partition)
        let waitMs: number | undefined
        const record = records[from]
        if (isRefused(failed) && record !== undefined) {
          const refused = { from, to: failed.to, isMarker: readMeta(record.headers, "").isMarker }
          const facts = { nowMs: this.#pump.nowMs, random: yield* Random.next }
          const verdict = refusals.judge(refused, failed.error, facts)
          if (verdict._tag === "Halve") continue
          if (verdict._tag === "Again") waitMs = verdict.waitMs
          else {
            const how = yield* this.#end(partition, part, record, failed.error.reason, verdict)
            if (how === undefined) {
              refusals.resume()
              batch = this.#batchOf(partition, records)
            } else {
              this.#ended(partition, part, [record], how)
              refusals.ended()
              from++
            }
            failures = 0
            continue
          }
        }
        failures++
        this.#home.fails(partition, sentAtMs, whyOf(failed))
        this.#hold(partition, part, false)
        yield* waitMs === undefined ? pause(failures) : Effect.sleep(waitMs)
      }
    })
  }

  /** Made anew for other times: a driver may hold the one before. */
  #batchOf(partition: number, records: ReadonlyArray<ReceivedRecord>): RecordBatch {
    const batch = batchOf(records)
    const latest = this.#latest.get(partition)
    if (latest === undefined) return batch
    const count = records.filter(({ position }) => position < latest.before).length
    batch.limitTime(0, count, latest.timeMs)
    return batch
  }

  #send(partition: number, batch: RecordBatch, from: number, to: number): Effect.Effect<ReadonlyArray<Run>> {
    const { timeoutMs } = this.#home.leg
    return sendEffect(this.#spill.destination, partition, batch, from, to, timeoutMs).pipe(
      Effect.timeoutOrElse({ duration: timeoutMs * 2, orElse: () => Effect.succeed<ReadonlyArray<Run>>([]) }),
      Effect.map((runs) => answeredRuns(runs, from, to))
    )
  }

  /** How a record ends that the destination refuses, alone; undefined: it stood, and is sent again. */
  #end(
    partition: number,
    part: SpillPart,
    record: ReceivedRecord,
    reason: string,
    verdict: Exclude<Verdict, { readonly _tag: "Again" | "Halve" }>
  ): Effect.Effect<SpillEnding | undefined> {
    return Effect.gen({ self: this }, function* () {
      if (verdict._tag === "Drop") return { ending: "dropped", reason }
      const { failure } = verdict
      let { detail } = failure
      if (verdict._tag === "SetAside") {
        const fault = yield* this.#home.setAside(partition, record, failure)
        if (fault === undefined) return { ending: "deadLettered", reason, topic: this.#home.deadLetters }
        detail = `${detail}; and ${this.#home.deadLetters} refuses it too: ${fault}`
      }
      const { id } = readMeta(record.headers, "")
      const stream = id === undefined ? "an unknown stream" : this.#home.accountOf(id.stream).stream
      part.halted = { ...failure, detail, stream }
      this.#hold(partition, part, false)
      yield* warn(
        `what ${this.#spill.name} holds for partition ${partition} of ${this.#home.leg.sink} stands until it is resumed: ${reason}: ${detail}`
      )
      yield* Deferred.await(this.#resumed)
      return undefined
    })
  }

  /** Records have ended, one behind the other. */
  #ended(partition: number, part: SpillPart, records: ReadonlyArray<ReceivedRecord>, how: SpillEnding): void {
    this.#endings.ended(partition, part, records, how)
    this.driven(partition)
  }

  /** Stores what no lane announces. Markers that are refused are tried again with the next ones. */
  #announceCarried(partition: number, part: SpillPart): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { markerBytesMax } = this.#home
      if (markerBytesMax === 0) return this.#endings.notices.forget(partition)
      for (let failures = 0; ;) {
        const notice = this.#endings.notices.next(partition, markerBytesMax, this.#pump.wallMs)
        if (notice === undefined) return
        const sentAtMs = this.#pump.nowMs
        const [run] = yield* this.#send(partition, batchOf([notice.record]), 0, 1)
        if (run?.fate === "unknown") yield* this.#fence(partition)
        if (isRefused(run)) return
        if (run?.fate === "stored") {
          notice.told()
          failures = 0
          continue
        }
        this.#home.fails(partition, sentAtMs, whyOf(run))
        this.#hold(partition, part, false)
        yield* pause(++failures)
      }
    })
  }

  /** Until it has returned: what is in doubt must not land behind what is sent on. */
  #fence(partition: number): Effect.Effect<void> {
    const { leg } = this.#home
    return Effect.gen({ self: this }, function* () {
      if (this.#pump.transport.capabilities.fencing === "none") return
      for (let failures = 1; ; failures++) {
        const sentAtMs = this.#pump.nowMs
        const failure = yield* boundedFence(this.#spill.destination, partition, leg.sink, leg.timeoutMs)
        if (failure === undefined) return
        this.#home.fails(partition, sentAtMs, `${failure.tag}: ${failure.detail}`)
        const part = this.#spill.parts[partition]
        if (part !== undefined) this.#hold(partition, part, false)
        yield* pause(failures)
      }
    })
  }
}

/** Index behind the last of those that were stored before the first that was not. */
function storedOf(runs: ReadonlyArray<Run>, from: number): number {
  let stored = from
  for (const { fate, to } of runs) {
    if (fate !== "stored") break
    stored = to
  }
  return stored
}

function whyOf(run: Run | undefined): string {
  return run?.error === undefined ? "the cluster does not say why" : `${run.error.reason}: ${run.error.detail}`
}

function pause(failures: number): Effect.Effect<void> {
  const ms = Math.min(againMs * 2 ** (failures - 1), againMsMax)
  return Effect.flatMap(Random.next, (random) => Effect.sleep(ms * (0.8 + 0.4 * random)))
}
