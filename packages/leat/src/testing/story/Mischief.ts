/** Decides when something goes wrong, and notes in which state of the leat it did. */
import type { FaultPlan, SendFault } from "../FaultTransport.ts"
import type { Chronicle } from "../judge/Chronicle.ts"
import type { Mishap, Occasions, State } from "./Occasions.ts"
import { one, type World } from "./World.ts"

/** How often the mishap that a story is after is brought about. */
const focusTimes = 4

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
  #focusLeft = focusTimes
  #struck = 0

  constructor({ world, random, occasions, chronicle, statesOf }: MischiefOptions) {
    this.#world = world
    this.random = random
    this.#occasions = occasions
    this.#chronicle = chronicle
    this.#statesOf = statesOf
  }

  /** Whether the mishap happens now. */
  strikes(mishap: Mishap, leat: number): boolean {
    if (this.isOver) return false
    const { focus, rates, mishapsMax } = this.#world
    const isDrawn = this.random() < (rates[mishap] ?? 0)
    const isAfter = focus?.mishap === mishap && this.#focusLeft > 0
    if (!isDrawn && !isAfter) return false
    if (mishapsMax !== undefined && this.#struck >= mishapsMax) return false
    const found = this.#statesOf(leat)
    const isFocus = isAfter && focus !== undefined && found.includes(focus.state)
    if (!isDrawn && !isFocus) return false
    if (isFocus) this.#focusLeft--
    this.#struck++
    this.#note(mishap, leat, found)
    return true
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
    const { slow } = this.#world
    const breaks = (mishap: Mishap): boolean => {
      const isStruck = this.strikes(mishap, leat)
      if (isStruck) this.mayRepeat = true
      return isStruck
    }
    return {
      send: () => {
        const fault = this.#sendFault(leat)
        if (fault !== undefined) return fault
        return slow?.cluster === cluster && !this.isOver ? { kind: "delay", ms: slow.ms } : undefined
      },
      fence: () => (this.strikes("fence", leat) ? "Unavailable" : undefined),
      settle: () => (breaks("settle") ? "Unavailable" : undefined),
      pull: () => (breaks("loseLane") ? "LaneLost" : breaks("pull") ? "Unavailable" : undefined)
    }
  }

  #sendFault(leat: number): SendFault | undefined {
    const { random } = this
    const ms = Math.floor(random() * this.#world.msMax)
    if (this.strikes("fail", leat)) return { kind: "fail", reason: one(random, ["Unavailable", "Throttled"]) }
    if (this.strikes("refuse", leat)) return { kind: "fail", reason: "Rejected" }
    for (const kind of ["delay", "lateWrite", "answerTwice"] as const) if (this.strikes(kind, leat)) return { kind, ms }
    for (const kind of ["loseResponse", "cut", "silence", "throw"] as const)
      if (this.strikes(kind, leat)) return { kind }
    return this.strikes("oversize", leat) ? { kind: "oversize", bytesMax: Math.floor(random() * 8192) } : undefined
  }
}
