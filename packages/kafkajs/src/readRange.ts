/** Reads a range of one partition, without a group. */
import { kafkaCodes } from "@leat/kafka"
import { Effect, Stream } from "effect"
import type { Position, Range, ReceivedBatch, TransportError } from "leat/transport"
import type { Brokers } from "./client/Brokers.ts"
import { movedCodes } from "./client/Brokers.ts"
import { failureOf, refusal } from "./client/failureOf.ts"
import { asking, positionsAt } from "./Offsets.ts"
import { fetchFrame, readFetchAnswer } from "./protocol/fetch.ts"
import { type Fetched, readRecordBatches } from "./protocol/readRecordBatches.ts"

const bounds = { waitMs: 500, bytesMax: 4 * 1024 ** 2, partitionBytesMax: 1024 ** 2 }

/** Ends at the end of the range, or at the present end of committed records. */
export function readRange(
  brokers: Brokers,
  topic: string,
  partition: number,
  range: Range
): Stream.Stream<ReceivedBatch, TransportError> {
  const where = `${topic}/${partition}`
  const tried = <A>(run: () => Promise<A>) =>
    Effect.tryPromise({ try: run, catch: (error) => failureOf(error, "read", where) })
  return Stream.unwrap(
    Effect.map(
      tried(() => rangeOf(brokers, topic, partition, range)),
      ({ at, from, to }) => {
        const expired: ReadonlyArray<ReceivedBatch> = from > at ? [{ records: [], next: from, gap: "expired" }] : []
        const kept = Stream.unfold(from, (next) =>
          next >= to
            ? Effect.succeed(undefined)
            : Effect.map(
                tried(() => fetchOnce(brokers, topic, partition, next, to)),
                (batch) => [batch, batch.next] as const
              )
        )
        return Stream.concat(
          Stream.fromIterable(expired),
          Stream.filter(kept, ({ records, gap }) => records.length > 0 || gap !== undefined)
        )
      }
    )
  )
}

/** `at` is the requested position, `from` the first one at or after it that is still kept. */
async function rangeOf(brokers: Brokers, topic: string, partition: number, range: Range) {
  const spotOf = async (spot: "earliest" | "latestCommitted" | number): Promise<Position | undefined> =>
    (await positionsAt(brokers, topic, [partition], spot)).get(partition)
  const [start = 0n, end = 0n] = await Promise.all([spotOf("earliest"), spotOf("latestCommitted")])
  const within = (position: Position): Position => (position < start ? start : position > end ? end : position)
  if ("fromPosition" in range) {
    const { fromPosition, toPosition = end } = range
    return { at: fromPosition, from: within(fromPosition), to: within(toPosition) }
  }
  const from = (await spotOf(range.fromTimeMs)) ?? end
  const to = range.toTimeMs === undefined ? end : ((await spotOf(range.toTimeMs)) ?? end)
  return { at: from, from: within(from), to: within(to) }
}

/** Fetches between two positions. Below the end of committed records there is always something. */
function fetchOnce(
  brokers: Brokers,
  topic: string,
  partition: number,
  from: Position,
  to: Position
): Promise<ReceivedBatch> {
  const where = `${topic}/${partition}`
  return asking(
    async () => {
      const link = await brokers.link("read", await brokers.leader(topic, partition))
      const frame = fetchFrame(link, { name: topic }, [{ partition, position: from }], bounds)
      const exchange = await link.exchange(frame, bounds.waitMs + brokers.settings.requestMs)
      if ("error" in exchange) throw exchange.error
      const { code, partitions } = readFetchAnswer(exchange.payload, frame, where)
      const answer = partitions.find((one) => one.partition === partition)
      const failed = code === 0 ? (answer?.code ?? -1) : code
      if (failed === kafkaCodes.OFFSET_OUT_OF_RANGE) {
        const kept = (await positionsAt(brokers, topic, [partition], "earliest")).get(partition) ?? 0n
        if (kept > from) return { records: [], next: kept < to ? kept : to, gap: "expired" }
      }
      if (failed !== 0 || answer === undefined) {
        if (movedCodes.has(failed)) brokers.forget(topic)
        throw refusal(failed, "read", where)
      }
      return batchOf(from, readRecordBatches(answer.bytes, from, to, answer.aborted, where))
    },
    () => brokers.forget(topic)
  )
}

/** A batch, with the reason if positions are missing in it. */
export function batchOf(before: Position, { records, next, hasControl }: Fetched): ReceivedBatch {
  const isWhole = BigInt(records.length) === next - before
  return isWhole ? { records, next } : { records, next, gap: hasControl ? "control" : "compacted" }
}
