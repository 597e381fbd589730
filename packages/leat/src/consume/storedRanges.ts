/**
 * What of a stream is stored, wherever it lies and lay, and how it is read without a group: to build a state anew, to compare, to look for something.
 * A stream that nobody has moved has one range for each partition; one that was moved has them for each of its epochs, the oldest first, so who reads
 * them in this order reads every key in the order in which it was published.
 */
import { Effect, Stream } from "effect"
import type { DeliveryInfo } from "./DeliveryInfo.ts"
import type { SourceOptions } from "./SourceOptions.ts"
import { StoredEvents } from "./StoredEvents.ts"
import type { Whereabouts } from "./Whereabouts.ts"
import type { Epoch } from "../control/Placement.ts"
import { isObject, kindOf, shown } from "../given/takes.ts"
import { type Leg, type RouteError, routeError } from "../routes/Routes.ts"
import type { PartitionBounds, Position, Transport, TransportError } from "../transport/index.ts"

/** Positions [from, to) of one partition of a topic in which events of a stream lie. */
export interface StoredRange {
  /** Its name in the document. */
  readonly cluster: string
  readonly topic: string
  readonly partition: number
  /** Number of the epoch; of a stream that nobody has moved that of its leg. */
  readonly epoch: number
  readonly from: Position
  readonly to: Position
  /** Of the group that was asked for: the first position of the range that it has not settled; absent where it has settled nothing in that topic. */
  readonly settled?: Position
}

/** What is told of an event that is read without a group: nobody handles it. Of a `gap` only where it begins: it has no key, and its `storedAtMs` is NaN. */
export type StoredInfo = Omit<DeliveryInfo, "attempt" | "signal">

/** Positions [from, to) of a range at which nothing can be read any more. */
export interface StoredGap {
  /** `expired`: retention has deleted what stood there, since the range was asked for; `corrupt`: what is stored there does not verify. */
  readonly reason: "expired" | "corrupt"
  readonly from: Position
  readonly to: Position
}

/** An event as it is stored. */
export interface StoredEvent<T> {
  /** Undefined: a tombstone, or what `fault` says. */
  readonly event: T | undefined
  /** Why the record cannot be read as an event, or why no record is there. */
  readonly fault?: string
  /** Where no record is there: how many are missing is not known, positions may be those of other streams. What compaction has superseded is no gap. */
  readonly gap?: StoredGap
  readonly info: StoredInfo
}

/** Of a stream as it is read. */
export interface StoredParts<T> extends Pick<SourceOptions<T>, "stream" | "type" | "decode" | "isKeyPersonal"> {
  /** Where it is read now. */
  readonly leg: Leg
  /** Of the cluster in which it was read when it was opened: that of the leg while nobody has moved the stream. */
  readonly transport: Transport
  readonly whereabouts: Whereabouts | undefined
  /** Of the contract: what is stored is the state of each key. */
  readonly isCompacted: boolean
}

type Stored<A> = Effect.Effect<A, TransportError | RouteError>

export function storedRanges<T>(parts: StoredParts<T>, group: string | undefined): Stored<ReadonlyArray<StoredRange>> {
  const { leg, transport, whereabouts, isCompacted } = parts
  const known = whereabouts?.placement()?.epochs ?? []
  // What is retired has been published again, for a state does not move. A key that was removed since would be there again once the cluster has
  // deleted its tombstone.
  const epochs = isCompacted ? known.filter(({ phase }) => phase !== "retired") : known
  if (whereabouts !== undefined && epochs.some(hasBegun)) return rangesOfEpochs(epochs, whereabouts.transportOf, group)
  return Effect.map(transport.bounds(leg.topic, group), (rows) =>
    rows.map((row) => rangeOf(leg, leg.epoch, row, row.start, row.end))
  )
}

const hasBegun = ({ begin }: Epoch): boolean => begin !== undefined

/** Of a stream that is placed: those of each epoch that has begun. */
export function rangesOfEpochs(
  known: ReadonlyArray<Epoch>,
  transportOf: Whereabouts["transportOf"],
  group: string | undefined
): Stored<ReadonlyArray<StoredRange>> {
  const epochs = known.filter(hasBegun)
  return Effect.gen(function* () {
    const found: Array<StoredRange> = []
    const asked = new Map<string, ReadonlyArray<PartitionBounds>>()
    for (const epoch of epochs) {
      const { cluster, topic } = epoch.place
      const name = `${cluster}/${topic}`
      const isLeft = epochs.every(
        ({ phase, place }) => `${place.cluster}/${place.topic}` !== name || phase === "retired"
      )
      const rows = asked.get(name) ?? (yield* boundsAt(transportOf, cluster, topic, group, isLeft))
      asked.set(name, rows)
      found.push(...rangesOf(epoch, rows))
    }
    return found
  }).pipe(Effect.scoped)
}

/** Of a cluster that no document names any more nothing can be read: what was left there is no part of what is stored. */
function boundsAt(
  transportOf: Whereabouts["transportOf"],
  cluster: string,
  topic: string,
  group: string | undefined,
  isLeft: boolean
): Effect.Effect<ReadonlyArray<PartitionBounds>, TransportError | RouteError> {
  const asked = Effect.scoped(Effect.flatMap(transportOf(cluster), (transport) => transport.bounds(topic, group)))
  if (!isLeft) return asked
  return Effect.catchTag(asked, "RouteError", () => Effect.succeed<ReadonlyArray<PartitionBounds>>([]))
}

function rangesOf(
  { epoch, place, begin, end }: Epoch,
  rows: ReadonlyArray<PartitionBounds>
): ReadonlyArray<StoredRange> {
  return rows.flatMap((row) => {
    const first = begin?.[row.partition]
    if (first === undefined) return []
    const last = end?.[row.partition]
    const from = latest(row.start, BigInt(first))
    const to = last === undefined || row.end < BigInt(last) ? row.end : BigInt(last)
    return [rangeOf(place, epoch, row, from, latest(from, to))]
  })
}

function rangeOf(
  { cluster, topic }: Pick<StoredRange, "cluster" | "topic">,
  epoch: number,
  { partition, settled }: PartitionBounds,
  from: Position,
  to: Position
): StoredRange {
  const range = { cluster, topic, partition, epoch, from, to }
  if (settled === undefined) return range
  return { ...range, settled: settled > to ? to : latest(from, settled) }
}

function latest(one: Position, other: Position): Position {
  return one > other ? one : other
}

/** The events of a range, in the order in which they lie, with what is not there any more. What is no event of the stream, or of another epoch, is left out. */
export function readStored<T>(
  parts: StoredParts<T>,
  range: StoredRange
): Stream.Stream<StoredEvent<T>, TransportError | RouteError> {
  const wrong = rangeFault(range)
  if (wrong !== undefined) return Stream.fail(routeError("range", wrong))
  const { cluster, topic, partition, from, to } = range
  if (from >= to) return Stream.empty
  const read = (transport: Transport) =>
    Stream.suspend(() => {
      const events = new StoredEvents(parts, range)
      const batches = transport.read(topic, partition, { fromPosition: from, toPosition: to })
      return Stream.flattenIterable(Stream.map(batches, (batch) => events.of(batch)))
    })
  const { leg, transport, whereabouts } = parts
  // By name, wherever the stream lies now: it may have been opened in another cluster.
  if (whereabouts !== undefined) return Stream.unwrap(Effect.map(whereabouts.transportOf(cluster), read))
  if (cluster === leg.cluster) return read(transport)
  const message = `the cluster ${cluster} is none in which this stream lies: it lies in ${leg.cluster}`
  return Stream.fail(routeError("range.cluster", message))
}

function rangeFault(range: unknown): string | undefined {
  if (!isObject(range)) return `is one that \`stored\` gives, and not ${kindOf(range)}`
  const { cluster, topic, partition, epoch, from, to } = range
  for (const [name, value] of Object.entries({ cluster, topic }))
    if (typeof value !== "string" || value === "") return `${name}: ${shown(value)} is no name`
  for (const [name, value] of Object.entries({ partition, epoch }))
    if (!Number.isSafeInteger(value) || Number(value) < 0) return `${name}: ${shown(value)} is no whole number from 0`
  for (const [name, value] of Object.entries({ from, to }))
    if (typeof value !== "bigint" || value < 0n) return `${name}: ${shown(value)} is not a position: a bigint from 0n`
  return undefined
}
