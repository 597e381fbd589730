/** Decides when something goes wrong, and notes in which state of the leat it did. */
import type { FaultPlan, SendFault } from "../FaultTransport.ts"
import type { Chronicle } from "../judge/Chronicle.ts"
import { fallbackGroup } from "../../publish/fallback/openFallback.ts"
import { isAsideTopic } from "./letterTopics.ts"
import type { Mishap, Occasions, State } from "./Occasions.ts"
import type { ReadFrom, Whose } from "./statesOf.ts"
import { one, type World } from "./World.ts"
import { clusterName, isFallbackOf, sinkOf } from "./worldRoutes.ts"

/** How often the mishap that a story is after is brought about. */
const focusTimes = 4

/** How long a send of dead letters takes where a story is about them, in milliseconds. */
const letterMs = 30

/** Failures of an event that works in the end, at most: more than all retry topics of a group allow. */
const failuresMax = 13

/** How a cluster is away: it refuses, it takes requests and says nothing of them, or it gives no answer at all. */
type Away = "refuses" | "breaksOff" | "isSilent"

const awayFaults: Readonly<Record<Away, SendFault>> = {
  refuses: { kind: "fail", reason: "Unavailable" },
  breaksOff: { kind: "cut" },
  isSilent: { kind: "silence" }
}

/** The states of a leat; of one leg or lane of it, where something is of that only. */
type StatesOf = (leat: number, whose?: Whose) => ReadonlyArray<State>

/** What mischief is made of. */
interface MischiefOptions {
  readonly world: World
  readonly random: () => number
  readonly occasions: Occasions
  readonly chronicle: Chronicle
  readonly statesOf: StatesOf
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
  readonly #statesOf: StatesOf
  readonly #poison = new Set<number>()
  /** How often an event has failed for now, by `group serial`. */
  readonly #failed = new Map<string, number>()
  /** Clusters that are away, by `leat cluster`. */
  readonly #away = new Map<string, Away>()
  /** Leats whose disk is full. */
  readonly #full = new Set<number>()
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
  strikes(mishap: Mishap, leat: number, whose?: Whose): boolean {
    return this.#strikes(mishap, leat, () => this.#statesOf(leat, whose))
  }

  #strikes(mishap: Mishap, leat: number, states: () => ReadonlyArray<State>): boolean {
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

  /** Whether it fails now where it is tried again later: an event that is poison fails so and so often there, and works then. */
  failsForNow(group: string, serial: number | undefined): boolean {
    if (serial === undefined || !this.#poison.has(serial)) return false
    const name = `${group} ${serial}`
    const times = this.#failed.get(name) ?? 0
    if (times > serial % failuresMax) return false
    this.#failed.set(name, times + 1)
    return true
  }

  /** As `strikes`, of what most stories do without: then nothing is drawn. */
  lasts(mishap: Mishap, leat: number): boolean {
    const { focus, rates } = this.#world
    return (rates[mishap] !== undefined || focus?.mishap === mishap) && this.strikes(mishap, leat)
  }

  /** A cluster is away for one leat, until the returned function is called. */
  beginOutage(leat: number, cluster: number): () => void {
    const name = `${leat} ${cluster}`
    this.#away.set(name, one(this.random, ["refuses", "refuses", "breaksOff", "isSilent"]))
    return () => void this.#away.delete(name)
  }

  /** Whether a cluster is away for a leat. */
  isAway(leat: number): boolean {
    return Array.from(this.#away.keys()).some((name) => name.startsWith(`${leat} `))
  }

  isFull(leat: number): boolean {
    return this.#full.has(leat)
  }

  /** The disk of a leat takes nothing, until the returned function is called. */
  fillDisk(leat: number): () => void {
    this.#full.add(leat)
    return () => void this.#full.delete(leat)
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
    const { slow, focus, streams } = this.#world
    const legs = streams.flatMap((stream) => stream.legs)
    const sinkFor = (topic: string) => {
      const leg = legs.find((candidate) => isFallbackOf(candidate, cluster, topic))
      return leg === undefined ? `${clusterName(cluster)}/${topic}` : sinkOf(leg)
    }
    const breaks = (mishap: Mishap, lane: ReadFrom): boolean => {
      const isStruck = this.strikes(mishap, leat, { lane })
      // Whoever sends on what fell back is no group that handles events.
      if (isStruck && lane.group !== fallbackGroup) this.mayRepeat = true
      return isStruck
    }
    return {
      send: ({ topic }) => {
        const away = this.#awayFor(leat, cluster)
        if (away !== undefined) return awayFaults[away]
        const fault = this.#sendFault(leat, topic, sinkFor(topic))
        if (fault !== undefined || this.isOver) return fault
        if (isAsideTopic(topic) && focus?.state === "deadLettering") return { kind: "delay", ms: letterMs }
        return slow?.cluster === cluster ? { kind: "delay", ms: slow.ms } : undefined
      },
      fence: ({ topic }) => {
        const away = this.#awayFor(leat, cluster)
        if (away !== undefined) return away === "refuses" ? "Unavailable" : "Timeout"
        const states = this.#sendStates(leat, topic, sinkFor(topic))
        return this.#strikes("fence", leat, states) ? "Unavailable" : undefined
      },
      settle: (call) => (breaks("settle", call) ? "Unavailable" : breaks("hangSettle", call) ? "silence" : undefined),
      pull: (call) => (breaks("loseLane", call) ? "LaneLost" : breaks("pull", call) ? "Unavailable" : undefined)
    }
  }

  /** What the disk of one leat does: what any cluster does, but that it is full now and then; and what is settled there has an answer. */
  planOfDisk(leat: number): FaultPlan {
    const fails = (mishap: Mishap, lane: ReadFrom) => this.strikes(mishap, leat, { lane })
    const legs = this.#world.streams.flatMap((stream) => stream.legs)
    const sinkFor = (topic: string) => {
      const leg = legs.find((candidate) => topic.startsWith(`${clusterName(candidate.cluster)}.${candidate.topic}.`))
      return leg === undefined ? undefined : sinkOf(leg)
    }
    return {
      send: ({ topic }) =>
        this.#full.has(leat) && !this.isOver
          ? { kind: "fail", reason: "Full" }
          : this.#sendFault(leat, topic, sinkFor(topic)),
      fence: ({ topic }) =>
        this.#strikes("fence", leat, this.#sendStates(leat, topic, sinkFor(topic))) ? "Unavailable" : undefined,
      settle: (call) => (fails("settle", call) ? "Unavailable" : undefined),
      pull: (call) => (fails("loseLane", call) ? "LaneLost" : fails("pull", call) ? "Unavailable" : undefined)
    }
  }

  #awayFor(leat: number, cluster: number): Away | undefined {
    return this.isOver ? undefined : this.#away.get(`${leat} ${cluster}`)
  }

  /** A send of a letter is in the state that a letter is on its way, and no other send is. */
  #sendStates(leat: number, topic: string, sink: string | undefined): () => ReadonlyArray<State> {
    const isOfLetter = isAsideTopic(topic)
    const whose = isOfLetter ? {} : { sink }
    return () => this.#statesOf(leat, whose).filter((state) => (state === "deadLettering") === isOfLetter)
  }

  #sendFault(leat: number, topic: string, sink: string | undefined): SendFault | undefined {
    const { random } = this
    const states = this.#sendStates(leat, topic, sink)
    const strikes = (mishap: Mishap) => this.#strikes(mishap, leat, states)
    const ms = Math.floor(random() * this.#world.msMax)
    if (strikes("fail")) return { kind: "fail", reason: one(random, ["Unavailable", "Throttled"]) }
    if (strikes("refuse")) return { kind: "fail", reason: "Rejected" }
    for (const kind of ["delay", "lateWrite", "answerTwice"] as const) if (strikes(kind)) return { kind, ms }
    for (const kind of ["loseResponse", "cut", "silence", "throw"] as const) if (strikes(kind)) return { kind }
    return strikes("oversize") ? { kind: "oversize", bytesMax: Math.floor(random() * 8192) } : undefined
  }
}
