/**
 * Where the lanes of one topic store what they set aside: the group's topic of dead letters, and the retry topic of the next tier. Each is opened
 * with the first record that goes there.
 */
import { Effect } from "effect"
import { deadLetterOf } from "./deadLetterOf.ts"
import { deadLetterTopics, retryTopic } from "../record/DeadLetter.ts"
import type { ToSetAside } from "./SetAside.ts"
import type { SourceOptions } from "./SourceOptions.ts"
import type { TransportReason } from "../reasons.ts"
import { DeadLetters } from "../transport/DeadLetters.ts"
import { LetterTeller } from "../LetterTeller.ts"

/** One record that is to be stored there, and who hears of it. */
export interface Putting {
  /** The partition that it was read from. */
  readonly partition: number
  /** Epoch milliseconds, asked when its turn has come. */
  readonly atMs: () => number
  /** False: it ended otherwise meanwhile. */
  readonly isWanted: () => boolean
  /** Called with why it cannot be stored, or undefined when it is; `reason`: of a refusal of this record alone. */
  readonly done: (fault: string | undefined, reason?: TransportReason) => void
}

type Options = Pick<
  SourceOptions<never>,
  "transport" | "topic" | "lettersOf" | "tier" | "group" | "stream" | "context" | "scheduler" | "onMoved"
>

export class AsideTopics {
  readonly #options: Options
  readonly #letters: DeadLetters
  readonly #retries: DeadLetters
  readonly #teller: LetterTeller

  constructor(options: Options) {
    this.#options = options
    const { transport, topic, lettersOf = topic, tier = 0, group, stream, context, scheduler } = options
    const who = `the group ${group} of ${stream}`
    const written = { transport, topic: lettersOf, who, waiting: "their keys wait", context, scheduler }
    const { deadLetters } = deadLetterTopics(lettersOf, group)
    this.#letters = new DeadLetters({ ...written, deadLetters })
    this.#teller = new LetterTeller({ who, deadLetters, context })
    this.#retries = new DeadLetters({
      ...written,
      deadLetters: retryTopic(lettersOf, group, tier + 1),
      areRetried: true,
      what: "what is to be tried again"
    })
  }

  /** Never answers (`done`) before it returns, unless there is nothing to store. */
  put(one: ToSetAside, { partition, atMs, isWanted, done }: Putting): void {
    const { slice } = one.held
    if (slice === undefined) return done("there is no record")
    const { topic, group, tier = 0, onMoved } = this.#options
    const recordAt = deadLetterOf(one, slice, { topic, group, partition })
    const record = () => recordAt(atMs())
    if (one.move === undefined) return this.#putLetter(one, { partition, record, isWanted, done })
    const moved: Putting["done"] = (fault, reason) => {
      done(fault, reason)
      if (fault === undefined) onMoved?.(tier + 1)
    }
    this.#retries.put({ partition, record, isWanted, done: moved })
  }

  #putLetter({ held, tag, detail, error }: ToSetAside, letter: Parameters<DeadLetters["put"]>[0]): void {
    const { topic } = this.#options
    const { attempts, position } = held
    const { partition, done } = letter
    const told: Putting["done"] = (fault, reason) => {
      done(fault, reason)
      if (fault !== undefined) return
      const place = `position ${position} of partition ${partition} of ${topic}`
      this.#teller.stored({ tag, detail, attempts, place, error })
    }
    this.#letters.put({ ...letter, done: told })
  }

  /** As `DeadLetters.close`. */
  readonly close: Effect.Effect<void> = Effect.suspend(() =>
    Effect.andThen(
      Effect.all([this.#letters.close, this.#retries.close], { concurrency: "unbounded", discard: true }),
      this.#teller.close
    )
  )
}
