/**
 * What a drain reads of its spill, and settles there. The topic of an owner beside it, with one partition, is given to one process at a time:
 * whoever holds it is the only one that writes to the spill and sends it on.
 */
import { type Cause, Deferred, Effect, Exit, Fiber, Pull, Scope, Semaphore, Stream } from "effect"
import { warn } from "../../Telemetry.ts"
import type { Lane, Position, ReceivedBatch, ReceivedRecord, TransportError } from "../../transport/index.ts"
import { released } from "../../transport/released.ts"
import { sizeOf } from "../../record/batchOf.ts"
import { readMeta } from "../../record/Wire.ts"
import { isWhole } from "../sendOn/isWhole.ts"
import { Settles } from "../sendOn/Settles.ts"
import { wholeRecords } from "../sendOn/wholeRecords.ts"
import { answered, answerMs, asked, errorOf, lateOf, oddOf, reasonOf } from "./answers.ts"
import type { Spill, SpillPlace } from "./Spill.ts"
import { spillGroup, SpillMember } from "./SpillMember.ts"

/** Pause after a lane is lost, in milliseconds. */
const lostMs = 100

/** How long nothing is said of a spill that this process does not have, in milliseconds. */
const tellMs = 10_000

/** Why a process may not have a spill, where nothing has failed. */
const notGiven = "another process has it, or one that ended a moment ago, or its driver does not answer"

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

/** Of records: their bytes, and how many are no events. */
export interface Sizes {
  readonly bytes: number
  readonly markers: number
}

const nothing: Sizes = { bytes: 0, markers: 0 }

function withRecord({ bytes, markers }: Sizes, record: ReceivedRecord): Sizes {
  return { bytes: bytes + sizeOf(record), markers: markers + (readMeta(record.headers, "").isMarker ? 1 : 0) }
}

type Pulling = Fiber.Fiber<Exit.Exit<ReadonlyArray<ReceivedBatch>, unknown>>

/** A lane of the spill, and how far it was read. */
interface Held {
  readonly lane: Lane
  /** Of its stream. */
  readonly scope: Scope.Closeable
  readonly pull: Pull.Pull<ReadonlyArray<ReceivedBatch>, TransportError>
  /** Pulled, and not looked at. */
  readonly ahead: Array<Portion>
  next: Position
  /** What is on its way from the driver. */
  pulling?: Pulling | undefined
  /** What was read last and is not settled: whoever has failed with it reads it once more. */
  given?: Portion | undefined
}

export class SpillLanes {
  /** Completes when another process has the spill. */
  readonly lost: Effect.Effect<void>
  readonly #spill: Spill
  readonly #scope: Scope.Scope
  readonly #lanes = new Map<number, Held>()
  /** By partition: who may read its lane. Whoever sends on reads it, and a settle of a lane that has come anew does. */
  readonly #readers = new Map<number, Semaphore.Semaphore>()
  readonly #settles: Settles
  /** Completed, and made anew, with each lane that comes. */
  #given = Deferred.makeUnsafe<void>()
  readonly #member: SpillMember
  #isSubscribed = false
  /** Partitions whose lane was waited for in vain. */
  readonly #late = new Set<number>()

  private constructor(spill: Spill, scope: Scope.Scope, lost: Effect.Effect<void>) {
    const { place, parts, name } = spill
    this.#spill = spill
    this.#scope = scope
    this.lost = lost
    this.#member = new SpillMember(place, place.topic, (lane) => this.#take(lane))
    const { trim } = place.transport
    this.#settles = new Settles(name, scope, {
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

  /** Waits until the spill belongs to this process; says so when that takes long: then it is one that publishes. */
  static open(spill: Spill, sink: string): Effect.Effect<SpillLanes, never, Scope.Scope> {
    return Effect.gen(function* () {
      const { place, name } = spill
      const scope = yield* Effect.scope
      const topic = `${place.topic}.owner`
      const owner = Deferred.makeUnsafe<Lane>()
      yield* asked(answered(place.transport.ensure({ topic, partitions: 1 }), place, "ensure"), spill)
      // The topic may have been made with more partitions, and only one of them can be the lock.
      const member = new SpillMember(place, topic, (lane) =>
        lane.partition === 0 ? Effect.asVoid(Deferred.succeed(owner, lane)) : Effect.void
      )
      yield* Effect.forkIn(member.run, scope)
      const telling = Effect.andThen(
        Effect.sleep(tellMs),
        Effect.suspend(() =>
          warn(
            member.trouble === undefined
              ? `${name} has not been given to this process for ${tellMs / 1000} seconds: ${notGiven}; nothing is sent to ${sink} until then; give each process a spill of its own`
              : `${name} cannot be had, and nothing is sent to ${sink} until it can: ${member.trouble}`
          )
        )
      )
      spill.why = () =>
        member.trouble === undefined
          ? `has not been given to this process: ${notGiven}`
          : `cannot be had: ${member.trouble}`
      const waiting = Effect.raceFirst(Deferred.await(owner), Effect.andThen(telling, Effect.never))
      const lane = yield* member.until(waiting, () => member.joinAnew)
      spill.why = undefined
      const back = Effect.ignoreCause(released(lane, `the owner of ${name}`))
      return new SpillLanes(spill, scope, Effect.andThen(lane.revoked, back))
    })
  }

  get #place(): SpillPlace {
    return this.#spill.place
  }

  /** Why the lane of a partition does not come, as far as that is known. */
  trouble(partition: number): string | undefined {
    const late = `no lane of partition ${partition} has come, and its group is joined anew`
    return this.#member.trouble ?? (this.#late.has(partition) ? late : undefined)
  }

  /** Of all partitions; asked until there is an answer. */
  get bounds(): Effect.Effect<ReadonlyArray<SpillBounds>> {
    return asked(this.boundsNow, this.#spill)
  }

  /** Of all partitions; asked once. */
  get boundsNow(): Effect.Effect<ReadonlyArray<SpillBounds>, TransportError> {
    const { transport, topic } = this.#place
    const bounds = Effect.flatMap(
      Effect.suspend(() => transport.bounds(topic, spillGroup)),
      (rows) =>
        rows.every(isWhole)
          ? Effect.succeed(
              rows.map(({ partition, start, end, settled }) => ({ partition, start, settled: settled ?? 0n, end }))
            )
          : Effect.fail(oddOf(this.#place))
    )
    return answered(bounds, this.#place, "bounds")
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
      this.#spill
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
        const held = yield* this.#filled(partition)
        const [portion] = held.ahead
        if (portion === undefined) continue
        const { records, next } = portion
        if (next > from) {
          const whole = yield* this.#whole(partition, withinPortion(portion, from, next <= to ? next : to), from)
          held.ahead.shift()
          if (next > to) held.ahead.unshift({ records: records.filter(({ position }) => position >= to), next })
          held.next = next
          held.given = whole
          return whole
        }
        held.next = next
        held.ahead.shift()
      }
    })
    return this.#alone(partition, reading)
  }

  /** With what its lane has passed over, where that can be read. */
  #whole(partition: number, portion: Portion, from: Position): Effect.Effect<Portion> {
    const { next } = portion
    if (portion.records.length === Number(next - from)) return Effect.succeed(portion)
    const whole = wholeRecords(this.#place, partition, from, portion)
    return Effect.map(asked(answered(whole, this.#place, "read"), this.#spill), (records) => ({ records, next }))
  }

  /**
   * What stands before a position has ended: it is not sent on again, and its room is given back, as far as it is known to count where it is. Waits for
   * the disk, and not for long; says whether it is settled.
   */
  settle(partition: number, position: Position): Effect.Effect<boolean> {
    const held = this.#lanes.get(partition)
    if (held?.given !== undefined && held.given.next <= position) held.given = undefined
    const to = this.#settleable(partition, position)
    const settled = this.#settles.settle(partition, to)
    return to === position ? settled : Effect.as(settled, false)
  }

  /** Before they are given out of the hand: settles what has ended. */
  last(partition: number, position: Position): Effect.Effect<void> {
    return this.#settles.last(partition, this.#settleable(partition, position))
  }

  #settleable(partition: number, position: Position): Position {
    return this.#spill.parts[partition]?.unproven.settleable(position) ?? position
  }

  /** What was read and is not settled is read again. A lane gives nothing twice. */
  readonly again: Effect.Effect<void> = Effect.uninterruptible(Effect.suspend(() => this.#joinAnew))

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
        const now = yield* this.#filled(partition)
        const next = now.ahead[0]?.next
        if (next === undefined) continue
        now.next = next
        if (next <= position) now.ahead.shift()
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

  /** A lane that has been pulled, and what it gave not looked at. */
  #filled(partition: number): Effect.Effect<Held> {
    return Effect.gen({ self: this }, function* () {
      for (;;) {
        const held = yield* this.#laneOf(partition)
        if (held.ahead.length > 0) return held
        const pulling = yield* this.#pulling(held)
        const ended = yield* Fiber.await(pulling)
        held.pulling = undefined
        if (Exit.isFailure(ended)) {
          // Its lane was closed meanwhile.
          yield* Effect.sleep(lostMs)
          continue
        }
        const { value: exit } = ended
        if (Exit.isSuccess(exit)) held.ahead.push(...exit.value)
        else yield* this.#lost(partition, held, exit.cause)
      }
    })
  }

  /** What is pulled stays with the lane: whoever has asked for it may be interrupted, and a driver gives nothing twice. */
  #pulling(held: Held): Effect.Effect<Pulling> {
    const pulling = Effect.suspend(() => {
      if (held.pulling !== undefined) return Effect.succeed(held.pulling)
      const pulled = Effect.exit(answered(held.pull, this.#place, "pull"))
      return Effect.map(Effect.forkIn(Effect.interruptible(pulled), held.scope), (fiber) => (held.pulling = fiber))
    })
    return Effect.uninterruptible(pulling)
  }

  /** Its stream has ended, or failed: unless the lane itself is gone the member has to join anew, for its broker takes it for the holder. */
  #lost(partition: number, held: Held, cause: Cause.Cause<unknown>): Effect.Effect<void> {
    const isOfMember = this.#lanes.get(partition) === held
    if (isOfMember) this.#lanes.delete(partition)
    const closed = this.#close(held)
    // One that was not taken away may come again at once, and again.
    if (Pull.isDoneCause(cause))
      return Effect.raceFirst(held.lane.revoked, Effect.sleep(lostMs)).pipe(
        Effect.andThen(released(held.lane, this.#spill.name)),
        Effect.andThen(closed)
      )
    // A broker may give it again at once, and again. One of a member that was left already says nothing of the next.
    if (!isOfMember || reasonOf(cause) === "LaneLost") return Effect.andThen(closed, Effect.sleep(lostMs))
    return Effect.uninterruptible(Effect.andThen(this.#joinAnew, closed))
  }

  /** What the member has is closed: all of it is given anew. */
  get #joinAnew(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const all = Array.from(this.#lanes.values(), (held) => this.#close(held))
      this.#lanes.clear()
      return Effect.andThen(this.#member.joinAnew, Effect.all(all, { discard: true }))
    })
  }

  /** Whoever reads it still may keep it open for a while. */
  #close({ scope }: Held): Effect.Effect<void> {
    return Effect.asVoid(Effect.forkIn(Scope.close(scope, Exit.void), this.#scope))
  }

  /** In one step: whoever reads may be interrupted at any other, and a member that is said to run and does not would be waited for, for ever. */
  readonly #subscribed: Effect.Effect<void> = Effect.uninterruptible(
    Effect.suspend(() => {
      if (this.#isSubscribed) return Effect.void
      this.#isSubscribed = true
      return Effect.asVoid(Effect.forkIn(Effect.interruptible(this.#member.run), this.#scope))
    })
  )

  #laneOf(partition: number): Effect.Effect<Held> {
    return Effect.gen({ self: this }, function* () {
      yield* this.#subscribed
      const held = this.#lanes.get(partition)
      if (held !== undefined) return held
      const late = (isToJoin: boolean) => {
        this.#late.add(partition)
        return isToJoin ? this.#joinAnew : Effect.void
      }
      return yield* Effect.ensuring(
        this.#member.until(this.#come(partition), late),
        Effect.sync(() => this.#late.delete(partition))
      )
    })
  }

  #come(partition: number): Effect.Effect<Held> {
    return Effect.suspend(() => {
      const held = this.#lanes.get(partition)
      if (held !== undefined) return Effect.succeed(held)
      return Effect.andThen(Deferred.await(this.#given), this.#come(partition))
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
