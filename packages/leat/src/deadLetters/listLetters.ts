/** Lists dead letters: reads each partition once to learn what became of its letters, and once more for the letters themselves. */
import { Effect, Stream } from "effect"
import {
  type DeadLetter,
  type DeadLetterResolution,
  deadLetterTopics,
  readDeadLetter,
  undeliveredTopic
} from "../record/DeadLetter.ts"
import { type Header, ownHeaders } from "../record/Headers.ts"
import type {
  PartitionBounds,
  Position,
  ReceivedBatch,
  ReceivedRecord,
  Transport,
  TransportError
} from "../transport/index.ts"
import { DeadLetterIndex, type IndexedLetter } from "./DeadLetterIndex.ts"
import { checked } from "./givenArguments.ts"

/** The dead letters that a group has of a topic. */
export interface GroupLetters {
  /** Topic that the group reads. */
  readonly topic: string
  readonly group: string
}

/** What publishers could not store in a topic. */
export interface UndeliveredLetters {
  /** The topic that it was meant for. */
  readonly undelivered: string
}

/** Letters that leat has written, and so can replay. */
export type OwnLetters = GroupLetters | UndeliveredLetters

/** A topic of dead letters by its own name, whoever writes to it: Kafka Connect, Spring, Kafka Streams, a share group. */
export interface NamedLetters {
  readonly deadLetters: string
}

/** A dead letter, and what became of it. */
export interface ListedLetter {
  /** Topic of dead letters that it lies in. */
  readonly deadLetters: string
  /** Partition there. */
  readonly partition: number
  /** Position there. With the partition it names the letter. */
  readonly position: Position
  /** Epoch milliseconds at which it was written there, as the backend says. */
  readonly timeMs: number
  /** What is known of the failure. */
  readonly letter: DeadLetter
  /** Key bytes as they were. All bytes are copies: whoever gets a letter may change them, or give them away. */
  readonly key: Uint8Array | null
  /** Value bytes as they were. */
  readonly value: Uint8Array | null
  /** Headers as they were before the failure. */
  readonly headers: ReadonlyArray<Header>
  /** How many more records say the same. */
  readonly duplicates: number
  /** What became of it; absent: it is open. */
  readonly resolution?: DeadLetterResolution
}

/** Which letters are listed. */
export interface ListOptions {
  /** `open`, the default: those that nobody has replayed or dropped. */
  readonly state?: "open" | "all" | undefined
  /** Only this partition. */
  readonly partition?: number | undefined
}

/** What listing needs of a transport. */
export type LetterReader = Pick<Transport, "read" | "bounds">

/**
 * Lists dead letters, partition by partition in rising position, as they are when it begins. Reads each partition twice, and
 * remembers some hundred bytes for each of its letters. Fails with `UnknownTopic` where there is no topic of dead letters.
 *
 * @example
 * ```ts
 * const open = DeadLetters.list(transport, { topic: "shop.orders", group: "billing" })
 * yield* Stream.runForEach(open, ({ partition, position, letter }) => Console.log(`${partition}/${position}`, letter.tag))
 * ```
 */
export function list(
  transport: LetterReader,
  which: OwnLetters | NamedLetters,
  options: ListOptions = {}
): Stream.Stream<ListedLetter, TransportError> {
  const partitions = Effect.andThen(
    checked("list", ["state", "partition"], { transport, which, options }),
    Effect.suspend(() => transport.bounds(topicOf(which)))
  )
  return Stream.unwrap(
    Effect.map(partitions, (all) => {
      const deadLetters = topicOf(which)
      const some = all.filter(({ partition }) => partition === (options.partition ?? partition))
      return Stream.flatMap(Stream.fromIterable(some), (bounds) =>
        listPartition(transport, deadLetters, bounds, options)
      )
    })
  )
}

/** Name of the topic of dead letters. */
export function topicOf(which: OwnLetters | NamedLetters): string {
  return "deadLetters" in which ? which.deadLetters : topicsOf(which).deadLetters
}

/** Names of the topic of dead letters, and of the one that they are replayed to. */
export function topicsOf(which: OwnLetters): { readonly deadLetters: string; readonly replays: string } {
  if ("topic" in which) return deadLetterTopics(which.topic, which.group)
  return { deadLetters: undeliveredTopic(which.undelivered), replays: which.undelivered }
}

function listPartition(
  transport: LetterReader,
  deadLetters: string,
  { partition, start, end }: PartitionBounds,
  { state = "open" }: ListOptions
): Stream.Stream<ListedLetter, TransportError> {
  const batches = transport.read(deadLetters, partition, { fromPosition: start, toPosition: end })
  return Stream.unwrap(
    Effect.map(indexOf(partition, batches), (index) => {
      const lettersOf = ({ records }: ReceivedBatch) =>
        records.flatMap((record) => {
          const indexed = index.at(record.position)
          const isWanted = indexed !== undefined && (state === "all" || indexed.resolution === undefined)
          return isWanted ? [letterOf(deadLetters, partition, record, indexed)] : []
        })
      return Stream.flattenIterable(Stream.map(batches, lettersOf))
    })
  )
}

function indexOf(
  partition: number,
  batches: Stream.Stream<ReceivedBatch, TransportError>
): Effect.Effect<DeadLetterIndex, TransportError> {
  return Effect.suspend(() => {
    const index = new DeadLetterIndex(partition)
    const add = ({ records }: ReceivedBatch) =>
      Effect.sync(() => {
        for (const record of records) index.add(record)
      })
    return Effect.as(Stream.runForEach(batches, add), index)
  })
}

function letterOf(
  deadLetters: string,
  partition: number,
  { position, timeMs, key, value, headers }: ReceivedRecord,
  { duplicates, resolution }: IndexedLetter
): ListedLetter {
  const found = readDeadLetter(headers)
  return {
    deadLetters,
    partition,
    position,
    timeMs,
    letter: found?.letter ?? { by: "unknown", replays: 0 },
    ...ownBytes({ key, value, headers: found?.headers ?? headers }),
    duplicates,
    ...(resolution === undefined ? {} : { resolution })
  }
}

/** The letter again, for whoever is asked about it: what he does with it is not replayed. */
export function copyOf(listed: ListedLetter): ListedLetter {
  return { ...listed, ...ownBytes(listed), letter: { ...listed.letter } }
}

/** Of a record they are those of the batch that it was read in. */
function ownBytes({ key, value, headers }: Pick<ListedLetter, "key" | "value" | "headers">) {
  return {
    key: key === null ? null : new Uint8Array(key),
    value: value === null ? null : new Uint8Array(value),
    headers: ownHeaders(headers)
  }
}
