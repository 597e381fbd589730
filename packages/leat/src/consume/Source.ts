/**
 * The shell of one subscription: takes the lanes that the transport gives to this member, and runs each (`LaneShell`) until it
 * is given back. All decisions are the lanes'; joining, leaving and joining again are here.
 */
import { Cause, Clock, Deferred, Effect, Exit, Option, Random, Scope, Stream } from "effect"
import { AsideTopics } from "./AsideTopics.ts"
import type { DeliveryInfo } from "./DeliveryInfo.ts"
import { dueLane } from "./dueLane.ts"
import { epochLane } from "./epochLane.ts"
import { ChangeTeller } from "../ChangeTeller.ts"
import { OutageWatch } from "../OutageWatch.ts"
import type { GroupAccount } from "../ledger/GroupAccount.ts"
import { LaneShell } from "./LaneShell.ts"
import type { ReadLane } from "./ReadLane.ts"
import type { SubscriptionSettings } from "../routes/Routes.ts"
import { ReadingWatch } from "./ReadingWatch.ts"
import { canDecode } from "./readEvent.ts"
import type { Signs } from "./holdBack.ts"
import type { HaltedReadLane, ReadableLane, SourceOptions } from "./SourceOptions.ts"
import { mayBeCompacted } from "../transport/CompactionWatch.ts"
import { madeCompacted } from "../transport/madeCompacted.ts"
import { type Lane, type Position, TransportError } from "../transport/index.ts"
import { Replaced } from "../transport/Replaced.ts"
import { monotonicMs, Wake } from "../Wake.ts"
import * as Telemetry from "../Telemetry.ts"

/** How long a subscription waits before it joins its group again: after the first failure, and at most, in milliseconds. */
const rejoinMs = 100
const rejoinMsMax = 10_000

/** A stay in the group that lasted so long was a good one, in milliseconds: the next delay is the first one again. */
const goodStayMs = 10_000

export class Source<T> {
  readonly #options: SourceOptions<T>
  readonly #shells = new Set<LaneShell<T>>()
  /** Signalled when there are other settings: for lanes that wait until their records are due. */
  readonly #configured = new Set<Wake>()
  /** By partition: of two, where one still ends while it has come back already, the later. */
  readonly #latest = new Map<number, LaneShell<T>>()
  readonly #aside: AsideTopics
  /** Of all its lanes. */
  readonly signs: Signs
  #settings: SubscriptionSettings
  #whenEmpty: (() => void) | undefined
  #isOldTold = false
  /** Lanes that it has taken so far. */
  lanesTaken = 0
  /** Those who wait for it to catch up. */
  readonly #watchers = new Set<(partition: number, settled: Position) => void>()
  /** Ends the membership that runs now, because of an error in one of its lanes. */
  #fail: (error: TransportError) => void = () => undefined

  constructor(options: SourceOptions<T>, settings: SubscriptionSettings) {
    this.#options = options
    this.#aside = new AsideTopics(options)
    this.signs = options.signs ?? this.#newSigns()
    this.#settings = settings
  }

  /** Signs that it was given are watched by others too. */
  get #close(): Effect.Effect<void> {
    return this.#options.signs === undefined ? (this.signs.close ?? Effect.void) : Effect.void
  }

  #newSigns(): Signs {
    const { context, group, stream } = this.#options
    const who = `the group ${group} of ${stream}`
    const outages = new ChangeTeller(context, (isOutage) => this.#ofOutage(who, isOutage))
    const readings = new ChangeTeller(context, (isSuspect) => ({ text: `${who} ${suspectText(isSuspect)}` }))
    return {
      outage: new OutageWatch((isOutage) => outages.changed(isOutage)),
      reading: new ReadingWatch(canDecode(this.#options), (isSuspect) => readings.changed(isSuspect)),
      close: Effect.andThen(outages.close, readings.close)
    }
  }

  get halted(): ReadonlyArray<HaltedReadLane> {
    return Array.from(this.#shells).flatMap(({ halts }) => halts)
  }

  /** Positions that keep full lanes from pulling, by partition. */
  get blocked(): ReadonlyArray<{ readonly partition: number; readonly position: bigint }> {
    return Array.from(this.#shells).flatMap(({ machine, lane }) => {
      const position = machine.blockedAt
      return position === undefined ? [] : [{ partition: lane.partition, position }]
    })
  }

  /** Where the lane of a partition begins that is held here; undefined when none is. */
  startOf(partition: number): bigint | undefined {
    return this.#latest.get(partition)?.lane.start
  }

  /** What lies behind all that came to the lanes that are held here, by partition. */
  get ends(): ReadonlyMap<number, Position> {
    return new Map(Array.from(this.#latest, ([partition, { machine }]) => [partition, machine.end]))
  }

  /** Calls `changed` when a lane has settled, halted, or is no longer held; returns how to stop that. */
  watch(changed: (partition: number, settled: Position) => void): () => void {
    this.#watchers.add(changed)
    return () => this.#watchers.delete(changed)
  }

  #changed({ lane: { partition }, machine: { settledTo } }: LaneShell<T>): void {
    for (const changed of this.#watchers) changed(partition, settledTo)
    this.#settleAtEnd(partition)
  }

  /** Where the stream lies has changed, or how far it is settled: lanes settle at the end of an epoch as soon as they are there. */
  settleAtEnds(): void {
    for (const partition of this.#latest.keys()) this.#settleAtEnd(partition)
  }

  #settleAtEnd(partition: number): void {
    const end = this.#options.epochs?.endOf(partition)
    if (end !== undefined) this.#latest.get(partition)?.settleAt(BigInt(end))
  }

  /** Where the lane of a partition is that is held here, which settles what is before `end` as soon as it is done; undefined when none is. */
  progressOf(partition: number, end: Position): { readonly settled: Position; readonly done: Position } | undefined {
    const found = this.#latest.get(partition)
    found?.settleAt(end)
    return found === undefined ? undefined : { settled: found.machine.settledTo, done: found.machine.watermark }
  }

  /** The lanes that stand and will not get to the position of their partition until they are resumed. */
  haltedBefore(ends: ReadonlyMap<number, Position>): ReadonlyArray<HaltedReadLane> {
    return Array.from(this.#shells).flatMap((shell) => {
      const { halts, lane } = shell
      const end = ends.get(lane.partition)
      if (end === undefined || halts.length === 0 || !shell.standsBefore(end)) return []
      return halts.filter(({ scope, position }) => scope === "lane" || position < end)
    })
  }

  /** Whether a handler of this subscription has this delivery in its hands. */
  isHandling(delivery: DeliveryInfo): boolean {
    return Array.from(this.#shells).some((shell) => shell.isHandling(delivery))
  }

  /** Goes on with other settings, in the lanes that run too. Where a new group begins is asked when it joins. */
  configure(settings: SubscriptionSettings): void {
    this.#settings = settings
    for (const shell of this.#shells) shell.configure(settings)
    for (const changed of this.#configured) changed.signal()
  }

  readonly resume: Effect.Effect<void> = Effect.sync(() => {
    for (const shell of this.#shells) if (shell.halts.length > 0) shell.resume()
  })

  /**
   * Takes lanes until interrupted; then drains, settles and releases them. When the transport fails for a passing reason it
   * joins the group again, with growing delays; fails only where trying again is of no use.
   */
  readonly run: Effect.Effect<never, TransportError> = Effect.gen({ self: this }, function* () {
    yield* Effect.addFinalizer(() => Effect.andThen(this.#aside.close, this.#close))
    const clock = yield* Clock.Clock
    let failures = 0
    for (;;) {
      const joinedAtMs = monotonicMs(clock)
      const exit = yield* Effect.exit(this.#membership())
      const error = Exit.isSuccess(exit) ? this.#unknown("no more lanes come") : this.#errorOf(exit.cause)
      const isReplaced = error instanceof Replaced
      const next = error.isRetryable ? "joins again" : "ends"
      if (!isReplaced)
        yield* Telemetry.warn(
          `the subscription ${this.#options.group} of ${this.#options.stream} ${next}: ${error.message}`
        )
      if (!error.isRetryable) return yield* error
      failures = isReplaced || monotonicMs(clock) - joinedAtMs >= goodStayMs ? 0 : failures
      const delayMs = Math.min(rejoinMs * 2 ** failures++, rejoinMsMax)
      yield* Effect.sleep(delayMs * (0.8 + 0.4 * (yield* Random.next)))
    }
  }).pipe(Effect.scoped)

  /** Dedupe takes an event for new that may have been handled before what it has looked at begins. */
  #tellOld(account: GroupAccount): void {
    account.unchecked++
    if (this.#isOldTold) return
    this.#isOldTold = true
    const { dedupeRecords = 0 } = this.#settings
    const what = "handles an event that was published before what dedupe looks through begins"
    const why = "a copy that comes so late, as out of a spill, is not known, and may be handled twice"
    this.#tell(`${what} (${dedupeRecords} records): ${why}; give dedupe more records, or the subscription an inbox`)
  }

  /** What its handlers need is found in what they fail with. */
  #ofOutage(who: string, isOutage: boolean): { readonly text: string; readonly error?: unknown } {
    const { ledger, group, stream } = this.#options
    const { last } = ledger.group(group, stream).failures
    const text = `${who} ${outageText(isOutage)}`
    if (!isOutage || last === undefined) return { text }
    const { tag, detail = "no detail", error } = last
    return { text: `${text}; the last one failed with ${tag}: ${detail}`, error }
  }

  #tell(text: string): void {
    const { context, group, stream } = this.#options
    Effect.runForkWith(context)(Telemetry.warn(`the group ${group} of ${stream} ${text}`))
  }

  /** What ended a membership; what a driver dies of may pass, as what it does not know. */
  #errorOf(cause: Cause.Cause<TransportError>): TransportError {
    return Option.getOrElse(Cause.findErrorOption(cause), () => this.#unknown(String(Cause.squash(cause)), cause))
  }

  #unknown(detail: string, cause?: unknown): TransportError {
    const transport = this.#options.transport.name
    return new TransportError({ reason: "Unknown", transport, operation: "subscribe", detail, cause })
  }

  /** One stay in the group. */
  #membership(): Effect.Effect<void, TransportError> {
    const { transport, topic, group } = this.#options
    const { from, drainMs } = this.#settings
    const subscribed = Stream.suspend(() => transport.subscribe({ topic, group, from, drainMs }))
    const asked = this.#compaction
    const lanes = asked === undefined ? subscribed : Stream.unwrap(Effect.as(asked, subscribed))
    this.#whenEmpty = undefined
    // There before the first lane is: a lane may fail before anybody waits for that.
    const failed = Deferred.makeUnsafe<never, TransportError>()
    this.#fail = (error) => void Deferred.doneUnsafe(failed, Effect.fail(error))
    return Effect.acquireUseRelease(
      Scope.make(),
      (membership) =>
        Effect.raceFirst(
          Deferred.await(failed),
          lanes.pipe(
            Stream.runForEach((lane) => this.#holdLane(lane, drainMs, membership)),
            Scope.provide(membership)
          )
        ),
      // First no more lanes; then the member drains, settles and releases those it has; then it is gone.
      (membership) => Effect.andThen(this.#stop, Scope.close(membership, Exit.void))
    )
  }

  /** Before it is joined: a topic that is to be compacted is made so, and of others it is asked in the background. */
  get #compaction(): Effect.Effect<unknown, TransportError> | undefined {
    const { transport, cluster, topic, stream, isCompacted, compactionWatch } = this.#options
    if (isCompacted === true) return madeCompacted(transport, topic)
    if (isCompacted === undefined || compactionWatch === undefined || !mayBeCompacted(transport)) return undefined
    return compactionWatch.look({ sink: `${cluster}/${topic}`, topic, stream, transport })
  }

  /** Ends every lane as if it had been revoked, and waits until they are given back. */
  readonly #stop: Effect.Effect<void> = Effect.suspend(() => {
    for (const shell of this.#shells) shell.stop()
    return Effect.callback<void>((resume) => {
      if (this.#shells.size === 0) resume(Effect.void)
      else this.#whenEmpty = () => resume(Effect.void)
    })
  })

  /** The lane as it is read: when its records are due, or what a stream that moves has there. */
  #inFrontOf(given: Lane, changed: Wake): ReadableLane {
    const { tier, epochs, stream } = this.#options
    if (tier !== undefined) return dueLane(given, () => this.#settings.retryDelaysMs[tier - 1], changed)
    return epochs === undefined ? given : epochLane(given, epochs, stream, changed)
  }

  /** Holds a lane in a fiber of its own. It is entered here: of two lanes of a partition, the one that came first is the earlier one. */
  #holdLane(given: Lane, groupDrainMs: number, membership: Scope.Scope): Effect.Effect<void> {
    const { ledger, group, stream } = this.#options
    const changed = new Wake(this.#options.scheduler)
    const lane = this.#inFrontOf(given, changed)
    return Effect.gen({ self: this }, function* () {
      const clock = yield* Clock.Clock
      const random = yield* Random.Random
      const shell: LaneShell<T> = new LaneShell(lane, this.#options, this.#settings, (error) => this.#fail(error), {
        clock,
        random: () => random.nextDoubleUnsafe(),
        groupDrainMs,
        signs: this.signs,
        onOld: () => this.#tellOld(ledger.group(group, stream)),
        aside: this.#aside,
        onChanged: () => this.#changed(shell)
      })
      const { machine } = shell
      const earlier = Array.from(this.#shells).filter((one) => one.lane.partition === lane.partition)
      this.#shells.add(shell)
      this.#configured.add(changed)
      this.#latest.set(lane.partition, shell)
      this.lanesTaken++
      this.#changed(shell)
      const close = ledger.watchRead(() => rowOf(machine, lane, group, stream), machine)
      const hold = Effect.ensuring(
        Effect.andThen(whenOver(earlier, lane), shell.run),
        Effect.sync(() => {
          machine.handBack()
          close()
          this.#shells.delete(shell)
          this.#configured.delete(changed)
          if (this.#latest.get(lane.partition) === shell) this.#latest.delete(lane.partition)
          this.#changed(shell)
          if (this.#shells.size === 0) this.#whenEmpty?.()
        })
      )
      yield* Effect.forkIn(Effect.uninterruptible(hold), membership)
    }).pipe(Effect.uninterruptible)
  }
}

function outageText(isOutage: boolean): string {
  return isOutage
    ? "fails with most of what it handles: nothing is dead-lettered now, what fails waits and is tried again; look at what its handlers need"
    : "handles most events again; what still fails is dead-lettered"
}

function suspectText(isSuspect: boolean): string {
  return isSuspect
    ? "cannot decode most of what it reads: few of these records are dead-lettered now, the others wait and are tried again; look whether this process has the schema of what is published"
    : "can decode most of what it reads again; what it still cannot is dead-lettered"
}

/** Waits for the handlers of those who had the partition of a lane before, or until the lane is taken away: then it is given back at once. */
function whenOver(
  earlier: ReadonlyArray<Pick<LaneShell<never>, "giveUp">>,
  { revoked }: Pick<Lane, "revoked">
): Effect.Effect<void> {
  if (earlier.length === 0) return Effect.void
  const over = Effect.forEach(earlier, ({ giveUp }) => giveUp, { concurrency: "unbounded", discard: true })
  // What its driver dies of halts the lane when it runs.
  return Effect.raceFirst(over, Effect.asVoid(Effect.exit(revoked)))
}

function rowOf(machine: ReadLane, lane: Pick<Lane, "id" | "start">, group: string, stream: string) {
  const { end, parked, inFlight, unread } = machine.census()
  const { done } = machine
  const positions = Number(end - lane.start)
  const aside = total(machine.moved) + total(machine.deadLettered) + total(machine.dropped)
  const ended = done + machine.duplicate + aside + total(machine.skipped)
  return {
    group,
    stream,
    lane: lane.id,
    start: lane.start,
    end,
    positions,
    done,
    moved: { ...machine.moved },
    deadLettered: { ...machine.deadLettered },
    dropped: { ...machine.dropped },
    duplicate: machine.duplicate,
    skipped: { ...machine.skipped },
    parked,
    inFlight,
    unread,
    balanced: positions === ended + parked + inFlight + unread
  }
}

function total(counts: Readonly<Record<string, number>>): number {
  let sum = 0
  for (const reason in counts) sum += counts[reason] ?? 0
  return sum
}
