/**
 * Sends on what stands in a fallback to the destination of its sink, as a member of the group `leat.fallback`: whoever holds a partition sends its
 * records in order, whosever they are, and settles behind the answer. One that takes over begins behind what is settled, so what it sends once
 * more stands in the destination already, with everything before it: copies, and none of them out of order.
 */
import { Cause, Deferred, Effect, Pull, Random, type Scope, Stream } from "effect"
import { textOfThrown } from "../../given/thrown.ts"
import { batchOf, type PlainRecord } from "../../record/batchOf.ts"
import { readMeta } from "../../record/Wire.ts"
import type { Leg } from "../../routes/Route.ts"
import { warn } from "../../Telemetry.ts"
import { answeredRuns } from "../../transport/answeredRuns.ts"
import { contained } from "../../transport/contained.ts"
import {
  type Lane,
  type Position,
  type ReceivedBatch,
  type ReceivedRecord,
  TransportError
} from "../../transport/index.ts"
import type { Run, Writer } from "../../transport/index.ts"
import { sendEffect } from "../../transport/Sending.ts"
import { boundedFence } from "../boundedFence.ts"
import type { Halted } from "../LaneHome.ts"
import type { LaneRules } from "../LaneRules.ts"
import type { Pump } from "../Pump.ts"
import { isRefused, type Verdict } from "../spill/Refusals.ts"
import type { SpillEnding } from "../spill/SpillBook.ts"
import { SpillPortion } from "../spill/SpillPortion.ts"
import { type FallbackPlace, fallbackGroup } from "./openFallback.ts"
import { RedriveEndings, type RedriveEndingsHome } from "./RedriveEndings.ts"

/** Pauses while the destination takes nothing: the first, and the longest, in milliseconds. */
const againMs = 100
const againMsMax = 5000

/** Records that are sent on at once. */
const portionMax = 500

/** How long closing waits for what is on its way, in milliseconds. */
const leaveMs = 2000

/** How long a settle may take before it is asked anew, in milliseconds. */
const answerMs = 30_000

/** What sending on asks of its sink. */
export interface RedriveHome extends RedriveEndingsHome {
  readonly leg: Leg
  readonly rules: LaneRules
  /** What the sink itself writes with. */
  readonly destination: Writer
  /** The writer, watched by the breaker of the destination. */
  readonly watched: (writer: Writer) => Writer
  /** Bytes of the largest marker that the destination takes; 0: none. */
  readonly markerBytesMax: number
  /** Stores a dead letter of a record; undefined: it is stored, else why it never will be. */
  readonly setAside: (partition: number, record: PlainRecord, failure: Halted) => Effect.Effect<string | undefined>
  /** Of the topic of dead letters, as `cluster/topic`. */
  readonly deadLetters: string
  /** What is before the position was sent on. */
  readonly settled: (partition: number, position: Position) => void
  /** A send was stored, or failed: what is told of standstills. */
  readonly stores: (partition: number) => void
  readonly fails: (partition: number, sentAtMs: number, why: string) => void
}

/** A record that the destination refuses, and that its policy neither drops nor sets aside. */
export type HaltedRedrive = Halted & { readonly stream: string; readonly partition: number }

/** A partition of the fallback in the hands of this member. */
interface Held {
  readonly lane: Lane
  readonly writer: Writer
  /** Whether it is to be given back. */
  isOver: boolean
  /** Whether nothing may land that was sent when this leat had the partition before, and was given up without an answer. */
  isFenced: boolean
}

export class Redrive {
  readonly #place: FallbackPlace
  readonly #home: RedriveHome
  readonly #pump: Pick<Pump, "transport" | "context" | "nowMs" | "wallMs">
  readonly #endings: RedriveEndings
  readonly #halted = new Map<number, HaltedRedrive>()
  #resumed = Deferred.makeUnsafe<void>()
  #broken = Deferred.makeUnsafe<void>()

  constructor(place: FallbackPlace, home: RedriveHome, pump: Redrive["pump"]) {
    this.#place = place
    this.#home = home
    this.#pump = pump
    this.#endings = new RedriveEndings(home)
  }

  /** Of the cluster of the destination. */
  get pump(): Pick<Pump, "transport" | "context" | "nowMs" | "wallMs"> {
    return this.#pump
  }

  get halted(): ReadonlyArray<HaltedRedrive> {
    return Array.from(this.#halted.values())
  }

  /** Lets what stands go on. */
  resume(): void {
    this.#halted.clear()
    const resumed = this.#resumed
    this.#resumed = Deferred.makeUnsafe<void>()
    Deferred.doneUnsafe(resumed, Effect.void)
  }

  /** Lanes in which something is sent on. */
  readonly #busy = new Set<Held>()
  #isLeaving = false

  /** A member, again and again; each until it fails. */
  get run(): Effect.Effect<never> {
    return Effect.forever(Effect.andThen(Effect.exit(Effect.scoped(this.#member)), Effect.sleep(1000)))
  }

  /** With a writer of its own: what the sink has on its way to a partition is not mixed with what others have left. */
  get #member(): Effect.Effect<void, TransportError, Scope.Scope> {
    const { transport, topic } = this.#place
    return Effect.gen({ self: this }, function* () {
      const { leg } = this.#home
      const writer = yield* contained(this.#pump.transport.openWriter(leg.topic), leg.sink)
      // A cluster that was away when this leat began has but one until it is there.
      if (writer === this.#home.destination) return
      const watched = this.#home.watched(writer)
      const scope = yield* Effect.scope
      this.#broken = Deferred.makeUnsafe<void>()
      const subscription = { topic, group: fallbackGroup, from: "earliest", drainMs: leg.timeoutMs } as const
      const lanes = Stream.runForEach(transport.subscribe(subscription), (lane) =>
        Effect.asVoid(Effect.forkIn(this.#lane({ lane, writer: watched, isOver: false, isFenced: false }), scope))
      )
      yield* Effect.raceFirst(lanes, Deferred.await(this.#broken))
    })
  }

  /** Until it is revoked; then what is on its way is answered first. Unless the lane itself is gone the member joins anew. */
  #lane(held: Held): Effect.Effect<void> {
    const { lane } = held
    const { timeoutMs } = this.#home.leg
    const revoked = Effect.andThen(lane.revoked, () => {
      held.isOver = true
      return Effect.sleep(timeoutMs)
    })
    const work = Stream.runForEach(lane.batches, (batch) =>
      Effect.suspend(() => {
        if (this.#isLeaving) return Effect.never
        this.#busy.add(held)
        return Effect.ensuring(
          this.#batch(held, batch),
          Effect.sync(() => this.#busy.delete(held))
        )
      })
    )
    return Effect.raceFirst(work, revoked).pipe(
      Effect.catchCause((cause) => {
        const error = Cause.squash(cause)
        if (Pull.isDoneCause(cause)) return Effect.void
        // A broker may give it again at once, and again.
        if (error instanceof TransportError && error.reason === "LaneLost") return Effect.sleep(1000)
        const why = error instanceof TransportError ? error.message : textOfThrown(error)
        return Effect.andThen(
          Cause.hasInterruptsOnly(cause)
            ? Effect.void
            : warn(`sending on from ${this.#name} has failed, and begins again: ${why}`),
          Deferred.succeed(this.#broken, undefined)
        )
      }),
      Effect.ensuring(Effect.suspend(() => lane.release)),
      Effect.asVoid
    )
  }

  /** Begins nothing any more, and waits for what is on its way, and for its settle; not for long. */
  readonly leave: Effect.Effect<void> = Effect.suspend(() => {
    this.#isLeaving = true
    for (const held of this.#busy) held.isOver = true
    const quiet: Effect.Effect<void> = Effect.suspend(() =>
      this.#busy.size > 0 ? Effect.andThen(Effect.sleep(10), quiet) : Effect.void
    )
    return Effect.asVoid(Effect.timeoutOption(quiet, leaveMs))
  })

  get #name(): string {
    return `the fallback ${this.#place.topic}`
  }

  #batch(held: Held, { records, next, gap }: ReceivedBatch): Effect.Effect<void, TransportError> {
    const { partition } = held.lane
    return Effect.gen({ self: this }, function* () {
      if (gap === "corrupt" || gap === "expired")
        yield* warn(
          `records of ${this.#name}, partition ${partition}, before position ${next} cannot be read any more (${gap}): those events are lost`
        )
      if (!held.isFenced) yield* this.#fence(held)
      const sentTo = yield* this.#sendOn(held, records)
      if (sentTo < records.length) {
        // It is revoked: the next holder begins with what was not sent.
        // Consumers hear of what is dropped from whoever settles it.
        const position = records[sentTo]?.position
        if (position === undefined || this.#endings.notices.isCarried(partition)) return
        return yield* this.#settle(held, position)
      }
      yield* this.#announce(held)
      if (held.isOver && this.#endings.notices.isCarried(partition)) return
      yield* this.#settle(held, next)
    })
  }

  #settle({ lane }: Held, position: Position): Effect.Effect<void, TransportError> {
    const { topic, transport } = this.#place
    const { partition } = lane
    const settling: Effect.Effect<void, TransportError> = Effect.suspend(() => lane.settle(position)).pipe(
      Effect.timeoutOrElse({ duration: answerMs, orElse: () => settling }),
      Effect.catchIf(
        ({ reason }) => reason !== "LaneLost",
        () => Effect.andThen(Effect.sleep(1000), settling)
      )
    )
    const trimmed = Effect.ignoreCause(
      Effect.timeoutOption(transport.trim?.(topic, partition, position) ?? Effect.void, answerMs)
    )
    return Effect.andThen(settling, () => {
      this.#home.settled(partition, position)
      return trimmed
    })
  }

  /** Sends records on until each has ended, or the lane is over. Returns the index behind the last that has ended. */
  #sendOn(held: Held, records: ReadonlyArray<ReceivedRecord>): Effect.Effect<number> {
    return Effect.gen({ self: this }, function* () {
      const portion = new SpillPortion(records, this.#home.rules, portionMax)
      let failures = 0
      while (portion.first !== undefined && !held.isOver) {
        const { from, to } = portion.next(portionMax)
        const again = yield* this.#step(held, portion, from, to)
        if (again === undefined) failures = 0
        else yield* this.#unlessOver(held, again.waitMs === undefined ? pause(++failures) : Effect.sleep(again.waitMs))
      }
      return portion.first === undefined ? records.length : records.indexOf(portion.first)
    })
  }

  /** Sends a range once. Undefined: it went on; else when it is sent again, after so long or after a pause that grows. */
  #step(
    held: Held,
    portion: SpillPortion,
    from: number,
    to: number
  ): Effect.Effect<{ readonly waitMs: number | undefined } | undefined> {
    const { partition } = held.lane
    return Effect.gen({ self: this }, function* () {
      const sentAtMs = this.#pump.nowMs
      const runs = yield* this.#send(held, portion.batch, from, to)
      const { stored, isUnknown, failed } = portion.answered(runs, this.#pump.nowMs)
      if (stored.length > 0) {
        this.#endings.ended(partition, stored, { ending: "stored" })
        this.#home.stores(partition)
      }
      if (isUnknown) yield* this.#fence(held)
      if (failed === undefined) return undefined
      let waitMs: number | undefined
      const { first } = portion
      if (isRefused(failed) && first !== undefined) {
        const { isMarker } = readMeta(first.headers, "")
        const refused = { from: portion.records.indexOf(first), to: failed.to, isMarker }
        const facts = { nowMs: this.#pump.nowMs, random: yield* Random.next }
        const verdict = portion.refusals.judge(refused, failed.error, facts)
        if (verdict._tag === "Halve") return undefined
        if (verdict._tag !== "Again") {
          const how = yield* this.#end(held, first, failed.error.reason, verdict)
          const last = portion.records.at(-1)
          if (how !== undefined) {
            this.#endings.ended(partition, [first], how)
            this.#endings.ended(partition, portion.ended(), { ending: "stored" })
          } else if (last !== undefined) portion.resume(last.position + 1n, this.#pump.wallMs)
          return undefined
        }
        waitMs = verdict.waitMs
      }
      this.#home.fails(partition, sentAtMs, whyOf(failed))
      return { waitMs }
    })
  }

  #send({ lane, writer }: Held, batch: ReturnType<typeof batchOf>, from: number, to: number) {
    const { timeoutMs } = this.#home.leg
    return sendEffect(writer, lane.partition, batch, from, to, timeoutMs).pipe(
      Effect.timeoutOrElse({ duration: timeoutMs * 2, orElse: () => Effect.succeed<ReadonlyArray<Run>>([]) }),
      Effect.map((runs) => answeredRuns(runs, from, to))
    )
  }

  /** How a record ends that the destination refuses, alone; undefined: it stood, and is sent again. */
  #end(
    held: Held,
    record: ReceivedRecord,
    reason: string,
    verdict: Exclude<Verdict, { readonly _tag: "Again" | "Halve" }>
  ): Effect.Effect<SpillEnding | undefined> {
    const { partition } = held.lane
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
      this.#halted.set(partition, { ...failure, detail, stream, partition })
      yield* warn(
        `what ${this.#name} holds for partition ${partition} of ${this.#home.leg.sink} stands until it is resumed: ${reason}: ${detail}`
      )
      // What stands before it has ended.
      const settled = Effect.andThen(this.#announce(held), Effect.ignore(this.#settle(held, record.position)))
      const resumed = this.#unlessOver(held, Deferred.await(this.#resumed))
      yield* Effect.raceFirst(resumed, Effect.andThen(settled, Effect.never))
      this.#halted.delete(partition)
      return undefined
    })
  }

  #unlessOver({ lane }: Held, waiting: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.raceFirst(waiting, lane.revoked)
  }

  /** Stores what is dropped and no record announces. Markers that are refused are tried again with the next ones. */
  #announce(held: Held): Effect.Effect<void> {
    const { partition } = held.lane
    return Effect.gen({ self: this }, function* () {
      const { markerBytesMax } = this.#home
      if (markerBytesMax === 0) return this.#endings.notices.forget(partition)
      for (let failures = 0; !held.isOver;) {
        const notice = this.#endings.notices.next(partition, markerBytesMax, this.#pump.wallMs)
        if (notice === undefined) return
        const sentAtMs = this.#pump.nowMs
        const [run] = yield* this.#send(held, batchOf([notice.record]), 0, 1)
        if (run?.fate === "unknown") yield* this.#fence(held)
        if (isRefused(run)) return
        if (run?.fate === "stored") {
          notice.told()
          failures = 0
          continue
        }
        this.#home.fails(partition, sentAtMs, whyOf(run))
        yield* this.#unlessOver(held, pause(++failures))
      }
    })
  }

  /** Until it has returned, or the lane is over: what is in doubt must not land behind what is sent on. */
  #fence(held: Held): Effect.Effect<void> {
    const { partition } = held.lane
    return Effect.gen({ self: this }, function* () {
      const { leg } = this.#home
      if (this.#pump.transport.capabilities.fencing === "none") return
      for (let failures = 1; !held.isOver; failures++) {
        const sentAtMs = this.#pump.nowMs
        const failure = yield* boundedFence(held.writer, partition, leg.sink, leg.timeoutMs)
        if (failure === undefined) {
          held.isFenced = true
          return
        }
        this.#home.fails(partition, sentAtMs, `${failure.tag}: ${failure.detail}`)
        yield* this.#unlessOver(held, pause(failures))
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
