/** Decides when something goes wrong, and notes in which state of the leat it did. */
import type { FaultPlan, SendFault } from "../FaultTransport.ts"
import type { Chronicle } from "../judge/Chronicle.ts"
import { isLetterTopic } from "./letterTopics.ts"
import type { Mishap, Occasions, State } from "./Occasions.ts"
import { one, type World } from "./World.ts"

/** How often the mishap that a story is after is brought about. */
const focusTimes = 4

/** How long a send of dead letters takes where a story is about them, in milliseconds. */
const letterMs = 30

/** What mischief is made of. */
interface MischiefOptions {
  readonly world: World
  readonly random: () => number
  readonly occasions: Occasions
  readonly chronicle: Chronicle
  readonly statesOf: (leat: number) => ReadonlyArray<State>
}

export class Mischief {
  /** Nothing goes wrong any more: what is left has to end well. */
  isOver = false
  /** Whether groups may get events again: a lane was lost, or something of it failed. */
  mayRepeat = false
  readonly random: () => number
  readonly #world: World
  readonly #occasions: Occasions
  readonly #chronicle: Chronicle
  readonly #statesOf: (leat: number) => ReadonlyArray<State>
  readonly #poison = new Set<number>()
  #focusLeft = focusTimes
  #struck = 0

  constructor({ world, random, occasions, chronicle, statesOf }: MischiefOptions) {
    this.#world = world
    this.random = random
    this.#occasions = occasions
    this.#chronicle = chronicle
    this.#statesOf = statesOf
  }

  /** Whether the mishap happens now, where the leat is in these states. */
  strikes(mishap: Mishap, leat: number, states = () => this.#statesOf(leat)): boolean {
    if (this.isOver) return false
    const { focus, rates, mishapsMax } = this.#world
    const isDrawn = this.random() < (rates[mishap] ?? 0)
    const isAfter = focus?.mishap === mishap && this.#focusLeft > 0
    if (!isDrawn && !isAfter) return false
    if (mishapsMax !== undefined && this.#struck >= mishapsMax) return false
    const found = states()
    const isFocus = isAfter && focus !== undefined && found.includes(focus.state)
    if (!isDrawn && !isFocus) return false
    if (isFocus) this.#focusLeft--
    this.#struck++
    this.#note(mishap, leat, found)
    return true
  }

  /** The event fails for good wherever it is handled, until the story is over. */
  poison(serial: number): void {
    this.#poison.add(serial)
  }

  isPoison(serial: number | undefined): boolean {
    return !this.isOver && serial !== undefined && this.#poison.has(serial)
  }

  /** Whether the story is after this mishap in a state that the leat is not in yet. */
  isTooEarly(mishap: Mishap, leat: number): boolean {
    const { focus } = this.#world
    return focus?.mishap === mishap && !this.isOver && !this.#statesOf(leat).includes(focus.state)
  }

  /** Notes what happened without having been drawn. */
  happened(mishap: Mishap, leat: number): void {
    this.#note(mishap, leat, this.#statesOf(leat))
  }

  #note(mishap: Mishap, leat: number, found: ReadonlyArray<State>): void {
    this.#occasions.note(mishap, found)
    this.#chronicle.mishap(mishap, leat, found)
  }

  /** What the transports of one leat in one cluster do. */
  planOf(leat: number, cluster: number): FaultPlan {
    const { slow, focus } = this.#world
    const breaks = (mishap: Mishap): boolean => {
      const isStruck = this.strikes(mishap, leat)
      if (isStruck) this.mayRepeat = true
      return isStruck
    }
    return {
      send: ({ topic }) => {
        const fault = this.#sendFault(leat, topic)
        if (fault !== undefined || this.isOver) return fault
        if (isLetterTopic(topic) && focus?.state === "deadLettering") return { kind: "delay", ms: letterMs }
        return slow?.cluster === cluster ? { kind: "delay", ms: slow.ms } : undefined
      },
      fence: ({ topic }) => (this.strikes("fence", leat, this.#sendStates(leat, topic)) ? "Unavailable" : undefined),
      settle: () => (breaks("settle") ? "Unavailable" : breaks("hangSettle") ? "silence" : undefined),
      pull: () => (breaks("loseLane") ? "LaneLost" : breaks("pull") ? "Unavailable" : undefined)
    }
  }

  /** A send of a letter is in the state that a letter is on its way, and no other send is. */
  #sendStates(leat: number, topic: string): () => ReadonlyArray<State> {
    const isOfLetter = isLetterTopic(topic)
    return () => this.#statesOf(leat).filter((state) => (state === "deadLettering") === isOfLetter)
  }

  #sendFault(leat: number, topic: string): SendFault | undefined {
    const { random } = this
    const states = this.#sendStates(leat, topic)
    const strikes = (mishap: Mishap) => this.strikes(mishap, leat, states)
    const ms = Math.floor(random() * this.#world.msMax)
    if (strikes("fail")) return { kind: "fail", reason: one(random, ["Unavailable", "Throttled"]) }
    if (strikes("refuse")) return { kind: "fail", reason: "Rejected" }
    for (const kind of ["delay", "lateWrite", "answerTwice"] as const) if (strikes(kind)) return { kind, ms }
    for (const kind of ["loseResponse", "cut", "silence", "throw"] as const) if (strikes(kind)) return { kind }
    return strikes("oversize") ? { kind: "oversize", bytesMax: Math.floor(random() * 8192) } : undefined
  }
}
