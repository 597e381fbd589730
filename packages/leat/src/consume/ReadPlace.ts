/**
 * One topic in which the stream of a subscription lies or lay: its lanes, and the topics of the group's own that belong to it. It is read until no epoch
 * of the stream has it any more; the group's own topics are read on as long as something in them waits for the group, so that a move forgets nothing.
 * What ends the reading of one place does not end that of others: it begins again after a pause. Where there is no other it ends the subscription.
 */
import { Cause, Clock, Effect, Exit, Fiber, Scope } from "effect"
import { type CaughtSource, firstToDo } from "./CatchingUp.ts"
import type { DeliveryInfo } from "./DeliveryInfo.ts"
import { GroupBefore } from "./GroupBefore.ts"
import { FallbackTopics, type ReadFallback } from "./FallbackTopics.ts"
import type { Signs } from "./holdBack.ts"
import { type PlaceEpochs, type TopicPlace } from "./PlaceEpochs.ts"
import { rangesLeft } from "./rangesLeft.ts"
import { SideTopics } from "./SideTopics.ts"
import { Source } from "./Source.ts"
import type { HaltedReadLane, SourceOptions } from "./SourceOptions.ts"
import type { Whereabouts } from "./Whereabouts.ts"
import { textOfThrown } from "../given/thrown.ts"
import type { ReadGroups } from "../routes/ReadGroups.ts"
import type { Leg, RouteError, SubscriptionSettings } from "../routes/Routes.ts"
import type { RouteFault } from "../routes/RouteDocument.ts"
import * as Telemetry from "../Telemetry.ts"
import { type From, type PartitionBounds, type Position, type Transport, TransportError } from "../transport/index.ts"
import { allOrNothing } from "../transport/contained.ts"
import { monotonicMs, Wake } from "../Wake.ts"

/** How long after a reading that ended, or an opening that failed, the next one begins: the first time, and at most, in milliseconds. */
const againMs = 1000
const againMsMax = 30_000

/** The same where only what is left of a place is read: its cluster may be gone for good. */
const leftAgainMsMax = 1_800_000

/** Time between two looks whether something is left, in milliseconds. */
const lookMs = 30_000

/** Time between two questions how far the group has settled, while lanes stand because of it: after something has moved, and at most, in milliseconds. */
const askEveryMs = 100
const askEveryMsMax = 1000

/** How long an answer is waited for, in milliseconds. */
const answerMs = 30_000

export interface ReadPlaceParts<T> {
  readonly place: TopicPlace
  /** The read leg of the stream. */
  readonly leg: Leg
  /** Of the stream; `transport` and `topic` are those of the leg. */
  readonly options: SourceOptions<T>
  /** Of the contract: who joins a topic that is not there makes it. */
  readonly isCompacted: boolean
  /** Where its events may stay, by the leg that it was opened with. */
  readonly fallbacks: ReadonlyArray<ReadFallback>
  /** Clusters where they may stay by all documents that are known by now. */
  readonly staysIn: () => ReadonlyArray<string>
  readonly groups: ReadGroups
  /** Undefined: nobody ever moves the stream. */
  readonly epochs: PlaceEpochs | undefined
  readonly whereabouts: Whereabouts | undefined
  /** Of all places of the subscription, once there is one. */
  readonly signs: () => Signs | undefined
  /** Where a group begins there that was never there; undefined: as its settings say. */
  readonly begin: Effect.Effect<From | undefined>
  /** Whether another place is read beside it. */
  readonly hasOthers: () => boolean
  /** Ends the subscription. */
  readonly fail: (cause: Cause.Cause<TransportError>) => void
}

/** What is read there, once its cluster is open. */
interface Reading<T> {
  readonly transport: Transport
  readonly from: From | undefined
  readonly sides: SideTopics<T>
  readonly fallbacks: Array<FallbackTopics<T>>
}

export class ReadPlace<T> implements CaughtSource {
  readonly place: TopicPlace
  readonly #parts: ReadPlaceParts<T>
  readonly #who: string
  readonly #before: GroupBefore
  readonly #watchers = new Set<(partition: number, settled: Position) => void>()
  readonly #wake: Wake
  /** For a reading that ended and waits. */
  readonly #again: Wake
  readonly #asked: Wake
  #settings: SubscriptionSettings
  #reading: Reading<T> | undefined
  #source: Source<T> | undefined
  #lanesBefore = 0
  #isEntered = false
  #isWanted: boolean
  #askDelayMs = askEveryMs
  /** Clusters of fallbacks that are read, or being opened. */
  readonly #stays: Set<string>
  /** Of these: being opened. */
  #staysOpening = 0

  /** `isWanted`: whether an epoch of the stream is there. */
  constructor(parts: ReadPlaceParts<T>, settings: SubscriptionSettings, isWanted: boolean) {
    const { scheduler, group, stream } = parts.options
    this.place = parts.place
    this.#parts = parts
    this.#settings = settings
    this.#isWanted = isWanted
    this.#stays = new Set(parts.fallbacks.map(({ cluster }) => cluster))
    this.#who = `the group ${group} of ${stream}`
    this.#before = new GroupBefore()
    this.#wake = new Wake(scheduler)
    this.#again = new Wake(scheduler)
    this.#asked = new Wake(scheduler)
    const { epochs } = parts
    epochs?.positions.watch(epochs.topic, () => this.#asked.signal())
  }

  /** Whether an epoch of the stream is there. */
  get isWanted(): boolean {
    return this.#isWanted
  }

  get signs(): Signs | undefined {
    return this.#source?.signs
  }

  get halted(): ReadonlyArray<HaltedReadLane> {
    return this.#all.flatMap(({ halted }) => halted)
  }

  get blocked(): Source<T>["blocked"] {
    return this.#all.flatMap(({ blocked }) => blocked)
  }

  readonly resume: Effect.Effect<void> = Effect.suspend(() => {
    this.#again.signal()
    return Effect.forEach(this.#all, ({ resume }) => resume, { discard: true })
  })

  configure(settings: SubscriptionSettings): void {
    this.#settings = settings
    for (const one of this.#all) one.configure(this.#own)
    // The next document may name another fallback.
    this.#wake.signal()
  }

  get lanesTaken(): number {
    return this.#lanesBefore + (this.#source?.lanesTaken ?? 0)
  }

  get ends(): ReadonlyMap<number, Position> {
    return this.#source?.ends ?? new Map()
  }

  startOf(partition: number): Position | undefined {
    return this.#source?.startOf(partition)
  }

  progressOf(partition: number, end: Position): ReturnType<CaughtSource["progressOf"]> {
    return this.#source?.progressOf(partition, end)
  }

  haltedBefore(ends: ReadonlyMap<number, Position>): ReadonlyArray<HaltedReadLane> {
    return this.#source?.haltedBefore(ends) ?? []
  }

  isHandling(delivery: DeliveryInfo): boolean {
    return this.#all.some((one) => one.isHandling(delivery))
  }

  watch(changed: (partition: number, settled: Position) => void): () => void {
    this.#watchers.add(changed)
    return () => this.#watchers.delete(changed)
  }

  /** As the transport tells them; of a stream that is moved each ends where the last epoch ends of which something is left. */
  readonly bounds: Effect.Effect<ReadonlyArray<PartitionBounds>, TransportError> = Effect.suspend(() =>
    Effect.map(this.#boundsOf(this.#parts.options.group), (rows) => {
      const placement = this.#parts.epochs?.placement
      if (placement === undefined) return rows
      return rows.map((row) => {
        const settled = firstToDo(row, this.startOf(row.partition))
        return { ...row, end: rangesLeft(placement, this.place, row, settled).at(-1)?.to ?? settled }
      })
    })
  )

  /** Records that the group has not settled; of a stream that is moved those in its epochs. */
  readonly lag: Effect.Effect<bigint, TransportError> = Effect.suspend(() =>
    Effect.map(this.#boundsOf(this.#parts.options.group), (rows) => {
      const placement = this.#parts.epochs?.placement
      return rows.reduce((sum, row) => {
        const settled = firstToDo(row, this.startOf(row.partition))
        if (placement === undefined) return sum + row.end - settled
        return rangesLeft(placement, this.place, row, settled).reduce((left, { from, to }) => left + to - from, sum)
      }, 0n)
    })
  )

  #boundsOf(group: string): Effect.Effect<ReadonlyArray<PartitionBounds>, TransportError> {
    const { topic } = this.place
    if (this.#reading !== undefined) return this.#reading.transport.bounds(topic, group)
    return Effect.scoped(
      Effect.flatMap(this.#transportOf(this.place.cluster), (transport) => transport.bounds(topic, group))
    ).pipe(
      Effect.catchTag("RouteError", ({ message: detail }) =>
        Effect.fail(new TransportError({ reason: "Unavailable", transport: "leat", operation: "bounds", detail }))
      )
    )
  }

  /** Why the group may not read there now; undefined: it may, and has entered. */
  enter(): RouteFault | undefined {
    if (this.#isEntered) return undefined
    const { options, groups } = this.#parts
    const fault = groups.enter(this.#destination, options.group, options.stream)
    this.#isEntered = fault === undefined
    return fault
  }

  leave(): void {
    if (this.#isEntered) this.#parts.groups.leave(this.#destination, this.#parts.options.group)
    this.#isEntered = false
  }

  get #destination(): Pick<Leg, "destination" | "sink"> {
    const { place, leg } = this.#parts
    if (place.cluster === leg.cluster && place.topic === leg.topic) return leg
    const sink = `${place.cluster}/${place.topic}`
    return { sink, destination: sink }
  }

  /** Where the stream lies may be another place. */
  changed(isWanted: boolean): void {
    this.#isWanted = isWanted
    this.#askDelayMs = askEveryMs
    this.#wake.signal()
    this.#again.signal()
    this.#asked.signal()
    this.#source?.settleAtEnds()
  }

  /** Begins with an open cluster: nothing is read before `run`. */
  begin(transport: Transport, from: From | undefined): Reading<T> {
    const own = from === undefined ? this.#settings : { ...this.#settings, from }
    const source = this.#newSource(transport, own, this.#parts.signs())
    const base = this.#optionsAt(transport)
    return (this.#reading = {
      transport,
      from,
      sides: new SideTopics<T>(base, own, source.signs),
      fallbacks: this.#parts.fallbacks.map(
        (fallback) => new FallbackTopics<T>(base, own, fallback, source.signs, this.#before)
      )
    })
  }

  /** Nobody asks where nothing can ever fall back. */
  #askBefore({ transport }: Reading<T>): Effect.Effect<void> {
    const { fallbacks, whereabouts } = this.#parts
    if (fallbacks.length === 0 && whereabouts === undefined) return Effect.void
    return this.#before.ask(transport, this.place.topic, this.#parts.options.group, this.#own.from)
  }

  #optionsAt(transport: Transport): SourceOptions<T> {
    const { options, place } = this.#parts
    return { ...options, transport, cluster: place.cluster, topic: place.topic }
  }

  #newSource(transport: Transport, settings: SubscriptionSettings, signs: Signs | undefined): Source<T> {
    const { epochs, isCompacted } = this.#parts
    const onMoved = (tier: number) => this.#movedTo(tier)
    const given = { ...this.#optionsAt(transport), isCompacted, onMoved }
    const told = { ...(epochs === undefined ? {} : { epochs }), ...(signs === undefined ? {} : { signs }) }
    this.#lanesBefore = this.lanesTaken
    const source = new Source<T>({ ...given, ...told }, settings)
    source.watch((partition, settled) => {
      for (const changed of this.#watchers) changed(partition, settled)
    })
    this.#source = source
    return source
  }

  #movedTo(tier: number): void {
    this.#reading?.sides.movedTo(tier)
  }

  /** Of a stream that nobody moves: until it is interrupted, or ended by what ends its lanes. */
  readonly runAlone: Effect.Effect<never, TransportError> = Effect.suspend(() => {
    const reading = this.#reading
    if (reading === undefined || this.#source === undefined) return Effect.never
    const all = [this.#source.run, ...besidesOf(reading).map(({ run }) => run)]
    return Effect.andThen(this.#askBefore(reading), Effect.raceAllFirst(all))
  })

  /** Until it is interrupted, or nothing is left there for the group. */
  readonly run: Effect.Effect<void> = Effect.suspend(() =>
    Effect.acquireUseRelease(
      Scope.make("parallel"),
      (scope) => this.#attend(scope),
      (scope) => Scope.close(scope, Exit.void)
    )
  )

  #attend(scope: Scope.Scope): Effect.Effect<void> {
    const fork = <A>(effect: Effect.Effect<A>) => Effect.forkIn(effect, scope, { startImmediately: true })
    return Effect.gen({ self: this }, function* () {
      let isHeldOpen = this.#reading === undefined
      if (this.#reading === undefined) {
        const { cluster } = this.place
        const transport = yield* this.#opened(cluster, this.#name, () => this.#isWanted, scope)
        if (transport === undefined) return
        this.begin(transport, yield* this.#parts.begin)
      }
      const reading = this.#reading as Reading<T>
      yield* fork(this.#asking)
      yield* this.#askBefore(reading)
      let source: Fiber.Fiber<never> | undefined
      const running = new Set<object>()
      for (;;) {
        for (const cluster of this.#newStays) {
          // At once: what is forked may begin later.
          this.#stays.add(cluster)
          this.#staysOpening++
          yield* fork(this.#stay(cluster, reading, scope))
        }
        // Its sink may be closed when the stream has moved, and what is left there is still read.
        if (!isHeldOpen && this.#parts.epochs?.placement !== undefined) {
          isHeldOpen = true
          yield* fork(Effect.ignore(Scope.provide(allOrNothing(this.#transportOf(this.place.cluster)), scope)))
        }
        if (this.#isWanted && source === undefined && (yield* this.#mayRead)) source = yield* fork(this.#read(againMs))
        if (!this.#isWanted) {
          if (source !== undefined) yield* Fiber.interrupt(source)
          source = undefined
          this.leave()
          // Before it is asked: one that is opened meanwhile is not among those that answer.
          const isOpening = this.#staysOpening > 0
          const left = yield* Effect.forEach(besidesOf(reading), ({ isEmpty }) => isEmpty)
          if (!isOpening && left.every(Boolean)) return
        }
        for (const one of besidesOf(reading)) {
          if (running.has(one)) continue
          running.add(one)
          yield* fork(one.run)
        }
        yield* this.#isWanted && source !== undefined ? this.#wake.wait : this.#wake.waitFor(lookMs)
      }
    })
  }

  /** Clusters in which events of the stream may stay as well, since it was opened. */
  get #newStays(): ReadonlyArray<string> {
    return this.#parts.staysIn().filter((cluster) => !this.#stays.has(cluster))
  }

  /** Reads what stays in one more cluster. One that no document names any more has nothing to read, until one does. */
  #stay(cluster: string, reading: Reading<T>, scope: Scope.Scope): Effect.Effect<void> {
    const opened = this.#opened(cluster, `the fallback ${cluster} of ${this.#name}`, () => false, scope)
    return Effect.map(opened, (transport) => {
      this.#staysOpening--
      const signs = this.#source?.signs
      // Tried again when something else has changed.
      if (transport === undefined || signs === undefined) return void this.#stays.delete(cluster)
      const fallback = { cluster, transport }
      const options = this.#optionsAt(reading.transport)
      reading.fallbacks.push(new FallbackTopics<T>(options, this.#own, fallback, signs, this.#before))
      this.#wake.signal()
    })
  }

  /** Whether the group may read there; where it reads another stream there it is tried again. */
  readonly #mayRead: Effect.Effect<boolean> = Effect.suspend(() => {
    const fault = this.enter()
    if (fault === undefined) return Effect.succeed(true)
    return Effect.as(Telemetry.warn(`${this.#who} does not read ${this.#name}: ${fault.message}`), false)
  })

  #transportOf(cluster: string): Effect.Effect<Transport, TransportError | RouteError, Scope.Scope> {
    const { whereabouts, options } = this.#parts
    return whereabouts?.transportOf(cluster) ?? Effect.succeed(options.transport)
  }

  /** Undefined: nobody knows the cluster any more, and it is not needed. */
  #opened(
    cluster: string,
    name: string,
    isNeeded: () => boolean,
    scope: Scope.Scope
  ): Effect.Effect<Transport | undefined> {
    return Effect.gen({ self: this }, function* () {
      for (let pauseMs = againMs; ; pauseMs *= 2) {
        const exit = yield* Effect.exit(Scope.provide(allOrNothing(this.#transportOf(cluster)), scope))
        if (Exit.isSuccess(exit)) return exit.value
        const error = Cause.squash(exit.cause)
        if (!isNeeded() && (error as { readonly _tag?: unknown } | undefined)?._tag === "RouteError") return undefined
        const waitMs = Math.min(pauseMs, this.#isWanted ? againMsMax : leftAgainMsMax)
        yield* this.#pause(`cannot open ${name}`, error, waitMs)
      }
    })
  }

  /** Until it is interrupted. */
  #read(pauseMs: number): Effect.Effect<never> {
    return Effect.suspend(() => {
      const { hasOthers, fail } = this.#parts
      const source = this.#source as Source<T>
      return Effect.catchCause(source.run, (cause) => {
        if (!hasOthers()) {
          fail(cause)
          return Effect.never
        }
        return this.#pause(`does not read ${this.#name}`, Cause.squash(cause), pauseMs).pipe(
          Effect.andThen(
            Effect.suspend(() => {
              this.#newSource((this.#reading as Reading<T>).transport, this.#own, source.signs)
              return this.#read(Math.min(pauseMs * 2, againMsMax))
            })
          )
        )
      })
    })
  }

  #pause(what: string, error: unknown, pauseMs: number): Effect.Effect<void> {
    const why = error instanceof TransportError ? error.message : textOfThrown(error)
    const text = `${this.#who} ${what} now, and tries again in ${pauseMs / 1000} seconds: ${why}`
    return Effect.andThen(Telemetry.warn(text), this.#again.waitFor(pauseMs))
  }

  /** Asks how far the group is there, while lanes in other places, or in others of its partitions, stand because of it. */
  readonly #asking: Effect.Effect<never> = Effect.gen({ self: this }, function* () {
    const clock = yield* Clock.Clock
    const { epochs, options } = this.#parts
    let askAtMs = Number.NEGATIVE_INFINITY
    for (;;) {
      const leftMs = askAtMs - monotonicMs(clock)
      if (epochs?.positions.isAsked(epochs.topic) !== true) yield* this.#asked.wait
      else if (leftMs > 0) yield* this.#asked.waitFor(leftMs)
      else {
        const exit = yield* Effect.exit(Effect.timeout(this.#boundsOf(options.group), answerMs))
        const hasMoved = Exit.isSuccess(exit) && epochs.positions.heard(epochs.topic, exit.value)
        askAtMs = monotonicMs(clock) + (hasMoved ? askEveryMs : this.#askDelayMs)
        this.#askDelayMs = hasMoved ? askEveryMs : Math.min(this.#askDelayMs * 2, askEveryMsMax)
      }
    }
  })

  get #name(): string {
    return `${this.place.cluster}/${this.place.topic}`
  }

  get #own(): SubscriptionSettings {
    const from = this.#reading?.from
    return from === undefined ? this.#settings : { ...this.#settings, from }
  }

  get #all(): ReadonlyArray<Source<T> | SideTopics<T> | FallbackTopics<T>> {
    const besides = this.#reading === undefined ? [] : besidesOf(this.#reading)
    return this.#source === undefined ? besides : [this.#source, ...besides]
  }
}

function besidesOf<T>({ sides, fallbacks }: Reading<T>): ReadonlyArray<SideTopics<T> | FallbackTopics<T>> {
  return [sides, ...fallbacks]
}
