/**
 * Sends records of a spill on to their destination, in order, until each has ended: stored, or as the policy says of what the destination refuses.
 *
 * What ends otherwise than stored is settled in the spill before that is told, or the next process might store what was told dropped. Where the
 * spill does not settle it in time, it is told as what may be stored.
 */
import { Deferred, Effect, Exit, Random } from "effect"
import { batchOf, type PlainRecord } from "../../record/batchOf.ts"
import type { RecordBatch } from "../../record/RecordBatch.ts"
import { decide } from "../../Policy.ts"
import { readMeta } from "../../record/Wire.ts"
import { warn } from "../../Telemetry.ts"
import { answeredRuns } from "../../transport/answeredRuns.ts"
import type { Position, ReceivedRecord, Run } from "../../transport/index.ts"
import { Pace } from "../../transport/Pace.ts"
import { sendEffect } from "../../transport/Sending.ts"
import { boundedFence } from "../boundedFence.ts"
import type { LaneRules } from "../LaneRules.ts"
import type { Pump } from "../Pump.ts"
import { isRefused, type Verdict } from "./Refusals.ts"
import type { Spill, SpillHalt, SpillPart } from "./Spill.ts"
import type { EndingsHome, SpillEndings, Unstored } from "./SpillEndings.ts"
import type { SpillLanes } from "./SpillLanes.ts"
import { SpillPortion } from "./SpillPortion.ts"

/** Pauses while the destination takes nothing: the first, and the longest, in milliseconds. */
const againMs = 100
const againMsMax = 5000

/** Records that are sent on at once. */
const portionMax = 500

/** How long closing waits for what is on its way, and how often it looks, in milliseconds. */
const leaveMs = 2000
const answeredMs = 10

/** What is asked of the sink. */
export interface SenderHome extends EndingsHome {
  readonly rules: LaneRules
  /** Something of a partition has changed: whether it is held back, or where it goes. */
  readonly looked: (partition: number) => void
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

export class SpillSender {
  readonly #spill: Spill
  readonly #home: SenderHome
  readonly #pump: Pick<Pump, "transport" | "nowMs" | "wallMs">
  readonly #endings: SpillEndings
  readonly #onEnded: (partition: number) => void
  /** Of all partitions together, and as the table in force says. */
  readonly #pace: Pace
  #resumed = Deferred.makeUnsafe<void>()
  /** Partitions in which something is on its way, or is being ended. */
  readonly #busy = new Set<number>()
  #isLeaving = false
  /** By partition that was resumed: of what stood there no record is later. A clock that was wrong had them refused. */
  readonly #latest = new Map<number, { readonly before: Position; readonly timeMs: number }>()

  /** `onEnded`: something of a partition has ended. */
  constructor(
    spill: Spill,
    home: SenderHome,
    pump: Pick<Pump, "transport" | "nowMs" | "wallMs">,
    endings: SpillEndings,
    onEnded: (partition: number) => void
  ) {
    this.#spill = spill
    this.#home = home
    this.#pump = pump
    this.#endings = endings
    this.#onEnded = onEnded
    this.#pace = new Pace(
      () => pump.nowMs,
      () => home.leg.spill?.ratePerSecond
    )
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

  /** Begins nothing any more, and waits for the answers to what is on its way; not for long. */
  readonly leave: Effect.Effect<void> = Effect.suspend(() => {
    this.#isLeaving = true
    const quiet: Effect.Effect<void> = Effect.suspend(() =>
      this.#busy.size > 0 ? Effect.andThen(Effect.sleep(answeredMs), quiet) : Effect.void
    )
    return Effect.asVoid(Effect.timeoutOption(quiet, leaveMs))
  })

  /** Nothing of the partition is left. */
  forget(partition: number): void {
    this.#latest.delete(partition)
  }

  /** Whether what is published waits in its buffer. */
  hold(partition: number, part: SpillPart, isHeld: boolean): void {
    if (part.isHeld === isHeld) return
    part.isHeld = isHeld
    this.#home.looked(partition)
  }

  /** Sends records on until each has ended. */
  send(
    partition: number,
    part: SpillPart,
    records: ReadonlyArray<ReceivedRecord>,
    lanes: SpillLanes
  ): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const portion = new SpillPortion(records, this.#home.rules, portionMax)
      const latest = this.#latest.get(partition)
      if (latest !== undefined) portion.limitTimes(latest.before, latest.timeMs)
      for (let failures = 0; portion.first !== undefined;) {
        // What was begun has its answer; nothing is begun any more.
        if (this.#isLeaving) return yield* Effect.never
        const { from, to } = portion.next(this.#pace.pageMax(portionMax))
        yield* this.#pace.wait(to - from)
        const again = yield* this.#step(partition, part, portion, [from, to], lanes)
        if (again === undefined) failures = 0
        else yield* again.waitMs === undefined ? pause(++failures) : Effect.sleep(again.waitMs)
      }
    })
  }

  /** Sends a range once. Undefined: it went on; else when it is sent again, after so long or after a pause that grows. */
  #step(
    partition: number,
    part: SpillPart,
    portion: SpillPortion,
    [from, to]: readonly [from: number, to: number],
    lanes: SpillLanes
  ): Effect.Effect<{ readonly waitMs: number | undefined } | undefined> {
    return Effect.gen({ self: this }, function* () {
      const sentAtMs = this.#pump.nowMs
      const doubt = (end: Position) => {
        if (end > part.doubtEnd) part.doubtEnd = end
      }
      const last = portion.records[to - 1]
      this.#busy.add(partition)
      const runs = yield* Effect.onInterrupt(this.#sent(partition, portion.batch, from, to), () =>
        Effect.sync(() => last !== undefined && doubt(last.position + 1n))
      )
      const { stored, doubtEnd, isUnknown, failed } = portion.answered(runs, this.#pump.nowMs)
      if (stored.length > 0) this.#stored(partition, part, stored)
      this.#busy.delete(partition)
      if (doubtEnd !== undefined) doubt(doubtEnd)
      if (isUnknown) yield* this.fence(partition)
      if (failed === undefined) return undefined
      let waitMs: number | undefined
      const { first } = portion
      if (isRefused(failed) && first !== undefined) {
        const refused = {
          from: portion.records.indexOf(first),
          to: failed.to,
          isMarker: readMeta(first.headers, "").isMarker
        }
        const facts = { nowMs: this.#pump.nowMs, random: yield* Random.next }
        const verdict = portion.refusals.judge(refused, failed.error, facts)
        if (verdict._tag === "Halve") return undefined
        if (verdict._tag !== "Again") {
          const how = yield* this.#end(partition, part, first, failed.error.reason, verdict)
          const latest = this.#latest.get(partition)
          if (how !== undefined) {
            this.#busy.add(partition)
            yield* this.#unstored(partition, part, portion, how, lanes)
            this.#busy.delete(partition)
          }
          if (how === undefined && latest !== undefined) portion.resume(latest.before, latest.timeMs)
          return undefined
        }
        waitMs = verdict.waitMs
      }
      this.#home.fails(partition, sentAtMs, whyOf(failed))
      this.hold(partition, part, false)
      return { waitMs }
    })
  }

  #stored(partition: number, part: SpillPart, records: ReadonlyArray<ReceivedRecord>): void {
    this.#endings.ended(partition, part, records, { ending: "stored" }, true)
    this.#onEnded(partition)
    this.#home.stores(partition)
  }

  #sent(partition: number, batch: RecordBatch, from: number, to: number): Effect.Effect<ReadonlyArray<Run>> {
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
  ): Effect.Effect<Unstored | undefined> {
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
      this.hold(partition, part, false)
      yield* warn(
        `what ${this.#spill.name} holds for partition ${partition} of ${this.#home.leg.sink} stands until it is resumed: ${reason}: ${detail}`
      )
      yield* Deferred.await(this.#resumed)
      return undefined
    })
  }

  /** The first record of a portion ends, which the destination has refused. */
  #unstored(
    partition: number,
    part: SpillPart,
    portion: SpillPortion,
    how: Unstored,
    lanes: SpillLanes
  ): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { first: record } = portion
      if (record === undefined) return
      // One that is judged again, because the spill was lost in between, is announced already.
      if (record.position >= part.announcedEnd) this.#endings.announce(partition, part, record, how)
      part.announcedEnd = record.position + 1n
      let isAnnounced = false
      const settled = Effect.andThen(this.announce(partition, part), () => {
        isAnnounced = true
        return lanes.settle(partition, record.position + 1n)
      })
      // What is announced has ended, also where nobody waits for the settle any more.
      yield* Effect.onExit(settled, (exit) =>
        Effect.sync(() => {
          if (!isAnnounced && this.#endings.notices.isCarried(partition)) return
          this.#endings.ended(partition, part, [record], how, Exit.isSuccess(exit) && exit.value)
          const behind = portion.ended()
          if (behind.length > 0) this.#stored(partition, part, behind)
        })
      )
      this.#onEnded(partition)
    })
  }

  /** Stores what no lane announces. Markers that are refused are tried again with the next ones. */
  announce(partition: number, part: SpillPart): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { markerBytesMax } = this.#home
      if (markerBytesMax === 0) return this.#endings.notices.forget(partition)
      for (let failures = 0; ;) {
        const notice = this.#endings.notices.next(partition, markerBytesMax, this.#pump.wallMs)
        if (notice === undefined) return
        const sentAtMs = this.#pump.nowMs
        // One that is on its way when nobody waits for it any more is taken for told.
        const [run] = yield* Effect.onInterrupt(this.#sent(partition, batchOf([notice.record]), 0, 1), () =>
          Effect.sync(() => notice.told())
        )
        if (run?.fate === "unknown") yield* this.fence(partition)
        if (isRefused(run) && this.#isForGood(run.error.reason)) return
        if (run?.fate === "stored") {
          notice.told()
          failures = 0
          continue
        }
        this.#home.fails(partition, sentAtMs, whyOf(run))
        this.hold(partition, part, false)
        yield* pause(++failures)
      }
    })
  }

  /** Whether a notice that is refused so is given up for now: the record is at fault, or the policy gives up what is refused so. */
  #isForGood(tag: string): boolean {
    if (tag === "Rejected" || tag === "TooLarge") return true
    const asked = { tag, attempts: Number.POSITIVE_INFINITY, elapsedMs: Number.POSITIVE_INFINITY, random: 0 }
    const decision = decide(this.#home.rules.policy, asked)
    return "ending" in decision && (decision.ending === "drop" || decision.ending === "deadLetter")
  }

  /** Until it has returned: what is in doubt must not land behind what is sent on. */
  fence(partition: number): Effect.Effect<void> {
    const { leg } = this.#home
    return Effect.gen({ self: this }, function* () {
      if (this.#pump.transport.capabilities.fencing === "none") return
      for (let failures = 1; ; failures++) {
        const sentAtMs = this.#pump.nowMs
        const failure = yield* boundedFence(this.#spill.destination, partition, leg.sink, leg.timeoutMs)
        if (failure === undefined) return
        this.#home.fails(partition, sentAtMs, `${failure.tag}: ${failure.detail}`)
        const part = this.#spill.parts[partition]
        if (part !== undefined) this.hold(partition, part, false)
        yield* pause(failures)
      }
    })
  }
}

function whyOf(run: Run | undefined): string {
  return run?.error === undefined ? "the cluster does not say why" : `${run.error.reason}: ${run.error.detail}`
}

function pause(failures: number): Effect.Effect<void> {
  const ms = Math.min(againMs * 2 ** (failures - 1), againMsMax)
  return Effect.flatMap(Random.next, (random) => Effect.sleep(ms * (0.8 + 0.4 * random)))
}
