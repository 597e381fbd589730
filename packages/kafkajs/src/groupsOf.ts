/** Which groups have committed offsets in a topic. Brokers keep no such list: each coordinator lists its groups, and each group is asked. */
import { groupsTopic, kafkaCodes, probeGroups } from "@leat/kafka"
import type { Brokers } from "./client/Brokers.ts"
import { failureOf, refusal } from "./client/failureOf.ts"
import type { Link } from "./client/Link.ts"
import { asking, settledPositions } from "./Offsets.ts"

/** Groups that are asked at a time. */
const askedMost = 8

/** Groups of these kinds commit no offsets; a broker refuses to say those of a share group. */
const withoutOffsets: ReadonlySet<string> = new Set(["share", "connect"])

/** Names of the groups that have a committed offset in the topic. */
export async function groupsOf(brokers: Brokers, topic: string): Promise<ReadonlyArray<string>> {
  const { id, leaders } = await brokers.lookUp(topic)
  const partitions = [...leaders.keys()]
  const left = [...(await allGroups(brokers))]
  const found: Array<string> = []
  const askOn = async (): Promise<void> => {
    for (let group = left.pop(); group !== undefined; group = left.pop()) {
      const settled = await settledPositions(brokers, group, { topic, id }, partitions)
      if ([...settled.values()].some(({ isOfOtherLog }) => !isOfOtherLog)) found.push(group)
    }
  }
  await Promise.all(Array.from({ length: askedMost }, askOn))
  return found
}

/**
 * Each coordinator is asked for a group of each of its partitions before and after it lists its groups, on one connection: it has known all of them
 * in between. Fails where one may not be seen: others may be hidden too.
 */
function allGroups(brokers: Brokers): Promise<ReadonlySet<string>> {
  let probes: ReadonlyArray<string> = []
  return asking(
    async () => {
      probes = probeGroups(await partitionsOf(brokers))
      const links = await Promise.all(probes.map((group) => brokers.coordinator(group, "ask")))
      const prove = () => Promise.all(probes.map((group, index) => proveKnown(brokers, links[index], group)))
      await prove()
      const lists = await Promise.all(Array.from(new Set(links), (link) => listedBy(brokers, link)))
      await prove()
      return new Set(lists.flat())
    },
    () => {
      for (const group of probes) brokers.forgetCoordinator(group)
    }
  )
}

/** Undefined: the topic is not there yet, or not for us to see. */
async function partitionsOf(brokers: Brokers): Promise<number | undefined> {
  try {
    return (await brokers.lookUp(groupsTopic)).partitions
  } catch (error) {
    const { reason } = failureOf(error, "groups", groupsTopic)
    if (reason !== "UnknownTopic" && reason !== "Unauthorized") throw error
    return undefined
  }
}

/** Fails where it is not the coordinator of the group, or not yet. */
async function proveKnown({ settings }: Brokers, link: Link | undefined, groupId: string): Promise<void> {
  const topics = [{ topic: groupsTopic, partitions: [{ partition: 0 }] }]
  const answer = await link?.call("OffsetFetch", { groupId, topics }, settings.requestMs)
  const codes = answer?.responses.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode)) ?? []
  for (const code of [answer?.errorCode ?? 0, ...codes])
    if (code !== 0 && code !== kafkaCodes.TOPIC_AUTHORIZATION_FAILED)
      throw refusal(code, "groups", `the coordinator of group ${groupId}`)
}

async function listedBy({ settings }: Brokers, link: Link): Promise<ReadonlyArray<string>> {
  const { errorCode, groups } = await link.call("ListGroups", {}, settings.requestMs)
  if (errorCode !== 0) throw refusal(errorCode, "groups", "the list of groups of a broker")
  return groups.flatMap(({ groupId, protocolType }) => (withoutOffsets.has(protocolType) ? [] : [groupId]))
}
