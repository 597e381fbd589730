import type { DeadSinkFigures } from "./deadSink.ts"
import type { HandlerFigures } from "./handlers.ts"
import type { KafkaFigures } from "./kafka/figures.ts"
import { kafkaTable } from "./kafka/table.ts"
import type { LogFigures, ReopenFigures } from "./log.ts"
import type { Cost } from "./measure.ts"
import type { PublishFigures } from "./publish.ts"
import type { StreamsFigures } from "./streams.ts"
import type { TailFigures } from "./tail.ts"

/** What one run of the benchmarks has found. */
export interface Results {
  readonly publish?: PublishFigures
  readonly deadSink?: DeadSinkFigures
  readonly log?: ReadonlyArray<LogFigures>
  readonly tail?: TailFigures
  readonly reopen?: ReopenFigures
  readonly handlers?: ReadonlyArray<HandlerFigures>
  readonly streams?: StreamsFigures
  readonly kafka?: KafkaFigures
}

const whole = (value: number): string => Math.round(value).toLocaleString("en")
const mebibytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`

function row(name: string, { eventsPerSecond, heapBytesPerEvent, cpuUsPerEvent }: Cost): string {
  const heap = `${heapBytesPerEvent.toFixed(1).padStart(8)} heap bytes/event`
  return `${name.padEnd(30)}${whole(eventsPerSecond).padStart(12)} events/s ${heap} ${cpuUsPerEvent.toFixed(2).padStart(7)} us CPU/event`
}

/** The results for a person. */
export function table({ publish, deadSink, log, tail, reopen, handlers, streams, kafka }: Results): string {
  const lines: Array<string> = []
  if (publish !== undefined) {
    const { beyondCodecNs, beyondCodecNsByRound, publishOfOffer, ledgerShare, heapBytesBeyondCodec } = publish
    lines.push(
      row("encode only", publish.encodeOnly),
      row("offer to stored, nothing kept", publish.offered),
      row("publish(queued), nothing kept", publish.published),
      row("offer to stored in memory", publish.offeredToMemory),
      `${beyondCodecNs} ns/event beyond the codec (rounds: ${beyondCodecNsByRound.join(", ")}), ${heapBytesBeyondCodec.toFixed(1)} heap bytes; publish is ${publishOfOffer} x an offer; ledger ${(ledgerShare * 100).toFixed(1)} %`
    )
  }
  if (deadSink !== undefined) {
    const { offered, dropped, bufferBytesMax, budgetBytes, processBytesGrown } = deadSink
    lines.push(
      `dead sink: ${whole(offered)} offered, ${whole(dropped)} dropped; buffer at most ${mebibytes(bufferBytesMax)} of ${mebibytes(budgetBytes)}, process grew by ${mebibytes(processBytesGrown)}`
    )
  }
  for (const { recordsPerBatch, eventsPerSecond, fsyncs, fsyncsPerSecond } of log ?? [])
    lines.push(
      `log, batches of ${String(recordsPerBatch).padEnd(5)}${whole(eventsPerSecond).padStart(10)} events/s, ${whole(fsyncsPerSecond)} fsyncs/s (${whole(fsyncs)})`
    )
  if (tail !== undefined)
    lines.push(
      `offer to handler in another process: p50 ${tail.p50Ms} ms, p90 ${tail.p90Ms} ms, p99 ${tail.p99Ms} ms (${tail.events} events)`
    )
  if (reopen !== undefined)
    lines.push(
      `reopening ${mebibytes(reopen.logBytes)}: first read after ${reopen.toFirstReadMs} ms, first append after ${reopen.toFirstAppendMs} ms`
    )
  for (const { transport, handlersPerSecond, batchedPerSecond } of handlers ?? [])
    lines.push(
      `handlers, ${transport.padEnd(12)}${whole(handlersPerSecond).padStart(10)} events/s one by one, ${whole(batchedPerSecond)} in batches of 500`
    )
  if (streams !== undefined) lines.push(...streamsTable(streams))
  if (kafka !== undefined) lines.push(...kafkaTable(kafka))
  return lines.join("\n")
}

function streamsTable({ spread, bare = [], idle, keys }: StreamsFigures): ReadonlyArray<string> {
  return [
    ...spread.map(
      ({ streams, cpuUsPerEvent, ratio, mebibytesGrown }) =>
        `${whole(streams).padStart(9)} streams: ${cpuUsPerEvent} us CPU/event, ${ratio} x of one stream; process grew by ${mebibytesGrown} MiB`
    ),
    ...bare.map(
      ({ streams, cpuUsPerEvent, ratio, mebibytesGrown }) =>
        `${whole(streams).padStart(9)} streams, nothing kept: ${cpuUsPerEvent} us CPU/event, ${ratio} x; process grew by ${mebibytesGrown} MiB`
    ),
    `${whole(idle.streams).padStart(9)} streams, 100 events/s over all: ${(idle.coreShare * 100).toFixed(1)} % of a core (one stream: ${(idle.coreShareOfOne * 100).toFixed(1)} %), ${idle.mebibytesGrown} MiB, of which ${idle.mebibytesHeld} MiB are held`,
    ...keys.map(
      ({ keys: count, cpuUsPerEvent, ratio }) =>
        `${whole(count).padStart(9)} keys: ${cpuUsPerEvent} us CPU/event from offer to handled, ${ratio} x of 100 keys`
    )
  ]
}
