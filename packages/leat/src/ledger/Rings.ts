/**
 * Past moments in bounded space: close together where they are young, far apart where they are old. Each has a slot, in which others keep what
 * they knew at that moment; a moment that is wanted for several distances has several.
 */

/** How far apart moments are, in milliseconds, and how many distances back they reach. */
const distances: ReadonlyArray<{ readonly everyMs: number; readonly count: number }> = [
  // Five minutes.
  { everyMs: 10_000, count: 30 },
  // An hour.
  { everyMs: 120_000, count: 30 },
  // Six hours.
  { everyMs: 720_000, count: 30 },
  // Three days.
  { everyMs: 7_200_000, count: 36 }
]

/** Slots in all: with n distances between them stand n + 1 moments. */
export const slotsMax = distances.reduce((total, { count }) => total + count + 1, 0)

/** The least time from one moment to the next, in milliseconds. */
const everyMsMin = 10_000

interface Ring {
  readonly everyMs: number
  readonly from: number
  readonly size: number
  next: number
  lastMs: number
}

export class Rings {
  readonly #times = new Float64Array(slotsMax).fill(Number.POSITIVE_INFINITY)
  readonly #rings: ReadonlyArray<Ring>

  constructor() {
    let from = 0
    this.#rings = distances.map(({ everyMs, count }) => {
      const ring = { everyMs, from, size: count + 1, next: 0, lastMs: Number.NEGATIVE_INFINITY }
      from += ring.size
      return ring
    })
  }

  /** Whether a moment is to be noted now: the youngest is old enough. */
  isDue(nowMs: number): boolean {
    return nowMs - (this.#rings[0]?.lastMs ?? 0) >= everyMsMin
  }

  /** Notes a moment, in the place of the oldest ones; returns its slots. */
  note(nowMs: number): ReadonlyArray<number> {
    const slots: Array<number> = []
    for (const ring of this.#rings) {
      if (nowMs - ring.lastMs < ring.everyMs) continue
      const slot = ring.from + ring.next
      ring.next = ring.next === ring.size - 1 ? 0 : ring.next + 1
      ring.lastMs = nowMs
      this.#times[slot] = nowMs
      slots.push(slot)
    }
    return slots
  }

  /** The slot of the youngest moment that is not after a time; undefined: all of them are. */
  slotBy(timeMs: number): number | undefined {
    let found: number | undefined
    for (let slot = 0; slot < slotsMax; slot++) {
      const atMs = this.timeAt(slot)
      if (atMs <= timeMs && (found === undefined || atMs > this.timeAt(found))) found = slot
    }
    return found
  }

  /** When the moment of a slot was; infinite: never. */
  timeAt(slot: number): number {
    return this.#times[slot] ?? Number.POSITIVE_INFINITY
  }
}
