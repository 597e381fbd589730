/** A stream of a world that moves: where it is to lie, what was told of it, and what handlers began and ended. */
import type { Contract } from "leat/contract"
import type { Place } from "../../src/control/ControlRecord.ts"
import type { Epoch, Placement } from "../../src/control/Placement.ts"
import { type Note, noteContract } from "../contracts/Note.ts"

/** An event of it. */
export interface EventAt {
  /** As text, without the stream. */
  readonly id: string
  /** Of what keeps order. */
  readonly lane: string
  readonly seq: number
}

/** One that stands in an epoch. */
export interface Logical extends EventAt {
  readonly epoch: number
}

export const groups = ["one", "two"] as const
export type Group = (typeof groups)[number]

export class WorldStream {
  readonly name: string
  readonly contract: Contract<Note>
  /** Where the newest document sends it. */
  here: Place
  /** By group: what handlers began, in order of time. */
  readonly handled: Record<Group, Array<EventAt>> = { one: [], two: [] }
  /** By group: what handlers ended well. */
  readonly done: Record<Group, Set<string>> = { one: new Set(), two: new Set() }
  /** Ids of what publishers were told stored, by incarnation. */
  readonly #told = new Map<string, Set<string>>()
  /** As they were seen last: the control stream forgets those that were retired long ago. */
  readonly epochs = new Map<number, Epoch>()
  readonly begun = new Set<number>()
  readonly passed = new Set<string>()

  constructor(name: string, here: Place) {
    this.name = name
    this.contract = noteContract({ stream: name })
    this.here = here
  }

  /** What the publishers of a process were told stored. */
  toldTo(incarnation: string): Set<string> {
    const found = this.#told.get(incarnation) ?? new Set()
    this.#told.set(incarnation, found)
    return found
  }

  /** A group has one position in a topic, for all streams there. */
  groupName(group: Group): string {
    return `${group}.${this.name}`
  }

  get told(): ReadonlyArray<string> {
    return Array.from(this.#told.values()).flatMap((ids) => [...ids])
  }

  /** Epochs that were seen to have begun, oldest first, each as it was seen last. */
  get seen(): ReadonlyArray<Epoch> {
    return Array.from(this.epochs.values())
      .filter(({ begin }) => begin !== undefined)
      .toSorted((one, other) => one.epoch - other.epoch)
  }

  get relaxedEpochs(): ReadonlyArray<number> {
    return [...this.epochs.values()].filter(({ isRelaxed }) => isRelaxed === true).map(({ epoch }) => epoch)
  }

  note(placement: Placement | undefined, killed: ReadonlySet<string>): void {
    for (const one of placement?.epochs ?? []) {
      const { epoch, over, begin } = one
      this.epochs.set(epoch, one)
      if (begin !== undefined) this.begun.add(epoch)
      for (const member of over.keys()) if (!killed.has(member)) this.passed.add(`${epoch} ${member}`)
    }
  }

  /** Whether each group has handled all that was told stored. */
  get isRead(): boolean {
    const { told } = this
    return groups.every((group) => told.every((id) => this.done[group].has(id)))
  }

  /** What is wrong with what stands in its epochs, in their order, and in fallbacks, and with what was handled. */
  judge(logical: ReadonlyArray<Logical>, fellBack: ReadonlyArray<string>, keepsOrder: boolean): ReadonlyArray<string> {
    const wrong: Array<string> = []
    const there = new Set([...logical.map(({ id }) => id), ...fellBack])
    const { told, name } = this
    for (const group of groups) {
      const unread = told.filter((id) => !this.done[group].has(id))
      if (unread.length > 0)
        wrong.push(
          `${unread.length} events of ${name} were told stored, and group ${group} has handled none of them: ${unread.slice(0, 3).join()}`
        )
    }
    const lost = told.filter((id) => !there.has(id))
    if (lost.length > 0)
      wrong.push(
        `${lost.length} events of ${name} were told stored and are nowhere that is read: ${lost.slice(0, 3).join()}`
      )
    const highest = new Map<string, number>()
    const seen = new Set<string>()
    for (const { id, seq, lane } of logical) {
      if (seen.has(id)) continue
      seen.add(id)
      const before = highest.get(lane) ?? -1
      if (seq < before) wrong.push(`${id} of ${name} stands for the first time behind ${before}`)
      highest.set(lane, Math.max(before, seq))
    }
    return keepsOrder ? [...wrong, ...this.#outOfOrder(logical)] : wrong
  }

  /** Of a move that gives up order nothing is known of what stands before it and behind it. */
  *#outOfOrder(logical: ReadonlyArray<Logical>): Iterable<string> {
    const partOf = new Map<string, number>()
    for (const { id, epoch } of logical)
      if (!partOf.has(id)) partOf.set(id, this.relaxedEpochs.filter((one) => one <= epoch).length)
    for (const group of groups) {
      const first = new Set<string>()
      const last = new Map<string, number>()
      for (const { id, lane, seq } of this.handled[group]) {
        if (first.has(id)) continue
        first.add(id)
        const part = `${lane} ${partOf.get(id) ?? 0}`
        const before = last.get(part) ?? -1
        if (seq < before) yield `group ${group} handled ${id} of ${this.name} for the first time behind ${before}`
        last.set(part, Math.max(before, seq))
      }
    }
  }
}
