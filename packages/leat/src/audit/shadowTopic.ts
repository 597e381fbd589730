/** Compares a leg of a stream with the one that is read: the same events, with the same bytes, by ids and from raw reads of both topics. */
import { Effect, Pull, type Scope, Stream } from "effect"
import type { BucketRange } from "../ledger/BucketRange.ts"
import type { EventId } from "../record/EventId.ts"
import { bucketsOf, type BucketShare } from "../routes/BucketShare.ts"
import type { PartitionBounds, ReceivedBatch, TransportError } from "../transport/index.ts"
import type { AuditedTransport } from "./auditPlaces.ts"
import { checkedShadow } from "./checkedAudit.ts"
import { type ShadowFinding, ShadowLedger, type Side } from "./ShadowLedger.ts"

/** A topic that is compared. */
export interface ShadowPlace {
  readonly transport: AuditedTransport
  readonly topic: string
}

/** What is compared, and how. */
export interface ShadowSettings {
  /** Name of the stream. */
  readonly stream: string
  /** The share of the keys that the copy takes, and how many buckets the contract has; all of them, when absent. */
  readonly canary?: (BucketShare & { readonly buckets: number }) | undefined
  /** Epoch milliseconds: events that were offered before are not compared. */
  readonly fromTimeMs?: number | undefined
  /** Length of the windows of the report, in milliseconds; one window for all, when absent. */
  readonly windowMs?: number | undefined
  /** Most events that are held because the other side has not shown them yet; 1,000,000 when absent. What is beyond it is unauditable. */
  readonly heldMax?: number | undefined
  /** How many ids of each finding are named; 20 when absent. */
  readonly samplesMax?: number | undefined
}

/** Counts of events that were offered in one window of time. */
export interface ShadowWindow extends Readonly<Record<ShadowFinding, number>> {
  /** Epoch milliseconds at which it begins. */
  readonly fromMs: number
}

/** What a comparison has found; counts are of events. */
export interface ShadowReport extends Readonly<Record<ShadowFinding, number>> {
  readonly stream: string
  /** Further copies of events, which at-least-once allows. */
  readonly copies: Readonly<Record<Side, number>>
  readonly windows: ReadonlyArray<ShadowWindow>
  /** The first of them. */
  readonly missingIds: ReadonlyArray<EventId>
  readonly extraIds: ReadonlyArray<EventId>
  readonly differentIds: ReadonlyArray<EventId>
}

const nothing: Readonly<Record<ShadowFinding, number>> = {
  equal: 0,
  different: 0,
  missing: 0,
  extra: 0,
  onItsWay: 0,
  unauditable: 0
}

/**
 * Reads both topics once, as they are when it begins, side by side in the order of time. It holds lengths and checksums of each event that one side has shown and the
 * other has not, `heldMax` at most, and a few numbers for each bucket of each publisher.
 *
 * @example
 * ```ts
 * const primary = { transport: yield* leat.transport("main"), topic: "shop.orders" }
 * const copy = { transport: yield* leat.transport("next"), topic: "shop.orders" }
 * const { missing, extra, different } = yield* Audit.shadow(primary, copy, { stream: "shop.orders", windowMs: 60_000 })
 * ```
 */
export const shadow = Effect.fnUntraced(function* (
  primary: ShadowPlace,
  copy: ShadowPlace,
  settings: ShadowSettings
): Effect.fn.Return<ShadowReport, TransportError> {
  yield* checkedShadow(primary, copy, settings)
  const { stream, canary, fromTimeMs = Number.NEGATIVE_INFINITY, windowMs = Number.POSITIVE_INFINITY } = settings
  // What the primary has by now, the copy may get later: so its end is asked last.
  const bounds = {
    primary: yield* primary.transport.bounds(primary.topic),
    copy: yield* copy.transport.bounds(copy.topic)
  }
  const totals = { ...nothing }
  const windows = new Map<number, Record<ShadowFinding, number>>()
  const ids: Record<ShadowFinding, Array<EventId>> = {
    equal: [],
    different: [],
    missing: [],
    extra: [],
    onItsWay: [],
    unauditable: []
  }
  const range: BucketRange | undefined = canary && bucketsOf(canary, canary.buckets)
  const ledger = new ShadowLedger({
    stream,
    partitions: { primary: bounds.primary.length, copy: bounds.copy.length },
    takes: (bucket) => range === undefined || (bucket >= range.from && bucket < range.to),
    heldMax: settings.heldMax ?? 1_000_000,
    found: (finding, id, timeMs) => {
      totals[finding]++
      const fromMs = windowMs === Number.POSITIVE_INFINITY ? 0 : Math.floor(timeMs / windowMs) * windowMs
      const window = windows.get(fromMs) ?? { ...nothing }
      windows.set(fromMs, window)
      window[finding]++
      if (finding !== "equal" && ids[finding].length < (settings.samplesMax ?? 20)) ids[finding].push({ ...id, stream })
    }
  })
  yield* Effect.scoped(
    Effect.gen(function* () {
      const all = yield* Effect.all([
        Effect.forEach(bounds.primary, (one) => opened("primary", primary, one, settings.fromTimeMs)),
        Effect.forEach(bounds.copy, (one) => opened("copy", copy, one, settings.fromTimeMs))
      ])
      const open = all.flat()
      for (const { side, partition, start } of open) ledger.partition(side, partition, start > 0n)
      // Whoever is furthest behind is read next: so few events wait for the other side.
      while (open.length > 0) {
        const next = open.reduce((one, other) => (other.readMs < one.readMs ? other : one))
        const batch = yield* next.pull
        if (batch === undefined) open.splice(open.indexOf(next), 1)
        else take(ledger, next, batch, fromTimeMs)
      }
    })
  )
  ledger.end()
  return {
    stream,
    ...totals,
    copies: { ...ledger.copies },
    windows: Array.from(windows, ([fromMs, counts]) => ({ fromMs, ...counts })).toSorted((a, b) => a.fromMs - b.fromMs),
    missingIds: ids.missing,
    extraIds: ids.extra,
    differentIds: ids.different
  }
})

/** A partition that is read, up to where it ended when the comparison began. */
interface Reading extends PartitionBounds {
  readonly side: Side
  /** Undefined: there is nothing more. */
  readonly pull: Effect.Effect<ReceivedBatch | undefined, TransportError>
  /** Epoch milliseconds of the last record. */
  readMs: number
}

const opened = Effect.fnUntraced(function* (
  side: Side,
  { transport, topic }: ShadowPlace,
  bounds: PartitionBounds,
  fromTimeMs: number | undefined
): Effect.fn.Return<Reading, never, Scope.Scope> {
  const { partition, start, end } = bounds
  const range = fromTimeMs === undefined ? { fromPosition: start, toPosition: end } : { fromTimeMs }
  const batches = transport.read(topic, partition, range).pipe(
    Stream.takeWhile(({ records }) => (records[0]?.position ?? start) < end),
    Stream.rechunk(1)
  )
  const pulled = yield* Stream.toPull(batches)
  const pull = Pull.catchDone(
    Effect.map(pulled, ([batch]): ReceivedBatch | undefined => batch),
    () => Effect.succeed(undefined)
  )
  return { ...bounds, side, pull, readMs: Number.NEGATIVE_INFINITY }
})

function take(ledger: ShadowLedger, reading: Reading, { records, gap }: ReceivedBatch, fromTimeMs: number): void {
  const { side, partition, end } = reading
  if (gap === "compacted" || gap === "expired") ledger.hole(side, partition)
  for (const record of records) {
    if (record.position >= end) return
    reading.readMs = Math.max(reading.readMs, record.timeMs)
    if (ledger.timeOf(record) >= fromTimeMs) ledger.record(side, partition, record)
  }
}
