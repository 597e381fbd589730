/** Raw reads of the dead letters of a story, and of what was replayed. */
import { Effect, Stream } from "effect"
import {
  deadLetterHeader,
  deadLetterTopics,
  readDeadLetter,
  readReplays,
  readResolution,
  retryTopic
} from "../../record/DeadLetter.ts"
import { readMoved } from "../../record/movedRecord.ts"
import { retryTopicsMax } from "../../routes/retryTopicFaults.ts"
import { formatEventId } from "../../record/EventId.ts"
import { readMeta } from "../../record/Wire.ts"
import type { ReceivedRecord, Transport } from "../../transport/index.ts"
import { placesRead } from "./fallbackPlaces.ts"
import type { Chronicle, LetterFact, RetryFact } from "../judge/Chronicle.ts"
import { moveIn } from "./watchLetters.ts"
import type { World } from "./World.ts"

export const readLetters = Effect.fnUntraced(function* (
  chronicle: Chronicle,
  world: World,
  transports: ReadonlyArray<Transport>
) {
  for (const { group, stream } of world.groups) {
    const fact = world.streams[stream]
    if (fact === undefined) continue
    for (const { cluster, topic } of yield* placesRead(world, { stream }, transports)) {
      const transport = transports[cluster]
      if (transport !== undefined) yield* readAll(chronicle, { group, stream: fact.stream }, topic, transport)
    }
  }
})

/** What a group has of one topic that it reads. */
const readAll = Effect.fnUntraced(function* (
  chronicle: Chronicle,
  place: OfGroup,
  topic: string,
  transport: Transport
) {
  const { group } = place
  const { deadLetters, replays } = deadLetterTopics(topic, group)
  const readLetter = (record: ReceivedRecord) => {
    const resolution = readResolution(record.headers)
    if (resolution?.how === "replayed") chronicle.resolved.push({ group, topic: deadLetters, ...resolution })
    return letterOf(record)
  }
  chronicle.letters.push(...(yield* readTopic(transport, deadLetters, place, readLetter)))
  chronicle.replays.push(...(yield* readTopic(transport, replays, place, replayOf)))
  for (let tier = 1; tier <= retryTopicsMax; tier++) {
    const found = yield* readTopic(transport, retryTopic(topic, group, tier), place, retryOf)
    chronicle.retries.push(...found.map((one) => ({ ...one, tier, moved: one.moved })))
  }
})

interface OfGroup {
  readonly group: string
  readonly stream: string
}

type Known = Pick<LetterFact, "origin" | "replays" | "tag" | "headers"> & Partial<Pick<RetryFact, "moved">>
type Read = (record: ReceivedRecord) => Known | undefined

/** Nothing of a topic that is not there. */
const readTopic = Effect.fnUntraced(function* (
  transport: Transport,
  topic: string,
  { group, stream }: OfGroup,
  read: Read
) {
  const found: Array<LetterFact & Pick<Known, "moved">> = []
  const bounds = yield* Effect.orElseSucceed(transport.bounds(topic), () => [])
  for (const { partition, start, end } of bounds) {
    const range = { fromPosition: start, toPosition: end }
    yield* Stream.runForEach(transport.read(topic, partition, range), ({ records }) =>
      Effect.sync(() => {
        for (const record of records) {
          const { key, value, position } = record
          const known = read(record)
          if (known === undefined) continue
          const { id } = readMeta(known.headers, stream)
          const text = id === undefined ? undefined : formatEventId(id)
          found.push({ group, topic, partition, position, key, value, id: text, ...known })
        }
      })
    )
  }
  return found
})

function letterOf({ headers }: ReceivedRecord): ReturnType<Read> {
  const found = readDeadLetter(headers)
  if (found === undefined) return undefined
  const { topic, partition, position, replays, tag } = found.letter
  const isKnown = topic !== undefined && partition !== undefined && position !== undefined
  return { origin: isKnown ? { topic, partition, position } : undefined, replays, tag, headers: found.headers }
}

/** Also what says nothing of how it came there. */
function retryOf({ headers }: ReceivedRecord): ReturnType<Read> {
  const moved = readMoved(headers)
  const { replays = 0, tag } = moved?.letter ?? {}
  return { origin: undefined, replays, tag, headers: moved?.headers ?? headers, moved: moveIn(headers) }
}

function replayOf({ headers }: ReceivedRecord): ReturnType<Read> {
  const [first, ...rest] = headers
  const replays = first?.[0] === deadLetterHeader ? readReplays(first[1]) : undefined
  return { origin: undefined, tag: undefined, replays: replays ?? 0, headers: replays === undefined ? headers : rest }
}
