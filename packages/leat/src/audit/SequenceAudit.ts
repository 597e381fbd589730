/**
 * Judges what stands in a topic by the sequences that leat's records carry: each publisher (incarnation) numbers the events of a bucket without
 * gaps, and says of those it dropped which they were. So what is neither there nor announced is missing, what is there twice is a copy, and what
 * stands behind a later one is out of order.
 */
import { taggedStream } from "../record/CompactHeader.ts"
import type { EventId } from "../record/EventId.ts"
import { type Counts, newCounts } from "../ledger/Counts.ts"
import { crashLossesOf } from "../ledger/crashLoss.ts"
import type { ReceivedRecord } from "../transport/index.ts"
import type { Announcement } from "../transport/Announcement.ts"
import { type AuditedRecord, auditedRecord } from "./auditedRecord.ts"
import { type Announced, announcedOf } from "./announced.ts"
import { BucketAudit, type Finding } from "./BucketAudit.ts"
import { droppedUnsaid } from "./droppedUnsaid.ts"
import type { Range } from "./Ranges.ts"
import { SaidAtClose } from "./saidAtClose.ts"
import { explainedBy, takenFromFallbacks } from "./takenFromFallbacks.ts"

/** Events of a bucket that are not there: sequences [from, to). */
export interface SequenceRange extends Omit<EventId, "seq"> {
  readonly from: number
  readonly to: number
  /** Epoch milliseconds of the record that shows it, which comes later in the bucket; absent: nothing came later. */
  readonly timeMs?: number
}

/** An announcement of a publisher, and whether its process is there: as `readLedgers` of `@leat/log` tells. */
export interface AuditedLedger extends Announcement {
  /** As `AnnouncedLedger` of `@leat/log`; taken for `closed` or `elsewhere`, by `isClosed`, when absent. */
  readonly state?: "closed" | "running" | "gone" | "forgotten" | "elsewhere"
}

/** One publisher's events of one stream. */
interface Publication {
  readonly incarnation: string
  readonly buckets: Map<number, BucketAudit>
  /** Partitions whose last notice had no room for all drops: the next one would have said them. */
  readonly cut: Set<number>
  /** Partitions with drops that no notice lists: nobody can tell any more what is missing there. */
  readonly forgotten: Set<number>
  /** Events that were announced as dropped, and are there all the same. */
  droppedAndStored: number
}

/** What is counted record by record. */
export interface Tally {
  /** Records that were read, whatever they are. */
  records: number
  /** Records without an id of leat: of other writers. */
  foreign: number
  /** Different events that are there. */
  events: number
  /** Further copies of them. */
  copies: number
  /** Events that stand first behind a later one of their bucket. */
  outOfOrder: number
  /** Announced as dropped, and there all the same: their publisher never had an answer. */
  droppedAndStored: number
  /** Records whose bytes no longer verify. */
  corrupt: number
}

/** A partition, as it begins to be read. */
export interface PartitionRead {
  readonly takenAway: number
  readonly isOfFallback: boolean
  /** Whether it is read from a time on. */
  readonly isFromTime: boolean
  readonly hasBucket?: ((bucket: number) => boolean) | undefined
}

/** What is known of a partition before its records are seen. */
interface PartitionFacts {
  /** Whether reading begins behind the first record that there ever was. */
  readonly isCutAtStart: boolean
  /** Whether compaction or retention has taken records away between those that are read. */
  isHoled: boolean
  /** Whether it is of the fallback, in which events of each bucket stay that are not in the topic. */
  readonly isOfFallback: boolean
  readonly hasBucket: (bucket: number) => boolean
  /** Positions whose records were deleted, by retention or compaction. */
  takenAway: number
  /** Epoch milliseconds of the first record that was read. */
  firstMs: number | undefined
}

/** What was taken away from fallbacks, and what of the ranges that are missing it may have been. */
interface TakenAway {
  readonly explained: ReadonlyMap<Range<Finding>, number>
  /** Epoch milliseconds. */
  readonly beforeMs: number
}

/** What no record shows any more, of one publisher and stream. */
export interface Verdict {
  readonly stream: string
  readonly incarnation: string
  readonly dropped: Counts
  readonly droppedRanges: ReadonlyArray<SequenceRange>
  readonly missing: ReadonlyArray<SequenceRange>
  /** Number of events in `missing`, less those that its publisher counts as dropped without having been able to announce them. */
  readonly missingEvents: number
  /** Taken away by retention or compaction, or behind a notice that was cut: nobody can tell. */
  readonly unauditable: number
  /** Lost with a process that is gone, at most. */
  readonly crashLost: number
  /** On their way in a process that is there, or in the spill or the fallback of one that is not. */
  readonly pending: number
  /** Of a process that is gone: how many of the announced are there, and how many are there, or dropped, beyond what it has admitted. */
  readonly gone: { readonly stored: number; readonly excess: number } | undefined
}

export class SequenceAudit {
  readonly tally: Tally = {
    records: 0,
    foreign: 0,
    events: 0,
    copies: 0,
    outOfOrder: 0,
    droppedAndStored: 0,
    corrupt: 0
  }
  readonly #publications = new Map<string, Publication>()
  readonly #partitions = new Map<number, PartitionFacts>()
  readonly #nameOf: ReadonlyMap<string, string>
  readonly #since: number | undefined
  /** Of each partition that something was taken away from, in the order of reading: the buckets that it has. */
  readonly #cuts: Array<(bucket: number) => boolean> = []
  readonly #sample: (what: "copy" | "outOfOrder", id: EventId) => void

  /** `streams` are names that tags stand for. `since`: their epochs from this one on are all looked at; undefined: one topic is. */
  constructor(
    streams: ReadonlyArray<string>,
    since: number | undefined,
    sample: (what: "copy" | "outOfOrder", id: EventId) => void
  ) {
    this.#nameOf = new Map(streams.map((stream) => [taggedStream(stream), stream]))
    this.#since = since
    this.#sample = sample
  }

  /** A partition that is read now. `takenAway`: positions before the first record that is there. `hasBucket`: which buckets are written to it. */
  partition(
    partition: number,
    { takenAway, isOfFallback, isFromTime, hasBucket: has = () => true }: PartitionRead
  ): void {
    const isCutAtStart = takenAway > 0 || isFromTime
    const facts = { isCutAtStart, isHoled: false, isOfFallback, takenAway, firstMs: undefined, hasBucket: has }
    this.#partitions.set(partition, facts)
    if (takenAway > 0) this.#cuts.push(has)
  }

  /** Positions of the partition hold nothing: `reason` says why. */
  gap(partition: number, reason: "compacted" | "expired" | "control" | "corrupt", positions: number): void {
    if (reason === "corrupt") this.tally.corrupt += positions
    const facts = this.#partitions.get(partition)
    if (facts === undefined || (reason !== "compacted" && reason !== "expired")) return
    if (!facts.isHoled) this.#cuts.push(facts.hasBucket)
    facts.isHoled = true
    facts.takenAway += positions
  }

  /** Returns whether it is an event that was not there before. `isOf` says which records are looked at; all are when absent. */
  record(partition: number, record: ReceivedRecord, isOf?: (record: AuditedRecord) => boolean): boolean {
    const facts = this.#partitions.get(partition)
    if (facts !== undefined) facts.firstMs ??= record.timeMs
    const audited = auditedRecord(record.headers)
    if (isOf !== undefined && (audited === undefined || !isOf(audited))) return false
    this.tally.records++
    if (audited === undefined) {
      this.tally.foreign++
      return false
    }
    const { incarnation, tag, id, dropped, isNoticeCut, hasForgotten } = audited
    const publication = this.#publicationOf(incarnation, tag)
    const isNew = id !== undefined && this.#see(publication, partition, record, id, audited)
    // A copy says what the first one has said.
    if (id !== undefined && !isNew) return false
    if (hasForgotten) publication.forgotten.add(partition)
    if (isNoticeCut) publication.cut.add(partition)
    else if (dropped.length > 0) publication.cut.delete(partition)
    for (const { bucket, from, to, reason } of dropped) {
      const audit = bucketOf(publication, bucket)
      const finding = { ...this.#findingAt(audit, bucket, partition, record.timeMs, audited.epoch), reason }
      this.#noteDroppedAndStored(publication, audit.announce(from, to, finding))
    }
    return isNew
  }

  /** The name that a stream has for people. */
  nameOf(tag: string): string {
    return this.#nameOf.get(tag) ?? tag
  }

  /** What the records, and what publishers announced of themselves, say of each publisher and stream. */
  judge(ledgers: ReadonlyArray<AuditedLedger>, isSink: (sink: string) => boolean): ReadonlyArray<Verdict> {
    const announced = announcedOf(ledgers, isSink, this.#since)
    for (const { incarnation, tag } of announced.values()) this.#publicationOf(incarnation, tag)
    const taken = takenFromFallbacks(this.#partitions.values())
    const unclear = Array.from(this.#publications.values()).flatMap(({ buckets, cut, forgotten }) =>
      Array.from(buckets.values()).flatMap(({ missing }) =>
        missing.filter(
          ({ of: { isTakenAway, partition } }) => !isTakenAway && !cut.has(partition) && !forgotten.has(partition)
        )
      )
    )
    const explained = explainedBy(taken, unclear)
    return Array.from(this.#publications, ([name, publication]) => {
      const tag = name.slice(publication.incarnation.length + 1)
      return this.#judge(tag, publication, announced.get(name), { explained, beforeMs: taken.beforeMs })
    })
  }

  #judge(tag: string, publication: Publication, announced: Announced | undefined, taken: TakenAway): Verdict {
    const { incarnation, buckets } = publication
    const stream = announced?.stream ?? this.nameOf(tag)
    const shown = this.#shown(publication, stream, announced, taken)
    const { dropped, droppedRanges, missing, between, ends, tail, unauditable, known } = shown
    const { ofBetween, ofTail, unclearBetween, unclear } = shown.unsaid
    const state = announced?.state ?? "elsewhere"
    // The gap of a dead letter is announced when that is stored; until then it has the fate of what is on its way.
    const ofLetters = state === "closed" ? 0 : Math.min(between - ofBetween, announced?.deadLettering ?? 0)
    // What a fallback has stays there, or is sent on by whoever holds it: it may be missing here, whatever has become of this process. Where the
    // fallback was read it is not.
    const fellBack = this.#isFallbackRead ? 0 : (announced?.fellBack ?? 0)
    const ofFallback = Math.min(between - ofBetween - unclearBetween - ofLetters, fellBack)
    // What it has left in a spill the next process sends.
    const elsewhere = (announced?.spilled ?? 0) + fellBack - ofFallback
    const isOver = state === "closed" || state === "gone"
    const ofSpill = isOver ? Math.min(tail - ofTail - unclear, elsewhere) : 0
    const onItsWay = tail + ofLetters - ofSpill
    const unseen = eventsOf(missing) - ofBetween - unclearBetween - ofLetters - ofFallback
    const verdict = {
      stream,
      incarnation,
      dropped: known === 0 ? dropped : Object.assign(dropped, { unannounced: known }),
      droppedRanges
    }
    if (announced !== undefined && state === "gone") {
      const isWhole = unauditable === 0
      const unsure = isWhole ? tail : tail - ofTail
      const stored = presentIn(buckets, announced.taken)
      const found = { present: isWhole ? stored : undefined, behind: unsure, between: between - ofBetween }
      const losses = crashLossesOf(this.#legsOf(announced), found)
      const left = Math.max(0, unsure + ofLetters - losses.lost - Math.max(0, losses.kept - ofFallback))
      const ofTold = Math.min(left, Math.max(0, losses.missing - unseen))
      if (ofTold > 0) missing.push(...ends)
      return {
        ...verdict,
        missing,
        missingEvents: unseen + ofTold,
        unauditable: isWhole ? 0 : unauditable + left,
        crashLost: losses.lost,
        pending: losses.kept,
        gone: { stored, excess: losses.excess }
      }
    }
    // Of a process that is closed nothing is on its way any more; of another one what is behind the last record may be.
    const ofEnds = tail - ofTail - unclear - ofSpill
    const isShort = state === "closed" && ofEnds > 0
    if (isShort) missing.push(...ends)
    return {
      ...verdict,
      missing,
      missingEvents: isShort ? unseen + ofEnds : unseen,
      unauditable: state === "elsewhere" || state === "forgotten" ? unauditable + onItsWay : unauditable,
      crashLost: 0,
      pending: ofFallback + (state === "running" ? onItsWay : ofSpill),
      gone: undefined
    }
  }

  /** What is not there, less what its publisher has named when it was closed, and what of that it counts as dropped. */
  #shown(publication: Publication, stream: string, announced: Announced | undefined, taken: TakenAway) {
    const { buckets, droppedAndStored } = publication
    const { dropped, droppedRanges, unlisted, ...gaps } = gapsOf(publication, stream, taken)
    const last = this.#endsOf(publication, stream, announced?.sequences ?? [], taken)
    const named = new SaidAtClose(announced?.unannounced ?? [], buckets)
    const { said, rest: missing } = named.parts(gaps.missing)
    const { said: saidAtEnd, rest: ends } = named.parts(last.ends)
    droppedRanges.push(...said, ...saidAtEnd)
    const between = eventsOf(missing)
    const behind = eventsOf(ends)
    const tail = announced?.isElsewhere === true ? this.#tailHere(announced, buckets, ends, named.there) : behind
    const unauditable = gaps.unauditable + last.unclear
    const unsaid = droppedUnsaid(announced && { ...announced, said: announced.unannounced && named }, {
      listed: total(dropped),
      listedAndStored: droppedAndStored,
      unlisted,
      between,
      behind,
      tail,
      unauditable,
      isCut: this.#isAnyCut
    })
    return {
      dropped,
      droppedRanges,
      missing,
      between,
      ends,
      tail,
      unsaid,
      unauditable: unauditable + unlisted - unsaid.ofUnlisted + unsaid.unclear + unsaid.unclearBetween,
      known: unsaid.all + eventsOf(said) + eventsOf(saidAtEnd)
    }
  }

  /** What was announced as admitted behind the last event of each bucket that is there; `unclear`: so many of it that nobody can tell. */
  #endsOf(
    { incarnation, buckets, cut }: Publication,
    stream: string,
    sequences: Announced["sequences"],
    { beforeMs }: TakenAway
  ): { readonly ends: ReadonlyArray<SequenceRange>; readonly unclear: number } {
    const ends: Array<SequenceRange> = []
    let unclear = 0
    for (const [bucket, next] of sequences) {
      const audit = buckets.get(bucket)
      const { next: from = 0, lastMs = Number.NEGATIVE_INFINITY, cuts = 0 } = audit ?? {}
      if (from >= next) continue
      const isCut =
        this.#since === undefined ? audit?.isSeen !== true && this.#isAnyCut : this.#isCutSince(cuts, bucket)
      if (cut.size > 0 || isCut || lastMs < beforeMs) unclear += next - from
      else ends.push({ incarnation, stream, bucket, from, to: next })
    }
    return { ends, unclear }
  }

  /** Returns whether the event was not there before. */
  #see(
    publication: Publication,
    partition: number,
    { timeMs }: ReceivedRecord,
    id: EventId,
    { isReplay, epoch }: AuditedRecord
  ): boolean {
    const audit = bucketOf(publication, id.bucket)
    const sighting = audit.see(id.seq, this.#findingAt(audit, id.bucket, partition, timeMs, epoch))
    audit.cuts = this.#cuts.length
    if (sighting === "copy") {
      this.tally.copies++
      this.#sample("copy", { ...id, stream: this.nameOf(id.stream) })
      return false
    }
    this.tally.events++
    if (sighting === "dropped") this.#noteDroppedAndStored(publication, 1)
    if (sighting === "late" && !isReplay) {
      this.tally.outOfOrder++
      this.#sample("outOfOrder", { ...id, stream: this.nameOf(id.stream) })
    }
    return true
  }

  #noteDroppedAndStored(publication: Publication, events: number): void {
    publication.droppedAndStored += events
    this.tally.droppedAndStored += events
  }

  #publicationOf(incarnation: string, tag: string): Publication {
    const name = `${incarnation} ${tag}`
    let publication = this.#publications.get(name)
    if (publication === undefined) {
      publication = { incarnation, buckets: new Map(), cut: new Set(), forgotten: new Set(), droppedAndStored: 0 }
      this.#publications.set(name, publication)
    }
    return publication
  }

  #findingAt(audit: BucketAudit, bucket: number, partition: number, timeMs: number, epoch = 0): Finding {
    const { isCutAtStart = false, isHoled = false } = this.#partitions.get(partition) ?? {}
    const isOfNobody = isHoled || (isCutAtStart && !audit.isSeen) || this.#mayBeElsewhere(audit, bucket, epoch)
    audit.epoch = Math.max(audit.epoch, epoch)
    return { partition, timeMs, sinceMs: audit.lastMs, isTakenAway: isOfNobody }
  }

  /**
   * Of one place: what is not there between two epochs, or before one that is not the first, may lie in another. Of all places: it may have been taken away
   * from one that was read since.
   */
  #mayBeElsewhere(audit: BucketAudit, bucket: number, epoch: number): boolean {
    if (this.#since === undefined) return epoch > Math.max(1, audit.epoch)
    return (this.#since > 1 && audit.next === 0) || this.#isCutSince(audit.cuts, bucket)
  }

  #isCutSince(cuts: number, bucket: number): boolean {
    return this.#cuts.some((has, index) => index >= cuts && has(bucket))
  }

  /** Of what is behind the last record of each bucket, as much as may be missing here: the rest went to the other places of its stream. */
  #tailHere(
    announced: Announced,
    buckets: Publication["buckets"],
    ends: ReadonlyArray<SequenceRange>,
    droppedAndThere: number
  ): number {
    const behind = eventsOf(ends)
    const present = presentIn(buckets, announced.taken) - droppedAndThere
    const { lost, kept, missing } = crashLossesOf(this.#legsOf(announced), { present, behind, between: 0 })
    return Math.min(behind, lost + kept + missing)
  }

  /** What a fallback has is there, where it was read. */
  #legsOf({ legs }: Announced): Announced["legs"] {
    return this.#isFallbackRead ? legs.map((leg) => ({ ...leg, fellBack: 0 })) : legs
  }

  get #isFallbackRead(): boolean {
    return [...this.#partitions.values()].some(({ isOfFallback }) => isOfFallback)
  }

  get #isAnyCut(): boolean {
    return [...this.#partitions.values()].some(({ isCutAtStart, isHoled }) => isCutAtStart || isHoled)
  }
}

/** What the records show of sequences that are not there: announced as dropped, missing, or of which nobody can tell. */
function gapsOf({ incarnation, buckets, cut, forgotten }: Publication, stream: string, { explained }: TakenAway) {
  const dropped = newCounts()
  const droppedRanges: Array<SequenceRange> = []
  const missing: Array<SequenceRange> = []
  let unauditable = 0
  let unlisted = 0
  for (const [bucket, audit] of buckets) {
    for (const { from, to, of } of audit.dropped) {
      dropped[of.reason ?? "unknown"] = (dropped[of.reason ?? "unknown"] ?? 0) + to - from
      droppedRanges.push({ incarnation, stream, bucket, from, to, timeMs: of.timeMs })
    }
    for (const range of audit.missing) {
      const { from, to, of } = range
      if (!of.isTakenAway && forgotten.has(of.partition)) unlisted += to - from
      else {
        const isUnclear = of.isTakenAway || cut.has(of.partition)
        const lost = from + (isUnclear ? to - from : (explained.get(range) ?? 0))
        unauditable += lost - from
        if (lost < to) missing.push({ incarnation, stream, bucket, from: lost, to, timeMs: of.timeMs })
      }
    }
  }
  return { dropped, droppedRanges, missing, unauditable, unlisted }
}

function bucketOf({ buckets }: Publication, bucket: number): BucketAudit {
  let audit = buckets.get(bucket)
  if (audit === undefined) {
    audit = new BucketAudit()
    buckets.set(bucket, audit)
  }
  return audit
}

/** How many of the announced sequences are there. */
function presentIn(
  buckets: ReadonlyMap<number, BucketAudit>,
  taken: Announcement["streams"][number]["sequences"]
): number {
  return taken.reduce((sum, [bucket, next]) => sum + (buckets.get(bucket)?.presentWithin(0, next) ?? 0), 0)
}

export function total(counts: Readonly<Counts>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}

function eventsOf(ranges: ReadonlyArray<SequenceRange>): number {
  return ranges.reduce((sum, { from, to }) => sum + to - from, 0)
}
