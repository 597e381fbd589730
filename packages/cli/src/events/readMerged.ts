import type { LogReader } from "@leat/log"
import { type Cause, Effect, Pull, type Scope, Stream } from "effect"
import type { TransportError } from "leat"
import type { ReceivedBatch, ReceivedRecord } from "leat/transport"
import type { Found, Place } from "./Place.ts"

/** Records that are given at once. */
const recordsMax = 200

/** Positions that could not be read. */
export interface Lost {
  readonly place: Place
  readonly from: bigint
  readonly to: bigint
}

/** One partition on its way to `end`: the records at hand, and how to get more. */
interface Cursor {
  readonly place: Place
  readonly pull: Effect.Effect<ReadonlyArray<ReceivedBatch>, TransportError | Cause.Done>
  records: ReadonlyArray<ReceivedRecord>
  index: number
  /** Position after what was pulled. */
  next: bigint
  isDone: boolean
}

/**
 * Reads partitions up to the ends they have now, and gives their records together by time, each partition in its own order.
 * `give` says whether to go on. Moves the places on.
 */
export const readMerged = Effect.fnUntraced(function* (
  reader: LogReader,
  places: ReadonlyArray<Place>,
  give: (found: ReadonlyArray<Found>) => Effect.Effect<boolean>,
  lose: (lost: Lost) => Effect.Effect<void>
) {
  const cursors = yield* Effect.forEach(yield* withMore(reader, places), (place) => open(reader, place))
  let found: Array<Found> = []
  let isWanted = true
  while (isWanted) {
    for (const cursor of cursors) yield* fill(cursor, lose)
    const first = earliest(cursors)
    if (first === undefined) break
    const { place } = first
    const record = first.records[first.index++]
    if (record === undefined) continue
    place.at = { fromPosition: record.position + 1n }
    found.push({ place, record })
    // What was pulled stands in memory; asking for more may wait.
    const mayWait = first.index === first.records.length
    if (found.length < recordsMax && !mayWait) continue
    isWanted = yield* give(found)
    found = []
  }
  if (isWanted && found.length > 0) isWanted = yield* give(found)
  if (isWanted) for (const { place, next } of cursors) place.at = { fromPosition: next }
  return isWanted
}, Effect.scoped)

/** The places at which there is something that was not read. */
const withMore = Effect.fnUntraced(function* (reader: LogReader, places: ReadonlyArray<Place>) {
  const ends = new Map<string, bigint>()
  for (const topic of new Set(places.map((place) => place.topic)))
    for (const { partition, end } of yield* reader.bounds(topic)) ends.set(`${topic}/${partition}`, end)
  return places.filter(({ topic, partition, at }) => {
    return "fromTimeMs" in at || at.fromPosition < (ends.get(`${topic}/${partition}`) ?? 0n)
  })
})

function open(reader: LogReader, place: Place): Effect.Effect<Cursor, TransportError, Scope.Scope> {
  return Effect.gen(function* () {
    const { topic, partition, at } = place
    const end = (yield* reader.bounds(topic)).find((one) => one.partition === partition)?.end ?? 0n
    const pull = yield* Stream.toPull(reader.read(topic, partition, at))
    const next = "fromPosition" in at ? at.fromPosition : end
    return { place, pull, records: [], index: 0, next, isDone: false }
  })
}

const fill = Effect.fnUntraced(function* (cursor: Cursor, lose: (lost: Lost) => Effect.Effect<void>) {
  while (cursor.index === cursor.records.length && !cursor.isDone) {
    const batches = yield* Pull.catchDone(cursor.pull, () => Effect.succeed(undefined))
    if (batches === undefined) cursor.isDone = true
    for (const { next, gap } of batches ?? []) {
      if (gap === "corrupt") yield* lose({ place: cursor.place, from: cursor.next, to: next })
      if (next > cursor.next) cursor.next = next
    }
    cursor.records = batches?.flatMap(({ records }) => records) ?? []
    cursor.index = 0
  }
})

function earliest(cursors: ReadonlyArray<Cursor>): Cursor | undefined {
  let first: Cursor | undefined
  for (const cursor of cursors) {
    const timeMs = cursor.records[cursor.index]?.timeMs
    if (timeMs === undefined) continue
    if (first === undefined || timeMs < (first.records[first.index]?.timeMs ?? Number.POSITIVE_INFINITY)) first = cursor
  }
  return first
}
