/**
 * One member of a consumer group. librdkafka tells of partitions that come and go in a callback and waits for the answer, so that a
 * partition is answered for only when it may really go: after its lane was drained and released, or its time is over.
 */
import { kafkaDefaults, type KafkaOptions } from "@leat/kafka"
import { Effect, Fiber, type Scope } from "effect"
import { type From, OfferedLanes, type Subscription, type TransportError } from "leat/transport"
import { attempt, closed, connected } from "./ask.ts"
import type {
  ClientError,
  ClientMessage,
  Consumer,
  KafkaJavascript,
  TopicPartition,
  TopicPartitionOffset
} from "./client.ts"
import { memberConfig, topicConfig } from "./clientConfig.ts"
import { Commits } from "./Commits.ts"
import type { Control } from "./Control.ts"
import { failure, failureOf } from "./failure.ts"
import { GroupLane, type LaneOwner } from "./GroupLane.ts"
import { offsetOf } from "./received.ts"

/** Most records that are taken at a time. */
const consumeRecords = 1000
/** Without a sign that something came it is looked after this time, in milliseconds: membership depends on it. */
const lookMs = 50
/** How long a lane whose drain deadline passed may still settle what it has, in milliseconds. */
const graceMs = 100

const assignPartitions = -175
const revokePartitions = -174
/** A member that never was one is told by these that its brokers do not know the protocol; the client does not say more. */
const protocolUnknown: ReadonlySet<number> = new Set([-165, -150, 35])
/** Errors after which a member is none any more. */
const memberOver: ReadonlySet<number> = new Set([-150, -147, -144, 82])

export interface MemberOptions {
  readonly kafka: KafkaJavascript
  readonly options: KafkaOptions
  readonly control: Control
  readonly subscription: Subscription
}

export class GroupMember {
  readonly lanes: OfferedLanes
  readonly #options: MemberOptions
  readonly #held = new Map<number, GroupLane>()
  #consumer: Consumer | undefined
  readonly #commits: Commits
  /** What librdkafka asked, one after another. */
  #answers: Fiber.Fiber<void> | undefined
  /** Whether the newer protocol is tried, and nobody has answered in it yet. */
  #isTrying = true
  #isLeaving = false
  #isClosed = false
  #isConsuming = false
  #hasMore = false
  /** Ends of partitions that were reached, to be taken after the records before them: the client tells of them first. */
  readonly #ends: Array<TopicPartitionOffset> = []
  #timer: NodeJS.Timeout | undefined
  #whenReleased: (() => void) | undefined

  constructor(options: MemberOptions, lanes: OfferedLanes) {
    this.#options = options
    this.lanes = lanes
    this.#commits = new Commits(options.subscription.group, () => this.#consumer)
  }

  /** Joins; the member has left when the scope ends. */
  static readonly join = Effect.fnUntraced(function* (
    options: MemberOptions
  ): Effect.fn.Return<GroupMember, TransportError, Scope.Scope> {
    const lanes = yield* OfferedLanes.make
    const member = new GroupMember(options, lanes)
    // First: the scope may have ended by now, and then the finalizer runs at once.
    yield* Effect.addFinalizer(() => member.#close)
    yield* member.#open("consumer")
    return member
  }, Effect.uninterruptible)

  /** Is given no more lanes: gives up those it has one by one, as if the group had asked, and then is gone. */
  readonly takeNoMore: Effect.Effect<void> = Effect.sync(() => {
    if (this.#isLeaving || this.#isClosed) return
    this.#isLeaving = true
    try {
      this.#consumer?.unsubscribe()
    } catch {
      // It is none any more.
    }
  })

  #open(protocol: "consumer" | "classic"): Effect.Effect<void, TransportError> {
    const { kafka, options, subscription } = this.#options
    const { topic } = subscription
    const timeoutMs = options.connectMs ?? kafkaDefaults.connectMs
    return Effect.gen({ self: this }, function* () {
      const config = {
        ...memberConfig(options, subscription, protocol),
        rebalance_cb: (error: ClientError | undefined, partitions: ReadonlyArray<TopicPartition>) =>
          this.#asked(error, partitions),
        offset_commit_cb: (error: ClientError | undefined, offsets: ReadonlyArray<TopicPartition>) =>
          this.#commits.done(error, offsets),
        queue_non_empty_cb: () => this.#consume()
      }
      const consumer = yield* attempt(
        "subscribe",
        "the cluster section",
        () => new kafka.KafkaConsumer(config, topicConfig)
      )
      yield* connected(kafka, consumer, timeoutMs, () => {})
      consumer.setDefaultConsumeTimeout(0)
      consumer.on("partition.eof", (end) => this.#ends.push(end))
      if (this.#isClosed || this.#isLeaving) return yield* closed((done) => consumer.disconnect(done))
      this.#consumer = consumer
      yield* attempt("subscribe", topic, () => consumer.subscribe([topic]))
      this.#consume()
    })
  }

  /** Takes what is there, and again, until there is nothing; never waits in the client. */
  #consume(): void {
    const consumer = this.#consumer
    if (consumer === undefined || this.#isClosed) return
    if (this.#isConsuming) {
      this.#hasMore = true
      return
    }
    clearTimeout(this.#timer)
    this.#isConsuming = true
    this.#hasMore = false
    consumer.consume(consumeRecords, (error, messages) => {
      this.#isConsuming = false
      if (consumer !== this.#consumer || this.#isClosed) return
      if (error) this.#failed(error)
      else this.#received(messages)
      for (const lane of this.#held.values()) lane.flow()
      if (!error && (this.#hasMore || messages.length === consumeRecords)) this.#consume()
      else this.#timer = setTimeout(() => this.#consume(), lookMs)
    })
  }

  #received(messages: ReadonlyArray<ClientMessage>): void {
    for (const message of messages) {
      this.#held.get(message.partition)?.received(message)
    }
    for (const { partition, offset } of this.#ends.splice(0)) this.#held.get(partition)?.passed(offset)
  }

  #failed({ code }: ClientError): void {
    const { topic, group } = this.#options.subscription
    if (protocolUnknown.has(code) && this.#isTrying) return this.#fallBack()
    const error = failureOf({ code, message: "" }, "subscribe", `${topic} in group ${group}`)
    // What passes is tried again by librdkafka itself, membership included.
    if (error.isRetryable && error.reason !== "UnknownTopic" && !memberOver.has(code)) return
    this.#fail(error.reason === "LaneLost" ? failure("Unavailable", "subscribe", error.detail) : error)
  }

  /** The stay in the group ends: leat joins again where the reason may pass. */
  #fail(error: TransportError): void {
    this.lanes.fail(error)
    for (const { held } of this.#held.values()) held.fail(error)
  }

  /** The cluster does not know KIP-848: joins again the classic way. */
  #fallBack(): void {
    const before = this.#consumer
    this.#consumer = undefined
    this.#isTrying = false
    const again = Effect.andThen(
      before === undefined ? Effect.void : closed((done) => before.disconnect(done)),
      this.#open("classic")
    )
    Effect.runFork(again.pipe(Effect.catch((error) => Effect.sync(() => this.#fail(error)))))
  }

  #asked(error: ClientError | undefined, partitions: ReadonlyArray<TopicPartition>): void {
    const consumer = this.#consumer
    if (consumer === undefined) return
    this.#isTrying = false
    if (error?.code === revokePartitions) {
      const isLost = this.#isClosed || consumer.assignmentLost()
      // At once, even while others are still drained: what is lost may be somebody else's already.
      for (const { partition } of partitions) {
        const lane = this.#held.get(partition)
        if (isLost) lane?.held.lose()
        else lane?.held.revoke()
      }
    }
    if (error?.code === assignPartitions) this.#after(this.#assign(consumer, partitions))
    else if (error?.code === revokePartitions) this.#after(this.#revoke(consumer, partitions))
  }

  #assign(consumer: Consumer, partitions: ReadonlyArray<TopicPartition>): Effect.Effect<void> {
    const { topic, group } = this.#options.subscription
    return this.#startsOf(partitions.map(({ partition }) => partition)).pipe(
      Effect.flatMap((starts) =>
        attempt("subscribe", `${topic} in group ${group}`, () => {
          const assigned = partitions.map(({ partition }) => ({ topic, partition, offset: starts.get(partition) ?? 0 }))
          if (consumer.rebalanceProtocol() === "COOPERATIVE") consumer.incrementalAssign(assigned)
          else consumer.assign(assigned)
          if (this.#isLeaving) return
          for (const { partition, offset } of assigned) this.#give(partition, offset)
        })
      ),
      Effect.catch((error) => Effect.sync(() => this.#fail(error)))
    )
  }

  #give(partition: number, start: number): void {
    const { topic, group } = this.#options.subscription
    const owner = {
      topic,
      group,
      commit: (...asked: Parameters<LaneOwner["commit"]>) => this.#commits.commit(...asked),
      over: () => this.#whenReleased?.(),
      pause: (lane: GroupLane, isPaused: boolean) => this.#pause(lane, isPaused)
    }
    const lane = new GroupLane(owner, partition, start)
    this.#held.set(partition, lane)
    this.lanes.offer(lane.held)
  }

  #pause({ topic, partition }: GroupLane, isPaused: boolean): void {
    try {
      if (isPaused) this.#consumer?.pause([{ topic, partition }])
      else this.#consumer?.resume([{ topic, partition }])
    } catch {
      // It is not assigned any more.
    }
  }

  /** One after another: what was asked first is answered first. */
  #after(answer: Effect.Effect<void>): void {
    this.#answers = Effect.runFork(
      this.#answers === undefined ? answer : Effect.andThen(Fiber.await(this.#answers), answer)
    )
  }

  /** Waits until the lanes are given back, or their time is over; only then others may have them. */
  #revoke(consumer: Consumer, partitions: ReadonlyArray<TopicPartition>): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const lanes = partitions.flatMap(({ partition }) => this.#held.get(partition) ?? [])
      yield* Effect.timeoutOption(this.#drained(lanes), this.#options.subscription.drainMs + graceMs)
      for (const lane of lanes) {
        lane.held.lose()
        if (this.#held.get(lane.partition) === lane) this.#held.delete(lane.partition)
      }
      try {
        if (consumer.rebalanceProtocol() === "EAGER") consumer.unassign()
        else consumer.incrementalUnassign(partitions)
      } catch {
        // The client is closed: everything is given back with it.
      }
    })
  }

  #drained(lanes: ReadonlyArray<GroupLane>): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      this.#whenReleased = () => {
        if (this.#isClosed || lanes.every(({ mayGo }) => mayGo)) resume(Effect.void)
      }
      this.#whenReleased()
      return Effect.sync(() => {
        this.#whenReleased = undefined
      })
    })
  }

  /** Where the group stands; where it never was, or what it stood at is gone, where the subscription says. */
  #startsOf(partitions: ReadonlyArray<number>): Effect.Effect<ReadonlyMap<number, number>, TransportError> {
    const { control, subscription } = this.#options
    const { topic, group, from } = subscription
    return Effect.gen(function* () {
      const [settled, earliest] = yield* Effect.all(
        [control.settled(topic, partitions, group), control.edges("subscribe", topic, partitions, "earliest")],
        { concurrency: "unbounded" }
      )
      const kept = new Map([...settled].filter(([partition, offset]) => offset >= (earliest.get(partition) ?? 0)))
      const others = partitions.filter((partition) => !kept.has(partition))
      if (others.length === 0) return kept
      const latest = yield* control.edges("subscribe", topic, others, "latest")
      const byTime =
        typeof from === "object" && "timeMs" in from
          ? yield* control.positionsAt("subscribe", topic, others, from.timeMs)
          : undefined
      for (const partition of others) {
        const low = earliest.get(partition) ?? 0
        const high = latest.get(partition) ?? low
        // A position that has expired was one all the same: what is left of what was not done comes next.
        const start = settled.has(partition) ? low : startOf(from, low, high, byTime?.get(partition))
        kept.set(partition, start)
      }
      return kept
    })
  }

  readonly #close: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    this.#isClosed = true
    clearTimeout(this.#timer)
    for (const { held } of this.#held.values()) held.lose()
    this.#whenReleased?.()
    this.#commits.close()
    const consumer = this.#consumer
    if (consumer !== undefined) yield* closed((done) => consumer.disconnect(done))
  })
}

function startOf(from: From, low: number, high: number, byTime: number | undefined): number {
  if (from === "earliest") return low
  if (from === "latest") return high
  if ("timeMs" in from) return byTime ?? high
  const offset = offsetOf(from.position, "subscribe")
  return typeof offset === "number" ? Math.min(high, Math.max(low, offset)) : high
}
