/**
 * The runs on one cluster. The first has the topics that the document names; each later one has topics of its own, so that nothing has to be
 * deleted. Beside them stands a topic with one record for each later run. Where it ends is the number of the newest run, even when its
 * records have expired.
 */
import { Effect } from "effect"
import type { TransportError } from "leat"
import { batchOf, sendEffect, type Transport } from "leat/transport"

/** Time in which the record of a new run has to be stored, in milliseconds. */
const sendMsMax = 10_000

/** What stands before the names of a run. */
export function runPrefix(run: number): string {
  return run === 0 ? "" : `run-${run}.`
}

/** The document with the topics of a run. */
export function documentOfRun(text: string, run: number): string {
  return text.replaceAll("{stream}", `${runPrefix(run)}{stream}`)
}

/** Number of the newest run of topics, of which `first` is that of the sightings in the first run. */
export const newestRun = (transport: Transport, first: string): Effect.Effect<number, TransportError> =>
  endOf(transport, runsOf(first))

/** Begins a run beside the others. Two processes that do so at the same time may share it. */
export const beginRun = Effect.fnUntraced(function* (transport: Transport, first: string) {
  const topic = runsOf(first)
  yield* transport.ensure({ topic, partitions: 1 })
  const writer = yield* transport.openWriter(topic)
  const batch = batchOf([{ key: null, value: "a run begins" }])
  const told = yield* sendEffect(writer, 0, batch, 0, batch.count, sendMsMax)
  const refused = told.find(({ fate }) => fate !== "stored")?.error
  if (refused !== undefined) return yield* refused
}, Effect.scoped)

function runsOf(first: string): string {
  return `${first}.runs`
}

/** Records that a topic has had; 0 where there is none. */
function endOf(transport: Transport, topic: string): Effect.Effect<number, TransportError> {
  return transport.bounds(topic).pipe(
    Effect.map((rows) => rows.reduce((total, { end }) => total + Number(end), 0)),
    Effect.catchIf(
      ({ reason }) => reason === "UnknownTopic",
      () => Effect.succeed(0)
    )
  )
}
