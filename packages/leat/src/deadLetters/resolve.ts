/** Writes what became of dead letters, and opens the topics that this needs. */
import { Clock, Effect, Schedule, type Scope } from "effect"
import type { PlainRecord } from "../record/batchOf.ts"
import { type DeadLetterResolution, deadLetterTopics, resolutionHeader } from "../record/DeadLetter.ts"
import { type Transport, TransportError, type Writer } from "../transport/index.ts"
import { type GroupLetters, type ListedLetter, topicOf } from "./listLetters.ts"
import { storeInOrder, type StoreTarget } from "./storeInOrder.ts"

/** What is said of a letter that is resolved. */
export interface ResolvedAs extends Pick<DeadLetterResolution, "how" | "reason"> {
  readonly by: string | undefined
}

/** Writes that letters of one partition are resolved. Fails where not all of it can be stored: those letters stay open. */
export const resolve = Effect.fnUntraced(function* (
  target: StoreTarget,
  letters: ReadonlyArray<ListedLetter>,
  { by, ...resolved }: ResolvedAs
): Effect.fn.Return<void, TransportError> {
  const atMs = yield* Clock.currentTimeMillis
  const resolution = { ...resolved, ...(by === undefined ? {} : { by }), atMs }
  const records = letters.map(({ key, partition, position }): PlainRecord => {
    return { key, value: null, headers: [resolutionHeader({ partition, position, ...resolution })], timeMs: atMs }
  })
  const [refused] = yield* storeInOrder(target, records)
  if (refused !== undefined) return yield* refused.error
})

/** Opens the topic of the dead letters for writing. */
export const openLetters = (
  transport: Transport,
  which: GroupLetters
): Effect.Effect<Writer, TransportError, Scope.Scope> => openSoon(transport, topicOf(which))

/** Opens the topic from which the group takes replays; makes it, with the partitions of the dead letters, where it is not there. */
export const openReplays = Effect.fnUntraced(function* (
  transport: Transport,
  which: GroupLetters
): Effect.fn.Return<Writer, TransportError, Scope.Scope> {
  const { deadLetters, replays } = deadLetterTopics(which.topic, which.group)
  const { length: partitions } = yield* transport.bounds(deadLetters)
  yield* transport.ensure({ topic: replays, partitions })
  const writer = yield* openSoon(transport, replays)
  if (writer.partitions >= partitions) return writer
  const detail = `${replays} has ${writer.partitions} partitions and ${deadLetters} has ${partitions}; give it as many, so that each letter keeps its partition`
  return yield* new TransportError({ reason: "Unsupported", transport: transport.name, operation: "replay", detail })
})

/** How long a topic that was just made may be unknown, as tries and the pause between them in milliseconds. */
const tries = 50
const pauseMs = 200

function openSoon(transport: Transport, topic: string): Effect.Effect<Writer, TransportError, Scope.Scope> {
  return Effect.retry(transport.openWriter(topic), {
    while: ({ isRetryable }) => isRetryable,
    schedule: Schedule.spaced(pauseMs),
    times: tries
  })
}
