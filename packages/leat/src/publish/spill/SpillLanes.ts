/**
 * What a drain reads of its spill, and settles there. The topic of an owner beside it, with one partition, is given to one process at a time:
 * whoever holds it is the only one that writes to the spill and sends it on.
 */
import { Cause, Deferred, Effect, Exit, Pull, Scope, Semaphore, Stream } from "effect"
import { warn } from "../../Telemetry.ts"
import type { Lane, Position, ReceivedBatch, ReceivedRecord, Subscription } from "../../transport/index.ts"
import { TransportError } from "../../transport/index.ts"
import { sizeOf } from "../../record/batchOf.ts"
import { readMeta } from "../../record/Wire.ts"
import { Settles } from "../sendOn/Settles.ts"
import type { Spill, SpillPlace } from "./Spill.ts"

/** The group that holds the lanes of spills, and whose settled positions say what was sent on. */
const spillGroup = "leat.spill"

/** Pause before something of the spill is asked for again, in milliseconds. */
const againMs = 1000

/** Pause after a lane is lost, in milliseconds. */
const lostMs = 100

/** How long something that is asked of the spill may take before it is asked anew, in milliseconds. */
const answerMs = 30_000

/** How long nothing is said of a spill that another process has, in milliseconds. */
const tellMs = 10_000

/** Of one partition: from where on it holds what was not sent on. */
export interface SpillBounds {
  readonly partition: number
  /** What stood before it is not there any more. */
  readonly start: Position
  readonly settled: Position
  readonly end: Position
}

/** Records that follow each other, and the position behind them. */
export type Portion = Pick<ReceivedBatch, "records" | "next">

interface Sizes {
  readonly bytes: number
  readonly markers: number
}

const nothing: Sizes = { bytes: 0, markers: 0 }

function withRecord({ bytes, markers }: Sizes, record: ReceivedRecord): Sizes {
  return { bytes: bytes + sizeOf(record), markers: markers + (readMeta(record.headers, "").isMarker ? 1 : 0) }
}

/** A lane of the spill, and how far it was read. */
interface Held {
  readonly lane: Lane
  /** Of its stream. */
  readonly scope: Scope.Closeable
  readonly pull: Pull.Pull<ReadonlyArray<ReceivedBatch>, TransportError>
  /** Pulled, and not looked at. */
  readonly ahead: Array<Portion>
  next: Position
  /** What was read last and is not settled: whoever has failed with it reads it once more. */
  given?: Portion | undefined
}

export class SpillLanes {
  /** Completes when another process has the spill. */
  readonly lost: Effect.Effect<void>
  readonly #place: SpillPlace
  readonly #scope: Scope.Scope
  readonly #lanes = new Map<number, Held>()
  /** By partition: who may read its lane. Whoever sends on reads it, and a settle of a lane that has come anew does. */
  readonly #readers = new Map<number, Semaphore.Semaphore>()
  readonly #settles: Settles
  /** Completed, and made anew, with each lane that comes. */
  #given = Deferred.makeUnsafe<void>()
  /** Completed, and made anew, when the member has to join again. */
  #broken = Deferred.makeUnsafe<void>()
  #isSubscribed = false
  /** Why its lanes do not come, as far as that is known. */
  trouble: string | undefined

  private constructor({ place, parts }: Spill, scope: Scope.Scope, lost: Effect.Effect<void>) {
    this.#place = place
    this.#scope = scope
    this.lost = lost
    const { trim } = place.transport
    this.#settles = new Settles(`the spill ${place.topic}`, scope, {
      answerMs,
      settle: (partition, position) => this.#settle(partition, position),
      trim: (partition, position) => trim?.(place.topic, partition, position) ?? Effect.void,
      settled: (partition, position) => {
        const part = parts[partition]
        if (part !== undefined && position > part.settled) part.settled = position
      },
      trimmed: (partition, position) => parts[partition]?.room.trimmed(position)
    })
  }

  /** Waits until the spill belongs to this process; says so when that takes long. */
  static open(spill: Spill, sink: string): Effect.Effect<SpillLanes, never, Scope.Scope> {
    return Effect.gen(function* () {
      const { place } = spill
      const scope = yield* Effect.scope
      const topic = `${place.topic}.owner`
      const owner = Deferred.makeUnsafe<Lane>()
      yield* asked(answered(place.transport.ensure({ topic, partitions: 1 }), place, "ensure"), place)
      let why: string | undefined
      // The topic may have been made with more partitions, and only one of them can be the lock.
      const taken = (lane: Lane) => (lane.partition === 0 ? Effect.asVoid(Deferred.succeed(owner, lane)) : Effect.void)
      yield* Effect.forkIn(
        subscribed(
          place,
          topic,
          taken,
          () => Effect.never,
          (failed) => (why = failed)
        ),
        scope
      )
      const waiting = Effect.andThen(
        Effect.sleep(tellMs),
        Effect.suspend(() =>
          warn(
            why === undefined
              ? `the spill ${place.topic} belongs to another process, or to one that ended a moment ago: nothing is sent to ${sink} until it is free; give each process a spill of its own`
              : `the spill ${place.topic} cannot be had, and nothing is sent to ${sink} until it can: ${why}`
          )
        )
      )
      const lane = yield* Effect.raceFirst(Deferred.await(owner), Effect.andThen(waiting, Effect.never))
      return new SpillLanes(spill, scope, Effect.andThen(lane.revoked, Effect.ignoreCause(lane.release)))
    })
  }

  /** Of all partitions. */
  get bounds(): Effect.Effect<ReadonlyArray<SpillBounds>> {
    const { transport, topic } = this.#place
    const bounds = Effect.flatMap(
      Effect.suspend(() => transport.bounds(topic, spillGroup)),
      (rows) => {
        const isOdd = rows.some(({ start, end }) => typeof start !== "bigint" || typeof end !== "bigint")
        return isOdd ? Effect.fail(oddOf(this.#place)) : Effect.succeed(rows)
      }
    )
    return Effect.map(asked(answered(bounds, this.#place, "bounds"), this.#place), (rows) =>
      rows.map(({ partition, start, end, settled }) => ({ partition, start, settled: settled ?? 0n, end }))
    )
  }

  /** Of the records in [from, to): their bytes, and how many are no events. */
  sizes(partition: number, from: Position, to: Position): Effect.Effect<Sizes> {
    if (from >= to) return Effect.succeed(nothing)
    const { transport, topic } = this.#place
    const asking = Stream.suspend(() => transport.read(topic, partition, { fromPosition: from, toPosition: to }))
    const read = Stream.timeoutOrElse(asking, {
      duration: answerMs,
      orElse: () => Stream.fail(lateOf(this.#place, "read"))
    })
    return asked(
      Stream.runFold(
        read,
        () => nothing,
        (total, { records }) => records.reduce(withRecord, total)
      ),
      this.#place
    )
  }

  /**
   * What stands first in [from, to); `next` is behind it, also where nothing of it can be read. What is there behind `to` has no answer yet,
   * and so nobody has noted whose it is.
   */
  read(partition: number, from: Position, to: Position): Effect.Effect<Portion> {
    const reading = Effect.gen({ self: this }, function* () {
      const given = this.#lanes.get(partition)?.given
      if (given !== undefined && from < given.next) return withinPortion(given, from, given.next)
      for (;;) {
        const { held, portion } = yield* this.#pull(partition)
        const { records, next } = portion
        if (next <= from) continue
        if (next > to) held.ahead.unshift({ records: records.filter(({ position }) => position >= to), next })
        held.given = yield* this.#whole(partition, withinPortion(portion, from, next <= to ? next : to), from)
        return held.given
      }
    })
    return this.#alone(partition, reading)
  }

  /**
   * Of records that are not in a portion, whether they can be read: before they are given up they are asked for once more. A pull that was
   * interrupted may have taken them, where a driver has lanes of its own.
   */
  #whole(partition: number, portion: Portion, from: Position): Effect.Effect<Portion> {
    const { records, next } = portion
    if (records.length === Number(next - from)) return Effect.succeed(portion)
    const { transport, topic } = this.#place
    const read = Stream.suspend(() => transport.read(topic, partition, { fromPosition: from, toPosition: next }))
    const whole = Effect.map(Stream.runCollect(read), (batches) => {
      const all = { records: batches.flatMap((batch) => batch.records), next }
      return all.records.length > records.length ? withinPortion(all, from, next) : portion
    })
    return asked(answered(whole, this.#place, "read"), this.#place)
  }

  /**
   * What stands before a position has ended: it is not sent on again, and its room is given back. Waits for the disk, and not for long; says whether
   * it is settled.
   */
  settle(partition: number, position: Position): Effect.Effect<boolean> {
    const held = this.#lanes.get(partition)
    if (held?.given !== undefined && held.given.next <= position) held.given = undefined
    return this.#settles.settle(partition, position)
  }

  /** Before they are given out of the hand: settles what has ended. */
  last(partition: number, position: Position): Effect.Effect<void> {
    return this.#settles.last(partition, position)
  }

  /** What stands before a position was settled by an earlier process. */
  trim(partition: number, position: Position): Effect.Effect<void> {
    return this.#settles.trim(partition, position)
  }

  #settle(partition: number, position: Position): Effect.Effect<void, TransportError> {
    return Effect.gen({ self: this }, function* () {
      const held = yield* this.#caughtUp(partition, position)
      const exit = yield* Effect.exit(Effect.suspend(() => held.lane.settle(position)))
      if (Exit.isSuccess(exit)) return
      if (reasonOf(exit.cause) === "LaneLost") yield* this.#lost(partition, held, exit.cause)
      return yield* errorOf(this.#place, "settle", exit.cause)
    })
  }

  /** A lane that has come anew settles what it has been read to. */
  #caughtUp(partition: number, position: Position): Effect.Effect<Held> {
    const reading = Effect.gen({ self: this }, function* () {
      for (;;) {
        const held = yield* this.#laneOf(partition)
        if (held.next >= position) return held
        const { held: now, portion } = yield* this.#pull(partition)
        if (portion.next > position) now.ahead.unshift(portion)
      }
    })
    return this.#alone(partition, reading)
  }

  /** One after the other: a lane has one reader at a time. */
  #alone<A>(partition: number, reading: Effect.Effect<A>): Effect.Effect<A> {
    return Effect.suspend(() => {
      const found = this.#readers.get(partition)
      const readers = found ?? Semaphore.makeUnsafe(1)
      if (found === undefined) this.#readers.set(partition, readers)
      return readers.withPermits(1)(reading)
    })
  }

  #pull(partition: number): Effect.Effect<{ readonly held: Held; readonly portion: Portion }> {
    return Effect.gen({ self: this }, function* () {
      for (;;) {
        const held = yield* this.#laneOf(partition)
        if (held.ahead.length === 0) {
          const exit = yield* Effect.exit(answered(held.pull, this.#place, "pull"))
          if (Exit.isSuccess(exit)) held.ahead.push(...exit.value)
          else yield* this.#lost(partition, held, exit.cause)
        }
        const portion = held.ahead.shift()
        if (portion === undefined) continue
        held.next = portion.next
        return { held, portion }
      }
    })
  }

  /** Its stream has ended, or failed: unless the lane itself is gone the member has to join anew, for its broker takes it for the holder. */
  #lost(partition: number, held: Held, cause: Cause.Cause<unknown>): Effect.Effect<void> {
    if (this.#lanes.get(partition) === held) this.#lanes.delete(partition)
    const closed = this.#close(held)
    // One that was not taken away may come again at once, and again.
    if (Pull.isDoneCause(cause))
      return Effect.raceFirst(held.lane.revoked, Effect.sleep(lostMs)).pipe(
        Effect.andThen(held.lane.release),
        Effect.andThen(closed)
      )
    // A broker may give it again at once, and again.
    if (reasonOf(cause) === "LaneLost") return Effect.andThen(closed, Effect.sleep(lostMs))
    const others = Array.from(this.#lanes.values(), (other) => this.#close(other))
    this.#lanes.clear()
    const broken = this.#broken
    this.#broken = Deferred.makeUnsafe<void>()
    return Effect.asVoid(Effect.all([closed, ...others, Deferred.succeed(broken, undefined)]))
  }

  /** Whoever reads it still may keep it open for a while. */
  #close({ scope }: Held): Effect.Effect<void> {
    return Effect.asVoid(Effect.forkIn(Scope.close(scope, Exit.void), this.#scope))
  }

  #laneOf(partition: number): Effect.Effect<Held> {
    return Effect.gen({ self: this }, function* () {
      if (!this.#isSubscribed) {
        this.#isSubscribed = true
        yield* Effect.forkIn(
          subscribed(
            this.#place,
            this.#place.topic,
            (lane) => this.#take(lane),
            () => Deferred.await(this.#broken),
            (failed) => (this.trouble = failed)
          ),
          this.#scope
        )
      }
      for (;;) {
        const held = this.#lanes.get(partition)
        if (held !== undefined) return held
        yield* Deferred.await(this.#given)
      }
    })
  }

  #take(lane: Lane): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const scope = yield* Scope.fork(this.#scope)
      const pull = yield* Scope.provide(Stream.toPull(lane.batches), scope)
      const before = this.#lanes.get(lane.partition)
      this.#lanes.set(lane.partition, { lane, scope, pull, ahead: [], next: lane.start })
      const given = this.#given
      this.#given = Deferred.makeUnsafe<void>()
      Deferred.doneUnsafe(given, Effect.void)
      if (before !== undefined) yield* this.#close(before)
    })
  }
}

/** What of a portion stands in [from, to). */
function withinPortion({ records }: Portion, from: Position, to: Position): Portion {
  return { records: records.filter(({ position }) => position >= from && position < to), next: to }
}

/** A member of the group, again and again; each until it fails, or `broken` completes. */
function subscribed(
  place: SpillPlace,
  topic: string,
  taken: (lane: Lane) => Effect.Effect<void>,
  broken: () => Effect.Effect<void>,
  failed: (why: string) => void
): Effect.Effect<never> {
  const subscription: Subscription = { topic, group: spillGroup, from: "earliest", drainMs: 0 }
  // Asked for anew each time: a stream of lanes is of one member.
  const once = Effect.suspend(() => Stream.runForEach(place.transport.subscribe(subscription), taken))
  // Which `broken` is that of this member is asked before it begins: its first lane may break at once.
  const begun = Effect.suspend(() => Effect.raceFirst(once, broken()))
  const member = Effect.map(Effect.exit(Effect.scoped(begun)), (exit) => {
    if (Exit.isFailure(exit)) failed(textOf(exit.cause))
  })
  return Effect.forever(Effect.andThen(member, Effect.sleep(againMs)))
}

/** Asks until there is an answer; says once why there is none. */
function asked<A>(effect: Effect.Effect<A, TransportError>, { topic }: SpillPlace): Effect.Effect<A> {
  let isTold = false
  const once: Effect.Effect<A> = effect.pipe(
    Effect.catchCause((cause) => {
      const told = isTold
        ? Effect.void
        : warn(`the spill ${topic} does not answer, and is asked again: ${textOf(cause)}`)
      isTold = true
      return Effect.andThen(
        Effect.andThen(told, Effect.sleep(againMs)),
        Effect.suspend(() => once)
      )
    })
  )
  return once
}

/** What does not answer has failed. */
function answered<A, E>(
  effect: Effect.Effect<A, E>,
  place: SpillPlace,
  operation: string
): Effect.Effect<A, E | TransportError> {
  return Effect.timeoutOrElse(effect, { duration: answerMs, orElse: () => Effect.fail(lateOf(place, operation)) })
}

function oddOf({ transport }: SpillPlace): TransportError {
  const detail = "the driver says positions that are none"
  return new TransportError({ reason: "Unknown", transport: transport.name, operation: "bounds", detail })
}

function lateOf({ transport }: SpillPlace, operation: string): TransportError {
  const detail = `no answer within ${answerMs} ms`
  return new TransportError({ reason: "Timeout", transport: transport.name, operation, detail })
}

function errorOf({ transport }: SpillPlace, operation: string, cause: Cause.Cause<unknown>): TransportError {
  const error = Cause.squash(cause)
  if (error instanceof TransportError) return error
  return new TransportError({ reason: "Unknown", transport: transport.name, operation, detail: String(error) })
}

function textOf(cause: Cause.Cause<unknown>): string {
  const error = Cause.squash(cause)
  return error instanceof TransportError ? error.message : String(error)
}

function reasonOf(cause: Cause.Cause<unknown>): string | undefined {
  const error = Cause.squash(cause)
  return error instanceof TransportError ? error.reason : undefined
}
