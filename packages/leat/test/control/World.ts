/**
 * A state of the model: writers, those who coordinate, brokers, the readers of one group, and what is on its way between them. Immutable;
 * a step makes another one. Each part has its own `code`, so that a state is named by joining them.
 */
import { Result } from "effect"
import type { Control } from "../../src/control/Control.ts"
import type { ControlRecord, Place } from "../../src/control/ControlRecord.ts"
import type { Epoch, Placement } from "../../src/control/Placement.ts"
import type { Machine } from "./Machine.ts"

/** What is explored, and how much of everything there is. A bound that is 0 switches its fault off. */
export interface Setup {
  readonly name: string
  readonly says: string
  /** Partitions of each place; the stream begins in the first. */
  readonly places: Readonly<Record<string, number>>
  readonly buckets: number
  /** Events that each writer offers, by bucket. */
  readonly offers: ReadonlyArray<ReadonlyArray<number>>
  /** Writers that join while everything runs. */
  readonly late: ReadonlyArray<number>
  /** Who coordinates and commands. */
  readonly actors: number
  /** Documents that send the stream elsewhere. */
  readonly commands: number
  /** Answers that get lost, sends that come late. */
  readonly doubts: number
  /** Writers that crash. */
  readonly crashes: number
  /** Writers that live and are passed over. */
  readonly suspicions: number
  /** Lanes that go to the other reader, with what is in its hands. */
  readonly revokes: number
  /** Coordinators that crash between two steps. */
  readonly failovers: number
  /** Whether brokers fence: what was on its way is void after it. */
  readonly fences: boolean
  /** Leases that run out; undefined: leases are not strict. */
  readonly expiries: number | undefined
  /** Processes that are taken for dead and forgotten. */
  readonly forgets: number
  /** Places that die. */
  readonly deaths: number
  /** Old places that are abandoned, dead or not. */
  readonly abandons: number
  /** Times that a person holds the stream, and may let it go on. */
  readonly pauses: number
  /** Whether the other places hold a record of earlier times. */
  readonly isUsed: boolean
  /** Whether a second stream is about to move too. */
  readonly neighbour: boolean
}

/** An event: which writer, bucket and sequence number. */
export interface Id {
  readonly w: number
  readonly b: number
  readonly seq: number
}

export interface Stored extends Id {
  readonly epoch: number
}

/** A send without an answer. */
export interface Sent extends Stored {
  readonly place: Place
  readonly partition: number
  readonly state: "flying" | "doubt"
}

export interface Writer {
  readonly isAlive: boolean
  /** Which of the states of the log it has. */
  readonly at: number
  /** Of what is queued. */
  readonly epoch: number
  readonly offered: ReadonlyArray<number>
  /** By bucket, in order. */
  readonly queued: ReadonlyArray<ReadonlyArray<number>>
  readonly gated: ReadonlyArray<ReadonlyArray<number>>
  readonly acked: ReadonlyArray<ReadonlyArray<number>>
  readonly busy: ReadonlyArray<Sent>
  readonly hasAskedToJoin: boolean
  /** The sealing that it has drained for: epoch and attempt. */
  readonly said: string
  readonly hasLease: boolean
  /** The beat that it has written and not read back; spent: the lease that it gives has run out meanwhile. */
  readonly beating: "" | "fresh" | "spent"
  readonly code: string
}

export interface Actor {
  /** A record that was thought out and is not in the log yet. */
  readonly pending: { readonly record: ControlRecord; readonly swept?: Id } | undefined
  readonly sweep:
    | (Sent & { readonly from: number; readonly fromPartition: number; readonly fromPosition: number })
    | undefined
  readonly code: string
}

export interface Partition {
  readonly records: ReadonlyArray<Stored>
  /** Of the group. */
  readonly settled: number
  /** The position that is handled; -1: none. */
  readonly hand: number
  readonly reader: number
  readonly code: string
}

export interface World {
  /** The states of the control stream from what the slowest has read up to now. */
  readonly log: ReadonlyArray<Control>
  readonly writers: ReadonlyArray<Writer>
  readonly actors: ReadonlyArray<Actor>
  /** By place. */
  readonly partitions: Readonly<Record<string, ReadonlyArray<Partition>>>
  /** Sends that somebody has given up and that may still come to be stored. */
  readonly ghosts: ReadonlyArray<Stored & { readonly place: Place; readonly partition: number }>
  /** Which of its states each reader has. */
  readonly readers: ReadonlyArray<number>
  /** Events that were handled, by `indexOf`. */
  readonly delivered: number
  /** Attempts of each event whose outcome nobody knew when it was sent again. */
  readonly excuses: ReadonlyArray<number>
  /** The place that can be neither written nor read; empty: all can. */
  readonly dead: string
  /** How much of each bound was used. */
  readonly used: Readonly<Record<Bound, number>>
  /** What went wrong in the step that led here. */
  readonly broken?: string
}

export type Bound =
  | "commands"
  | "doubts"
  | "crashes"
  | "suspicions"
  | "revokes"
  | "failovers"
  | "expiries"
  | "forgets"
  | "deaths"
  | "abandons"
  | "pauses"

export const stream = "X"
export const neighbour = "Y"
export const group = "g"
export const seqMax = 3

export const memberOf = (w: number): string => `w${w + 1}`
export const writerOf = (member: string): number => Number(member.slice(1)) - 1
export const eventOf = ({ w, b, seq }: Id): string => `${memberOf(w)}.${"ab"[b] ?? b}${seq}`
export const indexOf = ({ w, b, seq }: Id): number => (w * 2 + b) * seqMax + seq

export const now = ({ log }: World): Control => log.at(-1) as Control
export const placementIn = (control: Control, name = stream): Placement => control.streams.get(name) as Placement
export const epochIn = (control: Control, epoch: number): Epoch | undefined =>
  placementIn(control).epochs.find((one) => one.epoch === epoch)
export const partitionsOf = (world: World, place: Place): ReadonlyArray<Partition> =>
  world.partitions[place.topic] as ReadonlyArray<Partition>
export const endsAt = (world: World, place: Place): ReadonlyArray<number> =>
  partitionsOf(world, place).map(({ records }) => records.length)

export const placeCalled = (setup: Setup, topic: string): Place => ({
  cluster: "c",
  topic,
  partitions: setup.places[topic] as number
})

const codes = new Map<string, string>()

/** A short name for a text, the same for equal texts. */
function shortOf(text: string): string {
  let short = codes.get(text)
  if (short === undefined) codes.set(text, (short = codes.size.toString(36)))
  return short
}

// Every part is made by one of these, which give it its code.

export function writerWith(writer: Omit<Writer, "code">, change: Partial<Writer> = {}): Writer {
  const next = { ...writer, ...change }
  const { isAlive, at, epoch, offered, queued, gated, acked, busy, hasAskedToJoin, said, hasLease, beating } = next
  const lists = [queued, gated, acked].map((list) => list.map((one) => one.join("")).join("/")).join(",")
  const sends = busy.map(sentCode).toSorted().join(",")
  const flags = `${Number(isAlive)}${Number(hasAskedToJoin)}${Number(hasLease)}`
  return { ...next, code: shortOf(`${flags}.${at}.${epoch}.${offered.join("")}.${lists}.${sends}.${said}.${beating}`) }
}

export function actorWith(actor: Omit<Actor, "code">, change: Partial<Actor>): Actor {
  const next = { ...actor, ...change }
  const { pending, sweep } = next
  const from =
    sweep === undefined ? "" : `${sweep.from}.${sweep.fromPartition}.${sweep.fromPosition}.${sentCode(sweep)}`
  const record =
    pending === undefined ? "" : `${pending.swept === undefined ? "" : eventOf(pending.swept)}${textOf(pending.record)}`
  return { ...next, code: shortOf(`${record}~${from}`) }
}

export function partitionWith(partition: Omit<Partition, "code">, change: Partial<Partition> = {}): Partition {
  const next = { ...partition, ...change }
  const records = next.records.map((one) => `${indexOf(one).toString(36)}${one.epoch}`).join("")
  return { ...next, code: shortOf(`${records}.${next.settled}.${next.hand}.${next.reader}`) }
}

const sentCode = ({ state, place, partition, epoch, ...id }: Sent): string =>
  `${state === "doubt" ? "?" : ""}${indexOf(id).toString(36)}${place.topic}${partition}e${epoch}`

/** Text of a value with maps and sets in it. */
export const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, one: unknown) =>
    one instanceof Map
      ? Array.from(one as Map<string, unknown>).toSorted(byName)
      : one instanceof Set
        ? Array.from(one as Set<unknown>)
        : one
  )
const byName = ([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number =>
  one < other ? -1 : 1

/** Equal states of the log are one object, with a number. */
export class Controls {
  readonly #known = new Map<string, Control>()
  readonly #numbers = new Map<Control, number>()
  readonly #after = new Map<Control, Map<string, Control>>()
  readonly #writerViews = new Map<Control, Array<string>>()
  readonly #readerViews = new Map<Control, string>()
  readonly machine: Machine

  constructor(machine: Machine) {
    this.machine = machine
  }

  one(control: Control): Control {
    const text = textOf(control)
    const known = this.#known.get(text)
    if (known !== undefined) return known
    this.#known.set(text, control)
    this.#numbers.set(control, this.#numbers.size)
    return control
  }

  /** All that a writer goes by. */
  writerView(control: Control, w: number): string {
    let views = this.#writerViews.get(control)
    if (views === undefined) this.#writerViews.set(control, (views = []))
    return (views[w] ??= this.#writerViewOf(control, memberOf(w)))
  }

  #writerViewOf(control: Control, member: string): string {
    const placement = placementIn(control)
    const isOver = placement.epochs.some(({ over }) => over.has(member))
    return `${textOf(this.machine.standingOf(placement, member))} ${isOver} ${control.members.get(member)?.beats ?? 0}`
  }

  /** All that a reader goes by. */
  readerView(control: Control): string {
    let view = this.#readerViews.get(control)
    if (view === undefined) {
      const epochs = placementIn(control).epochs.filter(({ begin }) => begin !== undefined)
      const over = (phase: Epoch["phase"]): string => (phase === "retired" || phase === "abandoned" ? phase : "")
      view = textOf(epochs.map(({ epoch, phase, begin, end }) => [epoch, over(phase), begin, end]))
      this.#readerViews.set(control, view)
    }
    return view
  }

  /** Everybody begins anew from a snapshot after every record: nobody notices. */
  #restored(control: Control): Control {
    return Result.getOrThrow(this.machine.readControl(this.machine.writeControl(control)))
  }

  numberOf(control: Control): number {
    return this.#numbers.get(control) as number
  }

  apply(control: Control, record: ControlRecord): Control {
    let after = this.#after.get(control)
    if (after === undefined) this.#after.set(control, (after = new Map()))
    const text = textOf(record)
    let found = after.get(text)
    if (found === undefined) {
      const next = this.machine.apply(control, record)
      after.set(text, (found = next === control ? control : this.one(this.#restored(next))))
    }
    return found
  }
}

/** The name of a state: two worlds with one name go on in the same ways. */
export function nameOf(world: World, controls: Controls): string {
  let name = ""
  for (const control of world.log) name += `${controls.numberOf(control)} `
  for (const writer of world.writers) name += `|${writer.code}`
  for (const actor of world.actors) name += `!${actor.code}`
  for (const topic in world.partitions) for (const { code } of world.partitions[topic] ?? []) name += `:${code}`
  const ghosts = world.ghosts.map(
    ({ place, partition, epoch, ...id }) => `${indexOf(id)}${place.topic}${partition}e${epoch}`
  )
  if (ghosts.length > 0) name += `#${ghosts.toSorted().join(",")}`
  const { commands, doubts, crashes, suspicions, revokes, failovers, expiries, forgets, deaths, abandons, pauses } =
    world.used
  if (forgets + deaths + abandons > 0) name += `~${world.dead}${forgets}${deaths}${abandons}`
  if (pauses > 0) name += `^${pauses}`
  return `${name}@${world.readers.join("")}.${world.delivered}.${world.excuses.join("")}.${commands}${doubts}${crashes}${suspicions}${revokes}${failovers}${expiries}`
}

/** Where everything begins: the stream is open in the first place, and whoever is not late has joined. */
export function beginning(setup: Setup, controls: Controls): World {
  const { machine } = controls
  const [first = "A"] = Object.keys(setup.places)
  const places = new Map([[stream, placeCalled(setup, first)]])
  if (setup.neighbour) places.set(neighbour, { cluster: "c", topic: "Y1", partitions: 1 })
  let control = machine.apply(machine.emptyControl, { kind: "table", base: 0, document: "", places })
  for (const [w] of setup.offers.entries()) {
    if (!setup.late.includes(w)) control = machine.apply(control, { kind: "joined", stream, member: memberOf(w) })
    if (setup.neighbour) control = machine.apply(control, { kind: "joined", stream: neighbour, member: memberOf(w) })
  }
  if (setup.neighbour) {
    const target = new Map([[neighbour, { cluster: "c", topic: "Y2", partitions: 1 }]])
    control = machine.apply(control, { kind: "table", base: control.version, document: "", places: target })
  }
  const none = (): ReadonlyArray<ReadonlyArray<number>> => Array.from({ length: setup.buckets }, () => [])
  const writers = setup.offers.map((_, w) =>
    writerWith({
      isAlive: true,
      at: 0,
      epoch: setup.late.includes(w) ? 0 : 1,
      offered: Array.from({ length: setup.buckets }, () => 0),
      queued: none(),
      gated: none(),
      acked: none(),
      busy: [],
      hasAskedToJoin: !setup.late.includes(w),
      said: "",
      hasLease: true,
      beating: ""
    })
  )
  const partitions = Object.fromEntries(
    Object.entries(setup.places).map(([topic, count], index) => [
      topic,
      Array.from({ length: count }, (_, partition) =>
        partitionWith({
          records: setup.isUsed && index > 0 ? [{ w: 0, b: 0, seq: seqMax - 1, epoch: 0 }] : [],
          settled: 0,
          hand: -1,
          reader: (index + partition) % 2
        })
      )
    ])
  )
  return {
    log: [controls.one(control)],
    writers,
    actors: Array.from({ length: setup.actors }, () => actorWith({ pending: undefined, sweep: undefined }, {})),
    partitions,
    ghosts: [],
    readers: [0, 0],
    delivered: 0,
    excuses: Array.from({ length: setup.offers.length * 2 * seqMax }, () => 0),
    used: {
      commands: 0,
      doubts: 0,
      crashes: 0,
      suspicions: 0,
      revokes: 0,
      failovers: 0,
      expiries: 0,
      forgets: 0,
      deaths: 0,
      abandons: 0,
      pauses: 0
    },
    dead: ""
  }
}

/**
 * Whoever would see nothing new in the next state of the log reads it at once: it could do the same before and after. Then the states that
 * everybody has left behind are forgotten.
 */
export function trimmed(world: World, controls: Controls): World {
  if (world.log.length === 1) return world
  const last = world.log.length - 1
  const ahead = (at: number, viewOf: (control: Control) => string): number => {
    let reached = at
    while (reached < last && viewOf(world.log[reached] as Control) === viewOf(world.log[reached + 1] as Control))
      reached++
    return reached
  }
  const readers = world.readers.map((at) => ahead(at, (control) => controls.readerView(control)))
  const ats = world.writers.map(({ isAlive, at }, w) =>
    isAlive ? ahead(at, (control) => controls.writerView(control, w)) : last
  )
  const slowest = Math.min(...readers, ...ats)
  if (
    slowest === 0 &&
    readers.every((at, index) => at === world.readers[index]) &&
    ats.every((at, w) => at === world.writers[w]?.at)
  )
    return world
  return {
    ...world,
    log: world.log.slice(slowest),
    writers: world.writers.map((writer, w) => {
      const at = writer.isAlive ? (ats[w] ?? 0) - slowest : 0
      return writer.at === at ? writer : writerWith(writer, { at })
    }),
    readers: readers.map((at) => at - slowest)
  }
}
