/**
 * The durable embedded transport: topics, groups and event ids in one SQLite file, for all processes of one machine. What
 * is told stored is on disk.
 */
import { Effect, type Scope, Stream } from "effect"
import type { Range, ReceivedBatch, OutgoingBatch, Run, Transport } from "leat/transport"
import { TransportError } from "leat/transport"
import { resolve } from "node:path"
import { batchesOf } from "./batchesOf.ts"
import { Block } from "./Block.ts"
import { defaults, logCapabilities, type LogOptions } from "./LogOptions.ts"
import { LogWorker } from "./LogWorker.ts"
import { monotonicMs } from "./clock.ts"
import { Subscriptions } from "./Subscriptions.ts"
import type { AppendResult, WorkerSettings } from "./Message.ts"

/** A transport on a log, and what only a log can do. `logTransport` opens one. */
export interface LogTransport extends Transport {
  /** As in `Transport`: a log can tell. */
  readonly topics: NonNullable<Transport["topics"]>
  /** As in `Transport`: a log can tell. */
  readonly groups: NonNullable<Transport["groups"]>
  /**
   * As in `Transport`: a log can. The start is exactly `before`, also inside of a batch; the bytes of such a batch stay in the file until a
   * later trim, or retention, takes the rest of it. The space of whole batches is free for what is stored next; the file does not shrink.
   * The event ids of what was deleted are kept as long as those of other events.
   */
  readonly trim: NonNullable<Transport["trim"]>
  /** Compacts every compacted topic now, instead of now and then. */
  readonly compact: Effect.Effect<void, TransportError>
}

/**
 * Opens the log of a directory, with a worker thread of its own; both are closed with the scope. Fails with `Unsupported`
 * where the directory is not a log's or its format is newer, otherwise with the reason that disk or SQLite gives: `Full`,
 * `Corrupt`, `Unauthorized`.
 *
 * @example
 * ```ts
 * const transport = yield* logTransport({ directory: "./data" })
 * const [first] = yield* transport.bounds("risk.beacons.sighting", "positions")
 * ```
 */
export const logTransport = (options: LogOptions): Effect.Effect<LogTransport, TransportError, Scope.Scope> =>
  Effect.map(LogWorker.open(settingsOf(options)), (worker) => transportOf(worker, options))

export function settingsOf(options: LogOptions, isReadOnly = false): WorkerSettings {
  const { directory, partitions, recordBytesMax, retention, bytesMax, leaseMs } = options
  return {
    directory: resolve(directory),
    isReadOnly,
    partitions: partitions ?? defaults.partitions,
    recordBytesMax: recordBytesMax ?? defaults.recordBytesMax,
    retentionMs: retention?.timeMs,
    retentionBytes: retention?.bytes,
    idsMs: retention?.idsMs ?? defaults.idsMs,
    bytesMax,
    leaseMs: leaseMs ?? defaults.leaseMs
  }
}

/** The transport over a worker that is there. */
export function transportOf(worker: LogWorker, options: LogOptions): LogTransport {
  const subscriptions = new Subscriptions(worker)
  return {
    name: "@leat/log",
    capabilities: logCapabilities(options),
    openWriter: (topic) =>
      Effect.map(worker.call("topic", { topic }), ({ partitions }) => ({
        partitions,
        send: (partition, batch, from, to, timeoutMs, answer) =>
          send({ worker, place: { topic, partition }, batch, from, to, timeoutMs }, answer),
        fence: (partition) => Effect.map(worker.call("fence", { topic, partition }), ({ end }) => BigInt(end))
      })),
    partitionsOf: (topic) => Effect.map(worker.call("partitions", { topic }), ({ partitions }) => partitions),
    subscribe: (subscription) => subscriptions.subscribe(subscription),
    read: (topic, partition, range) => read(worker, topic, partition, range),
    bounds: (topic, group) =>
      Effect.map(worker.call("bounds", { topic, group }), (rows) =>
        rows.map(({ partition, start, end, settled }) => ({
          partition,
          start: BigInt(start),
          end: BigInt(end),
          ...(settled === undefined ? {} : { settled: BigInt(settled) })
        }))
      ),
    ensure: (spec) => worker.call("ensure", { spec }),
    topics: Effect.map(worker.call("inspect", {}), ({ topics }) => topics.map(({ topic }) => topic)),
    groups: (topic) => worker.call("groups", { topic }),
    trim: (topic, partition, before) =>
      Effect.asVoid(worker.call("trim", { topic, partition, before: Number(before) })),
    compact: Effect.asVoid(worker.call("compact", {}))
  }
}

interface Sending {
  readonly worker: LogWorker
  readonly place: { readonly topic: string; readonly partition: number }
  readonly batch: OutgoingBatch
  readonly from: number
  readonly to: number
  readonly timeoutMs: number
}

function send(
  { worker, place, batch, from, to, timeoutMs }: Sending,
  answer: (runs: ReadonlyArray<Run>) => void
): void {
  if (to <= from) return answer([])
  const late = () => {
    worker.abandon(call)
    const detail = `${place.topic}/${place.partition}: no answer in time; it is written or taken back before the next fence`
    const error = new TransportError({ reason: "Timeout", transport: "@leat/log", operation: "send", detail })
    answer([{ from, to, fate: "unknown", error }])
  }
  const timer = setTimeout(late, timeoutMs)
  const tell = (runs: ReadonlyArray<Run>) => {
    clearTimeout(timer)
    answer(runs)
  }
  // The one copy: from here on the arena is the caller's again, and the worker has bytes of its own.
  const { bytes } = Block.pack(batch.columns(from, to))
  const call = worker.start(
    "append",
    { ...place, bytes, deadlineMs: monotonicMs() + timeoutMs },
    (appended) => tell(runsOf(appended, from, to)),
    (error, mayBeStored) => tell([{ from, to, fate: mayBeStored ? "unknown" : "notStored", error }]),
    [bytes.buffer]
  )
}

/** What was stored has positions one after another; what the partition had already is stored, at a position nobody asks for. */
function runsOf({ base, duplicates }: AppendResult, from: number, to: number): ReadonlyArray<Run> {
  if (duplicates.length === 0) return [{ from, to, fate: "stored", base: BigInt(base) }]
  const known = new Set(duplicates)
  const runs: Array<Run> = []
  let position = base
  for (let at = from; at < to;) {
    const isDuplicate = known.has(at - from)
    let end = at
    while (end < to && known.has(end - from) === isDuplicate) end++
    runs.push({ from: at, to: end, fate: "stored", ...(isDuplicate ? {} : { base: BigInt(position) }) })
    if (!isDuplicate) position += end - at
    at = end
  }
  return runs
}

function read(
  worker: LogWorker,
  topic: string,
  partition: number,
  range: Range
): Stream.Stream<ReceivedBatch, TransportError> {
  return Stream.unwrap(
    Effect.map(rangeOf(worker, topic, partition, range), ({ from, to }) =>
      Stream.unfold(from, (at) =>
        at >= to
          ? Effect.succeed(undefined)
          : Effect.map(worker.call("read", { topic, partition, from: at, to }), ({ segments, next }) =>
              next > at ? ([[...batchesOf(segments)], next] as const) : undefined
            )
      ).pipe(Stream.flatMap(Stream.fromIterable))
    )
  )
}

/** The range in positions; the end is where it is now. */
function rangeOf(worker: LogWorker, topic: string, partition: number, range: Range) {
  const timesMs =
    "fromTimeMs" in range ? [range.fromTimeMs, ...(range.toTimeMs === undefined ? [] : [range.toTimeMs])] : []
  return Effect.map(worker.call("locate", { topic, partition, timesMs }), ({ end, positions: [first, last] }) => {
    if (!("fromTimeMs" in range)) {
      const to = range.toPosition ?? BigInt(end)
      return { from: Number(range.fromPosition), to: Math.min(end, Number(to)) }
    }
    return { from: first ?? end, to: last ?? end }
  })
}
