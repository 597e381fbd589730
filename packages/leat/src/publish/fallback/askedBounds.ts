/** Where partitions begin and end, and how far they were sent on, asked within a time. */
import { Cause, Effect } from "effect"
import { textOfThrown } from "../../given/thrown.ts"
import { type PartitionBounds, TransportError } from "../../transport/index.ts"
import { isWhole } from "../sendOn/isWhole.ts"
import { type FallbackPlace, fallbackGroup } from "./openFallback.ts"

/** How long one look may take, in milliseconds. */
const answerMs = 10_000

export type Bounds = ReadonlyArray<PartitionBounds>

/** How far a place was sent on, by whoever does it; else why nobody says so. */
export function askedBounds({ transport, topic }: FallbackPlace): Effect.Effect<Bounds | string> {
  return answered(
    Effect.map(
      Effect.suspend(() => transport.bounds(topic, fallbackGroup)),
      (rows) => (rows.every(isWhole) ? rows : odd)
    )
  )
}

/** What has no answer, or fails, is asked again later; then it is why. */
export function answered(asked: Effect.Effect<Bounds | string, TransportError>): Effect.Effect<Bounds | string> {
  return asked.pipe(
    Effect.timeoutOrElse({ duration: answerMs, orElse: () => Effect.succeed(`no answer within ${answerMs} ms`) }),
    Effect.catchCause((cause) => {
      const error = Cause.squash(cause)
      return Effect.succeed(error instanceof TransportError ? error.message : textOfThrown(error))
    })
  )
}

const odd = "the driver says positions that are none"
