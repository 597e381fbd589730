/**
 * One member of a consumer group. librdkafka tells of partitions that come and go in a callback and waits for the answer, so that a
 * partition is answered for only when it may really go: after its lane was drained and released, or its time is over.
 */
import { monotonicMs } from "../client/clock.ts"
import { kafkaCodes, kafkaDefaults, type KafkaOptions } from "@leat/kafka"
import { Cause, Deferred, Effect, Fiber, type Scope } from "effect"
import { OfferedLanes, type Subscription, TransportError } from "leat/transport"
import { assign, decline, unassign } from "./answers.ts"
import { attempt, closed, connected } from "../client/ask.ts"
import type {
  ClientError,
  ClientMessage,
  Consumer,
  KafkaJavascript,
  TopicPartition,
  TopicPartitionOffset
} from "../client/client.ts"
import { memberConfig, topicConfig } from "../client/clientConfig.ts"
import { Commits } from "./Commits.ts"
import { clientCodes, failure, failureOf } from "../client/failure.ts"
import { GroupLane, type LaneOwner } from "./GroupLane.ts"
import { type OffsetsAsked, startingOffsets } from "./startingOffsets.ts"

/** Most records that are taken at a time. */
const consumeRecords = 1000
/** Without a sign that something came it is looked after this time, in milliseconds: membership depends on it. */
const lookMs = 50
/** A member that holds nothing is asked so often whether it still is one, in milliseconds. */
const probeMs = 1000
/** How long a lane whose drain deadline passed may still settle what it has, in milliseconds. */
const graceMs = 100

/** A member that never was one is told by these that its brokers do not know the protocol; the client does not say more. */
const protocolUnknown: ReadonlySet<number> = new Set([
  clientCodes.UNSUPPORTED_FEATURE,
  clientCodes.FATAL,
  kafkaCodes.UNSUPPORTED_VERSION
])
/** Errors after which a member is none any more. */
const memberOver: ReadonlySet<number> = new Set([
  clientCodes.FATAL,
  clientCodes.MAX_POLL_EXCEEDED,
  clientCodes.FENCED,
  kafkaCodes.FENCED_INSTANCE_ID
])

export interface MemberOptions {
  readonly kafka: KafkaJavascript
  readonly options: KafkaOptions
  /** Where it is asked for positions. */
  readonly control: OffsetsAsked
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
  readonly #closing = Deferred.makeUnsafe<never, TransportError>()
  readonly #isEnding = () => this.#isClosed
  #isConsuming = false
  #hasMore = false
  #probedAtMs = 0
  /** Ends of partitions that were reached, to be taken after the records before them: the client tells of them first. */
  readonly #ends: Array<TopicPartitionOffset> = []
  #timer: NodeJS.Timeout | undefined
  #whenReleased: (() => void) | undefined

  constructor(options: MemberOptions, lanes: OfferedLanes) {
    this.#options = options
    this.lanes = lanes
    const { group } = options.subscription
    const ended = (error: ClientError) => this.#failed(error)
    this.#commits = new Commits(group, () => this.#consumer, ended)
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
          this.#asked(consumer, error, partitions),
        offset_commit_cb: (error: ClientError | undefined, offsets: ReadonlyArray<TopicPartition>) =>
          this.#commits.done(error, offsets),
        queue_non_empty_cb: () => this.#consume()
      }
      const consumer: Consumer = yield* attempt(
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
      this.#probe()
      if (!error && (this.#hasMore || messages.length === consumeRecords)) this.#consume()
      else this.#timer = setTimeout(() => this.#consume(), lookMs)
    })
  }

  /** Whoever is none any more has lost everything before: then nothing but this tells. */
  #probe(): void {
    const nowMs = monotonicMs()
    if (this.#isTrying || this.#held.size > 0 || nowMs - this.#probedAtMs < probeMs) return
    this.#probedAtMs = nowMs
    this.#commits.probe(this.#options.subscription.topic)
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

  /** Asked of partitions that come or go; also by a client that is replaced, or not ours yet. */
  #asked(consumer: Consumer, error: ClientError | undefined, partitions: ReadonlyArray<TopicPartition>): void {
    const isCurrent = consumer === this.#consumer
    if (isCurrent) this.#isTrying = false
    if (error?.code === clientCodes.ASSIGN_PARTITIONS)
      this.#after(isCurrent ? this.#assign(consumer, partitions) : decline(consumer, partitions, this.#isEnding))
    if (error?.code !== clientCodes.REVOKE_PARTITIONS) return
    if (!isCurrent) return this.#after(unassign(consumer, partitions, this.#isEnding))
    const isLost = this.#isClosed || consumer.assignmentLost()
    // At once, even while others are still drained: what is lost may be somebody else's already.
    for (const { partition } of partitions) {
      const lane = this.#held.get(partition)
      if (isLost) lane?.held.lose()
      else lane?.held.revoke()
    }
    this.#after(this.#revoke(consumer, partitions))
  }

  #assign(consumer: Consumer, partitions: ReadonlyArray<TopicPartition>): Effect.Effect<void> {
    const { control, subscription } = this.#options
    const { topic, group } = subscription
    const starts = startingOffsets(
      control,
      subscription,
      partitions.map(({ partition }) => partition)
    )
    return Effect.raceFirst(starts, Deferred.await(this.#closing)).pipe(
      Effect.flatMap((known) =>
        attempt("subscribe", `${topic} in group ${group}`, () => {
          const assigned = partitions.map(({ partition }) => ({ topic, partition, offset: known.get(partition) ?? 0 }))
          assign(consumer, assigned)
          if (this.#isLeaving) return
          for (const { partition, offset } of assigned) this.#give(partition, offset)
        })
      ),
      Effect.catchCause((cause) =>
        Effect.andThen(
          decline(consumer, partitions, this.#isEnding),
          Effect.sync(() => this.#fail(errorOf(cause, `${topic} in group ${group}`)))
        )
      )
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
      yield* unassign(consumer, partitions, this.#isEnding)
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

  readonly #close: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    this.#isClosed = true
    clearTimeout(this.#timer)
    for (const { held } of this.#held.values()) held.lose()
    this.#whenReleased?.()
    this.#commits.close()
    const { group } = this.#options.subscription
    yield* Deferred.fail(this.#closing, failure("Closed", "subscribe", `the member of group ${group} has ended`))
    // What was asked is answered first: a client that ends takes other answers.
    if (this.#answers !== undefined) yield* Fiber.await(this.#answers)
    const consumer = this.#consumer
    if (consumer !== undefined) yield* closed((done) => consumer.disconnect(done))
  })
}

function errorOf(cause: Cause.Cause<TransportError>, what: string): TransportError {
  const error = Cause.squash(cause)
  return error instanceof TransportError ? error : failure("Unknown", "subscribe", `${what}: ${String(error)}`)
}
