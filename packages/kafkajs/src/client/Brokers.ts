/**
 * The brokers of one cluster: their addresses, the leaders of topics, and the connections. There is a connection for each purpose, because
 * a broker answers the requests of one connection in order: a waiting fetch must not delay a send.
 */
import { kafkaCodes } from "@leat/kafka"
import type { TransportError, TransportReason } from "leat/transport"
import type { MetadataAnswer } from "./Answers.ts"
import { failure, failureOf, refusal } from "./failureOf.ts"
import { hasTopicIds, metadataFrame, readMetadataAnswer } from "../protocol/metadata.ts"
import { Link } from "./Link.ts"
import type { Address, Settings } from "./Settings.ts"

/** The leader of each partition of a topic; -1: it has none at present. */
export interface TopicLeaders {
  /** A topic that is made anew has another; undefined: the brokers have no ids. */
  readonly id: string | undefined
  readonly partitions: number
  readonly leaders: ReadonlyMap<number, number>
}

/** With its address, because metadata may leave out a broker that was down at that moment. */
interface Coordinator {
  readonly node: number
  readonly address: Address
}

/** Codes of a leader, coordinator or controller that has moved or is moving. */
export const movedCodes: ReadonlySet<number> = new Set([
  kafkaCodes.UNKNOWN_TOPIC_OR_PARTITION,
  kafkaCodes.LEADER_NOT_AVAILABLE,
  kafkaCodes.NOT_LEADER_OR_FOLLOWER,
  kafkaCodes.BROKER_NOT_AVAILABLE,
  kafkaCodes.REPLICA_NOT_AVAILABLE,
  kafkaCodes.COORDINATOR_LOAD_IN_PROGRESS,
  kafkaCodes.COORDINATOR_NOT_AVAILABLE,
  kafkaCodes.NOT_COORDINATOR,
  kafkaCodes.NOT_CONTROLLER,
  kafkaCodes.LISTENER_NOT_FOUND,
  kafkaCodes.FENCED_LEADER_EPOCH,
  kafkaCodes.UNKNOWN_LEADER_EPOCH,
  kafkaCodes.OFFSET_NOT_AVAILABLE,
  kafkaCodes.UNKNOWN_TOPIC_ID,
  kafkaCodes.INCONSISTENT_TOPIC_ID
])

export class Brokers {
  readonly settings: Settings
  readonly #links = new Map<string, Promise<Link>>()
  readonly #nodes = new Map<number, Address>()
  readonly #topics = new Map<string, TopicLeaders>()
  /** Metadata requests in flight, by topic. */
  readonly #asked = new Map<string, Promise<TopicLeaders>>()
  readonly #coordinators = new Map<string, Coordinator>()
  #controller = -1
  #nextSeed = 0
  #isClosed = false

  constructor(settings: Settings) {
    this.settings = settings
  }

  /** The connection for a purpose; opened if there is none, or if it is broken. */
  link(purpose: string, node: number): Promise<Link> {
    const address = this.#nodes.get(node)
    if (address === undefined) return Promise.reject(failure("Unavailable", "connect", `broker ${node} is not known`))
    return this.#open(`${purpose}@${node}`, address)
  }

  /** A connection to any broker: an open one, else to a known broker, else to the next one that the options name. */
  async anyLink(purpose: string): Promise<Link> {
    const nodes = [...this.#nodes.keys()]
    for (const node of nodes) {
      const known = this.#links.get(`${purpose}@${node}`)
      const link = await known?.catch(() => undefined)
      if (link?.isOpen === true) return link
    }
    let last: unknown
    for (const node of nodes) {
      try {
        return await this.link(purpose, node)
      } catch (error) {
        last = error
      }
    }
    const { seeds } = this.settings
    for (let tried = 0; tried < seeds.length; tried++) {
      const seed = seeds[this.#nextSeed++ % seeds.length]
      try {
        if (seed !== undefined) return await this.#open(`${purpose}@${seed.host}:${seed.port}`, seed)
      } catch (error) {
        last = error
      }
    }
    throw failureOf(last, "connect", "no broker can be reached")
  }

  /** The leaders of a topic, from the cache if they are known. Fails with `UnknownTopic` if the topic does not exist. */
  async topic(name: string): Promise<TopicLeaders> {
    const known = this.#topics.get(name)
    if (known !== undefined) return known
    // After a leader has moved there are many concurrent callers: they share one request.
    const asked = this.#asked.get(name) ?? this.lookUp(name).finally(() => this.#asked.delete(name))
    this.#asked.set(name, asked)
    return asked
  }

  /** The same without the cache. */
  async lookUp(name: string): Promise<TopicLeaders> {
    const answer = await this.#metadata([name])
    const found = answer.topicMetadata.find(({ topic }) => topic === name)
    if (found === undefined) throw failure("UnknownTopic", "metadata", `${name}: the broker says nothing of it`)
    // LEADER_NOT_AVAILABLE for a partition: the topic exists.
    if (found.topicErrorCode !== 0 && found.topicErrorCode !== 5) throw refusal(found.topicErrorCode, "metadata", name)
    const leaders = new Map(found.partitionMetadata.map(({ partitionId, leader }) => [partitionId, leader]))
    const topic = { id: found.topicId, partitions: leaders.size, leaders }
    this.#topics.set(name, topic)
    return topic
  }

  /** Names of all topics. */
  async topics(): Promise<ReadonlyArray<string>> {
    const answer = await this.#metadata("all")
    return answer.topicMetadata.map(({ topic }) => topic)
  }

  /** Drops the cached leaders of a topic. */
  forget(name: string): void {
    this.#topics.delete(name)
  }

  /** Number of the broker that leads a partition. */
  async leader(topic: string, partition: number): Promise<number> {
    const { leaders, partitions } = await this.topic(topic)
    const node = leaders.get(partition)
    if (node === undefined)
      throw failure("UnknownTopic", "metadata", `${topic} has ${partitions} partitions, no ${partition}`)
    if (node < 0) {
      this.forget(topic)
      throw failure("Unavailable", "metadata", `${topic}/${partition} has no leader at present`)
    }
    return node
  }

  /** A connection to the coordinator of a group. */
  async coordinator(group: string, purpose: string): Promise<Link> {
    const known = this.#coordinators.get(group) ?? (await this.#findCoordinator(group))
    try {
      return await this.#open(`${purpose}@${known.node}`, known.address)
    } catch (error) {
      // Drop the cached coordinator here: not every caller reports back.
      if (this.#coordinators.get(group) === known) this.#coordinators.delete(group)
      throw error
    }
  }

  /** Drops the cached coordinator of a group. */
  forgetCoordinator(group: string): void {
    this.#coordinators.delete(group)
  }

  /** A connection to the broker that creates topics. */
  async controller(): Promise<Link> {
    await this.#metadata([])
    return this.#controller < 0 ? this.anyLink("ask") : this.link("ask", this.#controller)
  }

  /** Closes the connections of one purpose. */
  closePurpose(purpose: string): void {
    for (const [key, link] of this.#links) if (key.startsWith(`${purpose}@`)) this.#drop(key, link)
  }

  close(): void {
    this.#isClosed = true
    for (const [key, link] of this.#links) this.#drop(key, link)
  }

  async #metadata(topics: ReadonlyArray<string> | "all"): Promise<MetadataAnswer> {
    const link = await this.anyLink("ask")
    const answer = await this.#askMetadata(link, topics)
    for (const { nodeId, host, port } of answer.brokers) {
      const known = this.#nodes.get(nodeId)
      if (known !== undefined && known.host === host && known.port === port) continue
      this.#nodes.set(nodeId, { host, port })
    }
    const alive = new Set(answer.brokers.map(({ nodeId }) => nodeId))
    for (const node of this.#nodes.keys()) if (!alive.has(node)) this.#nodes.delete(node)
    this.#controller = answer.controllerId
    return answer
  }

  async #askMetadata(link: Link, topics: ReadonlyArray<string> | "all"): Promise<MetadataAnswer> {
    const { requestMs } = this.settings
    // In these versions kafkajs asks for all topics where none is named.
    const named = topics === "all" ? [] : topics
    if (!hasTopicIds(link)) return link.call("Metadata", { topics: named, allowAutoTopicCreation: false }, requestMs)
    const exchange = await link.exchange(metadataFrame(link, topics), requestMs)
    if ("error" in exchange) throw exchange.error
    return readMetadataAnswer(exchange.payload)
  }

  async #findCoordinator(group: string): Promise<Coordinator> {
    const link = await this.anyLink("ask")
    const { errorCode, coordinator } = await link.call("GroupCoordinator", { groupId: group }, this.settings.requestMs)
    if (errorCode !== 0) throw refusal(errorCode, "coordinator", `group ${group}`)
    const { nodeId: node, host, port } = coordinator
    const found = { node, address: { host, port } }
    this.#coordinators.set(group, found)
    return found
  }

  async #open(key: string, address: Address): Promise<Link> {
    if (this.#isClosed) throw failure("Closed", "connect", "the transport is closed")
    const known = this.#links.get(key)
    if (known !== undefined) {
      const link = await known.catch(() => undefined)
      if (link?.isOpen === true) return link
      // Another caller that waited for the same connection may have opened a new one.
      if (this.#links.get(key) !== known) return this.#open(key, address)
      this.#links.delete(key)
      link?.retire()
    }
    const opening = Link.open(address, this.settings)
    this.#links.set(key, opening)
    const forget = () => this.#links.get(key) === opening && this.#links.delete(key)
    opening.catch(forget)
    const link = await opening
    if (!this.#isClosed) return link
    link.close()
    throw failure("Closed", "connect", "the transport is closed")
  }

  #drop(key: string, link: Promise<Link>): void {
    this.#links.delete(key)
    link.then((open) => open.close()).catch(() => undefined)
  }
}

const movedReasons: ReadonlySet<TransportReason> = new Set(["Unavailable", "Disconnected", "Timeout", "UnknownTopic"])

/** Whether a new lookup of the leader or coordinator may help: a broker that gives no answer may have been replaced. */
export function hasMoved({ reason }: TransportError): boolean {
  return movedReasons.has(reason)
}
