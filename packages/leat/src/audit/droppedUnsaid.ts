/**
 * What of the events that are not there was dropped, by the counts of their publisher alone: neither a record has announced it, nor has the publisher said
 * which events they were when it was closed. Counts are of events.
 */

/** What a publisher counts of one stream in one topic. */
export interface CountedDrops {
  readonly state: "closed" | "running" | "gone" | "forgotten" | "elsewhere"
  /** Dropped or dead-lettered, less those that may be stored. */
  readonly dropped: number
  /** Dropped or dead-lettered after a send without an answer. */
  readonly droppedMayBeStored: number
  /** Whether it has written other epochs of the stream elsewhere. */
  readonly isElsewhere: boolean
  /** How many more it has named when it was closed, and how many of them are there all the same; undefined: it has not said. */
  readonly said: { readonly events: number; readonly there: number } | undefined
}

/** What the records show, less what it has named. */
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
  /** Whether notices may have been taken away, with the records that had them. */
  readonly isCut: boolean
}

/** What was dropped of what the records show. */
export interface UnsaidDrops {
  readonly ofUnlisted: number
  readonly ofBetween: number
  readonly ofTail: number
  /** Dropped or lost, and nobody can tell which: of what is between records, and of the tail. */
  readonly unclearBetween: number
  readonly unclear: number
  /** All that was dropped and not announced. */
  readonly all: number
}

/**
 * A lane announces its drops with the next record that it stores, so what a closed process has not announced stands at the end of its buckets. It names
 * them when it is closed (`ofNamed`).
 *
 * Of a process that has named none, of a version that did not or because they were too many, also what was sent without an answer may stand there. It may have
 * arrived as well, and then hide as many events of other buckets that are lost: so nobody can tell.
 */
export function droppedUnsaid(counted: CountedDrops | undefined, shown: ShownGaps): UnsaidDrops {
  if (counted === undefined) return { ofUnlisted: 0, ofBetween: 0, ofTail: 0, unclearBetween: 0, unclear: 0, all: 0 }
  const { state, dropped, droppedMayBeStored, isElsewhere, said } = counted
  if (said !== undefined) return ofNamed(counted, said, shown)
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
  const known = ofUnlisted + ofBetween + ofBehind
  const doubtMax = isClosed && !isElsewhere ? Math.min(tail - ofBehind, droppedMayBeStored) : 0
  const ended = dropped + droppedMayBeStored - listed - listedAndStored
  const unclear = Math.max(0, Math.min(doubtMax, ended - known - unauditable))
  const all = known + Math.max(0, unsaid - known - unauditable)
  return { ofUnlisted, ofBetween, ofTail: isElsewhere ? 0 : ofBehind, unclearBetween: 0, unclear, all }
}

/**
 * What is left when it has named what no record announces: drops that a record did announce which is gone, or that its spill or its fallback has given up.
 * Those that are surely not there explain as many that are missing. Of the others nobody knows whether they have arrived. Where records were taken away by
 * retention, what they announced may have stood elsewhere.
 */
function ofNamed(
  { dropped, droppedMayBeStored, isElsewhere }: CountedDrops,
  said: NonNullable<CountedDrops["said"]>,
  { listed, listedAndStored, unlisted, between, behind, tail, unauditable: before, isCut }: ShownGaps
): UnsaidDrops {
  const left = Math.max(0, dropped + droppedMayBeStored - listed - listedAndStored - said.events)
  const ofUnlisted = Math.min(unlisted, left)
  const unauditable = before + unlisted - ofUnlisted
  const doubtMax = Math.max(0, droppedMayBeStored - listedAndStored - said.there)
  const doubt = Math.min(left - ofUnlisted, doubtMax)
  const sure = left - ofUnlisted - doubt
  const tailMax = isElsewhere ? behind - tail : tail
  const sureTail = isCut ? 0 : Math.min(tailMax, sure)
  const sureBetween = Math.min(between, Math.max(0, sure - sureTail - unauditable))
  const unclearTail = Math.min(tailMax - sureTail, doubt + (isCut ? sure - sureBetween : 0))
  const unclearBetween = Math.min(between - sureBetween, Math.max(0, doubt - unclearTail))
  const unclear = isElsewhere ? 0 : unclearTail
  const known = ofUnlisted + sureBetween + sureTail
  return {
    ofUnlisted,
    ofBetween: sureBetween,
    ofTail: isElsewhere ? 0 : sureTail,
    unclearBetween,
    unclear,
    all: known + Math.max(0, sure - sureBetween - sureTail - (isCut ? unclear : 0) - unauditable)
  }
}
