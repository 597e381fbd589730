/**
 * What retention or compaction has taken away from fallbacks, and which of the events that are missing may have been there. Each record there was one
 * event, and retention takes the oldest: so what is missing beyond their number is lost, and so is what came after those that are still there.
 */
import type { Range } from "./Ranges.ts"

/** What was taken away from the partitions of fallbacks. */
export interface Taken {
  /** At most so many events. */
  readonly events: number
  /** They were published before, in epoch milliseconds; infinite where that is not known. */
  readonly beforeMs: number
}

/** A partition, as far as it was read. */
export interface ReadPartition {
  readonly isOfFallback: boolean
  /** Positions whose records are gone. */
  readonly takenAway: number
  /** Whether some of these stood between records that are there. */
  readonly isHoled: boolean
  /** Epoch milliseconds of the first record that is there; undefined: there is none. */
  readonly firstMs: number | undefined
}

/** How far the clocks of publishers, and of the clusters that keep their records, may be apart, in milliseconds. */
const apartMs = 3_600_000

export function takenFromFallbacks(partitions: Iterable<ReadPartition>): Taken {
  let events = 0
  let beforeMs = Number.NEGATIVE_INFINITY
  for (const { isOfFallback, takenAway, isHoled, firstMs } of partitions) {
    if (!isOfFallback || takenAway === 0) continue
    events += takenAway
    beforeMs = Math.max(beforeMs, isHoled || firstMs === undefined ? Number.POSITIVE_INFINITY : firstMs + apartMs)
  }
  return { events, beforeMs }
}

/**
 * Of these ranges of missing events, how many of each may have been taken away: the oldest first. `sinceMs`: the time of the record before, `timeMs` of
 * the one behind.
 */
export function explainedBy<A extends { readonly sinceMs: number; readonly timeMs: number }>(
  { events, beforeMs }: Taken,
  missing: ReadonlyArray<Range<A>>
): ReadonlyMap<Range<A>, number> {
  const explained = new Map<Range<A>, number>()
  let left = events
  for (const range of missing.toSorted((one, other) => one.of.timeMs - other.of.timeMs)) {
    if (range.of.sinceMs >= beforeMs) continue
    const count = Math.min(left, range.to - range.from)
    if (count > 0) explained.set(range, count)
    left -= count
  }
  return explained
}
