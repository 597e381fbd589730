/**
 * Stores records in one partition, in order, each at least once. A range goes out when the one before it is stored; after an unknown outcome the
 * writer is fenced before anything is sent again. What is refused for good is left out and told.
 */
import { Clock, Effect } from "effect"
import { batchOf, type PlainRecord } from "../record/batchOf.ts"
import type { RecordBatch } from "../record/RecordBatch.ts"
import { type Run, sendEffect, type Transport, TransportError, type Writer } from "../transport/index.ts"
import { unknownRun } from "../transport/Sending.ts"
import { monotonicMs } from "../Wake.ts"

/** Where records go. */
export interface StoreTarget {
  readonly transport: Pick<Transport, "name" | "capabilities">
  readonly writer: Writer
  readonly partition: number
}

/** A record that the backend will never take. */
export interface RefusedRecord {
  readonly index: number
  readonly error: TransportError
}

/** How long the driver may take for one range, in milliseconds. */
const sendMs = 10_000

/** How long nothing may be stored before it is given up, in milliseconds. */
const patienceMs = 30_000

/** The delay before the first try again, and the longest, in milliseconds. */
const againMs = 50
const againMsMax = 2000

/** Gives what is refused for good. Fails when nothing was stored for 30 seconds, and at once for what does not pass. */
export const storeInOrder = Effect.fnUntraced(function* (target: StoreTarget, records: ReadonlyArray<PlainRecord>) {
  const patience = new Patience(yield* Clock.Clock)
  const batch = batchOf(records)
  const refused: Array<RefusedRecord> = []
  let from = 0
  let to = batch.count
  while (from < batch.count) {
    const failed = firstFailure(yield* send(target, batch, from, to), target.transport.name, from, to)
    if ((failed?.from ?? to) > from) patience.begin()
    from = failed?.from ?? to
    if (failed === undefined) to = batch.count
    else if (failed.fate === "unknown") {
      yield* fence(target, patience)
      yield* patience.wait(failed.error)
    } else if (isRefusal(failed.error)) {
      // Of several it is not known which one is refused: the first goes alone.
      if (to - from === 1) refused.push({ index: from++, error: failed.error })
      else to = from + 1
      if (to === from) to = batch.count
    } else if (failed.error.isRetryable) yield* patience.wait(failed.error)
    else return yield* failed.error
  }
  return refused
})

const isRefusal = ({ reason }: TransportError): boolean => reason === "TooLarge" || reason === "Rejected"

/** The first run that is not stored. What comes behind it is sent again with it, stored or not: the order is that of the last time. */
function firstFailure(runs: ReadonlyArray<Run>, transport: string, from: number, to: number) {
  let stored = from
  for (const run of runs) {
    if (run.from !== stored || run.to > to) break
    if (run.fate !== "stored") return { from: stored, fate: run.fate, error: run.error ?? together(transport) }
    stored = run.to
  }
  if (stored === to) return undefined
  return { from: stored, fate: "unknown" as const, error: lateError(transport, "send") }
}

/** Of records that were refused only because others were. */
function together(transport: string): TransportError {
  const detail = "refused together with other records"
  return new TransportError({ reason: "Unavailable", transport, operation: "send", detail })
}

function lateError(transport: string, operation: string): TransportError {
  return new TransportError({ reason: "Timeout", transport, operation, detail: "no answer in time" })
}

function send(
  { transport, writer, partition }: StoreTarget,
  batch: RecordBatch,
  from: number,
  to: number
): Effect.Effect<ReadonlyArray<Run>> {
  const late = Effect.sync(() => [unknownRun(transport.name, from, to, "no answer in time", "Timeout")])
  return sendEffect(writer, partition, batch, from, to, sendMs).pipe(
    Effect.timeoutOrElse({ duration: sendMs + 1000, orElse: () => late })
  )
}

/** Until nothing of an earlier send can land any more. */
function fence(target: StoreTarget, patience: Patience): Effect.Effect<void, TransportError> {
  const { transport, writer, partition } = target
  if (transport.capabilities.fencing === "none") return Effect.void
  const late = Effect.suspend(() => Effect.fail(lateError(transport.name, "fence")))
  return writer.fence(partition).pipe(
    Effect.timeoutOrElse({ duration: patienceMs, orElse: () => late }),
    Effect.asVoid,
    Effect.catch((error) =>
      error.isRetryable ? Effect.andThen(patience.wait(error), fence(target, patience)) : Effect.fail(error)
    )
  )
}

/** How long is waited before the next try, and until when there is one. */
class Patience {
  readonly #clock: Clock.Clock
  #sinceMs = 0
  #delayMs = againMs

  constructor(clock: Clock.Clock) {
    this.#clock = clock
    this.begin()
  }

  /** Something was stored: all of the time is there again. */
  begin(): void {
    this.#sinceMs = monotonicMs(this.#clock)
    this.#delayMs = againMs
  }

  /** Waits, or fails with the error when the time is over. */
  wait(error: TransportError): Effect.Effect<void, TransportError> {
    return Effect.suspend(() => {
      if (monotonicMs(this.#clock) - this.#sinceMs >= patienceMs) return Effect.fail(error)
      const delayMs = this.#delayMs
      this.#delayMs = Math.min(delayMs * 2, againMsMax)
      return Effect.sleep(delayMs)
    })
  }
}
