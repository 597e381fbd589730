/**
 * Tells a person of a state that comes and goes. That it has begun, and that it is over, is told at once. Where it goes on changing, one line in five minutes
 * says how often it has, and how it is then: a state at its threshold would fill the log.
 */
import { type Context, Effect, Fiber } from "effect"
import { idleSleep } from "./idleSleep.ts"
import * as Telemetry from "./Telemetry.ts"

/** From one line to the next where it goes on changing, in milliseconds. */
const againMs = 300_000

/** Changes that are told at once in that time: it begins, and is over. */
const atOnceMax = 2

interface Sentence {
  readonly text: string
  readonly error?: unknown
}

export class ChangeTeller {
  readonly #context: Context.Context<never>
  readonly #sentence: (isOn: boolean) => Sentence
  /** For as long as the next change may be one too many. */
  #waiting: Fiber.Fiber<void> | undefined
  #atOnce = 0
  #more = 0
  #isOn = false

  /** `sentence`: of a state, when it is told. */
  constructor(context: Context.Context<never>, sentence: (isOn: boolean) => Sentence) {
    this.#context = context
    this.#sentence = sentence
  }

  changed(isOn: boolean): void {
    this.#isOn = isOn
    if (this.#atOnce < atOnceMax) {
      this.#atOnce++
      this.#tell("")
    } else this.#more++
    if (this.#waiting === undefined) this.#wait()
  }

  /** Says what was not said yet. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    const waiting = this.#waiting
    this.#waiting = undefined
    this.#atOnce = 0
    this.#tellMore("since")
    return waiting === undefined ? Effect.void : Fiber.interrupt(waiting)
  })

  #wait(): void {
    const ended = Effect.sync(() => {
      const isMore = this.#more > 0
      this.#tellMore(`in ${againMs / 60_000} minutes`)
      // While it goes on, no change is told by itself.
      if (!isMore) this.#atOnce = 0
      this.#waiting = undefined
      if (isMore) this.#wait()
    })
    this.#waiting = Effect.runForkWith(this.#context)(Effect.andThen(idleSleep(againMs), ended))
  }

  #tellMore(when: string): void {
    if (this.#more === 0) return
    const times = this.#more === 1 ? "once more" : `${this.#more} times more`
    this.#more = 0
    this.#tell(`; this has changed ${times} ${when}`)
  }

  #tell(more: string): void {
    const { text, error } = this.#sentence(this.#isOn)
    Effect.runForkWith(this.#context)(Telemetry.warn(`${text}${more}`, error))
  }
}
