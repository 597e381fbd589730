/** Reads places once, one behind the other, and says what of the events there is missing, doubled or out of order. */
import { Effect, Stream } from "effect"
import { list } from "../deadLetters/listLetters.ts"
import { newCounts } from "../ledger/Counts.ts"
import { fallbackPartitions, fallbackTopic } from "../record/fallbackTopic.ts"
import type { EventId } from "../record/EventId.ts"
import type { PartitionBounds, Position, ReceivedBatch, Transport, TransportError } from "../transport/index.ts"
import type { AuditReport, AuditWindow } from "./AuditReport.ts"
import type { AuditedRecord } from "./auditedRecord.ts"
import { type AuditedLedger, SequenceAudit, total, type Verdict } from "./SequenceAudit.ts"

/** What an audit needs of a transport. */
export type AuditedTransport = Pick<Transport, "read" | "bounds"> & Partial<Pick<Transport, "topics">>

/** A partition that is read. */
export interface PlaceOfEvents {
  readonly transport: AuditedTransport
  readonly topic: string
  readonly bounds: PartitionBounds
  /** Its number among all that are read: order is that of each of them. */
  readonly index: number
  readonly isOfFallback: boolean
  /** Positions before its begin that were taken away; all of them when absent. */
  readonly takenAway?: number
  /** Which buckets are written there; any when absent. */
  readonly hasBucket?: (bucket: number) => boolean
  /** Whether a record is of what is audited; all are when absent. */
  readonly isOf?: (record: AuditedRecord) => boolean
}

/** How it is judged. */
export interface PlacesAudited {
  /** What the report says that it is of. */
  readonly topic: string
  readonly places: ReadonlyArray<PlaceOfEvents>
  /** Names of the streams that tags stand for. */
  readonly streams: ReadonlyArray<string>
  readonly ledgers: ReadonlyArray<AuditedLedger>
  /** Whether a row of a ledger, `cluster/topic`, is of one of the places. */
  readonly isSink: (sink: string) => boolean
  /** All places of the epochs from this one on are given; undefined: one topic is, whatever lies in others. */
  readonly since?: number
  readonly fromTimeMs?: number | undefined
  readonly group?: string | undefined
  readonly windowMs?: number | undefined
  readonly samplesMax?: number | undefined
}

export const auditPlaces = Effect.fnUntraced(function* ({
  topic,
  places,
  streams,
  ledgers,
  isSink,
  since,
  fromTimeMs,
  group: asked,
  windowMs = Number.POSITIVE_INFINITY,
  samplesMax = 20
}: PlacesAudited): Effect.fn.Return<AuditReport, TransportError> {
  const samples = { copy: new Array<EventId>(), outOfOrder: new Array<EventId>() }
  const audit = new SequenceAudit(streams, since, (what, id) => {
    if (samples[what].length < samplesMax) samples[what].push(id)
  })
  const windows = new Windows(windowMs)
  const group = { settled: 0, waiting: 0 }
  for (const place of places) {
    const { settled } = place.bounds
    const visit = (timeMs: number, position: Position) => {
      windows.at(timeMs).events++
      if (settled !== undefined && position < settled) group.settled++
      else group.waiting++
    }
    yield* readPartition(place, fromTimeMs, audit, visit)
  }
  const verdicts = audit.judge(ledgers, isSink)
  for (const { droppedRanges, missing } of verdicts) {
    for (const range of droppedRanges) windows.at(range.timeMs).dropped += range.to - range.from
    for (const range of missing) windows.at(range.timeMs).missing += range.to - range.from
  }
  return {
    topic,
    ...audit.tally,
    ...summed(verdicts, audit.tally.events),
    windows: windows.all,
    copyIds: samples.copy,
    outOfOrderIds: samples.outOfOrder,
    ...(asked === undefined ? {} : { group: { group: asked, ...group, deadLetters: yield* lettersOf(places, asked) } })
  }
})

/** The partitions of the fallbacks of a topic; `index`: of the first of them. */
export const placesOfFallbacks = Effect.fnUntraced(function* (
  { cluster, topic, partitions }: { readonly cluster: string; readonly topic: string; readonly partitions: number },
  fallbacks: ReadonlyArray<AuditedTransport>,
  group: string | undefined,
  index: number
): Effect.fn.Return<ReadonlyArray<PlaceOfEvents>, TransportError> {
  const places: Array<PlaceOfEvents> = []
  for (const transport of fallbacks) {
    // A topic that has got more partitions has another one of each number that it had.
    const there = transport.topics === undefined ? [] : yield* transport.topics
    const found = there.filter((one) => fallbackPartitions(one, { cluster, topic }) !== undefined)
    for (const beside of new Set([...found, fallbackTopic({ cluster, topic }, partitions)]))
      for (const bounds of yield* orNone(transport.bounds(beside, group)))
        places.push({ transport, topic: beside, bounds, index: index + places.length, isOfFallback: true })
  }
  return places
})

/** Nothing, where the topic has never been there. */
function orNone<A>(asking: Effect.Effect<ReadonlyArray<A>, TransportError>) {
  return Effect.catchIf(
    asking,
    ({ reason }) => reason === "UnknownTopic",
    () => Effect.succeed<ReadonlyArray<A>>([])
  )
}

/** Hands the records of a partition over, in order, with `visit` told of each event that was not there before. */
const readPartition = Effect.fnUntraced(function* (
  {
    transport,
    topic: name,
    bounds: { partition, start, end },
    index,
    isOfFallback,
    takenAway,
    hasBucket,
    isOf
  }: PlaceOfEvents,
  fromTimeMs: number | undefined,
  audit: SequenceAudit,
  visit: (timeMs: number, position: Position) => void
) {
  const isFromTime = fromTimeMs !== undefined
  audit.partition(index, { takenAway: takenAway ?? Number(start), isOfFallback, isFromTime, hasBucket })
  // Where reading begins at a time, the positions before it are not looked at.
  let next = fromTimeMs === undefined ? start : undefined
  const take = ({ records, next: after, gap }: ReceivedBatch) =>
    Effect.sync(() => {
      // Before its records: the positions that hold nothing stand in front of them and between them.
      const from = next ?? records[0]?.position ?? after
      if (gap !== undefined) audit.gap(index, gap, Number(after - from) - records.length)
      for (const record of records)
        if (record.position >= start && record.position < end && audit.record(index, record, isOf))
          visit(record.timeMs, record.position)
      next = after
    })
  const range = fromTimeMs === undefined ? { fromPosition: start, toPosition: end } : { fromTimeMs }
  yield* transport.read(name, partition, range).pipe(
    Stream.takeWhile(({ records }) => (records[0]?.position ?? start) < end),
    Stream.runForEach(take)
  )
})

function summed(verdicts: ReadonlyArray<Verdict>, events: number) {
  const dropped = newCounts()
  const sums = { missing: 0, crashLost: 0, pending: 0, unauditable: 0 }
  for (const verdict of verdicts) {
    for (const [reason, count] of Object.entries(verdict.dropped)) dropped[reason] = (dropped[reason] ?? 0) + count
    sums.missing += verdict.missingEvents
    sums.crashLost += verdict.crashLost
    sums.pending += verdict.pending
    sums.unauditable += verdict.unauditable
  }
  const lost = sums.missing + sums.crashLost + total(dropped)
  return {
    publishers: new Set(verdicts.map(({ incarnation }) => incarnation)).size,
    ...sums,
    gone: verdicts.flatMap(({ gone, incarnation, stream, crashLost, pending, missingEvents, unauditable }) =>
      gone === undefined
        ? []
        : [{ incarnation, stream, ...gone, crashLost, spilled: pending, missing: missingEvents, unauditable }]
    ),
    missingRanges: verdicts.flatMap(({ missing, missingEvents }) => (missingEvents > 0 ? missing : [])),
    dropped: { ...dropped },
    lossRatio: lost === 0 ? 0 : lost / (lost + events)
  }
}

/** The dead letters of a group, by what became of them, beside each topic that it reads; none where it has never had one. */
const lettersOf = Effect.fnUntraced(function* (places: ReadonlyArray<PlaceOfEvents>, group: string) {
  const counts = { open: 0, replayed: 0, dropped: 0 }
  // The topic of a fallback has one name in each of several clusters.
  const read = Array.from(
    Map.groupBy(places, ({ transport }) => transport),
    ([transport, own]) => Array.from(new Set(own.map(({ topic: name }) => name)), (name) => ({ transport, name }))
  )
  for (const { transport, name } of read.flat())
    yield* list(transport, { topic: name, group }, { state: "all" }).pipe(
      Stream.runForEach(({ resolution }) => Effect.sync(() => void counts[resolution?.how ?? "open"]++)),
      Effect.catchIf(
        ({ reason }) => reason === "UnknownTopic",
        () => Effect.void
      )
    )
  return counts
})

type Mutable<A> = { -readonly [K in keyof A]: A[K] }

/** Counts by time. What has no time is counted in the last window: nothing came later. */
class Windows {
  readonly #windowMs: number
  readonly #windows = new Map<number, Mutable<AuditWindow>>()

  constructor(windowMs: number) {
    this.#windowMs = windowMs
  }

  at(timeMs: number | undefined): Mutable<AuditWindow> {
    const fromMs = timeMs === undefined ? this.#last : this.#startOf(timeMs)
    let window = this.#windows.get(fromMs)
    if (window === undefined) {
      window = { fromMs, events: 0, dropped: 0, missing: 0 }
      this.#windows.set(fromMs, window)
    }
    return window
  }

  #startOf(timeMs: number): number {
    return this.#windowMs === Number.POSITIVE_INFINITY ? 0 : Math.floor(timeMs / this.#windowMs) * this.#windowMs
  }

  get #last(): number {
    return Math.max(0, ...this.#windows.keys())
  }

  get all(): ReadonlyArray<AuditWindow> {
    return [...this.#windows.values()].toSorted((one, other) => one.fromMs - other.fromMs)
  }
}
