/**
 * What a group is given a second time: dead letters that somebody replayed, in a topic of the group's own beside the stream's. It is read by
 * the same handler from when it is there; until then it is asked for now and then.
 */
import { Effect, Exit } from "effect"
import { deadLetterTopics } from "../record/DeadLetter.ts"
import type { SubscriptionSettings } from "../routes/Routes.ts"
import type { DeliveryInfo } from "./DeliveryInfo.ts"
import { Source } from "./Source.ts"
import type { HaltedReadLane, SourceOptions } from "./SourceOptions.ts"
import * as Telemetry from "../Telemetry.ts"

/** Time between two looks for the topic, in milliseconds. */
const lookMs = 30_000

export class Replays<T> {
  readonly #options: SourceOptions<T>
  #settings: SubscriptionSettings
  #source: Source<T> | undefined

  constructor(options: SourceOptions<T>, settings: SubscriptionSettings) {
    this.#options = options
    this.#settings = settings
  }

  get halted(): ReadonlyArray<HaltedReadLane> {
    return this.#source?.halted ?? []
  }

  get blocked(): Source<T>["blocked"] {
    return this.#source?.blocked ?? []
  }

  configure(settings: SubscriptionSettings): void {
    this.#settings = settings
    this.#source?.configure(this.#fromStart)
  }

  isHandling(delivery: DeliveryInfo): boolean {
    return this.#source?.isHandling(delivery) ?? false
  }

  readonly resume: Effect.Effect<void> = Effect.suspend(() => this.#source?.resume ?? Effect.void)

  /** Until it is interrupted: what ends the reading of replays does not end the reading of the stream. */
  readonly run: Effect.Effect<never> = Effect.gen({ self: this }, function* () {
    const { transport, topic, group, stream } = this.#options
    const { replays } = deadLetterTopics(topic, group)
    // Whatever a driver does of it, or does not: the stream is read all the same, and it is asked again.
    const isThere = Effect.suspend(() => transport.bounds(replays)).pipe(
      Effect.timeout(lookMs),
      Effect.exit,
      Effect.map(Exit.isSuccess)
    )
    while (!(yield* isThere)) yield* Effect.sleep(lookMs)
    this.#source = new Source({ ...this.#options, topic: replays, lettersOf: topic }, this.#fromStart)
    const ended = yield* Effect.flip(this.#source.run)
    yield* Telemetry.warn(`the group ${group} of ${stream} no longer reads what is replayed for it: ${ended.message}`)
    return yield* Effect.never
  })

  /** What was replayed before this group came is for it too. */
  get #fromStart(): SubscriptionSettings {
    return { ...this.#settings, from: "earliest" }
  }
}
