import { Effect } from "effect"
import type { TopicStatus, Transport, TransportError } from "./index.ts"

/** How the topic of a compacted contract is: `deleting`: compacted, and its retention deletes of it as well. */
export type Compacting = "compacted" | "deleting" | "not"

/**
 * Makes the topic of a compacted contract, before whoever writes there or reads it makes it as its cluster makes topics. One that is there stays as it
 * is. One of which the backend does not tell is taken for one that is compacted.
 */
export function madeCompacted(transport: Transport, topic: string): Effect.Effect<Compacting, TransportError> {
  if (!transport.capabilities.compaction) return Effect.succeed("compacted")
  const asked = Effect.flatMap(transport.partitionsOf(topic), (partitions) =>
    transport.ensure({ topic, partitions, compacted: true })
  )
  return asked.pipe(
    Effect.map(compactingOf),
    // Who may not ask how a topic is may be allowed to write to it. One that is not there must not be made otherwise.
    Effect.catchIf(
      ({ isRetryable }) => !isRetryable,
      (refusal) =>
        Effect.mapBoth(transport.bounds(topic), { onFailure: () => refusal, onSuccess: () => "compacted" as const })
    )
  )
}

function compactingOf(found: TopicStatus): Compacting {
  const properties = found.status === "differs" ? found.differences.map(({ property }) => property) : []
  if (properties.includes("compacted")) return "not"
  return properties.some((property) => property.startsWith("retention")) ? "deleting" : "compacted"
}
