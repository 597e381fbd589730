/**
 * The answers to what librdkafka asks of a member of a group: to take partitions, or to give them back. Each question must have one, whatever
 * has become of the member: librdkafka waits for it for ever. So does the end of its client, in one of the four threads that all clients of
 * the process share, and until then the group takes the member for alive.
 */
import { Effect, Schedule } from "effect"
import { attempt } from "../client/ask.ts"
import type { Consumer, TopicPartition, TopicPartitionOffset } from "../client/client.ts"

/** The offset at which nothing is fetched of a partition that nobody reads. */
const endOffset = -1

/** A client that is about to end takes nothing back before it has begun to: how often it is asked, and the time between, in milliseconds. */
const tries = 20
const againMs = 50

/** Takes partitions; throws where the client does not. */
export function assign(consumer: Consumer, partitions: ReadonlyArray<TopicPartitionOffset>): void {
  if (consumer.rebalanceProtocol() === "COOPERATIVE") consumer.incrementalAssign(partitions)
  else consumer.assign(partitions)
}

/** Takes partitions that nobody will read, so that they can be given back. */
export function decline(
  consumer: Consumer,
  partitions: ReadonlyArray<TopicPartition>,
  isEnding: () => boolean
): Effect.Effect<void> {
  const taken = partitions.map(({ topic, partition }) => ({ topic, partition, offset: endOffset }))
  return attempt("subscribe", "taking partitions", () => assign(consumer, taken)).pipe(
    // A client that ends takes nothing any more, and wants to be told that all is given back.
    Effect.catch(() => unassign(consumer, partitions, isEnding))
  )
}

/** Gives partitions back. Never fails: with a client that has ended everything is given back. */
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
