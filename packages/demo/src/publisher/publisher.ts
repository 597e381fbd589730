import { Effect } from "effect"
import type { EventStream, OpenLeat } from "leat"
import type { Survey } from "../check/survey.ts"
import { LineSet } from "../streams/LineSet.ts"
import { StoredNames } from "../streams/StoredNames.ts"
import type { Streams } from "../streams/streams.ts"
import type { TimedLine } from "../input/source.ts"
import type { PublisherTurn } from "./PublisherTurn.ts"
import { replay, type Speed } from "../input/replay.ts"

export interface PublisherOptions {
  readonly leat: OpenLeat
  readonly streams: Streams
  readonly survey: Survey
  readonly speed: Speed
  readonly turn: PublisherTurn
  readonly isStopped: () => boolean
  readonly listener: PublisherListener
}

export interface PublisherListener {
  readonly malformed: (ref: string, reason: string) => void
  readonly trouble: (message: string) => void
  /** Lines that are behind us: published now or earlier, or malformed. */
  readonly progress: (done: number) => void
  /** Lines that were stored when we came. */
  readonly resumed: (lines: number) => void
}

/**
 * Publishes every line that is not stored yet, in the order of the input, and waits until all is stored. What was only
 * buffered when a process died is published again, behind what its partition has: so the order of each key holds.
 *
 * Ends early when it is stopped, or loses its turn.
 */
export const publishInput = Effect.fnUntraced(function* (options: PublisherOptions) {
  const { leat, streams, survey, speed, turn, isStopped, listener } = options
  const sightings = new StoredNames(streams.sightings, ({ inputRef }) => inputRef, new LineSet())
  const logs = new StoredNames(streams.logs, ({ inputRef }) => inputRef, new LineSet())
  yield* sightings.refresh
  yield* logs.refresh
  listener.resumed(sightings.size + logs.size)
  let done = 0
  const hasToStop = () => isStopped() || !turn.isMine
  const play = ({ line }: TimedLine) => {
    listener.progress(++done)
    if (line.kind === "malformed") {
      listener.malformed(line.ref, line.reason)
      return Effect.succeed("skipped" as const)
    }
    if (line.kind === "sighting") {
      if (sightings.has(line.event)) return Effect.succeed("skipped" as const)
      return publish(streams.sightings, line.event, listener)
    }
    if (logs.has(line.event)) return Effect.succeed("skipped" as const)
    return publish(streams.logs, line.event, listener)
  }
  yield* replay(survey.spans, speed, hasToStop, play)
  yield* leat.flush
  return done === survey.lines
})

/** Waits for the buffer only, not for the broker: `flush` waits for that once, at the end. */
function publish<T>(
  stream: EventStream<T>,
  event: T,
  { trouble }: PublisherListener
): Effect.Effect<"played" | "skipped"> {
  if (stream.offer(event).admitted) return Effect.succeed("played")
  return stream.publish(event, { level: "queued" }).pipe(
    Effect.catch((error) => Effect.sync(() => trouble(error.message))),
    Effect.as("played")
  )
}
