/**
 * Sends records of a spill or a fallback on to their destination, in order, until each has ended: stored, or as the policy says of what the
 * destination refuses.
 *
 * What ends otherwise than stored is announced, and settled where it stands, before it is counted, or the next process might store what was told
 * dropped. Where it is not settled in time, it is counted as what may be stored.
 */
import { Deferred, Effect, Exit, Random } from "effect"
import type { WriteAccount } from "../../ledger/Ledger.ts"
import { decide } from "../../Policy.ts"
import { batchOf, type PlainRecord } from "../../record/batchOf.ts"
import type { RecordBatch } from "../../record/RecordBatch.ts"
import { readMeta } from "../../record/Wire.ts"
import type { Leg } from "../../routes/Route.ts"
import { warn } from "../../Telemetry.ts"
import { answeredRuns } from "../../transport/answeredRuns.ts"
import type { Position, ReceivedRecord, Run, Writer } from "../../transport/index.ts"
import { Pace } from "../../transport/Pace.ts"
import { spillExpired } from "../../reasons.ts"
import { sendEffect } from "../../transport/Sending.ts"
import { boundedFence } from "../boundedFence.ts"
import type { Halted } from "../LaneHome.ts"
import type { LaneRules } from "../LaneRules.ts"
import type { Pump } from "../Pump.ts"
import type { CarriedDrops } from "./CarriedDrops.ts"
import type { Ending, Unstored } from "./Ending.ts"
import { Portion } from "./Portion.ts"
import { isRefused, type Verdict } from "./Refusals.ts"
import { RequestSize } from "./RequestSize.ts"
import { SpillAges } from "./SpillAges.ts"
import { meanwhile } from "../meanwhile.ts"

/** Pauses while the destination takes nothing: the first, and the longest, in milliseconds. */
const againMs = 100
const againMsMax = 5000

/** Records that are sent on at once. */
const portionMax = 500

/** How long closing waits for what is on its way, and how often it looks, in milliseconds. */
const leaveMs = 2000
const answeredMs = 10

/** What is asked of the sink. */
export interface SendOnHome {
  readonly leg: Leg
  readonly rules: LaneRules
  /** The account of a stream that has this tag in this sink. */
  readonly accountOf: (tag: string) => WriteAccount
  /** Bytes of the largest marker that the destination takes; 0: none. */
  readonly markerBytesMax: number
  /** Stores a dead letter of a record; undefined: it is stored, else why it never will be. */
  readonly setAside: (partition: number, record: PlainRecord, failure: Halted) => Effect.Effect<string | undefined>
  /** Of the topic of dead letters, as `cluster/topic`. */
  readonly deadLetters: string
  /** A send was stored, or failed: what is told of standstills. */
  readonly stores: (partition: number) => void
  readonly fails: (partition: number, sentAtMs: number, why: string) => void
}

/** A partition of a spill or a fallback, in the hands of whoever sends it on. */
export interface SentPartition {
  readonly partition: number
  /** To the destination. */
  readonly writer: Writer
  /** Whether it is to be given back: nothing is begun any more. */
  readonly isOver: boolean
  /** Position behind the last record that is known to stand there. */
  readonly end: Position
  /** Whether whoever sends it on has it for a turn, again and again: what stands is tried anew in each. */
  readonly isOfTurn?: boolean
  /** Records that stand before a position may be stored in the destination: a send of them had no answer. */
  readonly doubt: (end: Position) => void
  /** They have ended, one behind the other. What is not settled then may be sent on once more, by a process that comes. */
  readonly ended: (records: ReadonlyArray<ReceivedRecord>, how: Ending, isSettled: boolean) => void
  /** One will end otherwise than stored: consumers are told of it. */
  readonly announce: (record: ReceivedRecord, how: Unstored) => void
  /** The destination takes no marker of it for now: somebody else may tell what was to be told. */
  readonly refused: () => void
  /** It is given back before that was told, and so is not settled: what was to be told is forgotten, for it is judged anew, and may be stored. */
  readonly untold: () => void
  /** What stands before a position has ended; waits until that is settled, and not for long. Says whether it is. */
  readonly settle: (position: Position) => Effect.Effect<boolean>
  /** Nothing gets on for the time being: nobody is to wait for it. `reason`: of the error. */
  readonly stands: (reason?: string) => void
}

/** A record that the destination refuses, and that its policy neither drops nor sets aside, stands in front of all behind it. */
export type HaltedRecord = Halted & { readonly stream: string; readonly partition: number }

interface Standing {
  readonly part: SentPartition
  readonly failure: HaltedRecord
  readonly position: Position
}

export class SendOn {
  /** What is announced by no lane of this process. */
  readonly notices: CarriedDrops
  /** Of the spill, or the fallback, as warnings call it. */
  readonly #name: string
  readonly #home: SendOnHome
  readonly #pump: Pick<Pump, "transport" | "nowMs" | "wallMs">
  /** Of all partitions together, and as the table in force says. */
  readonly #pace: Pace
  readonly #size: RequestSize
  readonly #ages: SpillAges
  /** By partition: what stands until `resume`. */
  readonly #halted = new Map<number, Standing>()
  #resumed = Deferred.makeUnsafe<void>()
  /** Those of which something is on its way, or is being ended. */
  readonly #busy = new Set<SentPartition>()
  #isLeaving = false
  /** By partition that was resumed: of what stood there no record is later. A clock that was wrong had them refused. */
  readonly #latest = new Map<number, { readonly before: Position; readonly timeMs: number }>()

  constructor(
    name: string,
    notices: CarriedDrops,
    home: SendOnHome,
    pump: Pick<Pump, "transport" | "nowMs" | "wallMs">
  ) {
    this.notices = notices
    this.#name = name
    this.#home = home
    this.#pump = pump
    this.#size = new RequestSize(() => home.leg.batchBytes)
    this.#ages = new SpillAges(pump, () => home.leg.spill?.ageMsMax)
    this.#pace = new Pace(
      () => pump.nowMs,
      () => home.leg.spill?.ratePerSecond
    )
  }

  /** What stands until `resume`. */
  get halted(): ReadonlyArray<HaltedRecord> {
    return Array.from(this.#halted.values(), ({ failure }) => failure)
  }

  /** Lets what stands go on. */
  resume(): void {
    for (const [partition, { part }] of this.#halted)
      this.#latest.set(partition, { before: part.end, timeMs: this.#pump.wallMs })
    this.#halted.clear()
    const resumed = this.#resumed
    this.#resumed = Deferred.makeUnsafe<void>()
    Deferred.doneUnsafe(resumed, Effect.void)
  }

  /** Nothing of the partition is left. */
  forget(partition: number): void {
    this.#latest.delete(partition)
    this.#halted.delete(partition)
  }

  /** What stands before a position has ended. */
  passed(partition: number, position: Position): void {
    const standing = this.#halted.get(partition)
    if (standing !== undefined && standing.position < position) this.#halted.delete(partition)
  }

  /** Begins nothing any more, and waits for the answers to what is on its way; not for long. */
  readonly leave: Effect.Effect<void> = Effect.suspend(() => {
    this.#isLeaving = true
    return this.#quiet(() => this.#busy.size === 0, leaveMs)
  })

  /** Waits for the answers to what is on its way of all that is over, so long at most. */
  quietAll(mostMs: number): Effect.Effect<void> {
    return this.#quiet(() => this.#busy.size === 0, mostMs)
  }

  /** The same of one partition. */
  quiet(part: SentPartition, mostMs: number): Effect.Effect<void> {
    return this.#quiet(() => !this.#busy.has(part), mostMs)
  }

  #quiet(isQuiet: () => boolean, mostMs: number): Effect.Effect<void> {
    const quiet: Effect.Effect<void> = Effect.suspend(() =>
      isQuiet() ? Effect.void : Effect.andThen(Effect.sleep(answeredMs), quiet)
    )
    return Effect.asVoid(Effect.timeoutOption(quiet, mostMs))
  }

  /** Sends records on until each has ended. Of a partition that is over it begins nothing, and waits until it is interrupted. */
  send(part: SentPartition, records: ReadonlyArray<ReceivedRecord>): Effect.Effect<void> {
    const { partition } = part
    return Effect.gen({ self: this }, function* () {
      const portion = new Portion(records, this.#home.rules, portionMax)
      const latest = this.#latest.get(partition)
      const [first] = records
      if (latest !== undefined && first !== undefined) {
        if (first.position < latest.before) portion.limitTimes(latest.before, latest.timeMs)
        else this.#latest.delete(partition)
      }
      for (let failures = 0; portion.first !== undefined;) {
        const { from, to } = portion.next(this.#pace.pageMax(portionMax), this.#size.bytesMax(this.#pump.nowMs))
        const old = this.#ages.expired(portion.records, from, to)
        if (old.length === 0) yield* this.#pace.wait(to - from)
        if (this.#isLeaving || part.isOver) return yield* Effect.never
        if (old.length > 0) {
          yield* this.#expired(part, portion, old)
          continue
        }
        const again = yield* this.#step(part, portion, from, to)
        if (again === undefined) failures = 0
        else yield* again.waitMs === undefined ? pause(++failures) : Effect.sleep(again.waitMs)
      }
    })
  }

  /** Sends a range once. Undefined: it went on; else when it is sent again, after so long or after a pause that grows. */
  #step(
    part: SentPartition,
    portion: Portion,
    from: number,
    to: number
  ): Effect.Effect<{ readonly waitMs: number | undefined } | undefined> {
    return Effect.gen({ self: this }, function* () {
      const sentAtMs = this.#pump.nowMs
      const last = portion.records[to - 1]
      const gaveUp = Effect.sync(() => last !== undefined && part.doubt(last.position + 1n))
      const answering = Effect.onInterrupt(this.#sent(part, portion.batch, from, to), () => gaveUp)
      // Its answer is heard in the step in which it ends.
      const answer = yield* this.#busily(
        part,
        Effect.flatMap(answering, (runs) => {
          const answered = portion.answered(runs, this.#pump.nowMs)
          if (answered.stored.length > 0) this.#stored(part, answered.stored)
          if (answered.doubtEnd !== undefined) part.doubt(answered.doubtEnd)
          // It is not given back before: what is in doubt may land.
          return answered.isUnknown ? Effect.as(this.fence(part), answered) : Effect.succeed(answered)
        })
      )
      const { failed } = answer
      if (failed === undefined) return undefined
      let waitMs: number | undefined
      const { first } = portion
      if (isRefused(failed) && first !== undefined) {
        const { isMarker } = readMeta(first.headers, "")
        const refused = { from: portion.records.indexOf(first), to: failed.to, isMarker }
        const facts = { nowMs: this.#pump.nowMs, random: yield* Random.next }
        const verdict = portion.refusals.judge(refused, failed.error, facts)
        if (verdict._tag === "Halve") {
          const bytes = portion.batch.rangeBytes(refused.from, refused.to)
          if (failed.error.reason === "TooLarge") this.#size.refused(bytes, facts.nowMs)
          return undefined
        }
        if (verdict._tag !== "Again") {
          yield* this.#judged(part, portion, first, failed.error.reason, verdict)
          return undefined
        }
        waitMs = verdict.waitMs
      }
      this.#home.fails(part.partition, sentAtMs, whyOf(failed))
      part.stands(failed.error?.reason)
      return { waitMs }
    })
  }

  #busily<A>(part: SentPartition, work: Effect.Effect<A>): Effect.Effect<A> {
    return meanwhile(
      () => this.#busy.add(part),
      work,
      () => this.#busy.delete(part)
    )
  }

  #stored(part: SentPartition, records: ReadonlyArray<ReceivedRecord>): void {
    part.ended(records, { ending: "stored" }, true)
    this.passed(part.partition, endOf(records))
    this.#home.stores(part.partition)
  }

  #sent(
    { partition, writer }: SentPartition,
    batch: RecordBatch,
    from: number,
    to: number
  ): Effect.Effect<ReadonlyArray<Run>> {
    const { timeoutMs } = this.#home.leg
    return sendEffect(writer, partition, batch, from, to, timeoutMs).pipe(
      Effect.timeoutOrElse({ duration: timeoutMs * 2, orElse: () => Effect.succeed<ReadonlyArray<Run>>([]) }),
      Effect.map((runs) => answeredRuns(runs, from, to))
    )
  }

  /** The destination refuses the first record of a portion: it ends, or stands until it is resumed. */
  #judged(
    part: SentPartition,
    portion: Portion,
    record: ReceivedRecord,
    reason: string,
    verdict: Exclude<Verdict, { readonly _tag: "Again" | "Halve" }>
  ): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      if (verdict._tag === "Drop")
        return yield* this.#busily(part, this.#unstored(part, portion, [record], { ending: "dropped", reason }))
      const { failure } = verdict
      let { detail } = failure
      if (verdict._tag === "SetAside") {
        const fault = yield* this.#busily(part, this.#setAside(part, portion, record, failure))
        if (fault === undefined) return
        detail = `${detail}; and ${this.#home.deadLetters} refuses it too: ${fault}`
      }
      const { id } = readMeta(record.headers, "")
      const stream = id === undefined ? "an unknown stream" : this.#home.accountOf(id.stream).stream
      yield* this.#halt(part, record, { ...failure, detail, stream, partition: part.partition })
      const latest = this.#latest.get(part.partition)
      if (latest !== undefined) portion.resume(latest.before, latest.timeMs)
    })
  }

  /** The first records of a portion have been there for too long: they end unsent. */
  #expired(part: SentPartition, portion: Portion, records: ReadonlyArray<ReceivedRecord>): Effect.Effect<void> {
    const asked = { tag: spillExpired, attempts: 1, elapsedMs: 0, random: 0 }
    const decision = decide(this.#home.rules.policy, asked)
    const [first] = records
    if (!("ending" in decision) || decision.ending !== "deadLetter" || first === undefined) {
      const how = { ending: "dropped", reason: spillExpired } as const
      return this.#busily(part, this.#unstored(part, portion, records, how))
    }
    const failure = { tag: spillExpired, attempts: 0, detail: this.#ages.why }
    return this.#judged(part, portion, first, spillExpired, { _tag: "SetAside", failure })
  }

  /** Undefined: its letter is stored, and it has ended; else why it never will be. */
  #setAside(part: SentPartition, portion: Portion, record: ReceivedRecord, failure: Halted) {
    return Effect.gen({ self: this }, function* () {
      const fault = yield* this.#home.setAside(part.partition, record, failure)
      if (fault !== undefined) return fault
      yield* this.#unstored(part, portion, [record], {
        ending: "deadLettered",
        reason: failure.tag,
        topic: this.#home.deadLetters
      })
      return undefined
    })
  }

  /** Until it is resumed. What stands before it has ended. */
  #halt(part: SentPartition, { position }: ReceivedRecord, failure: HaltedRecord): Effect.Effect<void> {
    const { partition } = part
    const halted = { part, failure, position }
    return Effect.gen({ self: this }, function* () {
      const before = this.#halted.get(partition)
      const isTold = before?.position === position && before.failure.tag === failure.tag
      this.#halted.set(partition, halted)
      // Whoever reads the warning may resume it before anybody waits for that.
      const resumed = this.#resumed
      part.stands()
      const until = part.isOfTurn === true ? "stands, and is tried again each time" : "stands until it is resumed"
      if (!isTold)
        yield* warn(
          `what ${this.#name} holds for partition ${partition} of ${this.#home.leg.sink} ${until}: ${failure.tag}: ${failure.detail}`
        )
      const settled = Effect.andThen(part.settle(position), Effect.never)
      yield* Effect.raceFirst(Deferred.await(resumed), settled)
    }).pipe(
      Effect.ensuring(
        Effect.sync(() => {
          // Between two turns it stands all the same.
          if (this.#halted.get(partition) === halted && part.isOfTurn !== true) this.#halted.delete(partition)
        })
      )
    )
  }

  /** The first records of a portion end otherwise than stored. */
  #unstored(
    part: SentPartition,
    portion: Portion,
    records: ReadonlyArray<ReceivedRecord>,
    how: Unstored
  ): Effect.Effect<void> {
    return Effect.suspend(() => {
      for (const record of records) part.announce(record, how)
      let isAnnounced = false
      const settled = Effect.andThen(this.#announce(part), () => {
        isAnnounced = true
        return part.settle(endOf(records))
      })
      // What is announced has ended, also where nobody waits for the settle any more.
      return Effect.onExit(settled, (exit) =>
        Effect.sync(() => {
          if (!isAnnounced && this.notices.isCarried(part.partition)) return part.untold()
          part.ended(records, how, Exit.isSuccess(exit) && exit.value)
          this.passed(part.partition, endOf(records))
          const behind = records.flatMap(() => portion.ended())
          if (behind.length > 0) this.#stored(part, behind)
        })
      )
    })
  }

  /** Stores what no lane announces, also what was refused before. */
  announce(part: SentPartition): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.notices.again(part.partition)
      // It was settled long ago: what is not told now is told later.
      return Effect.onInterrupt(this.#announce(part), () => Effect.sync(() => this.notices.refused(part.partition)))
    })
  }

  /**
   * Stores what is to be told before it is settled, and nothing else. Markers that are refused are put aside, and tried again later. One that is on its
   * way when nobody waits for it any more may be stored: whoever judges its record anew tells it once more, or stores the record.
   */
  #announce(part: SentPartition): Effect.Effect<void> {
    const { partition } = part
    return Effect.gen({ self: this }, function* () {
      const { markerBytesMax } = this.#home
      if (markerBytesMax === 0) return this.notices.forget(partition)
      for (let failures = 0; ;) {
        const notice = this.notices.next(partition, markerBytesMax, this.#pump.wallMs)
        if (notice === undefined) return
        const sentAtMs = this.#pump.nowMs
        const [run] = yield* this.#sent(part, batchOf([notice.record]), 0, 1)
        if (run?.fate === "unknown") yield* this.fence(part)
        if (isRefused(run) && this.#isForGood(run.error.reason)) {
          this.notices.refused(partition)
          return part.refused()
        }
        if (run?.fate === "stored") {
          notice.told()
          this.#home.stores(partition)
          failures = 0
          continue
        }
        this.#home.fails(partition, sentAtMs, whyOf(run))
        part.stands(run?.error?.reason)
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

  /**
   * Until it has returned: what is in doubt must not land behind what is sent on. Another writer than its own that is closed for good never fences any more,
   * and is not waited for.
   */
  fence(part: SentPartition, writer = part.writer): Effect.Effect<void> {
    const { leg } = this.#home
    const { partition } = part
    return Effect.gen({ self: this }, function* () {
      if (this.#pump.transport.capabilities.fencing === "none") return
      for (let failures = 1; ; failures++) {
        const sentAtMs = this.#pump.nowMs
        const failure = yield* boundedFence(writer, partition, leg.sink, leg.timeoutMs)
        if (failure === undefined || (writer !== part.writer && isClosed(failure.tag))) return
        this.#home.fails(partition, sentAtMs, `${failure.tag}: ${failure.detail}`)
        part.stands(failure.tag)
        yield* pause(failures)
      }
    })
  }
}

/** Whether a writer that says so sends nothing any more. */
export function isClosed(reason: string | undefined): boolean {
  return reason === "Closed" || reason === "Fenced"
}

/** Position behind them. */
function endOf(records: ReadonlyArray<ReceivedRecord>): Position {
  return (records.at(-1)?.position ?? -1n) + 1n
}

function whyOf(run: Run | undefined): string {
  return run?.error === undefined ? "the cluster does not say why" : `${run.error.reason}: ${run.error.detail}`
}

function pause(failures: number): Effect.Effect<void> {
  const ms = Math.min(againMs * 2 ** (failures - 1), againMsMax)
  return Effect.flatMap(Random.next, (random) => Effect.sleep(ms * (0.8 + 0.4 * random)))
}
