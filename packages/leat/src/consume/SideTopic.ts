/**
 * A topic of a group's own, read beside that of the stream with the same handler, from its begin: what was replayed for the group, or what waits for
 * another attempt. It need not be there.
 */
import { Cause, Effect, Exit } from "effect"
import type { DeliveryInfo } from "./DeliveryInfo.ts"
import { Source } from "./Source.ts"
import type { HaltedReadLane, SourceOptions } from "./SourceOptions.ts"
import type { SubscriptionSettings } from "../routes/Routes.ts"
import * as Telemetry from "../Telemetry.ts"
import { textOfThrown } from "../given/thrown.ts"
import { TransportError } from "../transport/index.ts"

/** How long an answer is waited for, in milliseconds. */
const answerMs = 30_000

export class SideTopic<T> {
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

  /** Whether it was found. */
  get isRead(): boolean {
    return this.#source !== undefined
  }

  configure(settings: SubscriptionSettings): void {
    this.#settings = settings
    this.#source?.configure(this.#own)
  }

  isHandling(delivery: DeliveryInfo): boolean {
    return this.#source?.isHandling(delivery) ?? false
  }

  readonly resume: Effect.Effect<void> = Effect.suspend(() => this.#source?.resume ?? Effect.void)

  /** Whatever a driver does of the question, or does not: it is asked again, and the stream is read all the same. */
  readonly isThere: Effect.Effect<boolean> = Effect.suspend(() =>
    this.#options.transport.bounds(this.#options.topic)
  ).pipe(Effect.timeout(answerMs), Effect.exit, Effect.map(Exit.isSuccess))

  /** Until it is interrupted: what ends the reading of it does not end the reading of the stream. */
  readonly read: Effect.Effect<never> = Effect.suspend(() => {
    const { topic, group, stream } = this.#options
    this.#source = new Source(this.#options, this.#own)
    return Effect.catchCause(this.#source.run, (cause) => {
      const error = Cause.squash(cause)
      const why = error instanceof TransportError ? error.message : textOfThrown(error)
      return Effect.andThen(
        Telemetry.warn(`the group ${group} of ${stream} no longer reads ${topic}: ${why}`),
        Effect.never
      )
    })
  })

  /** What came before this member did is for it too; and what comes again because it was moved is no copy. */
  get #own(): SubscriptionSettings {
    const { tier } = this.#options
    const settings = { ...this.#settings, from: "earliest" as const }
    return tier === undefined ? settings : { ...settings, dedupeRecords: undefined }
  }
}
