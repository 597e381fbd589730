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

/** Whether a topic that is there is compacted, as far as its backend tells. It is asked for what it has otherwise, which changes nothing of it. */
export function isFoundCompacted(
  transport: Pick<Transport, "bounds" | "ensure">,
  topic: string
): Effect.Effect<boolean, TransportError> {
  // A topic that is not there must not be made by that.
  return Effect.map(
    Effect.flatMap(transport.bounds(topic), ({ length }) =>
      transport.ensure({ topic, partitions: length, compacted: false })
    ),
    (found) =>
      found.status === "differs" &&
      found.differences.some(({ property, found: has }) => property === "compacted" && has === "true")
  )
}

function compactingOf(found: TopicStatus): Compacting {
  const properties = found.status === "differs" ? found.differences.map(({ property }) => property) : []
  if (properties.includes("compacted")) return "not"
  return properties.some((property) => property.startsWith("retention")) ? "deleting" : "compacted"
}
