import { Effect, Option, Stream } from "effect"
import { deadLetterTopics, readDeadLetter, undeliveredTopic } from "../record/DeadLetter.ts"
import { type Transport, TransportError } from "../transport/index.ts"
import { checked } from "./givenArguments.ts"
import type { GroupLetters, LetterReader } from "./listLetters.ts"

/** A topic of dead letters, and whose they are where that can be told. */
export interface FoundLetters {
  /** Its own name. */
  readonly deadLetters: string
  /** Topic and group whose dead letters they are; absent: nothing tells. */
  readonly of?: GroupLetters
  /** The topic that publishers could not store them in; absent: they are a group's, or nothing tells. */
  readonly undelivered?: string
}

const ending = ".dlq"
const undeliveredEnding = undeliveredTopic("")

/**
 * Finds the topics of dead letters that groups and publishers have. Whose they are is told by the letters, and where there are none by the names of the topics.
 * Fails with `Unsupported` where the transport cannot tell what topics there are: there they have to be named.
 *
 * @example
 * ```ts
 * for (const { deadLetters, of } of yield* DeadLetters.find(transport)) console.log(deadLetters, of?.group)
 * ```
 */
export const find = Effect.fnUntraced(function* (
  transport: LetterReader & Pick<Transport, "topics">
): Effect.fn.Return<ReadonlyArray<FoundLetters>, TransportError> {
  yield* checked("find", [], { transport })
  const { topics } = transport
  if (topics === undefined) {
    const detail = "the transport cannot tell which topics there are; name topic and group"
    return yield* new TransportError({ reason: "Unsupported", transport: "transport", operation: "topics", detail })
  }
  const names = yield* topics
  const undelivered = names.flatMap((name): ReadonlyArray<FoundLetters> => {
    const topic = name.slice(0, -undeliveredEnding.length)
    return name.endsWith(undeliveredEnding) && names.includes(topic) ? [{ deadLetters: name, undelivered: topic }] : []
  })
  const ofGroups = yield* Effect.forEach(
    names.filter((name) => name.endsWith(ending)),
    (deadLetters) =>
      Effect.map(whoseAreThey(transport, deadLetters, names), (of): FoundLetters => {
        return of === undefined ? { deadLetters } : { deadLetters, of }
      })
  )
  return [...ofGroups, ...undelivered]
})

const whoseAreThey = Effect.fnUntraced(function* (
  transport: LetterReader,
  deadLetters: string,
  names: ReadonlyArray<string>
): Effect.fn.Return<GroupLetters | undefined, TransportError> {
  const isOf = ({ topic, group }: GroupLetters) => deadLetterTopics(topic, group).deadLetters === deadLetters
  const bounds = yield* transport.bounds(deadLetters)
  const letters = Stream.fromIterable(bounds).pipe(
    Stream.flatMap(({ partition, start, end }) =>
      transport.read(deadLetters, partition, { fromPosition: start, toPosition: end })
    ),
    Stream.flatMap(({ records }) => Stream.fromIterable(records)),
    Stream.map(({ headers }) => readDeadLetter(headers)?.letter),
    Stream.filter((letter) => letter !== undefined)
  )
  const { topic, group } = Option.getOrUndefined(yield* Stream.runHead(letters)) ?? {}
  if (topic !== undefined && group !== undefined && isOf({ topic, group })) return { topic, group }
  const named = names.flatMap((name): ReadonlyArray<GroupLetters> => {
    const rest = deadLetters.startsWith(`${name}.`) ? deadLetters.slice(name.length + 1, -ending.length) : ""
    return rest === "" ? [] : [{ topic: name, group: rest }]
  })
  // Of a group whose name is written otherwise in that of the topic only letters tell.
  return named.find(isOf)
})
