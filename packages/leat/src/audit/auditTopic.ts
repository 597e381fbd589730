/** Reads a topic once, as it is when the reading begins, and says what of its events is there, missing, doubled or out of order. */
import { Effect, Stream } from "effect"
import { list } from "../deadLetters/listLetters.ts"
import { type Counts, newCounts } from "../ledger/Counts.ts"
import type { EventId } from "../record/EventId.ts"
import { fallbackPartitions, fallbackTopic } from "../record/fallbackTopic.ts"
import type { PartitionBounds, Position, ReceivedBatch, Transport, TransportError } from "../transport/index.ts"
import {
  type AuditedLedger,
  SequenceAudit,
  type SequenceRange,
  type Tally,
  total,
  type Verdict
} from "./SequenceAudit.ts"
import { checkedAudit } from "./checkedAudit.ts"

/** What an audit needs of a transport. */
export type AuditedTransport = Pick<Transport, "read" | "bounds"> & Partial<Pick<Transport, "topics">>

/** What is audited, and with what it is compared. */
export interface AuditOptions {
  /** Names of the streams in the topic: records of the wire `compact` carry a tag alone. The name of the topic, when absent. */
  readonly streams?: ReadonlyArray<string> | undefined
  /** Epoch milliseconds of the first record; from the start of the topic, when absent. What stands before is not judged. */
  readonly fromTimeMs?: number | undefined
  /** A group: how far it has got, and its dead letters. */
  readonly group?: string | undefined
  /**
   * What publishers announced of themselves, as `readLedgers` of `@leat/log` tells. Without it an event is missed when a later one of its bucket is
   * there; with it the last ones of each publisher too.
   */
  readonly ledgers?: ReadonlyArray<AuditedLedger> | undefined
  /** Name of the cluster in the ledgers; any cluster, when absent. */
  readonly cluster?: string | undefined
  /**
   * Transports of the clusters that the legs to this topic fall back to with `back: stay`: what stays there is part of the topic. They need `cluster`.
   * With `redrive` everything arrives in the topic itself.
   */
  readonly fallbacks?: ReadonlyArray<AuditedTransport> | undefined
  /** Length of the windows of the report, in milliseconds; one window for all, when absent. */
  readonly windowMs?: number | undefined
  /** How many ids of copies and of events out of order are named; 20 when absent. */
  readonly samplesMax?: number | undefined
}

/** The events of one window of time, by the times of the records that show them. */
export interface AuditWindow {
  /** Epoch milliseconds at which it begins. */
  readonly fromMs: number
  readonly events: number
  readonly dropped: number
  readonly missing: number
}

/** How far a group has got. */
export interface GroupAudit {
  readonly group: string
  /** Events that it has settled: handled, dropped by its policy, or set aside. */
  readonly settled: number
  /** Events that are before it. */
  readonly waiting: number
  /** Of the settled: dead letters, by what became of them. */
  readonly deadLetters: { readonly open: number; readonly replayed: number; readonly dropped: number }
}

/** What is not there of what a process that is gone had announced as admitted, of one stream; counts are of events. */
export interface GonePublisher {
  readonly incarnation: string
  readonly stream: string
  /** Of what it had announced: there. */
  readonly stored: number
  /** At most so many are lost with it. */
  readonly crashLost: number
  /** In its spill, or its fallback, as far as is known. */
  readonly spilled: number
  /** Told as stored, and not there. */
  readonly missing: number
  /** There, or dropped, beyond what it has admitted: its ledger and the topic contradict each other. */
  readonly excess: number
  /** Nobody can tell. */
  readonly unauditable: number
}

/** What an audit has found; counts are of events, unless they say otherwise. */
export interface AuditReport extends Tally {
  readonly topic: string
  /** Publishers (incarnations) that have written there, or announced that they have. */
  readonly publishers: number
  /** Neither there nor announced as dropped: lost. */
  readonly missing: number
  readonly missingRanges: ReadonlyArray<SequenceRange>
  /** Dropped by the policy of a publisher, and announced, by reason. `unannounced`: counted in its ledger alone. */
  readonly dropped: Readonly<Counts>
  /** Lost with processes that were killed; known by their ledgers alone. */
  readonly crashLost: number
  /** On their way in processes that run, by their ledgers. */
  readonly pending: number
  /** What became of the events of each process that is gone, by its ledger. */
  readonly gone: ReadonlyArray<GonePublisher>
  /** Nobody can tell: before the first record that is kept, or taken away by compaction. */
  readonly unauditable: number
  /** (missing + dropped + crashLost) / (the same + events), 0 to 1. */
  readonly lossRatio: number
  readonly windows: ReadonlyArray<AuditWindow>
  readonly copyIds: ReadonlyArray<EventId>
  readonly outOfOrderIds: ReadonlyArray<EventId>
  readonly group?: GroupAudit
}

/**
 * Audits a topic. Reads each partition once, from its start or `fromTimeMs` up to its end as it is now, and remembers a few numbers for each
 * bucket of each publisher. Fails with `UnknownTopic` where the topic is not there.
 *
 * @example
 * ```ts
 * const { missing, missingRanges, lossRatio } = yield* Audit.topic(transport, "shop.orders")
 * ```
 */
export const topic = Effect.fnUntraced(function* (
  transport: AuditedTransport,
  name: string,
  options: AuditOptions = {}
): Effect.fn.Return<AuditReport, TransportError> {
  yield* checkedAudit(transport, name, options)
  const { samplesMax = 20, windowMs = Number.POSITIVE_INFINITY } = options
  const samples = { copy: new Array<EventId>(), outOfOrder: new Array<EventId>() }
  const audit = new SequenceAudit(options.streams ?? [name], (what, id) => {
    if (samples[what].length < samplesMax) samples[what].push(id)
  })
  const windows = new Windows(windowMs)
  const group = { settled: 0, waiting: 0 }
  const places = yield* placesOf(transport, name, options)
  for (const place of places) {
    const { settled } = place.bounds
    const visit = (timeMs: number, position: Position) => {
      windows.at(timeMs).events++
      if (settled !== undefined && position < settled) group.settled++
      else group.waiting++
    }
    yield* readPartition(place, options.fromTimeMs, audit, visit)
  }
  const isSink = (sink: string) =>
    options.cluster === undefined ? sink.endsWith(`/${name}`) : sink === `${options.cluster}/${name}`
  const verdicts = audit.judge(options.ledgers ?? [], isSink)
  for (const { droppedRanges, missing } of verdicts) {
    for (const range of droppedRanges) windows.at(range.timeMs).dropped += range.to - range.from
    for (const range of missing) windows.at(range.timeMs).missing += range.to - range.from
  }
  return {
    topic: name,
    ...audit.tally,
    ...summed(verdicts, audit.tally.events),
    windows: windows.all,
    copyIds: samples.copy,
    outOfOrderIds: samples.outOfOrder,
    ...(options.group === undefined
      ? {}
      : { group: { group: options.group, ...group, deadLetters: yield* lettersOf(places, options.group) } })
  }
})

/** A partition that is read. */
interface PlaceOfEvents {
  readonly transport: AuditedTransport
  readonly topic: string
  readonly bounds: PartitionBounds
  /** Its number among all that are read: order is that of each of them. */
  readonly index: number
  readonly isOfFallback: boolean
}

/**
 * The partitions of the topic, and behind them those of its fallbacks. Where the topic ends is asked first: what a fallback has taken before a record
 * that is read stands there by then.
 */
const placesOf = Effect.fnUntraced(function* (
  transport: AuditedTransport,
  name: string,
  { cluster = "", group, fallbacks = [] }: AuditOptions
) {
  const own = yield* transport.bounds(name, group)
  const places = own.map((bounds, index): PlaceOfEvents => ({
    transport,
    topic: name,
    bounds,
    index,
    isOfFallback: false
  }))
  for (const fallback of fallbacks) {
    // A topic that has got more partitions has another one of each number that it had.
    const there = fallback.topics === undefined ? [] : yield* fallback.topics
    const found = there.filter((one) => fallbackPartitions(one, { cluster, topic: name }) !== undefined)
    for (const beside of new Set([...found, fallbackTopic({ cluster, topic: name }, own.length)]))
      for (const bounds of yield* orNone(fallback.bounds(beside, group)))
        places.push({ transport: fallback, topic: beside, bounds, index: places.length, isOfFallback: true })
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
  { transport, topic: name, bounds: { partition, start, end }, index, isOfFallback }: PlaceOfEvents,
  fromTimeMs: number | undefined,
  audit: SequenceAudit,
  visit: (timeMs: number, position: Position) => void
) {
  audit.partition(index, Number(start), isOfFallback, fromTimeMs !== undefined)
  // Where reading begins at a time, the positions before it are not looked at.
  let next = fromTimeMs === undefined ? start : undefined
  const take = ({ records, next: after, gap }: ReceivedBatch) =>
    Effect.sync(() => {
      // Before its records: the positions that hold nothing stand in front of them and between them.
      const from = next ?? records[0]?.position ?? after
      if (gap !== undefined) audit.gap(index, gap, Number(after - from) - records.length)
      for (const record of records)
        if (record.position < end && audit.record(index, record)) visit(record.timeMs, record.position)
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
