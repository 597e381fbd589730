/**
 * The topics that the stream of a subscription fell back to and stays in, in one cluster: each is read with the same handler in the same group, beside the stream. Order
 * is kept in each of them, and not across. One is there with the first publisher that has the leg open; a destination that has got more
 * partitions has another one, and what stands in the one before is read too.
 */
import { Cause, Effect, Exit, Scope } from "effect"
import { textOfThrown } from "../given/thrown.ts"
import { fallbackPartitions, fallbackTopic } from "../record/fallbackTopic.ts"
import type { SubscriptionSettings } from "../routes/Routes.ts"
import * as Telemetry from "../Telemetry.ts"
import type { Transport } from "../transport/index.ts"
import { Wake } from "../Wake.ts"
import type { DeliveryInfo } from "./DeliveryInfo.ts"
import type { GroupBefore } from "./GroupBefore.ts"
import { SideTopic } from "./SideTopic.ts"
import { SideTopics } from "./SideTopics.ts"
import type { Source } from "./Source.ts"
import type { Signs } from "./holdBack.ts"
import type { HaltedReadLane, SourceOptions } from "./SourceOptions.ts"

/** Time between two looks for topics, in milliseconds. */
const lookMs = 30_000

/** How long an answer is waited for, in milliseconds. */
const answerMs = 30_000

/** A topic, and the group's own topics of it: its replays and its retry topics. */
interface Read<T> {
  readonly topic: SideTopic<T>
  readonly sides: SideTopics<T>
}

/** A cluster that events fall back to, and stay in. */
export interface ReadFallback {
  /** Its name in the document. */
  readonly cluster: string
  readonly transport: Transport
}

export class FallbackTopics<T> {
  readonly #options: SourceOptions<T>
  readonly #fallback: ReadFallback
  readonly #signs: Signs
  readonly #before: GroupBefore
  readonly #read = new Map<string, Read<T>>()
  readonly #wake: Wake
  #settings: SubscriptionSettings
  /** Looks in a row that had no answer. */
  #unknownLooks = 0

  /** `options`: of the place that is fallen back from. `signs`: of the lanes of the stream. `before`: asked before the stream is read. */
  constructor(
    options: SourceOptions<T>,
    settings: SubscriptionSettings,
    fallback: ReadFallback,
    signs: Signs,
    before: GroupBefore
  ) {
    this.#options = options
    this.#settings = settings
    this.#fallback = fallback
    this.#signs = signs
    this.#before = before
    this.#wake = new Wake(options.scheduler)
  }

  get halted(): ReadonlyArray<HaltedReadLane> {
    return this.#all.flatMap(({ halted }) => halted)
  }

  get blocked(): Source<T>["blocked"] {
    return this.#all.flatMap(({ blocked }) => blocked)
  }

  configure(settings: SubscriptionSettings): void {
    this.#settings = settings
    for (const one of this.#all) one.configure(settings)
  }

  isHandling(delivery: DeliveryInfo): boolean {
    return this.#all.some((one) => one.isHandling(delivery))
  }

  readonly resume: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach(this.#all, ({ resume }) => resume, { discard: true })
  )

  /** Whether nothing waits for the group in any of them; false where that is not known. */
  readonly isEmpty: Effect.Effect<boolean> = Effect.gen({ self: this }, function* () {
    const names = yield* this.#found
    if (this.#unknownLooks > 0) return false
    for (const name of names) {
      const { topic, sides } = this.#read.get(name) ?? this.#made(name, false)
      if (!(yield* topic.isEmpty) || !(yield* sides.isEmpty)) return false
    }
    return true
  })

  /** Until it is interrupted; then all of them drain at the same time. */
  readonly run: Effect.Effect<never> = Effect.suspend(() =>
    Effect.acquireUseRelease(
      Scope.make("parallel"),
      (readers) => this.#lookOut(readers),
      (readers) => Scope.close(readers, Exit.void)
    )
  )

  #lookOut(readers: Scope.Scope): Effect.Effect<never> {
    return Effect.gen({ self: this }, function* () {
      // A look without an answer is none: what is found after it was there all the same.
      for (let isFirst = true; ; isFirst &&= this.#unknownLooks > 0) {
        for (const name of yield* this.#found) {
          if (this.#read.has(name)) continue
          const one = this.#made(name, isFirst)
          this.#read.set(name, one)
          if (isFirst && this.#before.trouble !== undefined) yield* this.#tellUnknown(name, this.#before.trouble)
          yield* Effect.forkIn(one.topic.read, readers, { startImmediately: true })
          yield* Effect.forkIn(one.sides.run, readers, { startImmediately: true })
        }
        yield* this.#wake.idleFor(lookMs)
      }
    })
  }

  #tellUnknown(name: string, why: string): Effect.Effect<void> {
    const { group, stream, topic } = this.#options
    return Telemetry.warn(
      `it is not known whether the group ${group} of ${stream} has read ${topic} before, so it is given all of ${name} that it has not settled: ${why}`
    )
  }

  /** The topics that are there. Whatever a driver does of the question: it is asked again. */
  get #found(): Effect.Effect<ReadonlyArray<string>> {
    const { group, stream, transport: ofPlace } = this.#options
    const place = { cluster: this.#options.cluster, topic: this.#options.topic }
    return Effect.gen({ self: this }, function* () {
      const { cluster, transport } = this.#fallback
      // Who cannot list topics is asked for the one that publishers have now.
      const asked =
        transport.topics === undefined
          ? Effect.flatMap(ofPlace.partitionsOf(place.topic), (partitions) => {
              const name = fallbackTopic(place, partitions)
              const missing = Effect.succeed<ReadonlyArray<string>>([])
              const isThere = Effect.as(transport.bounds(name), [name])
              return Effect.catchIf(
                isThere,
                ({ reason }) => reason === "UnknownTopic",
                () => missing
              )
            })
          : Effect.map(transport.topics, (names) =>
              names.filter((name) => fallbackPartitions(name, place) !== undefined)
            )
      const exit = yield* Effect.exit(Effect.timeout(asked, answerMs))
      this.#unknownLooks = Exit.isSuccess(exit) ? 0 : this.#unknownLooks + 1
      if (Exit.isSuccess(exit)) return exit.value
      if (this.#unknownLooks === 2)
        yield* Telemetry.warn(
          `the group ${group} of ${stream} cannot see what fell back to ${cluster}, and asks again; it is not handled meanwhile: ${textOfThrown(Cause.squash(exit.cause))}`
        )
      return []
    })
  }

  /** What begins while the group reads is for it from its begin, wherever a new group begins in the stream. */
  #made(topic: string, isFirst: boolean): Read<T> {
    const { cluster, transport } = this.#fallback
    const { onMoved: _, ...own } = { ...this.#options, transport, cluster, topic }
    const begin = isFirst ? this.#before.beginOf(this.#settings.from) : "earliest"
    const sides = new SideTopics<T>(own, this.#settings, this.#signs)
    const options = { ...own, signs: this.#signs, onMoved: (tier: number) => sides.movedTo(tier) }
    return { topic: new SideTopic(options, this.#settings, begin), sides }
  }

  get #all() {
    return Array.from(this.#read.values()).flatMap(({ topic, sides }) => [topic, sides])
  }
}
