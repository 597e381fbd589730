/**
 * What can go wrong, and in which state of a leat it does: the table that stories have to reach, so that a generator which no
 * longer comes to a place is found out.
 */
/**
 * Everything that stories bring about.
 *
 * @example
 * ```ts
 * for (const mishap of mishaps) for (const state of states) tellWorld(drawWorld(seed, { mishap, state }), how)
 * ```
 */
export const mishaps = [
  // of a send
  "fail",
  "refuse",
  "delay",
  "loseResponse",
  "cut",
  "lateWrite",
  "silence",
  "throw",
  "answerTwice",
  "oversize",
  // of other calls of a transport
  "fence",
  "settle",
  "hangSettle",
  "pull",
  "loseLane",
  // of a handler
  "handler",
  "poison",
  // of a caller
  "interrupt",
  "invalid",
  "tooLarge",
  "flush",
  // of everybody
  "wallBack",
  "wallForward",
  "swap",
  "resume",
  "join",
  "leave",
  "close",
  "replay",
  "openStream",
  // of a machine, and for a while
  "outage",
  "diskFull",
  "losePower",
  "crash"
] as const
/** Something that goes wrong, or comes in between. */
export type Mishap = (typeof mishaps)[number]

/**
 * Where a leat, or one of its lanes, can be; several at once.
 *
 * @example
 * ```ts
 * states.includes("inDoubt") // true
 * ```
 */
export const states = [
  // what is published
  "empty",
  "queued",
  "inFlight",
  "inDoubt",
  "retrying",
  "waiting",
  "halted",
  "closing",
  "deadLettering",
  "spilled",
  "fellBack",
  // what is read
  "fresh",
  "handling",
  "parked",
  "blocked",
  "draining",
  "readHalted"
] as const
/**
 * Where a leat is, by its ledger. `retrying`: the last send to a partition failed, and its leg has something left to send; `deadLettering`: a dead letter
 * is on its way, or waits to be sent again; `spilled`: events are on its disk; `fellBack`: what it publishes to
 * a partition goes to a fallback. Of lanes that are read, `fresh`: nothing of it was settled yet by this
 * holder; `parked`: an event waits for its next attempt; `blocked`: its buffer is full; `draining`: it was taken back, and is not released yet.
 */
export type State = (typeof states)[number]

/** A mishap in a state. */
export interface Occasion {
  readonly mishap: Mishap
  readonly state: State
}

/**
 * The name of an occasion, as `Occasions` counts it.
 *
 * @example
 * ```ts
 * occasionName({ mishap: "cut", state: "inDoubt" }) // "cut while inDoubt"
 * ```
 */
export function occasionName({ mishap, state }: Occasion): string {
  return `${mishap} while ${state}`
}

/**
 * Which occasions a story, or many, came to.
 *
 * @example
 * ```ts
 * const occasions = new Occasions()
 * occasions.note("cut", ["inFlight"])
 * occasions.reached.get("cut while inFlight") // 1
 * ```
 */
export class Occasions {
  /** How often, by the occasion's name. */
  readonly reached = new Map<string, number>()

  /** The mishap was brought about in these states. */
  note(mishap: Mishap, found: ReadonlyArray<State>): void {
    for (const state of found) {
      const name = occasionName({ mishap, state })
      this.reached.set(name, (this.reached.get(name) ?? 0) + 1)
    }
  }
}
