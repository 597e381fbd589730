import { deadLetterTopics, retryTopic } from "../record/DeadLetter.ts"
import { topicCharactersMax } from "./fallbackFaults.ts"
import { globMatches } from "./Glob.ts"
import type { Leg } from "./Route.ts"
import type { RouteDocument, RouteFault } from "./RouteDocument.ts"
import { retryTopicsMax } from "./retryTopicFaults.ts"

/**
 * Why a group cannot have topics of its own beside a topic; undefined: it can. What it sets aside, moves and replays goes there, and the first failure
 * would stand for good otherwise. The same on every backend, because a stream may be moved: Kafka has the shortest names.
 *
 * @example
 * ```ts
 * groupTopicFault("shop.orders", "billing") // undefined
 * ```
 */
export function groupTopicFault(topic: string, group: string): string | undefined {
  const { deadLetters, replays } = deadLetterTopics(topic, group)
  const longest = Math.max(
    ...[deadLetters, replays, retryTopic(topic, group, retryTopicsMax)].map(({ length }) => length)
  )
  if (longest <= topicCharactersMax) return undefined
  return `the topics of this group, for what it sets aside and tries again, may have ${longest} characters, with the name of ${topic} in them; the limit is ${topicCharactersMax}: take shorter names, of letters and digits (every byte of any other character counts three there)`
}

/** Groups that read a stream, and could not have topics of their own beside the topic that a leg has it in. */
export function readGroupFaults(
  stream: string,
  groups: Iterable<string>,
  { path, topic }: Pick<Leg, "path" | "topic">
): ReadonlyArray<RouteFault> {
  return Array.from(groups).flatMap((group) => {
    const wrong = groupTopicFault(topic, group)
    if (wrong === undefined) return []
    return [{ path: `${path}.topic`, message: `group ${group} reads ${stream}, and cannot read it there: ${wrong}` }]
  })
}

/** The entries of a document that name such a group, of a stream that is read from these topics. */
export function groupTopicFaults(
  stream: string,
  topics: ReadonlyArray<string>,
  { subscriptions = [] }: RouteDocument
): ReadonlyArray<RouteFault> {
  return subscriptions.flatMap(({ match: { stream: streams, group = "*" } }, index) => {
    if (group.includes("*") || !globMatches(streams, stream)) return []
    const faults = topics.flatMap((topic) => groupTopicFault(topic, group) ?? [])
    return faults.slice(0, 1).map((message) => ({ path: `subscriptions[${index}].match.group`, message }))
  })
}
