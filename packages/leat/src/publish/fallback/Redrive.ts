/**
 * Sends on what stands in one fallback to the destination of its sink, as a member of the group `leat.fallback`: whoever holds a partition sends its
 * records in order, whosever they are, and settles behind the answer. One that takes over begins behind what is settled, so what it sends once
 * more stands in the destination already, with everything before it: copies, and none of them out of order.
 */
import { Cause, Deferred, Effect, Exit, Pull, Scope, Semaphore, Stream } from "effect"
import { textOfThrown } from "../../given/thrown.ts"
import { idleSleep } from "../../idleSleep.ts"
import { warn } from "../../Telemetry.ts"
import { contained } from "../../transport/contained.ts"
import { endWithin } from "../../transport/endWithin.ts"
import { released } from "../../transport/released.ts"
import { Replaced } from "../../transport/Replaced.ts"
import {
  type Lane,
  type PartitionBounds,
  type Position,
  type ReceivedBatch,
  type ReceivedRecord,
  type Transport,
  TransportError,
  type Writer
} from "../../transport/index.ts"
import type { Pump } from "../Pump.ts"
import { type HaltedRecord, isClosed, SendOn, type SendOnHome, type SentPartition } from "../sendOn/SendOn.ts"
import { ofPartition } from "../sendOn/ofPartition.ts"
import { runsOf, wholeRecords } from "../sendOn/wholeRecords.ts"
import { HangWatch } from "./HangWatch.ts"
import { HeldPartition } from "./HeldPartition.ts"
import { type FallbackPlace, fallbackGroup, settledOf } from "./openFallback.ts"
import { RedriveEndings, type RedriveEndingsHome } from "./RedriveEndings.ts"
import { meanwhile } from "../meanwhile.ts"

/** Pauses before a member joins again: the first, and the longest for a partition that is read in vain, in milliseconds. */
const againMs = 1000
const againMsMax = 60_000

/** How long a driver is waited for, in milliseconds. */
const answerMs = 30_000

/** How long what a member had is waited for when it has ended, in milliseconds. */
const memberMs = 60_000

/** Records that are sent on before it is settled how far. */
const settledRecords = 2000

/** How long nothing more is said of what fails again, in milliseconds. */
const quietMs = 600_000

/** A partition that has not failed for so long since it was to be read again was read, also where nothing came, in milliseconds. */
const wellMs = 120_000

/** How often what consumers were not told yet is tried again, in milliseconds, and how long closing waits for that. */
const tellAgainMs = 60_000
const tellLastMs = 2000

/** How soon a writer that is closed for good is opened anew once more, in milliseconds. */
const reopenMs = 60_000

/** What sending on asks of its sink. */
export interface RedriveHome extends SendOnHome, RedriveEndingsHome {
  /** What the sink itself writes with. */
  readonly destination: Writer
  /** The writer, watched by the breaker of the destination. */
  readonly watched: (writer: Writer) => Writer
  /** What is before the position was sent on from the place. */
  readonly sentOn: (place: FallbackPlace, partition: number, position: Position) => void
  /** Waits until all was sent on that the places before it hold of a partition. */
  readonly earlier: (place: FallbackPlace, partition: number) => Effect.Effect<void>
  /** Has the sink fenced, where something that it has sent may land behind what is sent on. */
  readonly sinkFenced: (partition: number, fence: Effect.Effect<void>) => Effect.Effect<void>
  /** Nothing is to be held back for what is sent on of the partition. */
  readonly letGo: (partition: number) => void
  /** Position behind what this leat has there. */
  readonly endOf: (place: FallbackPlace, partition: number) => Position
  /** Nothing is sent on, of a partition or, where that is undefined, of any, since a time of the monotonic clock. */
  readonly stands: (place: FallbackPlace, partition: number | undefined, sinceMs: number, why: string) => void
}

export class Redrive {
  readonly #place: FallbackPlace
  readonly #home: RedriveHome
  readonly #pump: Pick<Pump, "transport" | "context" | "nowMs" | "wallMs">
  readonly #endings: RedriveEndings
  readonly #sendOn: SendOn
  /** In the hands of this member. */
  readonly #held = new Set<HeldPartition>()
  /** How often partitions were read in vain, one time after the other, and when that is tried again. */
  readonly #sick = new Map<number, { readonly failures: number; readonly againMs: number }>()
  /** By partition: where it ended when it was looked at last. */
  readonly #ends = new Map<number, Position>()
  /** Since when members fail, and how many of them have, since something was sent on. */
  #failsSinceMs: number | undefined
  #failures = 0
  /** When it was last told of a partition, or of the member: one that comes and goes is told now and then. */
  readonly #toldMs = new Map<number | undefined, number>()
  /** Troubles that were not told yet. */
  readonly #untold = new Set<number | undefined>()
  #broken = Deferred.makeUnsafe<void>()
  readonly #hangs = new HangWatch()
  /** Whether the destination is not open yet. */
  #isAway = false
  /** By partition: one after the other is sent on, or tells what was not told yet. */
  readonly #turns = new Map<number, Semaphore.Semaphore>()
  /** The partitions of which consumers are being told what they were not told yet. */
  readonly #telling = new Set<number>()
  /** Those that wait for their turn to be told. */
  readonly #toTell = new Set<number>()
  /** Of the member; undefined until there is one. */
  #writer: Writer | undefined
  /** When a writer that is closed for good may be opened anew the next time, in milliseconds of the monotonic clock. */
  #reopenMs = 0

  constructor(place: FallbackPlace, home: RedriveHome, pump: Redrive["pump"]) {
    this.#place = place
    this.#home = home
    this.#pump = pump
    this.#endings = new RedriveEndings(home)
    this.#sendOn = new SendOn(this.#name, this.#endings.notices, home, pump)
  }

  /** Of the cluster of the destination. */
  get pump(): Pick<Pump, "transport" | "context" | "nowMs" | "wallMs"> {
    return this.#pump
  }

  get halted(): ReadonlyArray<HaltedRecord> {
    return this.#sendOn.halted
  }

  /** Lets what stands go on. */
  resume(): void {
    this.#sendOn.resume()
  }

  /** The topic was made anew: its positions mean other records. What is held of it begins anew too. */
  anew(partition: number): void {
    this.#ends.delete(partition)
    this.#endings.anew(partition)
    this.#sendOn.forget(partition)
    for (const held of this.#held) if (held.partition === partition) held.isOfBefore = true
    Deferred.doneUnsafe(this.#broken, Effect.void)
  }

  /** What waits, as the fallback says it: where it hangs, the member joins anew. */
  watch(rows: ReadonlyArray<PartitionBounds>): void {
    for (const { partition, end } of rows) this.#ends.set(partition, end)
    const held = new Map(Array.from(this.#held, (one) => [one.partition, one] as const))
    const all = rows.filter((row) => settledOf(row) < row.end)
    if (all.length === 0) this.#failsSinceMs = undefined
    // What is in hand has its own time-outs, delays of its policy and halts; what has ended waits for its settle alone.
    const isInHand = (row: PartitionBounds) => {
      const mine = held.get(row.partition)
      return mine !== undefined && (mine.isSending || this.#telling.has(row.partition) || mine.at >= row.end)
    }
    // It is told that the cluster is not there yet.
    if (this.#isAway) this.#hangs.failed(undefined, this.#pump.nowMs)
    const hang = this.#hangs.look(all, isInHand, this.#home.leg.timeoutMs, this.#pump.nowMs)
    if (hang === undefined) return
    const { partitions, sinceMs, isToJoin, isFirst } = hang
    const why = `nothing of ${this.#name} is sent on (partition ${partitions.join(", ")}), and nobody here knows why`
    for (const partition of partitions) this.#home.stands(this.#place, partition, sinceMs, why)
    if (!isToJoin) return
    if (isFirst) Effect.runForkWith(this.#pump.context)(warn(`${why}: its group is joined anew`))
    Deferred.doneUnsafe(this.#broken, Effect.void)
  }

  get #name(): string {
    return this.#place.name
  }

  /** A member, again and again; each until it fails. */
  get run(): Effect.Effect<never> {
    // A driver may not let go of what a member had: the next one is not kept from beginning.
    const member = Effect.acquireUseRelease(
      Effect.sync(() => Scope.makeUnsafe()),
      (scope) => Scope.provide(this.#member, scope),
      (scope, exit) => endWithin(Scope.close(scope, exit), memberMs)
    )
    const once = Effect.flatMap(Effect.exit(member), (exit) => {
      const error = Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? undefined : Cause.squash(exit.cause)
      if (error === undefined || error instanceof Replaced) return Effect.sleep(againMs)
      const pauseMs = Math.min(againMs * 2 ** this.#failures++, againMsMax)
      return Effect.andThen(this.#fails(undefined, error, pauseMs), Effect.sleep(pauseMs))
    })
    return Effect.forever(once)
  }

  #getsOn(partition: number, position: Position): void {
    this.#failsSinceMs = undefined
    this.#failures = 0
    this.#home.sentOn(this.#place, partition, position)
  }

  /** Says once why nothing is sent on; shows it as long as it lasts. */
  #fails(partition: number | undefined, error: unknown, pauseMs: number): Effect.Effect<void> {
    const why = error instanceof TransportError ? error.message : textOfThrown(error)
    const { nowMs } = this.#pump
    const isNew = partition === undefined ? this.#failsSinceMs === undefined : this.#failuresOf(partition) === 0
    if (isNew) this.#untold.add(partition)
    const isQuiet = nowMs - (this.#toldMs.get(partition) ?? Number.NEGATIVE_INFINITY) > quietMs
    const isFirst = isQuiet && this.#untold.delete(partition)
    if (isFirst) this.#toldMs.set(partition, nowMs)
    this.#hangs.failed(partition, nowMs + pauseMs)
    if (partition === undefined) this.#failsSinceMs ??= nowMs
    const where = partition === undefined ? this.#name : `${this.#name}, partition ${partition},`
    this.#home.stands(this.#place, partition, this.#failsSinceMs ?? nowMs, `${where} cannot be read: ${why}`)
    if (!isFirst) return Effect.void
    return warn(`${where} cannot be read, and is tried again: nothing of it is sent on until then: ${why}`)
  }

  /** With a writer of its own: what the sink has on its way to a partition is not mixed with what others have left. */
  get #member(): Effect.Effect<void, TransportError, Scope.Scope> {
    const { transport, topic } = this.#place
    return Effect.gen({ self: this }, function* () {
      const { leg } = this.#home
      const scope = yield* Effect.scope
      const writer = yield* this.#opened
      // A cluster that was away when this leat began has but one until it is there.
      this.#isAway = writer === this.#home.destination
      if (this.#isAway) return
      const watched = this.#home.watched(writer)
      this.#broken = Deferred.makeUnsafe<void>()
      this.#writer = watched
      const subscription = { topic, group: fallbackGroup, from: "earliest", drainMs: leg.timeoutMs } as const
      // Asked for anew each time: a driver may break.
      const lanes = Stream.runForEach(
        Stream.suspend(() => transport.subscribe(subscription)),
        (given) =>
          Effect.flatMap(ofPartition(given, transport), (lane) =>
            Effect.asVoid(Effect.forkIn(Effect.scoped(this.#lane(lane, watched)), scope))
          )
      )
      const broken = Effect.as(Deferred.await(this.#broken), true)
      // Ends with what it is beside, and not with the scope: a driver that never lets go of the rest would have it go on for ever.
      const exit = yield* Effect.acquireUseRelease(
        Effect.forkDetach(Effect.forever(this.#tellAgain(scope))),
        () => Effect.exit(Effect.raceFirst(Effect.as(lanes, false), broken)),
        (telling) => Effect.sync(() => telling.interruptUnsafe())
      )
      yield* this.#giveBackAll(Array.from(this.#held))
      if (Exit.isFailure(exit)) yield* Effect.failCause(exit.cause)
      // Nobody has asked for that.
      else if (!exit.value) yield* troubleOf(transport, "subscribe", "the driver has ended its membership of the group")
    })
  }

  get #opened(): Effect.Effect<Writer, TransportError, Scope.Scope> {
    const { leg } = this.#home
    const { transport } = this.#pump
    const opening = Effect.suspend(() => contained(transport.openWriter(leg.topic), leg.sink))
    return answered(opening, transport, "openWriter")
  }

  #giveBackAll(held: ReadonlyArray<HeldPartition>): Effect.Effect<void> {
    return Effect.forEach(held, (one) => this.#giveBack(one), { concurrency: "unbounded", discard: true })
  }

  /** Until it is revoked; then what is on its way is answered first. */
  #lane(lane: Lane, writer: Writer): Effect.Effect<void, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const held = new HeldPartition(
        lane,
        writer,
        {
          place: this.#place,
          endings: this.#endings,
          sentOn: (partition, position) => this.#getsOn(partition, position),
          stands: (partition, reason) => this.#stands(partition, reason),
          endOf: (partition) => {
            const [own, seen] = [this.#home.endOf(this.#place, partition), this.#ends.get(partition) ?? 0n]
            return own > seen ? own : seen
          }
        },
        yield* Effect.scope
      )
      // One that was given out anew without a word is over: two would send the same.
      yield* this.#giveBackAll(Array.from(this.#held).filter(({ partition }) => partition === lane.partition))
      this.#held.add(held)
      const work = Stream.runForEach(lane.batches, (batch) => this.#inTurn(lane.partition, this.#batch(held, batch)))
      const revoked = Effect.andThen(lane.revoked, this.#giveBack(held))
      // It may come again at once, and again.
      const ended = Effect.andThen(work, Effect.raceFirst(lane.revoked, Effect.sleep(againMs)))
      const over = Effect.raceFirst(ended, revoked)
      const exit = yield* Effect.exit(over)
      if (Exit.isFailure(exit)) yield* this.#broke(held, exit.cause)
      else yield* held.last
    }).pipe(
      Effect.ensuring(
        Effect.suspend(() => {
          for (const held of this.#held) if (held.lane === lane) this.#held.delete(held)
          return Effect.ignoreCause(released(lane, this.#place.topic))
        })
      )
    )
  }

  /** Begins nothing of it any more, and settles what was on its way. */
  #giveBack(held: HeldPartition): Effect.Effect<void> {
    return Effect.suspend(() => {
      held.isOver = true
      return Effect.andThen(this.#sendOn.quiet(held, this.#home.leg.timeoutMs), held.last)
    })
  }

  /**
   * Unless the lane itself is gone the member has to join anew, or its broker takes it for the holder for ever. The other partitions are given back
   * in order then, and later each time: a partition that is read in vain must not keep them from getting on.
   */
  #broke(held: HeldPartition, cause: Cause.Cause<TransportError>): Effect.Effect<void> {
    const { partition } = held
    const error = Cause.squash(cause)
    return Effect.gen({ self: this }, function* () {
      yield* held.last
      if (Pull.isDoneCause(cause) || Cause.hasInterruptsOnly(cause)) return
      // A broker may give it again at once, and again.
      if (error instanceof TransportError && error.reason === "LaneLost") return yield* Effect.sleep(againMs)
      const failures = this.#failuresOf(partition)
      const pauseMs = Math.min(againMs * 2 ** failures, againMsMax)
      yield* this.#fails(partition, error, pauseMs)
      this.#sick.set(partition, { failures: failures + 1, againMs: this.#pump.nowMs + pauseMs })
      yield* Effect.sleep(pauseMs)
      yield* Deferred.succeed(this.#broken, undefined)
    })
  }

  #failuresOf(partition: number): number {
    const { failures, againMs: dueMs } = this.#sick.get(partition) ?? { failures: 0, againMs: 0 }
    return this.#pump.nowMs - dueMs > wellMs ? 0 : failures
  }

  /** Begins nothing any more, and waits for what is on its way; not for long. */
  get leave(): Effect.Effect<void> {
    return this.#sendOn.leave
  }

  /** Before it is interrupted: tells and settles what has ended; not for long, unless a driver does not let itself be interrupted. */
  readonly last: Effect.Effect<void> = Effect.suspend(() => {
    const held = Array.from(this.#held, (one) =>
      Effect.andThen(Effect.timeoutOption(this.#tell(one), tellLastMs), one.last)
    )
    const apart = this.#apart.map((part) => Effect.timeoutOption(this.#tell(part), tellLastMs))
    return Effect.all([...held, ...apart], { concurrency: "unbounded", discard: true })
  })

  /** Tells consumers what they were not told yet; what the destination does not take for good, a later record of its own lane does. */
  #tell(part: SentPartition): Effect.Effect<void> {
    const { partition } = part
    return Effect.suspend(() => {
      const { notices } = this.#endings
      const isNeeded = notices.isCarried(partition) || notices.isRefused(partition)
      if (!isNeeded || this.#telling.has(partition)) return Effect.void
      return meanwhile(
        () => this.#telling.add(partition),
        this.#sendOn.announce(part),
        () => this.#telling.delete(partition)
      )
    })
  }

  /** What is to be told of partitions that somebody else has now: a marker has no place among the events, so it is told all the same. */
  get #apart(): ReadonlyArray<SentPartition> {
    const writer = this.#writer
    if (writer === undefined) return []
    const isHeld = (partition: number) => Array.from(this.#held).some((one) => one.partition === partition)
    return this.#endings.notices.refusedIn
      .filter((partition) => !isHeld(partition))
      .map((partition) =>
        partOfOthers(
          partition,
          writer,
          () => this.#endings.handOver(partition),
          (reason) => this.#stands(partition, reason)
        )
      )
  }

  /** What was not told yet is tried again, now and then. */
  #tellAgain(scope: Scope.Scope): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      yield* idleSleep(tellAgainMs)
      for (const part of [...this.#held, ...this.#apart]) {
        const { partition } = part
        // Noted by the fiber itself: where the member ends meanwhile it never begins.
        const told = Effect.suspend(() => {
          if (this.#toTell.has(partition)) return Effect.void
          return meanwhile(
            () => this.#toTell.add(partition),
            this.#inTurn(partition, this.#tell(part)),
            () => this.#toTell.delete(partition)
          )
        })
        yield* Effect.forkIn(told, scope)
      }
    })
  }

  #inTurn<A, E>(partition: number, work: Effect.Effect<A, E>): Effect.Effect<A, E> {
    const turns = this.#turns.get(partition) ?? Semaphore.makeUnsafe(1)
    this.#turns.set(partition, turns)
    return turns.withPermits(1)(work)
  }

  /** Nobody is held back for it. A writer that is closed for good is opened anew, with the others given back in order. */
  #stands(partition: number, reason: string | undefined): void {
    this.#home.letGo(partition)
    const { nowMs } = this.#pump
    if (!isClosed(reason) || nowMs < this.#reopenMs) return
    this.#reopenMs = nowMs + reopenMs
    Deferred.doneUnsafe(this.#broken, Effect.void)
  }

  #batch(held: HeldPartition, batch: ReceivedBatch): Effect.Effect<void, TransportError> {
    const { partition } = held
    const { next, gap } = batch
    return Effect.gen({ self: this }, function* () {
      held.isSending = true
      held.readEnd = next
      this.#sick.delete(partition)
      // What is read now stands behind all that its publishers have in earlier places.
      yield* this.#home.earlier(this.#place, partition)
      const records = gap === undefined ? yield* this.#whole(held, batch) : batch.records
      const isHoled = gap === undefined && records.length < Number(next - held.at)
      const why = gap ?? "its driver has passed over them"
      if (gap === "corrupt" || gap === "expired") yield* this.#missing(held, records[0]?.position ?? next, why)
      if (!held.isFenced) yield* this.#sendOn.fence(held)
      held.isFenced = true
      yield* this.#home.sinkFenced(partition, this.#sendOn.fence(held, this.#home.destination))
      for (const some of runsOf(records, settledRecords)) {
        if (isHoled) yield* this.#missing(held, some[0]?.position ?? next, why)
        yield* this.#sendOn.send(held, some)
        yield* this.#tell(held)
        yield* held.settle(held.at)
      }
      if (isHoled) yield* this.#missing(held, next, why)
      held.passed(next)
      yield* held.settle(next)
      held.isSending = false
    })
  }

  /** With what its lane has passed over without a word, where that can be read. */
  #whole(held: HeldPartition, batch: ReceivedBatch): Effect.Effect<ReadonlyArray<ReceivedRecord>, TransportError> {
    return answered(wholeRecords(this.#place, held.partition, held.at, batch), this.#place.transport, "read")
  }

  #missing(held: HeldPartition, to: Position, gap: string): Effect.Effect<void> {
    const from = held.at
    if (to <= from || held.isOfBefore) return Effect.void
    const count = this.#endings.missing(held.partition, from, to)
    held.passed(to)
    if (count === 0) return Effect.void
    return warn(
      `${count} records of ${this.#name}, partition ${held.partition}, positions ${from} to ${to - 1n}, cannot be read any more (${gap}): those events are lost, and counted as dropped (Corrupt)`
    )
  }
}

/** A partition that somebody else has, to tell of what this process dropped when it had it. */
function partOfOthers(
  partition: number,
  writer: Writer,
  refused: () => void,
  stands: (reason: string | undefined) => void
): SentPartition {
  const nothing = () => undefined
  const doubts = { isOver: false, end: 0n, doubt: nothing, settle: () => Effect.succeed(false) }
  return { partition, writer, refused, ...doubts, ended: nothing, announce: nothing, untold: nothing, stands }
}

/** What does not answer has failed. */
function answered<A, R>(asked: Effect.Effect<A, TransportError, R>, transport: Transport, operation: string) {
  return Effect.timeoutOrElse(asked, {
    duration: answerMs,
    orElse: () => Effect.fail(troubleOf(transport, operation, `no answer within ${answerMs} ms`))
  })
}

function troubleOf({ name }: Transport, operation: string, detail: string): TransportError {
  return new TransportError({ reason: "Timeout", transport: name, operation, detail })
}
