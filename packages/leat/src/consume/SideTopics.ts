/**
 * The topics of a group's own: what was replayed for it, and its retry topics. Each is read from when it is there; until then it is looked for now
 * and then. All eight tiers are looked for, whatever the setting says: a list that was shortened leaves records behind it.
 */
import { Effect, Exit, Scope } from "effect"
import type { DeliveryInfo } from "./DeliveryInfo.ts"
import { deadLetterTopics, retryTopic } from "../record/DeadLetter.ts"
import type { GroupAccount } from "../ledger/GroupAccount.ts"
import { retryTopicsMax } from "../routes/retryTopicFaults.ts"
import type { SubscriptionSettings } from "../routes/Routes.ts"
import { SideTopic } from "./SideTopic.ts"
import type { Source } from "./Source.ts"
import type { Signs } from "./holdBack.ts"
import type { HaltedReadLane, SourceOptions } from "./SourceOptions.ts"
import * as Telemetry from "../Telemetry.ts"
import { Wake } from "../Wake.ts"

/** Time between two looks for topics, in milliseconds. */
const lookMs = 30_000

export class SideTopics<T> {
  readonly #replays: SideTopic<T>
  /** The first tier first. */
  readonly #tiers: ReadonlyArray<SideTopic<T>>
  readonly #wake: Wake
  readonly #account: GroupAccount
  readonly #who: string
  /** Looks in a row in which it was not known of some topic whether it is there. */
  #unknownLooks = 0

  /** `signs`: of the lanes of the stream. */
  constructor(options: SourceOptions<T>, settings: SubscriptionSettings, signs: Signs) {
    const { topic, group, stream, scheduler } = options
    this.#who = `the group ${group} of ${stream}`
    this.#wake = new Wake(scheduler)
    this.#account = options.ledger.group(group, stream)
    const own = { ...options, lettersOf: topic, onMoved: (next: number) => this.movedTo(next) }
    this.#replays = new SideTopic({ ...own, topic: deadLetterTopics(topic, group).replays }, settings)
    const seen = unsuspected(signs)
    this.#tiers = Array.from({ length: retryTopicsMax }, (_, index) => {
      const tier = index + 1
      return new SideTopic({ ...own, topic: retryTopic(topic, group, tier), tier, signs: seen }, settings)
    })
  }

  get halted(): ReadonlyArray<HaltedReadLane> {
    return this.#all.flatMap(({ halted }) => halted)
  }

  get blocked(): Source<T>["blocked"] {
    return this.#all.flatMap(({ blocked }) => blocked)
  }

  configure(settings: SubscriptionSettings): void {
    for (const one of this.#all) one.configure(settings)
  }

  isHandling(delivery: DeliveryInfo): boolean {
    return this.#all.some((one) => one.isHandling(delivery))
  }

  readonly resume: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach(this.#all, ({ resume }) => resume, { discard: true })
  )

  /**
   * Whether nothing waits for the group in any of them. They are asked in the order in which a record goes from one to the next: one that is moved on
   * meanwhile is found in the next.
   */
  readonly isEmpty: Effect.Effect<boolean> = Effect.gen({ self: this }, function* () {
    for (const topic of this.#all) if (!(yield* topic.isEmpty)) return false
    return true
  })

  /** A record stands in a tier: one that is not read yet is looked for at once. While looks fail it is not: each of them is up to nine requests. */
  movedTo(tier: number): void {
    if (this.#tiers[tier - 1]?.isRead !== true && this.#unknownLooks < 2) this.#wake.signal()
  }

  /** Until it is interrupted; then all of them drain at the same time. */
  readonly run: Effect.Effect<never> = Effect.suspend(() =>
    Effect.acquireUseRelease(
      Scope.make("parallel"),
      (readers) => this.#lookOut(readers),
      (readers) => {
        for (const index of this.#tiers.keys()) this.#account.waits(index + 1, undefined)
        return Scope.close(readers, Exit.void)
      }
    )
  )

  #lookOut(readers: Scope.Scope): Effect.Effect<never> {
    return Effect.gen({ self: this }, function* () {
      for (let isFirst = true; ; isFirst = false) {
        const found = [yield* this.#find(this.#replays, readers)]
        for (const tier of this.#tiers) {
          const isThere = yield* this.#find(tier, readers)
          found.push(isThere)
          // A tier is made by who moves a record on from the one before. Only somebody who deletes topics makes a gap, which is looked behind once.
          if (isThere === false && !isFirst) break
        }
        yield* this.#tellUnknown(found.find((one) => typeof one === "string"))
        yield* this.#countWaiting
        yield* this.#wake.idleFor(lookMs)
      }
    })
  }

  /** How many records wait in each tier that is read, for those who look at metrics. */
  readonly #countWaiting: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach(
      this.#tiers.entries(),
      ([index, tier]) =>
        tier.isRead ? Effect.map(tier.waiting, (records) => this.#account.waits(index + 1, records)) : Effect.void,
      { discard: true, concurrency: "unbounded" }
    )
  )

  /** The second time in a row, and no more until all are known again. */
  #tellUnknown(why: string | undefined): Effect.Effect<void> {
    this.#unknownLooks = why === undefined ? 0 : this.#unknownLooks + 1
    if (this.#unknownLooks !== 2) return Effect.void
    return Telemetry.warn(
      `${this.#who} cannot see which of its own topics are there, and asks again; what waits in one of them is not handled meanwhile: ${why}`
    )
  }

  /** Reads it from when it is there; says whether it is, or why that is not known. */
  #find(topic: SideTopic<T>, readers: Scope.Scope): Effect.Effect<boolean | string> {
    return Effect.gen(function* () {
      if (topic.isRead) return true
      const isThere = yield* topic.isThere
      if (isThere !== true) return isThere
      yield* Effect.forkIn(topic.read, readers, { startImmediately: true })
      return true
    })
  }

  get #all(): ReadonlyArray<SideTopic<T>> {
    return [this.#replays, ...this.#tiers]
  }
}

/** Of retry topics: what has failed before fails again, which says little of an outage; but while there is one, what fails waits too. */
function unsuspected({ outage, ...signs }: Signs): Signs {
  return {
    ...signs,
    outage: {
      handled: (count, nowMs) => outage.handled(count, nowMs),
      failed: (nowMs, countedMs) => outage.failedAgain(nowMs, countedMs),
      failedAgain: (nowMs, countedMs) => outage.failedAgain(nowMs, countedMs),
      isOutage: (nowMs, isAhead) => outage.isOutage(nowMs, isAhead)
    }
  }
}
