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

interface Standing {
  readonly wake: Wake
  readonly waitsFor: PlacePartition | undefined
}

interface Known {
  readonly settled: Array<number>
  /** Partitions with a lane here that may still settle. */
  readonly held: Set<number>
}

/** Names the topic of a place, in one cluster. */
export function topicOf({ cluster, topic }: Pick<Place, "cluster" | "topic">): string {
  return JSON.stringify([cluster, topic])
}

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
    if (this.#raise(at, position)) this.changed()
  }

  /** Nothing more is told of a lane here. */
  over({ topic, partition }: PlacePartition): void {
    if (this.#of(topic).held.delete(partition)) this.changed()
  }

  /** A transport has answered. Says whether anything has moved. */
  heard(topic: string, rows: ReadonlyArray<PartitionBounds>): boolean {
    const moved = rows.filter((row) =>
      this.#raise({ topic, partition: row.partition }, Number(firstToDo(row, undefined)))
    )
    if (moved.length > 0) this.changed()
    return moved.length > 0
  }

  /** Whoever stands looks again: also after a change of where the stream lies. */
  changed(): void {
    this.version++
    for (const { wake } of this.#standing) wake.signal()
  }

  /** A lane stands, because of a partition where that is known; returns how to end that. */
  stand(wake: Wake, waitsFor: PlacePartition | undefined): () => void {
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
