/** The epochs of a stream in one topic, as a subscription reads them: which range a partition is in, and what it waits for when it is in none. */
import type { Place } from "../control/ControlRecord.ts"
import { isSameTopic, type Placement } from "../control/Placement.ts"
import { type Readable, readableIn } from "../control/readable.ts"
import { type PlacePartition, type SettledPositions, topicOf, type WaitsFor } from "./SettledPositions.ts"

export type TopicPlace = Pick<Place, "cluster" | "topic">

export class PlaceEpochs {
  readonly #place: TopicPlace
  readonly #placement: () => Placement | undefined
  readonly topic: string
  readonly positions: SettledPositions
  readonly #keepsOrder: boolean

  /** `keepsOrder`: whatever its moves say. */
  constructor(
    place: TopicPlace,
    placement: () => Placement | undefined,
    positions: SettledPositions,
    keepsOrder: boolean
  ) {
    this.#keepsOrder = keepsOrder
    this.#place = place
    this.#placement = placement
    this.topic = topicOf(place)
    this.positions = positions
  }

  get placement(): Placement | undefined {
    return this.#placement()
  }

  /** Up to where a partition may be read; undefined where nothing may, or no end is known. */
  endOf(partition: number): number | undefined {
    const { placement } = this
    return placement === undefined ? undefined : this.readableOf(placement, partition).readable?.end
  }

  /** `waitsFor`: the partition that has to be settled further before there is a range, where that is what is missing. */
  readableOf(
    placement: Placement,
    partition: number
  ): { readonly readable: Readable | undefined; readonly waitsFor?: WaitsFor | undefined } {
    let last: PlacePartition | undefined
    const settledOf = (place: Place, at: number): number => {
      last = { topic: topicOf(place), partition: at }
      return this.positions.of(last)
    }
    // A topic that was given more partitions is another place.
    const places = placement.epochs
      .map(({ place }) => place)
      .filter((place) => isSameTopic(place, this.#place as Place))
    for (const place of places) {
      const readable = readableIn(placement, place, partition, settledOf, this.#keepsOrder)
      if (readable !== undefined) return { readable }
    }
    return { readable: undefined, waitsFor: shortOf(placement, last, this.positions) }
  }
}

/** The partition, with the end that the group has to settle next there; undefined where it has settled all that are known. */
function shortOf(
  { epochs }: Placement,
  at: PlacePartition | undefined,
  positions: SettledPositions
): WaitsFor | undefined {
  if (at === undefined) return undefined
  const settled = positions.of(at)
  const ends = epochs.flatMap(({ place, end }) => (topicOf(place) === at.topic ? (end?.[at.partition] ?? []) : []))
  const until = Math.min(...ends.filter((end) => end > settled))
  return until === Number.POSITIVE_INFINITY ? undefined : { ...at, until }
}
