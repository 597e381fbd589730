/**
 * The fallbacks of a sink: topics of other clusters that take what the destination does not, partition by partition. While a partition is on,
 * what is sent there goes to one of them, the first that takes it, and has ended once it is stored there.
 */
import { Semaphore } from "effect"
import type { PartitionBounds, Position, Writer } from "../../transport/index.ts"
import { type FallbackPlace, type FallbackPlaces, settledOf } from "./openFallback.ts"

/** What this leat knows of one partition in one place. */
export class PlacePart {
  /** Position behind the last record of this leat, or of whoever wrote before it was opened. */
  end: Position = 0n
  /** Position behind the last record of this leat that the place has placed. */
  tookEnd: Position = 0n
  /** Whether a record of this leat stands somewhere before the end of the topic, and the place does not say where. */
  isUnplaced = false
  /** What is before this position was sent on. */
  settled: Position = 0n
  /** What was sent on when the partition was turned to it: nothing of this leat stands before it. */
  settledBefore: Position = 0n

  /** Records that are not sent on yet; lost when the topic is made anew. */
  get left(): number {
    return this.end > this.settled ? Number(this.end - this.settled) : 0
  }

  get isEmpty(): boolean {
    return this.left === 0 && !this.isUnplaced
  }
}

/** One partition of the destination, and of its fallbacks. */
export class FallbackPart {
  /** The place that what is sent there goes to, in the order in which they are tried; undefined: the destination. */
  at: number | undefined
  /** What stands in each place. */
  readonly there: ReadonlyArray<PlacePart>
  /** Whether nothing is sent for the time being: what is in the fallback has its turn. */
  isHeld = false
  /** When it was turned to the place it is at, or held back; milliseconds of the monotonic clock. */
  onSinceMs = 0
  heldSinceMs = 0
  /** Before this time it is not held back again. */
  freeUntilMs = 0
  /** How long it may be held back; twice as long each time that was too short. */
  heldMs = firstHeldMs
  /** Whether nothing has gone to the place it is at since it was turned to it. */
  isFresh = false
  /** Whether something may still land at the destination, which is fenced before anything is sent there again. */
  isOwed = false
  /** Whether something that the sink had sent before may still land behind what is sent on: by another writer than its own. */
  mayLandLate = false
  /** Whether the sink is being fenced because of that: its partition does not go back meanwhile. */
  isFencing = false
  /** Whoever sends on from several places fences one after the other. */
  readonly fencing = Semaphore.makeUnsafe(1)
  /** Pauses between two looks whether the destination is back, where nobody else looks; in milliseconds. */
  pauseMs = firstPauseMs
  lookedMs = 0
  /** Whether it is asked at the moment. */
  isAsked = false
  /** When it was last turned off. */
  backSinceMs = Number.NEGATIVE_INFINITY
  /** Whether the destination has stored something since then. */
  hasStored = true

  constructor(places: number) {
    this.there = Array.from({ length: places }, () => new PlacePart())
  }

  /** Whether what is sent there goes to a fallback. */
  get isOn(): boolean {
    return this.at !== undefined
  }

  /** Records in all places that are not sent on yet. */
  get left(): number {
    return this.there.reduce((total, { left }) => total + left, 0)
  }

  get isUnplaced(): boolean {
    return this.there.some(({ isUnplaced }) => isUnplaced)
  }
}

/** How long what is published waits in its buffer for the last of a fallback to be sent on, in milliseconds. */
export const firstHeldMs = 1000

/** How long at most, in milliseconds, however often that was too short. */
export const heldMsMax = 8000

/** Pauses before the destination is asked whether it is back: the first, and the longest. */
export const firstPauseMs = 250
export const pauseMsMax = 5000
/** The longest after trials that take long to fail. */
export const trialPauseMsMax = 300_000

export class Fallback {
  /** In the order in which they are tried. */
  readonly places: FallbackPlaces
  readonly back: "redrive" | "stay"
  readonly parts: ReadonlyArray<FallbackPart>
  /** What the lanes of the sink write to: the destination, or where a partition is on the place that it is at. */
  readonly writer: Writer
  readonly destination: Writer

  constructor(places: FallbackPlaces, destination: Writer) {
    this.places = places
    this.back = places[0].back
    this.destination = destination
    this.parts = Array.from({ length: destination.partitions }, () => new FallbackPart(places.length))
    for (const place of places) for (const bounds of place.bounds) this.#begin(place, bounds)
    const of = (partition: number) => this.placeOf(partition)?.writer ?? destination
    this.writer = {
      partitions: destination.partitions,
      send: (partition, ...sent) => of(partition).send(partition, ...sent),
      fence: (partition) => of(partition).fence(partition)
    }
  }

  /** What stands somewhere is written behind: in the last place that has something of the partition. */
  #begin({ index }: FallbackPlace, bounds: PartitionBounds): void {
    const part = this.parts[bounds.partition]
    const there = part?.there[index]
    if (part === undefined || there === undefined) return
    there.settled = settledOf(bounds)
    there.settledBefore = there.settled
    there.end = bounds.end
    if (!there.isEmpty) part.at = index
  }

  /** The place that a partition is at; undefined: it is not on. */
  placeOf(partition: number): FallbackPlace | undefined {
    const at = this.parts[partition]?.at
    return at === undefined ? undefined : this.places[at]
  }

  isOn(partition: number): boolean {
    return this.parts[partition]?.isOn === true
  }

  /** The partitions that are on. */
  get on(): ReadonlyArray<number> {
    return this.parts.flatMap(({ isOn }, partition) => (isOn ? [partition] : []))
  }

  /** From now on what is sent to the partition goes to the first place. */
  trip(part: FallbackPart, nowMs: number): void {
    part.isOwed = true
    part.mayLandLate = true
    part.lookedMs = nowMs
    part.heldMs = firstHeldMs
    this.turn(part, 0, nowMs)
  }

  /** From now on it goes to a place. */
  turn(part: FallbackPart, to: number, nowMs: number): void {
    part.at = to
    part.isFresh = true
    part.onSinceMs = nowMs
    const there = part.there[to]
    if (there !== undefined) there.settledBefore = there.settled
  }

  /**
   * Where a partition goes when the place that it is at takes nothing; the same: it waits there. Where what stands in the places is sent on, the
   * first of them first, nothing may be written before what waits: behind the last place it goes back to the last one that holds something.
   */
  next({ at = 0, there }: FallbackPart): number {
    if (at + 1 < this.places.length) return at + 1
    if (this.back === "stay") return 0
    const last = there.findLastIndex(({ isEmpty }) => !isEmpty)
    return last === -1 ? at : last
  }

  /** The topic of a place was made anew: of what stood there nothing does. */
  renew(there: PlacePart): void {
    there.settled = 0n
    there.settledBefore = 0n
    there.end = 0n
    there.tookEnd = 0n
  }

  /** The place that the partition is at has stored records, the first of them at `base`. */
  took(part: FallbackPart, count: number, base: Position | undefined): void {
    const there = part.there[part.at ?? -1]
    if (there === undefined) return
    part.isFresh = false
    if (base === undefined) {
      there.isUnplaced = true
      return
    }
    const end = base + BigInt(count)
    if (end > there.tookEnd) there.tookEnd = end
    if (end > there.end) there.end = end
  }
}
