/**
 * All that a subscription reads: one place while nobody moves its stream. When it is moved, each place that has an epoch is read, with lanes of its own in
 * the same group; which of them gives what is the lanes' (`epochLane`).
 */
import { type Cause, Deferred, Effect, Exit, Scope } from "effect"
import { unmadeOf } from "../control/readable.ts"
import type { CaughtSource } from "./CatchingUp.ts"
import type { DeliveryInfo } from "./DeliveryInfo.ts"
import type { ReadFallback } from "./FallbackTopics.ts"
import { groupBegin } from "./groupBegin.ts"
import type { Signs } from "./holdBack.ts"
import { PlaceEpochs, type TopicPlace } from "./PlaceEpochs.ts"
import { ReadPlace } from "./ReadPlace.ts"
import { SettledPositions, topicOf } from "./SettledPositions.ts"
import type { HaltedReadLane, SourceOptions } from "./SourceOptions.ts"
import type { Source } from "./Source.ts"
import type { Whereabouts } from "./Whereabouts.ts"
import type { ReadGroups } from "../routes/ReadGroups.ts"
import type { Leg, SubscriptionSettings } from "../routes/Routes.ts"
import type { RouteFault } from "../routes/RouteDocument.ts"
import type { From, TransportError } from "../transport/index.ts"
import { Wake } from "../Wake.ts"

export interface ReadPlacesParts<T> {
  /** Of the read leg. */
  readonly options: SourceOptions<T>
  /** Of the contract. */
  readonly isCompacted: boolean
  readonly leg: Leg
  /** Where its events may stay, by the leg that it was opened with. */
  readonly fallbacks: ReadonlyArray<ReadFallback>
  /** Clusters where they may stay by all documents that are known by now. */
  readonly staysIn: () => ReadonlyArray<string>
  readonly groups: ReadGroups
  readonly whereabouts: Whereabouts | undefined
}

interface WantedPlace {
  readonly place: TopicPlace
  /** Whether an epoch is there that is not retired. */
  isRead: boolean
}

export class ReadPlaces<T> {
  readonly #parts: ReadPlacesParts<T>
  readonly #positions = new SettledPositions()
  readonly #places = new Map<string, ReadPlace<T>>()
  /** Topics without an epoch of which nothing is left. */
  readonly #left = new Set<string>()
  readonly #begun = new WeakSet<ReadPlace<T>>()
  readonly #wake: Wake
  readonly #failed = Deferred.makeUnsafe<never, TransportError>()
  /** Told after each change of what is read. */
  readonly #lookers = new Set<() => void>()
  #settings: SubscriptionSettings
  #signs: Signs | undefined

  constructor(parts: ReadPlacesParts<T>, settings: SubscriptionSettings) {
    this.#parts = parts
    this.#settings = settings
    this.#wake = new Wake(parts.options.scheduler)
    const placement = parts.whereabouts?.placement()
    for (const [topic, { place, isRead }] of this.#wanted) {
      const from = placement && groupBegin(placement, topic, { ...parts, group: parts.options.group, settings })
      const one = this.#add(topic, place, isRead, from ?? Effect.undefined)
      // There from the first moment on: whoever asks for it may do so before anything runs.
      if (placement === undefined) one.begin(parts.options.transport, undefined)
    }
  }

  get halted(): ReadonlyArray<HaltedReadLane> {
    return this.all.flatMap(({ halted }) => halted)
  }

  get blocked(): Source<T>["blocked"] {
    return this.all.flatMap(({ blocked }) => blocked)
  }

  readonly resume: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach(this.all, ({ resume }) => resume, { discard: true })
  )

  readonly lag: Effect.Effect<bigint, TransportError> = Effect.suspend(() =>
    Effect.map(
      Effect.forEach(this.#read, ({ lag }) => lag, { concurrency: "unbounded" }),
      (lags) => lags.reduce((sum, one) => sum + one, 0n)
    )
  )

  configure(settings: SubscriptionSettings): void {
    this.#settings = settings
    for (const one of this.all) one.configure(settings)
  }

  isHandling(delivery: DeliveryInfo): boolean {
    return this.all.some((one) => one.isHandling(delivery))
  }

  get #read(): ReadonlyArray<ReadPlace<T>> {
    return this.all.filter(({ isWanted }) => isWanted)
  }

  get all(): ReadonlyArray<ReadPlace<T>> {
    return Array.from(this.#places.values())
  }

  /** Does something for each place that is read now, until all have ended; a place that is given up meanwhile is not waited for. */
  forEach<E>(
    each: (place: CaughtSource & Pick<ReadPlace<T>, "bounds">) => Effect.Effect<void, E>
  ): Effect.Effect<void, E> {
    return Effect.suspend(() => {
      const [first] = this.all
      if (this.#parts.whereabouts === undefined && first !== undefined) return each(first)
      return Effect.forEach(this.#read, (one) => Effect.raceFirst(each(one), this.#retired(one)), {
        concurrency: "unbounded",
        discard: true
      })
    })
  }

  /** Completes when a place has no epoch any more. */
  #retired(one: ReadPlace<T>): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const look = () => {
        if (!one.isWanted) resume(Effect.void)
      }
      this.#lookers.add(look)
      look()
      return Effect.sync(() => this.#lookers.delete(look))
    })
  }

  /** Enters the group in all of them; why it may not. */
  enter(): RouteFault | undefined {
    for (const [topic, { isRead }] of this.#wanted) {
      const fault = isRead ? this.#places.get(topic)?.enter() : undefined
      if (fault === undefined) continue
      this.leave()
      return fault
    }
    return undefined
  }

  leave(): void {
    for (const one of this.all) one.leave()
  }

  /** Until it is interrupted, or ended by what ends a stream that nobody moves. */
  readonly run: Effect.Effect<never, TransportError> = Effect.suspend(() => {
    const { whereabouts } = this.#parts
    const [first] = this.all
    if (whereabouts === undefined && first !== undefined) return first.runAlone
    return Effect.acquireUseRelease(
      Scope.make("parallel"),
      (scope) => Effect.raceFirst(this.#follow(scope), Deferred.await(this.#failed)),
      (scope) => Scope.close(scope, Exit.void)
    )
  })

  #follow(scope: Scope.Scope): Effect.Effect<never> {
    return Effect.gen({ self: this }, function* () {
      const stop = this.#parts.whereabouts?.watch(() => this.#look())
      if (stop !== undefined) yield* Scope.addFinalizer(scope, Effect.sync(stop))
      this.#look()
      for (;;) {
        for (const one of this.all) {
          if (this.#begun.has(one)) continue
          this.#begun.add(one)
          yield* this.#begin(one, scope)
        }
        yield* this.#wake.wait
      }
    })
  }

  /** Adds what is new, and tells all where the stream lies. */
  #look(): void {
    const wanted = this.#wanted
    for (const [topic, { place, isRead }] of wanted) {
      if (this.#places.has(topic) || (!isRead && this.#left.has(topic))) continue
      // What begins while the group reads is for it from its begin, wherever a new group begins.
      this.#add(topic, place, isRead, Effect.succeed("earliest"))
    }
    for (const [topic, one] of this.#places) one.changed(wanted.get(topic)?.isRead === true)
    this.#positions.changed()
    for (const look of this.#lookers) look()
    this.#wake.signal()
  }

  #begin(one: ReadPlace<T>, scope: Scope.Scope): Effect.Effect<unknown> {
    const topic = topicOf(one.place)
    const gone = Effect.sync(() => {
      one.leave()
      if (this.#places.get(topic) === one) this.#places.delete(topic)
      this.#left.add(topic)
      // It may have been named again meanwhile.
      this.#look()
    })
    return Effect.forkIn(Effect.andThen(one.run, gone), scope, { startImmediately: true })
  }

  #add(topic: string, place: TopicPlace, isRead: boolean, begin: Effect.Effect<From | undefined>): ReadPlace<T> {
    const { whereabouts, isCompacted } = this.#parts
    const epochs = whereabouts && new PlaceEpochs(place, whereabouts.placement, this.#positions, isCompacted)
    const signs = () => (this.#signs ??= this.all.find((one) => one.signs !== undefined)?.signs)
    const fail = (cause: Cause.Cause<TransportError>) => void Deferred.doneUnsafe(this.#failed, Exit.failCause(cause))
    const hasOthers = () => this.#read.length > 1
    const given = { ...this.#parts, place, epochs, signs, begin, hasOthers, fail }
    const one = new ReadPlace<T>(given, this.#settings, isRead)
    this.#places.set(topic, one)
    return one
  }

  /** By topic: where an epoch is or was, the oldest first; the read leg while nobody moves the stream. */
  get #wanted(): ReadonlyMap<string, WantedPlace> {
    const { leg, whereabouts } = this.#parts
    const found = new Map<string, WantedPlace>()
    const { cluster, topic } = leg
    const placement = whereabouts?.placement()
    const epochs = placement?.epochs ?? [{ place: { cluster, topic }, phase: "open" }]
    // Who joins a topic that is not there makes it, as its cluster makes topics.
    const unmade = placement && unmadeOf(placement)
    for (const epoch of epochs) {
      if (epoch === unmade) continue
      const { place, phase } = epoch
      const name = topicOf(place)
      const one = found.get(name) ?? { place: { cluster: place.cluster, topic: place.topic }, isRead: false }
      one.isRead ||= phase !== "retired"
      found.set(name, one)
    }
    return found
  }
}
