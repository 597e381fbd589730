/** Whose dead letters are meant: a topic and a group, a topic of dead letters by its own name, or several. */
import { Effect, Option, Stream } from "effect"
import { DeadLetters, type Routes } from "leat"
import { deadLetterTopics, undeliveredTopic } from "leat/transport"
import { findContractsIn } from "../events/Contracts.ts"
import { topicFailure, transportFailure } from "../log/openLog.ts"
import { CommandFailure, exitCode } from "../outcome.ts"
import { type Looking, misuse, type OpenedCluster } from "../openCluster.ts"
import type { LetterDescribing } from "./describeLetter.ts"

/** As it is said on the command line. */
export interface WhoseFlags {
  readonly topic: Option.Option<string>
  readonly stream: Option.Option<string>
  readonly group: Option.Option<string>
  readonly undelivered: boolean
}

/** The dead letters of one group, or of the publishers to a topic. */
export const ownLetters = Effect.fnUntraced(function* (
  flags: WhoseFlags,
  cluster: OpenedCluster<unknown>
): Effect.fn.Return<DeadLetters.OwnLetters, CommandFailure> {
  const topic = yield* topicOf(flags, cluster)
  if (flags.undelivered) return yield* undeliveredOf(flags, topic)
  if (topic !== undefined && Option.isSome(flags.group)) return { topic, group: flags.group.value }
  return yield* misuse(
    "name topic and group of the dead letters, by --topic (or --stream) and --group; those that Kafka Connect, Spring or Kafka Streams wrote can be looked at only, and resolved by what wrote them"
  )
})

/** What publishers could not store in a topic. */
function undeliveredOf(
  { group }: WhoseFlags,
  topic: string | undefined
): Effect.Effect<DeadLetters.UndeliveredLetters, CommandFailure> {
  if (Option.isSome(group))
    return misuse("--undelivered is for what publishers could not store, and no group is part of it")
  if (topic === undefined) return misuse("name the topic that they were published to, by --topic or --stream")
  return Effect.succeed({ undelivered: topic })
}

/** The topic that is meant; undefined: none is named. */
export const topicOf = Effect.fnUntraced(function* (
  { topic, stream }: WhoseFlags,
  { routes, name }: OpenedCluster<unknown>
): Effect.fn.Return<string | undefined, CommandFailure> {
  if (Option.isSome(topic)) return topic.value
  if (Option.isNone(stream)) return undefined
  if (routes === undefined) return stream.value
  const topics = topicsOf(routes, stream.value, name)
  const [only, ...others] = topics
  if (only !== undefined && others.length === 0) return only
  const what = only === undefined ? "no topic" : `more than one topic (${topics.join(", ")})`
  return yield* misuse(`by the routes, stream ${stream.value} has ${what} in cluster ${name}; name it by --topic`)
})

/** The topics that a stream has in a cluster, whoever publishes it. */
function topicsOf(routes: Routes, stream: string, cluster: string): ReadonlyArray<string> {
  const legs = routes.routesOf(stream).flatMap((route) => route.legs)
  return [...new Set(legs.filter((leg) => leg.cluster === cluster).map(({ topic }) => topic))]
}

/** How letters are told, with the contract of the stream that their group reads. */
export const describingOf = Effect.fnUntraced(function* (
  flags: WhoseFlags & {
    readonly proto: Option.Option<string>
    readonly type: Option.Option<string>
    readonly unmasked: boolean
  },
  topic: string | undefined
): Effect.fn.Return<LetterDescribing, CommandFailure> {
  const contracts = yield* findContractsIn(flags.proto)
  const named = Option.isSome(flags.stream) ? yield* contracts.namedStream(flags.stream.value) : undefined
  const fallback = Option.isSome(flags.type) ? Option.some(yield* contracts.named(flags.type.value)) : Option.none()
  const contract = named ?? (topic === undefined ? undefined : contracts.ofStream(topic))
  return { contracts, fallback, isUnmasked: flags.unmasked, contract }
})

/** Whether a group has ever had a dead letter. Fails where its topic is not there, or it reads nothing there: then it is misspelt. */
export const hasLetters = (
  transport: Looking,
  which: DeadLetters.OwnLetters | DeadLetters.NamedLetters
): Effect.Effect<boolean, CommandFailure> => {
  if ("deadLetters" in which) return isTopic(transport, which.deadLetters)
  const topic = "undelivered" in which ? which.undelivered : which.topic
  const asked =
    "undelivered" in which ? undeliveredTopic(topic) : deadLetterTopics(which.topic, which.group).deadLetters
  const isThere = Effect.andThen(
    isTopic(transport, topic),
    "undelivered" in which ? Effect.void : checkGroup(transport, which)
  )
  return Effect.as(transport.bounds(asked), true).pipe(
    Effect.catch((error) =>
      error.reason === "UnknownTopic" ? Effect.as(isThere, false) : Effect.fail(transportFailure(error))
    )
  )
}

/** Fails where the cluster knows its groups, and this is none of them. */
const checkGroup = Effect.fnUntraced(function* (
  transport: Looking,
  { topic, group }: DeadLetters.GroupLetters
): Effect.fn.Return<void, CommandFailure> {
  // Who may not ask for the groups of a topic is told no more than that there are no letters.
  const reading = yield* Effect.orElseSucceed(transport.groups?.(topic) ?? Effect.undefined, () => undefined)
  if (reading === undefined || reading.includes(group)) return
  const known = new Set([...reading, ...(yield* groupsWithLetters(transport, topic))])
  const others =
    known.size === 0 ? "no other group has either" : `these groups have: ${[...known].toSorted().join(", ")}`
  const message = `group ${group} has settled nothing of topic ${topic} and never had a dead letter there; ${others}`
  return yield* new CommandFailure({ code: exitCode.failed, message })
})

/** Groups that have had dead letters of a topic, or of any; none where the cluster does not tell its topics. */
export const groupsWithLetters = (transport: Looking, topic?: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(
    Effect.orElseSucceed(DeadLetters.find(transport), () => []),
    (found) => [
      ...new Set(found.flatMap(({ of }) => (of !== undefined && (topic ?? of.topic) === of.topic ? [of.group] : [])))
    ]
  )

function isTopic(transport: Looking, topic: string): Effect.Effect<true, CommandFailure> {
  return Effect.as(transport.bounds(topic), true as const).pipe(Effect.catch(topicFailure(transport, topic)))
}

/** The letters of one topic of dead letters. */
export const lettersOf = (
  transport: Looking,
  which: DeadLetters.OwnLetters | DeadLetters.NamedLetters,
  options: DeadLetters.ListOptions
): Stream.Stream<DeadLetters.ListedLetter, CommandFailure> =>
  Stream.unwrap(
    Effect.map(hasLetters(transport, which), (has) =>
      has ? Stream.mapError(DeadLetters.list(transport, which, options), transportFailure) : Stream.empty
    )
  )
