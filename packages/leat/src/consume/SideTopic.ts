/**
 * A topic of a group's own, read beside that of the stream with the same handler, from its begin: what was replayed for the group, or what waits for
 * another attempt. It need not be there.
 */
import { Cause, Effect, Exit } from "effect"
import { firstToDo } from "./CatchingUp.ts"
import type { DeliveryInfo } from "./DeliveryInfo.ts"
import { Source } from "./Source.ts"
import type { HaltedReadLane, SourceOptions } from "./SourceOptions.ts"
import type { SubscriptionSettings } from "../routes/Routes.ts"
import * as Telemetry from "../Telemetry.ts"
import { textOfThrown } from "../given/thrown.ts"
import { type From, type PartitionBounds, TransportError } from "../transport/index.ts"
import { Wake } from "../Wake.ts"

/** How long an answer is waited for, in milliseconds. */
const answerMs = 30_000

/** How long after a reading that ended the next one begins: the first time, and at most, in milliseconds. */
const againMs = 30_000
const againMsMax = 1_800_000

export class SideTopic<T> {
  readonly #options: SourceOptions<T>
  #settings: SubscriptionSettings
  #source: Source<T> | undefined
  readonly #from: From
  readonly #wake: Wake

  /** `from`: where a group begins in it that was never there; what came before this member did is for it too, when absent. */
  constructor(options: SourceOptions<T>, settings: SubscriptionSettings, from: From = "earliest") {
    this.#options = options
    this.#from = from
    this.#settings = settings
    this.#wake = new Wake(options.scheduler)
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

  readonly resume: Effect.Effect<void> = Effect.suspend(() => {
    this.#wake.signal()
    return this.#source?.resume ?? Effect.void
  })

  /**
   * Whether it is there; why that is not known, where it is not. Whatever a driver does of the question, or does not: it is asked again, and the
   * stream is read all the same.
   */
  readonly isThere: Effect.Effect<boolean | string> = Effect.suspend(() => this.#answer()).pipe(
    Effect.exit,
    Effect.map((exit) => {
      if (Exit.isSuccess(exit)) return true
      const error = Cause.squash(exit.cause)
      return error instanceof TransportError && error.reason === "UnknownTopic" ? false : textOf(error)
    })
  )

  /** How many records of it the group has not settled, as far as the driver can tell. */
  readonly waiting: Effect.Effect<number | undefined> = Effect.suspend(() => this.#answer(this.#options.group)).pipe(
    Effect.map((rows) => rows.reduce((sum, row) => sum + Number(row.end - firstToDo(row, undefined)), 0)),
    Effect.catchCause(() => Effect.undefined)
  )

  /** Whether nothing of it waits for the group; false where that is not known. */
  readonly isEmpty: Effect.Effect<boolean> = Effect.suspend(() =>
    Effect.flatMap(this.isThere, (isThere) => {
      if (isThere !== true) return Effect.succeed(isThere === false)
      return Effect.map(this.waiting, (records) => records === 0)
    })
  )

  #answer(group?: string): Effect.Effect<ReadonlyArray<PartitionBounds>, TransportError | Cause.TimeoutError> {
    const { transport, topic } = this.#options
    return Effect.timeout(transport.bounds(topic, group), answerMs)
  }

  /** Until it is interrupted: what ends the reading of it does not end the reading of the stream, and it begins anew after a pause, or by `resume`. */
  readonly read: Effect.Effect<never> = Effect.suspend(() => this.#reading(againMs))

  #reading(pauseMs: number): Effect.Effect<never> {
    const { topic, group, stream } = this.#options
    this.#source = new Source(this.#options, this.#own)
    return Effect.catchCause(this.#source.run, (cause) => {
      const pause = `begins again in ${pauseMs / 1000} seconds, or when it is resumed`
      const why = textOf(Cause.squash(cause))
      return Telemetry.warn(`the group ${group} of ${stream} does not read ${topic} now, and ${pause}: ${why}`).pipe(
        Effect.andThen(this.#wake.waitFor(pauseMs)),
        Effect.andThen(Effect.suspend(() => this.#reading(Math.min(pauseMs * 2, againMsMax))))
      )
    })
  }

  /** What comes again because it was moved is no copy. */
  get #own(): SubscriptionSettings {
    const { tier } = this.#options
    const settings = { ...this.#settings, from: this.#from }
    return tier === undefined ? settings : { ...settings, dedupeRecords: undefined }
  }
}

function textOf(error: unknown): string {
  return error instanceof TransportError ? error.message : textOfThrown(error)
}
