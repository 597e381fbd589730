/** Stores a page of records in one partition, within a time: whoever waits for the command is told why it does not go on. */
import { Effect, Schedule, type Scope } from "effect"
import type { PlainRecord } from "../record/batchOf.ts"
import { lettersRetention } from "../transport/everything.ts"
import { type Forwarder, openForwarder } from "../transport/Forwarder.ts"
import { type Transport, TransportError } from "../transport/index.ts"

/** How long a page may take, in milliseconds: a send that is in doubt and its fence, and then what is sent again. */
const patienceMs = 90_000

/** How long a topic that was just made may be unknown, as tries and the pause between them in milliseconds. */
const tries = 50
const pauseMs = 200

/** A topic that is written to. */
export interface Target {
  readonly forwarder: Forwarder
  /** Name of the transport, for errors. */
  readonly transport: string
}

/** Opens a topic; makes it, with so many partitions, where it is not there. */
export const openTarget = (
  transport: Transport,
  topic: string,
  partitions: number
): Effect.Effect<Target, TransportError, Scope.Scope> =>
  openForwarder(transport, { topic, partitions, ...lettersRetention(transport) }).pipe(
    Effect.retry({ while: ({ isRetryable }) => isRetryable, schedule: Schedule.spaced(pauseMs), times: tries }),
    Effect.map((forwarder) => ({ forwarder, transport: transport.name }))
  )

/**
 * Answers for each record: undefined when it is stored, else why this record will never be. Fails with the last error when that takes too
 * long, and with what is wrong with all of them, such as missing rights.
 */
export const storePage = Effect.fnUntraced(function* (
  { forwarder, transport }: Target,
  partition: number,
  records: ReadonlyArray<PlainRecord>
): Effect.fn.Return<ReadonlyArray<TransportError | undefined>, TransportError> {
  const detail = "no answer in time"
  let last = new TransportError({ reason: "Timeout", transport, operation: "send", detail })
  const answers = yield* forwarder
    .append(partition, records, (error) => {
      last = error
    })
    .pipe(Effect.timeoutOrElse({ duration: patienceMs, orElse: () => Effect.suspend(() => Effect.fail(last)) }))
  const ofAll = answers.find((error) => error !== undefined && !isOfRecord(error))
  if (ofAll !== undefined) return yield* ofAll
  return answers
})

const isOfRecord = ({ reason }: TransportError): boolean => reason === "TooLarge" || reason === "Rejected"
