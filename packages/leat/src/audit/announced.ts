/** What publishers announced of themselves, as an audit of a topic looks at it: one for each stream that they have written there. */
import { taggedStream } from "../record/CompactHeader.ts"
import { hasBucket } from "../ledger/crashLoss.ts"
import type { UnannouncedRange } from "../ledger/Unannounced.ts"
import type { Announcement } from "../transport/Announcement.ts"
import { type AuditedLedger, total } from "./SequenceAudit.ts"

/** What one publisher announced of one stream in the topic. */
export interface Announced {
  readonly incarnation: string
  readonly stream: string
  readonly tag: string
  readonly state: NonNullable<AuditedLedger["state"]>
  /** Of the buckets that go there now. */
  readonly sequences: Announcement["streams"][number]["sequences"]
  /** Of all buckets. */
  readonly taken: Announcement["streams"][number]["sequences"]
  /** Its rows of the stream in the topic, of each epoch. */
  readonly legs: Announcement["legs"]
  /** Whether it has written the stream in other epochs elsewhere. */
  readonly isElsewhere: boolean
  /** Events that it counts as dropped or dead-lettered there, less those that may be stored; and these. */
  readonly dropped: number
  readonly droppedMayBeStored: number
  /** Of a process that was closed: the drops there that no record announces; undefined: it has not said. */
  readonly unannounced: ReadonlyArray<UnannouncedRange> | undefined
  /** Events that wait to be set aside there. */
  readonly deadLettering: number
  /** Events that it has in its spill, or has left there. */
  readonly spilled: number
  /** Events that its fallback has stored. */
  readonly fellBack: number
}

export function announcedOf(
  ledgers: ReadonlyArray<AuditedLedger>,
  isSink: (sink: string) => boolean,
  since: number | undefined
): ReadonlyMap<string, Announced> {
  const found = new Map<string, Announced>()
  for (const { incarnation, isClosed, legs, streams, state } of ledgers)
    for (const { stream, sequences } of streams) {
      const there = legs.filter((leg) => leg.stream === stream && isSink(leg.sink))
      const ofStream = legs.filter((leg) => leg.stream === stream)
      const own = since === undefined ? there : [...there, ...calledOff(ofStream, there, sequences, since)]
      if (own.length === 0 || isIdle(own, sequences)) continue
      const ownEpochs = new Set(own.map(({ epoch }) => epoch))
      const isElsewhere = legs.some((leg) => leg.stream === stream && !isSink(leg.sink) && !ownEpochs.has(leg.epoch))
      const droppedMayBeStored = own.reduce((sum, leg) => sum + leg.droppedMayBeStored, 0)
      const ended = own.reduce((sum, leg) => sum + total(leg.dropped) + total(leg.deadLettered), 0)
      const deadLettering = own.reduce((sum, leg) => sum + leg.deadLettering, 0)
      const spilled = own.reduce((sum, leg) => sum + (leg.spilled ?? 0), 0)
      const tag = taggedStream(stream)
      const known = state ?? (isClosed ? "closed" : "elsewhere")
      const fellBack = own.reduce((sum, leg) => sum + (leg.fellBack ?? 0), 0)
      // What goes elsewhere alone is not missing where a share of the keys goes.
      const ofTopic = sequences.filter(([bucket]) => own.some((leg) => hasBucket(leg, bucket)))
      const counts = {
        sequences: ofTopic,
        taken: sequences,
        legs: own,
        isElsewhere,
        dropped: ended - droppedMayBeStored,
        droppedMayBeStored,
        unannounced: known === "closed" ? unannouncedOf(own) : undefined,
        deadLettering,
        spilled,
        fellBack
      }
      found.set(`${incarnation} ${tag}`, { incarnation, stream, tag, state: known, ...counts })
    }
  return found
}

/** Of all its rows; undefined: one does not say. */
function unannouncedOf(legs: Announced["legs"]): Announced["unannounced"] {
  const all = legs.flatMap(({ unannounced }) => (unannounced === undefined ? [] : [unannounced]))
  return all.length === legs.length ? all.flat() : undefined
}

/** Whoever has a stream open has a row of it: also who only reads it. */
function isIdle(rows: Announcement["legs"], sequences: Announcement["streams"][number]["sequences"]): boolean {
  return (
    sequences.length === 0 && rows.every(({ admitted, recovered, movedIn }) => admitted + recovered + movedIn === 0)
  )
}

/**
 * Rows of epochs that have not begun, or were called off: nothing was sent there, and what was admitted for them has ended there, or with the process. What
 * the other rows have not admitted of all that was numbered tells them from mirrors, which are given every event once more.
 */
function calledOff(
  rows: Announcement["legs"],
  there: Announcement["legs"],
  sequences: Announcement["streams"][number]["sequences"],
  since: number
): Announcement["legs"] {
  const epochs = new Set(there.map(({ epoch }) => epoch))
  const taken = sequences.reduce((sum, [, next]) => sum + next, 0)
  let left = taken - there.reduce((sum, leg) => sum + admittedOf(leg), 0)
  const found: Array<Announcement["legs"][number]> = []
  for (const leg of rows.toSorted((one, other) => admittedOf(other) - admittedOf(one))) {
    const admitted = admittedOf(leg)
    if (admitted === 0 || admitted > left || leg.epoch < since || epochs.has(leg.epoch)) continue
    epochs.add(leg.epoch)
    left -= admitted
    found.push(leg)
  }
  return found
}

/** Less what has gone on as the leg of another epoch. */
const admittedOf = ({ admitted, movedIn, movedOut }: Announcement["legs"][number]) => admitted + movedIn - movedOut
