/** Audits a stream wherever it lies and lay: one that was moved has its events in several topics, and an audit of one of them cannot judge the rest. */
import { Effect, type Scope } from "effect"
import type { StoredRange } from "../consume/storedRanges.ts"
import { taggedStream } from "../record/CompactHeader.ts"
import { isOfEpoch } from "../record/isOfEpoch.ts"
import type { RouteError } from "../routes/Routes.ts"
import type { PartitionBounds, TransportError } from "../transport/index.ts"
import { type AuditedTransport, auditPlaces, type PlaceOfEvents, placesOfFallbacks } from "./auditPlaces.ts"
import type { AuditReport } from "./AuditReport.ts"
import type { AuditOptions } from "./auditTopic.ts"
import { checkedStreamAudit } from "./checkedAudit.ts"

/** A range in which a stream has events, as `stored` of a stream gives it. */
export type AuditedRange = Omit<StoredRange, "settled">

/** As those of a topic; the ranges say which clusters, and records of other streams are passed over. */
export type StreamAuditOptions = Omit<AuditOptions, "streams" | "cluster">

/**
 * Audits a stream in all its places, in the order of its epochs. `ranges` are those that `stored` of the stream gives, and `transportOf` opens a cluster of
 * theirs. Of a stream that nobody has moved it is `topic` for that stream alone.
 *
 * @example
 * ```ts
 * const ranges = yield* sightings.stored()
 * const { missing, events } = yield* Audit.stream("acme.BeaconSighting", ranges, leat.transport)
 * ```
 */
export const stream = Effect.fnUntraced(function* (
  name: string,
  ranges: ReadonlyArray<AuditedRange>,
  transportOf: (cluster: string) => Effect.Effect<AuditedTransport, TransportError | RouteError, Scope.Scope>,
  options: StreamAuditOptions = {}
): Effect.fn.Return<AuditReport, TransportError | RouteError, Scope.Scope> {
  yield* checkedStreamAudit(name, ranges, transportOf, options)
  const { ledgers = [], group, fallbacks = [], ...rest } = options
  const since = Math.min(...ranges.map(({ epoch }) => epoch))
  const tag = taggedStream(name)
  const places: Array<PlaceOfEvents> = []
  const partitionsOf = Map.groupBy(ranges, ({ epoch }) => epoch)
  const topics = Map.groupBy(ranges, ({ cluster, topic }) => `${cluster}/${topic}`)
  const known = new Map<string, readonly [AuditedTransport, ReadonlyArray<PartitionBounds>]>()
  for (const [sink, [first]] of topics) {
    if (first === undefined) continue
    const transport = yield* transportOf(first.cluster)
    known.set(sink, [transport, yield* transport.bounds(first.topic, group)])
  }
  for (const { cluster, topic, partition, epoch, from, to } of ranges) {
    const [transport, rows = []] = known.get(`${cluster}/${topic}`) ?? []
    const row = rows.find((one) => one.partition === partition)
    if (transport === undefined || row === undefined) continue
    const start = row.start > from ? row.start : from
    places.push({
      transport,
      topic,
      bounds: { ...row, start, end: row.end < to ? row.end : to },
      index: places.length,
      isOfFallback: false,
      // Where the topic begins with the range, or within it, nobody knows what stood before.
      takenAway: row.start < from ? 0 : Number(row.start),
      hasBucket: (bucket) => bucket % (partitionsOf.get(epoch)?.length ?? 1) === partition,
      isOf: (record) => record.tag === tag && isOfEpoch(epoch, since, record.epoch)
    })
  }
  for (const [sink, [first]] of topics) {
    const partitions = known.get(sink)?.[1].length ?? 0
    if (first === undefined) continue
    const beside = yield* placesOfFallbacks({ ...first, partitions }, fallbacks, group, places.length)
    places.push(
      ...beside.map((place) => ({ ...place, isOf: (record: { readonly tag: string }) => record.tag === tag }))
    )
  }
  return yield* auditPlaces({
    ...rest,
    topic: name,
    places,
    streams: [name],
    ledgers: ledgers.map((ledger) => ({ ...ledger, streams: ledger.streams.filter((one) => one.stream === name) })),
    isSink: (sink) => topics.has(sink),
    since,
    group
  })
})
