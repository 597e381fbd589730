/**
 * Tells a person of dead letters: the first at once, and then in one line how many more there were, for as long as there are any. A million of them
 * are a few lines. Nothing is begun while there are none.
 */
import { type Context, Effect, Fiber } from "effect"
import { idleSleep } from "./idleSleep.ts"
import * as Telemetry from "./Telemetry.ts"

/** From one line to the next, in milliseconds. */
const againMs = 300_000

/** Names of failures that are counted by themselves between two lines. */
const tagsMax = 4

/** Of what a failure says, in UTF-16 code units; the rest is cut off. */
const detailMax = 500

/** One that is stored. */
export interface ToldLetter {
  readonly tag: string
  readonly detail: string
  readonly attempts: number
  /** Where its record was, or was meant to be. */
  readonly place: string
  /** What its handler failed with. */
  readonly error?: unknown
}

interface ToldOf {
  /** Who has set it aside, as a sentence begins. */
  readonly who: string
  /** Where dead letters are. */
  readonly deadLetters: string
  readonly context: Context.Context<never>
}

export class LetterTeller {
  readonly #of: ToldOf
  /** While one was told of a short time ago. */
  #waiting: Fiber.Fiber<void> | undefined
  #last: ToldLetter | undefined
  #count = 0
  /** By name of the failure; the rest is counted in `#count` alone. */
  readonly #tags = new Map<string, number>()

  constructor(of: ToldOf) {
    this.#of = of
  }

  /** One more is stored. */
  stored(letter: ToldLetter): void {
    if (this.#waiting === undefined) return this.#tellFirst(letter)
    this.#last = letter
    this.#count++
    const before = this.#tags.get(letter.tag)
    if (before !== undefined || this.#tags.size < tagsMax) this.#tags.set(letter.tag, (before ?? 0) + 1)
  }

  /** Says what was not said yet. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    const waiting = this.#waiting
    this.#tellMore("since")
    return waiting === undefined ? Effect.void : Fiber.interrupt(waiting)
  })

  #tellFirst(letter: ToldLetter): void {
    const { who, deadLetters } = this.#of
    const { place, error } = letter
    this.#tell(
      `${who} has dead-lettered an event, which is in ${deadLetters} now (${place}): ${failureText(letter)}`,
      error
    )
    this.#wait()
  }

  #wait(): void {
    const ended = Effect.sync(() => {
      const isMore = this.#count > 0
      this.#tellMore(`in ${againMs / 60_000} minutes`)
      this.#waiting = undefined
      if (isMore) this.#wait()
    })
    this.#waiting = Effect.runForkWith(this.#of.context)(Effect.andThen(idleSleep(againMs), ended))
  }

  #tellMore(when: string): void {
    const last = this.#last
    if (last === undefined) return
    const { who, deadLetters } = this.#of
    const count = this.#count
    const named = Array.from(this.#tags).toSorted(([, one], [, other]) => other - one)
    const others = count - named.reduce((sum, [, times]) => sum + times, 0)
    const reasons = [...named.map(([tag, times]) => `${times} ${tag}`), ...(others === 0 ? [] : [`${others} others`])]
    this.#last = undefined
    this.#count = 0
    this.#tags.clear()
    const what = count === 1 ? "1 event more" : `${count} events more`
    this.#tell(
      `${who} has dead-lettered ${what} ${when}, which ${count === 1 ? "is" : "are"} in ${deadLetters} now (${reasons.join(", ")}); the last one: ${failureText(last)}`,
      last.error
    )
  }

  #tell(sentence: string, error: unknown): void {
    Effect.runForkWith(this.#of.context)(Telemetry.warn(sentence, error))
  }
}

function failureText({ tag, attempts, detail }: ToldLetter): string {
  return `${tag} after ${attempts === 1 ? "1 attempt" : `${attempts} attempts`}: ${cut(detail)}`
}

function cut(detail: string): string {
  return detail.length <= detailMax ? detail : `${detail.slice(0, detailMax).toWellFormed()}...`
}
