/**
 * How far a group has settled the places of a stream that moves, as far as one subscription knows: what its own lanes have settled, and what transports
 * have answered. It may lag behind and never runs ahead. Lanes that may give nothing stand here until it knows more.
 */
import type { Place } from "../control/ControlRecord.ts"
import { firstToDo } from "./CatchingUp.ts"
import type { PartitionBounds } from "../transport/index.ts"
import type { Wake } from "../Wake.ts"

/** A partition of a topic. */
export interface PlacePartition {
  readonly topic: string
  readonly partition: number
}

/** A partition, and the position up to which it has to be settled. */
export interface WaitsFor extends PlacePartition {
  readonly until: number
}

interface Standing {
  readonly wake: Wake
  readonly waitsFor: WaitsFor | undefined
}

interface Known {
  readonly settled: Array<number>
  /** Partitions with a lane here that may still settle. */
  readonly held: Set<number>
}

/** Names the topic of a place, in one cluster. */
export function topicOf(place: Pick<Place, "cluster" | "topic">): string {
  let name = topicNames.get(place)
  if (name === undefined) topicNames.set(place, (name = JSON.stringify([place.cluster, place.topic])))
  return name
}

/** Asked for with each batch, and the same objects stand in one placement after the other. */
const topicNames = new WeakMap<object, string>()

export class SettledPositions {
  readonly #known = new Map<string, Known>()
  readonly #standing = new Set<Standing>()
  /** Told when a lane begins to stand because of a topic. */
  readonly #askers = new Map<string, () => void>()
  /** Rises with each change. */
  version = 0

  /** The first position that is not settled, as far as is known. */
  of({ topic, partition }: PlacePartition): number {
    return this.#known.get(topic)?.settled[partition] ?? 0
  }

  /** A lane begins here, where the group has settled: also before what was known, where somebody has put it back. */
  begun({ topic, partition }: PlacePartition, start: number): void {
    const known = this.#of(topic)
    known.settled[partition] = start
    known.held.add(partition)
    this.changed()
  }

  /** A lane here has settled. */
  settled(at: PlacePartition, position: number): void {
    if (this.#raise(at, position)) this.#moved(at)
  }

  /** Nothing more is told of a lane here. */
  over({ topic, partition }: PlacePartition): void {
    if (this.#of(topic).held.delete(partition)) this.changed()
  }

  /** A transport has answered. Says whether anything has moved. */
  heard(topic: string, rows: ReadonlyArray<PartitionBounds>): boolean {
    let hasMoved = false
    for (const row of rows) {
      const at = { topic, partition: row.partition }
      if (!this.#raise(at, Number(firstToDo(row, undefined)))) continue
      hasMoved = true
      this.#moved(at)
    }
    return hasMoved
  }

  /** Whoever stands looks again: also after a change of where the stream lies. */
  changed(): void {
    this.version++
    for (const { wake } of this.#standing) wake.signal()
  }

  /** A lane stands, because of a partition where that is known; returns how to end that. */
  stand(wake: Wake, waitsFor: WaitsFor | undefined): () => void {
    const one = { wake, waitsFor }
    this.#standing.add(one)
    if (waitsFor !== undefined) this.#askers.get(waitsFor.topic)?.()
    return () => this.#standing.delete(one)
  }

  /** Whether a lane stands because of a partition of a topic of which only its transport can tell. */
  isAsked(topic: string): boolean {
    for (const { waitsFor } of this.#standing)
      if (waitsFor?.topic === topic && this.#known.get(topic)?.held.has(waitsFor.partition) !== true) return true
    return false
  }

  /** Calls `asked` when a lane begins to stand because of a topic. */
  watch(topic: string, asked: () => void): void {
    this.#askers.set(topic, asked)
  }

  /** Only those look again who wait for that: lanes settle often, and many may stand for long. */
  #moved(at: PlacePartition): void {
    this.version++
    const settled = this.of(at)
    for (const { wake, waitsFor } of this.#standing)
      if (waitsFor?.topic === at.topic && waitsFor.partition === at.partition && settled >= waitsFor.until)
        wake.signal()
  }

  #raise({ topic, partition }: PlacePartition, position: number): boolean {
    const { settled } = this.#of(topic)
    if (position <= (settled[partition] ?? 0)) return false
    settled[partition] = position
    return true
  }

  #of(topic: string): Known {
    let known = this.#known.get(topic)
    if (known === undefined) this.#known.set(topic, (known = { settled: [], held: new Set() }))
    return known
  }
}
