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
import { isRefused, Refusals, type Verdict } from "./Refusals.ts"
import type { Spill, SpillHalt, SpillPart } from "./Spill.ts"
import type { EndingsHome, SpillEndings, Unstored } from "./SpillEndings.ts"
import type { SpillLanes } from "./SpillLanes.ts"

/** Pauses while the destination takes nothing: the first, and the longest, in milliseconds. */
const againMs = 100
const againMsMax = 5000

/** Records that are sent on at once. */
const portionMax = 500

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

  /** Sends records on, one portion after the other, until each has ended. */
  send(
    partition: number,
    part: SpillPart,
    records: ReadonlyArray<ReceivedRecord>,
    lanes: SpillLanes
  ): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const pace = this.#pace
      let batch = this.#batchOf(partition, records)
      const refusals = new Refusals(this.#home.rules, portionMax)
      let failures = 0
      for (let from = 0; from < batch.count;) {
        const to = refusals.until(from, Math.min(batch.count, from + pace.pageMax(portionMax)))
        const sentAtMs = this.#pump.nowMs
        yield* pace.wait(to - from)
        const runs = yield* this.#sent(partition, batch, from, to)
        const stored = storedOf(runs, from)
        if (stored > from) {
          this.#endings.ended(partition, part, records.slice(from, stored), { ending: "stored" }, true)
          this.#onEnded(partition)
          this.#home.stores(partition)
          refusals.stored(stored - from, this.#pump.nowMs)
          from = stored
          failures = 0
          if (from === to) continue
        }
        const failed = runs.find(({ fate }) => fate !== "stored")
        const doubtful = runs.findLast(({ fate }) => fate === "unknown")
        const last = doubtful === undefined ? undefined : records[doubtful.to - 1]
        if (last !== undefined) {
          if (last.position >= part.doubtEnd) part.doubtEnd = last.position + 1n
          yield* this.fence(partition)
        }
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
              yield* this.#unstored(partition, part, record, how, lanes)
              refusals.ended()
              from++
            }
            failures = 0
            continue
          }
        }
        failures++
        this.#home.fails(partition, sentAtMs, whyOf(failed))
        this.hold(partition, part, false)
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

  /** A record ends that the destination has refused. */
  #unstored(
    partition: number,
    part: SpillPart,
    record: ReceivedRecord,
    how: Unstored,
    lanes: SpillLanes
  ): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      // One that is judged again, because the spill was lost in between, is announced already.
      if (record.position >= part.announcedEnd) this.#endings.announce(partition, part, record, how)
      part.announcedEnd = record.position + 1n
      yield* this.announce(partition, part)
      // It has ended also where nobody waits for the settle any more.
      yield* Effect.onExit(lanes.settle(partition, record.position + 1n), (exit) =>
        Effect.sync(() => {
          this.#endings.ended(partition, part, [record], how, Exit.isSuccess(exit) && exit.value)
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
        const [run] = yield* this.#sent(partition, batchOf([notice.record]), 0, 1)
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
