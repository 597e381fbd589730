/**
 * The fallback of a sink: a topic of another cluster that takes what the destination does not, partition by partition. While a partition is
 * on, what is sent there goes to the fallback, and has ended once it is stored there.
 */
import type { Position, Writer } from "../../transport/index.ts"
import { type FallbackPlace, settledOf } from "./openFallback.ts"

/** One partition of the destination, and of the fallback. */
export class FallbackPart {
  /** Whether what is sent there goes to the fallback. */
  isOn = false
  /** Whether nothing is sent for the time being: what is in the fallback has its turn. */
  isHeld = false
  /** When it was turned on, or held back; milliseconds of the monotonic clock. */
  onSinceMs = 0
  heldSinceMs = 0
  /** Before this time it is not held back again. */
  freeUntilMs = 0
  /** How long it may be held back; twice as long each time that was too short. */
  heldMs = firstHeldMs
  /** Whether nothing has gone there since it is on. */
  isFresh = false
  /** Position behind the last record of this leat, or of whoever wrote before it was opened. */
  end: Position = 0n
  /** Position behind the last record of this leat that the fallback has placed. */
  tookEnd: Position = 0n
  /** Whether a record of this leat stands somewhere before the end of the topic, and the fallback does not say where. */
  isUnplaced = false
  /** What is before this position was sent on. */
  settled: Position = 0n
  /** What was sent on when it was turned on: nothing of this leat stands before it. */
  settledBefore: Position = 0n
  /** Whether something may still land at the destination, which is fenced before anything is sent there again. */
  isOwed = false
  /** Pauses between two looks whether the destination is back, where nobody else looks; in milliseconds. */
  pauseMs = firstPauseMs
  lookedMs = 0
  /** Whether it is asked at the moment. */
  isAsked = false
  /** When it was last turned off. */
  backSinceMs = Number.NEGATIVE_INFINITY
  /** Whether the destination has stored something since then. */
  hasStored = true

  /** Events that are lost when the topic is made anew. */
  get lost(): number {
    return this.end > this.settled ? Number(this.end - this.settled) : 0
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
  readonly place: FallbackPlace
  readonly parts: ReadonlyArray<FallbackPart>
  /** What the lanes of the sink write to: the destination, or the fallback where a partition is on. */
  readonly writer: Writer
  readonly destination: Writer

  constructor(place: FallbackPlace, destination: Writer) {
    this.place = place
    this.destination = destination
    this.parts = Array.from({ length: destination.partitions }, () => new FallbackPart())
    for (const bounds of place.bounds) {
      const part = this.parts[bounds.partition]
      if (part === undefined) continue
      part.settled = settledOf(bounds)
      part.settledBefore = part.settled
      part.end = bounds.end
      part.isOn = part.settled < part.end
    }
    const of = (partition: number) => (this.isOn(partition) ? place.writer : destination)
    this.writer = {
      partitions: destination.partitions,
      send: (partition, ...sent) => of(partition).send(partition, ...sent),
      fence: (partition) => of(partition).fence(partition)
    }
  }

  /** As warnings call it. */
  get name(): string {
    return `the fallback ${this.place.topic}`
  }

  isOn(partition: number): boolean {
    return this.parts[partition]?.isOn === true
  }

  /** The partitions that are on. */
  get on(): ReadonlyArray<number> {
    return this.parts.flatMap(({ isOn }, partition) => (isOn ? [partition] : []))
  }

  /** From now on what is sent to the partition goes to the fallback. */
  trip(part: FallbackPart, nowMs: number): void {
    part.isOn = true
    part.settledBefore = part.settled
    part.isFresh = true
    part.isOwed = true
    part.onSinceMs = nowMs
    part.lookedMs = nowMs
    part.heldMs = firstHeldMs
  }

  /** The topic was made anew: of what stood there nothing does. */
  renew(part: FallbackPart): void {
    part.settled = 0n
    part.settledBefore = 0n
    part.end = 0n
    part.tookEnd = 0n
  }

  /** It has stored records, the first of them at `base`. */
  took(partition: number, count: number, base: Position | undefined): void {
    const part = this.parts[partition]
    if (part === undefined) return
    part.isFresh = false
    if (base === undefined) {
      part.isUnplaced = true
      return
    }
    const end = base + BigInt(count)
    if (end > part.tookEnd) part.tookEnd = end
    if (end > part.end) part.end = end
  }
}
