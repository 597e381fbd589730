/**
 * The answers of a member to librdkafka's rebalance callbacks: assign or unassign partitions. Every callback must be answered, also after
 * the member has failed: librdkafka waits for the answer without a limit. The end of its client waits too, in one of the four threads that
 * all clients of the process share, and until then the member stays in the group.
 */
import { Effect, Schedule } from "effect"
import { attempt } from "../client/ask.ts"
import type { Consumer, TopicPartition, TopicPartitionOffset } from "../client/client.ts"

/** The offset of a partition that is assigned and not read: nothing is fetched there. */
const endOffset = -1

/** A client that is closing rejects an unassign for a short time: the number of retries, and the pause between them in milliseconds. */
const tries = 20
const againMs = 50

/** Assigns partitions; throws if the client rejects it. */
export function assign(consumer: Consumer, partitions: ReadonlyArray<TopicPartitionOffset>): void {
  if (consumer.rebalanceProtocol() === "COOPERATIVE") consumer.incrementalAssign(partitions)
  else consumer.assign(partitions)
}

/** Assigns partitions without reading them, so that they can be given back. */
export function decline(
  consumer: Consumer,
  partitions: ReadonlyArray<TopicPartition>,
  isEnding: () => boolean
): Effect.Effect<void> {
  const taken = partitions.map(({ topic, partition }) => ({ topic, partition, offset: endOffset }))
  return attempt("subscribe", "taking partitions", () => assign(consumer, taken)).pipe(
    // A client that is closing rejects an assign, and needs an unassign instead.
    Effect.catch(() => unassign(consumer, partitions, isEnding))
  )
}

/** Gives partitions back. Never fails: a client that has ended holds none. */
export function unassign(
  consumer: Consumer,
  partitions: ReadonlyArray<TopicPartition>,
  isEnding: () => boolean
): Effect.Effect<void> {
  return attempt("subscribe", "giving partitions back", () => {
    if (consumer.rebalanceProtocol() === "EAGER") consumer.unassign()
    else consumer.incrementalUnassign(partitions)
  }).pipe(Effect.retry({ schedule: Schedule.spaced(againMs), times: tries, while: isEnding }), Effect.ignore)
}
