/**
 * Writes records as they stand, beside the path of events: dead letters and replays. What is forwarded is stored, or refused for good; everything
 * else is tried again until the caller is interrupted.
 */
import { Cause, Deferred, Effect, Exit, Option, Random, type Scope } from "effect"
import { batchOf, type PlainRecord } from "../record/batchOf.ts"
import type { RecordBatch } from "../record/RecordBatch.ts"
import { answeredRuns } from "./answeredRuns.ts"
import type { Run, TopicSpec, Transport, Writer } from "./index.ts"
import { Pauses } from "./Pauses.ts"
import { sendEffect } from "./Sending.ts"
import { TransportError } from "./TransportError.ts"

/** Time of one send, and of one fence, in milliseconds: as the time-out of a leg. */
const sendMs = 30_000

/** Pause before a send is tried again: the first one, and the longest, in milliseconds. */
const againMs = 100
const againMsMax = 10_000

export interface Forwarder {
  /** Of the topic. */
  readonly partitions: number
  /**
   * Appends records in order. Answers for each record: undefined when it is stored, else why it is refused for good. What may be stored and is sent
   * again, where nothing recognizes it, may stand twice. `onWaiting` is told of each failure that passes.
   */
  readonly append: (
    partition: number,
    records: ReadonlyArray<PlainRecord>,
    onWaiting: (error: TransportError) => void
  ) => Effect.Effect<ReadonlyArray<TransportError | undefined>>
  /**
   * As `append`, but nothing behind a record that is refused for good is sent; where a driver has stored some of that with it, that is said. Of
   * what is told to `onWaiting` with `Full` nothing is on its way: whoever interrupts it then may send the records elsewhere.
   */
  readonly appendUntilRefused: (
    partition: number,
    records: ReadonlyArray<PlainRecord>,
    onWaiting?: (error: TransportError) => void
  ) => Effect.Effect<ReadonlyArray<Forwarded>>
  /**
   * As `append`, until `over` is done: then what is on its way is waited for, for no longer than a send may take, and nothing is sent again. `isWanted`
   * is asked before a record is sent again, by its index: one that nobody waits for any more is not, and counts as stored.
   */
  readonly appendUntil: (
    over: Deferred.Deferred<void>,
    partition: number,
    records: ReadonlyArray<PlainRecord>,
    onWaiting: (error: TransportError) => void,
    isWanted: (index: number) => boolean
  ) => Effect.Effect<ReadonlyArray<Forwarded>>
}

/** What became of a record: `unsent` when it is not known to be stored, and is not sent again; an error when it is refused for good. */
export type Forwarded = "stored" | "unsent" | TransportError

/** Opens a topic to forward to; creates it so where it is not there, and takes one that is there as it is. `pauses`: from one attempt to the next. */
export const openForwarder = (
  transport: Transport,
  spec: TopicSpec,
  pauses = new Pauses()
): Effect.Effect<Forwarder, TransportError, Scope.Scope> =>
  Effect.gen(function* () {
    const ensured = yield* Effect.exit(transport.ensure(spec))
    // Who may not create it may be allowed to write to it.
    const refusal = Exit.isFailure(ensured) ? errorOf(transport.name, ensured.cause) : undefined
    const writer = yield* transport.openWriter(spec.topic).pipe(Effect.mapError((error) => refusal ?? error))
    return {
      partitions: writer.partitions,
      append: (partition, records, onWaiting) =>
        append({ transport, writer, partition, records, pauses, ...quiet, onWaiting }),
      appendUntilRefused: (partition, records, onWaiting = () => undefined) =>
        fates({ transport, writer, partition, records, pauses, ...quiet, onWaiting, stopsAtRefusal: true }),
      appendUntil: (over, partition, records, onWaiting, isWanted) =>
        fates({ transport, writer, partition, records, pauses, ...quiet, onWaiting, isWanted, over })
    }
  })

interface Appending {
  readonly transport: Transport
  readonly writer: Writer
  readonly partition: number
  readonly records: ReadonlyArray<PlainRecord>
  readonly onWaiting: (error: TransportError) => void
  readonly isWanted: (index: number) => boolean
  readonly pauses: Pauses
  /** Once it is done, nothing is sent any more. */
  readonly over: Deferred.Deferred<void> | undefined
  readonly stopsAtRefusal: boolean
  /** What was not sent for one of these two, by index. */
  readonly unsent: Set<number> | undefined
}

const quiet = { isWanted: () => true, over: undefined, stopsAtRefusal: false, unsent: undefined }

function fates(appending: Appending): Effect.Effect<ReadonlyArray<Forwarded>> {
  return Effect.suspend(() => {
    const unsent = new Set<number>()
    return Effect.map(append({ ...appending, unsent }), (refused) =>
      refused.map((refusal, index) => refusal ?? (unsent.has(index) ? "unsent" : "stored"))
    )
  })
}

function append({ transport, writer, partition, records, onWaiting, pauses, ...told }: Appending) {
  const { isWanted, over, stopsAtRefusal, unsent } = told
  return Effect.gen(function* () {
    const batch = batchOf(records)
    const known: Known = { refused: records.map(() => undefined), stored: new Set() }
    /** What is left to send, in order. */
    let left: ReadonlyArray<Range> = records.length === 0 ? [] : [{ from: 0, to: records.length }]
    for (let failures = 0; ;) {
      const [range, ...behind] = left
      if (range === undefined) return known.refused
      if (over !== undefined && Deferred.isDoneUnsafe(over)) {
        leave(left, known, unsent)
        return known.refused
      }
      const runs = yield* send(transport.name, writer, partition, batch, range)
      left = [...leftOf(runs, known), ...behind]
      if (stopsAtRefusal) left = stopped(left, known, unsent)
      const isInDoubt = runs.some(({ fate }) => fate === "unknown")
      if (isInDoubt) yield* untilOver(fence({ transport, writer, partition, onWaiting, pauses }), over)
      const passing = runs.find((run) => run.fate !== "stored" && !isRefused(run))
      if (passing === undefined) continue
      onWaiting(passing.error ?? unsaid(transport.name))
      yield* untilOver(pause(pauses, failures++), over)
      left = left.flatMap((one) => wantedOf(one, isWanted))
    }
  })
}

function untilOver(effect: Effect.Effect<void>, over: Deferred.Deferred<void> | undefined): Effect.Effect<void> {
  return over === undefined ? effect : Effect.raceFirst(effect, Deferred.await(over))
}

interface Range {
  readonly from: number
  readonly to: number
}

/** What of a range somebody waits for. */
function wantedOf({ from, to }: Range, isWanted: (index: number) => boolean): ReadonlyArray<Range> {
  const wanted: Array<Range> = []
  for (let index = from; index < to; index++) {
    if (!isWanted(index)) continue
    const last = wanted.at(-1)
    if (last?.to === index) wanted[wanted.length - 1] = { from: last.from, to: index + 1 }
    else wanted.push({ from: index, to: index + 1 })
  }
  return wanted
}

/** What brokers have said of records for good, by index. */
interface Known {
  readonly refused: Array<TransportError | undefined>
  /** Stored behind what was not: it is sent again, for the order, and stays stored whatever becomes of that. */
  readonly stored: Set<number>
}

/** What is to be sent again. Also what was stored behind the first of it, or the order would be another one. */
function leftOf(runs: ReadonlyArray<Run>, known: Known): ReadonlyArray<Range> {
  const left: Array<Range> = []
  for (const run of runs) {
    if (run.fate !== "stored") left.push(...leftOfRun(run, known))
    else if (left.length > 0) {
      left.push({ from: run.from, to: run.to })
      for (let index = run.from; index < run.to; index++) known.stored.add(index)
    }
  }
  return left
}

/** Without what stands behind the first that is refused. */
function stopped(left: ReadonlyArray<Range>, known: Known, unsent: Set<number> | undefined): ReadonlyArray<Range> {
  const first = known.refused.findIndex((refusal) => refusal !== undefined)
  if (first < 0) return left
  leave(
    left.flatMap(({ from, to }) => (to > first ? [{ from: Math.max(from, first), to }] : [])),
    known,
    unsent
  )
  return left.flatMap(({ from, to }) => (from < first ? [{ from, to: Math.min(to, first) }] : []))
}

/** None of these is sent any more. */
function leave(left: ReadonlyArray<Range>, known: Known, unsent: Set<number> | undefined): void {
  for (const { from, to } of left)
    for (let index = from; index < to; index++) if (!known.stored.has(index)) unsent?.add(index)
}

/** What a run that is not stored leaves to be sent again; a record that is refused for good alone is told so. */
function leftOfRun({ from, to, fate, error }: Run, known: Known): ReadonlyArray<Range> {
  if (error === undefined || !isRefused({ fate, error })) return [{ from, to }]
  // It may be one of them that is refused, or all of them together: there may be tens of thousands, more than a broker takes at once.
  const middle = from + ((to - from) >> 1)
  if (to - from > 1)
    return [
      { from, to: middle },
      { from: middle, to }
    ]
  if (!known.stored.has(from)) known.refused[from] = error
  return []
}

function isRefused({ fate, error }: Pick<Run, "fate" | "error">): boolean {
  return fate === "notStored" && error !== undefined && !error.isRetryable
}

function send(name: string, writer: Writer, partition: number, batch: RecordBatch, { from, to }: Range) {
  return sendEffect(writer, partition, batch, from, to, sendMs).pipe(
    Effect.timeoutOrElse({
      duration: sendMs * 2,
      orElse: () => Effect.succeed<ReadonlyArray<Run>>([{ from, to, fate: "unknown", error: unsaid(name) }])
    }),
    Effect.map((runs) => answeredRuns(runs, from, to))
  )
}

/** Until it has returned: what is in doubt must not land behind what is sent again. Where nothing fences, the same bytes go again. */
function fence({
  transport,
  writer,
  partition,
  onWaiting,
  pauses
}: Pick<Appending, "transport" | "writer" | "partition" | "onWaiting" | "pauses">) {
  return Effect.gen(function* () {
    if (transport.capabilities.fencing === "none") return
    for (let failures = 0; ;) {
      const fenced = yield* Effect.suspend(() => writer.fence(partition)).pipe(
        Effect.as(undefined),
        Effect.timeoutOrElse({ duration: sendMs, orElse: () => Effect.succeed(unsaid(transport.name)) }),
        Effect.catchCause((cause) => Effect.succeed(errorOf(transport.name, cause)))
      )
      if (fenced === undefined) return
      onWaiting(fenced)
      yield* pause(pauses, failures++)
    }
  })
}

function pause(pauses: Pauses, failures: number): Effect.Effect<void> {
  const ms = Math.min(againMs * 2 ** failures, againMsMax)
  return Effect.flatMap(Random.next, (random) => pauses.of(ms * (0.8 + 0.4 * random)))
}

function unsaid(transport: string): TransportError {
  return new TransportError({ reason: "Timeout", transport, operation: "send", detail: "no answer within the time" })
}

function errorOf(transport: string, cause: Cause.Cause<TransportError>): TransportError {
  return Option.getOrElse(Cause.findErrorOption(cause), () => {
    const detail = String(Cause.squash(cause))
    return new TransportError({ reason: "Unknown", transport, operation: "fence", detail, cause })
  })
}
