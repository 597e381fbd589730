import { Effect } from "effect"
import type { Transport, TransportError } from "./index.ts"

/**
 * Makes the topic of a compacted contract, before whoever writes there or reads it makes it as its cluster makes topics. False: it is there, and is
 * not compacted. One of which the backend does not tell is taken for one that is.
 */
export function madeCompacted(transport: Transport, topic: string): Effect.Effect<boolean, TransportError> {
  if (!transport.capabilities.compaction) return Effect.succeed(true)
  const asked = Effect.flatMap(transport.partitionsOf(topic), (partitions) =>
    transport.ensure({ topic, partitions, compacted: true })
  )
  return asked.pipe(
    Effect.map(
      (found) => found.status !== "differs" || !found.differences.some(({ property }) => property === "compacted")
    ),
    // Who may not ask how a topic is may be allowed to write to it. One that is not there must not be made otherwise.
    Effect.catchIf(
      ({ isRetryable }) => !isRetryable,
      (refusal) => Effect.mapBoth(transport.bounds(topic), { onFailure: () => refusal, onSuccess: () => true })
    )
  )
}
