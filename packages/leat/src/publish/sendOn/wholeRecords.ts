import { Effect, Stream } from "effect"
import type { Position, ReceivedBatch, ReceivedRecord, Transport, TransportError } from "../../transport/index.ts"

/** A topic, and where it is. */
interface Place {
  readonly transport: Transport
  readonly topic: string
}

/**
 * The records of a batch that begins at a position. Those that are not in it are asked for once more before they are given up: a pull that was
 * interrupted may have taken them, where a driver has lanes of its own.
 */
export function wholeRecords(
  { transport, topic }: Place,
  partition: number,
  from: Position,
  { records, next }: Pick<ReceivedBatch, "records" | "next">
): Effect.Effect<ReadonlyArray<ReceivedRecord>, TransportError> {
  if (records.length >= Number(next - from)) return Effect.succeed(records)
  const read = Stream.suspend(() => transport.read(topic, partition, { fromPosition: from, toPosition: next }))
  return Effect.map(Stream.runCollect(read), (batches) => {
    const all = batches.flatMap((batch) => batch.records)
    const within = all.filter(({ position }) => position >= from && position < next)
    return within.length > records.length ? within : records
  })
}

/** Records that follow each other without a hole, at most so many together. */
export function* runsOf(
  records: ReadonlyArray<ReceivedRecord>,
  most: number
): Generator<ReadonlyArray<ReceivedRecord>> {
  let from = 0
  for (const [at, { position }] of records.entries()) {
    const before = records[at - 1]
    const isNext = before === undefined || before.position + 1n === position
    if (at === from || (isNext && at - from < most)) continue
    yield records.slice(from, at)
    from = at
  }
  if (from < records.length) yield records.slice(from)
}
