/** What of the events that are not there was dropped, by the ledger of their publisher alone: no record has announced it. Counts are of events. */

/** What a publisher counts of one stream in one topic. */
export interface CountedDrops {
  readonly state: "closed" | "running" | "gone" | "forgotten" | "elsewhere"
  /** Dropped or dead-lettered, less those that may be stored. */
  readonly dropped: number
  /** Dropped or dead-lettered after a send without an answer. */
  readonly droppedMayBeStored: number
  /** Whether it has written other epochs of the stream elsewhere. */
  readonly isElsewhere: boolean
}

/** What the records show. */
export interface ShownGaps {
  /** Announced as dropped by a record, and not there. */
  readonly listed: number
  /** Announced as dropped by a record, and there all the same. */
  readonly listedAndStored: number
  /** Not there, where a notice says that it does not list all. */
  readonly unlisted: number
  /** Missing before the last event of their bucket that is there. */
  readonly between: number
  /** Behind the last event of their bucket that is there, and of that what may be missing here: less, where the rest went elsewhere. */
  readonly behind: number
  readonly tail: number
  readonly unauditable: number
}

/** What was dropped of what the records show. */
export interface UnsaidDrops {
  readonly ofUnlisted: number
  readonly ofBetween: number
  readonly ofTail: number
  /** All that was dropped and not announced. */
  readonly all: number
}

/**
 * A lane announces its drops with the next record that it stores, so what a closed process has not announced stands at the end of its buckets. There also
 * what was sent and may be stored counts as dropped: the process has given it up, and it is not there. Between records it explains nothing.
 */
export function droppedUnsaid(counted: CountedDrops | undefined, shown: ShownGaps): UnsaidDrops {
  if (counted === undefined) return { ofUnlisted: 0, ofBetween: 0, ofTail: 0, all: 0 }
  const { state, dropped, droppedMayBeStored, isElsewhere } = counted
  const { listed, listedAndStored, between, behind, tail } = shown
  const unsaid = Math.max(0, dropped - listed)
  // Its ledger counts those that no notice lists; without it nobody can tell what they were.
  const ofUnlisted = Math.min(shown.unlisted, unsaid)
  const unauditable = shown.unauditable + shown.unlisted - ofUnlisted
  const unannounced = unsaid - ofUnlisted
  const isClosed = state === "closed"
  // What may be missing in one of several places is less what was dropped there already.
  const tailMax = isElsewhere ? behind - tail : tail
  const first = isClosed ? Math.min(tailMax, unannounced) : 0
  // Drops whose notices were taken away, with what they tell of, explain nothing that is missing between records that are kept.
  const ofBetween = Math.min(between, Math.max(0, unannounced - first - unauditable))
  const ofBehind = state === "gone" ? Math.min(tailMax, unannounced - ofBetween) : first
  const unsaidInDoubt = dropped + droppedMayBeStored - listed - listedAndStored - ofUnlisted - ofBetween - ofBehind
  const doubtMax = isClosed && !isElsewhere ? Math.min(tail - ofBehind, droppedMayBeStored) : 0
  const ofDoubt = Math.max(0, Math.min(doubtMax, unsaidInDoubt - unauditable))
  return {
    ofUnlisted,
    ofBetween,
    ofTail: (isElsewhere ? 0 : ofBehind) + ofDoubt,
    all: ofUnlisted + ofBetween + ofBehind + ofDoubt + Math.max(0, unannounced - ofBetween - ofBehind - unauditable)
  }
}
