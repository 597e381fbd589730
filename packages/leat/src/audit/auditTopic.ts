/** Audits one topic, as it is when the reading begins. */
import { Effect } from "effect"
import type { TransportError } from "../transport/index.ts"
import { type AuditedTransport, auditPlaces, type PlaceOfEvents, placesOfFallbacks } from "./auditPlaces.ts"
import type { AuditReport } from "./AuditReport.ts"
import { checkedAudit } from "./checkedAudit.ts"
import type { AuditedLedger } from "./SequenceAudit.ts"

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
  const { streams = [name], ledgers = [], cluster, fromTimeMs, group, windowMs, samplesMax } = options
  return yield* auditPlaces({
    topic: name,
    places: yield* placesOf(transport, name, options),
    streams,
    ledgers,
    isSink: (sink) => (cluster === undefined ? sink.endsWith(`/${name}`) : sink === `${cluster}/${name}`),
    fromTimeMs,
    group,
    windowMs,
    samplesMax
  })
})

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
  const partitions = own.length
  return [...places, ...(yield* placesOfFallbacks({ cluster, topic: name, partitions }, fallbacks, group, partitions))]
})
