/**
 * One member of a consumer group. librdkafka assigns and revokes partitions in a callback and waits for the answer. A revocation is
 * answered after the lane was drained and released, or after its drain deadline.
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
import { firstOffset } from "../client/received.ts"
import { GroupLane, type LaneOwner, type LaneStart } from "./GroupLane.ts"
import { type OffsetsAsked, startingOffsets } from "./startingOffsets.ts"

/** Most records of one `consume`. */
const consumeRecords = 1000
/** Longest pause between two `consume` calls, in milliseconds: membership depends on them. */
const lookMs = 50
/** Interval in which a member without lanes checks that it is still a member, in milliseconds. */
const probeMs = 1000
/** Interval in which a member with lanes checks that its topic is not another one of the same name, in milliseconds. */
const anewMs = 3000
/** Time for the last commits of a lane after its drain deadline, in milliseconds. */
const graceMs = 100

/** Before the first assignment these codes mean that the brokers do not support the protocol; the client reports no more than that. */
const protocolUnknown: ReadonlySet<number> = new Set([
  clientCodes.UNSUPPORTED_FEATURE,
  clientCodes.FATAL,
  kafkaCodes.UNSUPPORTED_VERSION
])
/** Codes after which the membership has ended. */
const memberOver: ReadonlySet<number> = new Set([
  clientCodes.FATAL,
  clientCodes.MAX_POLL_EXCEEDED,
  clientCodes.FENCED,
  kafkaCodes.FENCED_INSTANCE_ID
])

/** librdkafka tells the cause to nobody but its log. */
const whenFatal =
  "; librdkafka has given this member up, most often because the brokers had not heard of it for longer than its session lasts"

export interface MemberOptions {
  readonly kafka: KafkaJavascript
  readonly options: KafkaOptions
  /** Source of offsets. */
  readonly control: OffsetsAsked
  readonly subscription: Subscription
  /** Partitions of the topic when the member joins. */
  readonly partitions: number
}

export class GroupMember {
  readonly lanes: OfferedLanes
  readonly #options: MemberOptions
  readonly #held = new Map<number, GroupLane>()
  /** Partitions whose fetching is paused. librdkafka keeps that when a partition is given back, and given to this member again. */
  readonly #paused = new Set<number>()
  #consumer: Consumer | undefined
  readonly #commits: Commits
  /** The answers to librdkafka's callbacks, in order. */
  #answers: Fiber.Fiber<void> | undefined
  /** True while the newer protocol has not been answered yet. */
  #isTrying = true
  #isLeaving = false
  #isClosed = false
  readonly #closing = Deferred.makeUnsafe<never, TransportError>()
  readonly #isEnding = () => this.#isClosed
  #isConsuming = false
  #hasMore = false
  #probedAtMs = 0
  #lookedAtMs = 0
  /** Ends of partitions that were reached. They are taken after the records before them, because the client reports them first. */
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

  /** Joins the group; the end of the scope leaves it. */
  static readonly join = Effect.fnUntraced(function* (
    options: MemberOptions
  ): Effect.fn.Return<GroupMember, TransportError, Scope.Scope> {
    const lanes = yield* OfferedLanes.make
    const member = new GroupMember(options, lanes)
    // Before `open`: if the scope has ended by now, the finalizer runs at once.
    yield* Effect.addFinalizer(() => member.#close)
    yield* member.#open("consumer")
    return member
  }, Effect.uninterruptible)

  /** Drains: gets no more lanes, releases those it has as after a revocation, then leaves. */
  readonly takeNoMore: Effect.Effect<void> = Effect.sync(() => {
    if (this.#isLeaving || this.#isClosed) return
    this.#isLeaving = true
    try {
      this.#consumer?.unsubscribe()
    } catch {
      // The membership has ended.
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

  /** Takes the records that are there, until there are none; never waits in the client. */
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
      this.#look()
      this.#leaveForgotten()
      if (!error && (this.#hasMore || messages.length === consumeRecords)) this.#consume()
      else this.#timer = setTimeout(() => this.#consume(), lookMs)
    })
  }

  /** A member that was evicted has no lanes, and only this check reports the eviction. */
  #probe(): void {
    const nowMs = monotonicMs()
    if (this.#isTrying || this.#held.size > 0 || nowMs - this.#probedAtMs < probeMs) return
    this.#probedAtMs = nowMs
    this.#commits.probe(this.#options.subscription.topic)
  }

  /**
   * A topic that is deleted and made anew: librdkafka learns the new id and goes on with the old offsets, without a word. Offsets go back
   * only where the new log is shorter.
   */
  #look(): void {
    const nowMs = monotonicMs()
    if (this.#held.size === 0 || nowMs - this.#lookedAtMs < anewMs) return
    this.#lookedAtMs = nowMs
    const { control, subscription } = this.#options
    const compared = Effect.map(control.topicOf("subscribe", subscription.topic), ({ id }) => {
      for (const lane of this.#held.values()) lane.isNow(id)
    })
    // A topic that is not there now may be made anew: the next look tells.
    Effect.runFork(Effect.ignore(Effect.raceFirst(compared, Deferred.await(this.#closing))))
  }

  /** A partition whose lane is over, by a commit that was refused for example, and that the client keeps, comes back by joining again. */
  #leaveForgotten(): void {
    const nowMs = monotonicMs()
    const { topic, group } = this.#options.subscription
    for (const lane of this.#held.values()) {
      if (!lane.isForgotten(nowMs)) continue
      const detail = `${topic}/${lane.partition} in group ${group}: its lane is over, and librdkafka keeps it`
      return this.#fail(failure("Unavailable", "subscribe", detail))
    }
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
    // librdkafka itself retries a transient failure, membership included.
    if (error.isRetryable && error.reason !== "UnknownTopic" && !memberOver.has(code)) return
    if (error.reason === "LaneLost") return this.#fail(failure("Unavailable", "subscribe", error.detail))
    this.#fail(code === clientCodes.FATAL ? failure(error.reason, "subscribe", `${error.detail}${whenFatal}`) : error)
  }

  /** Ends the membership; leat joins again if the failure is retryable. */
  #fail(error: TransportError): void {
    this.lanes.fail(error)
    for (const { held } of this.#held.values()) held.fail(error)
  }

  /** The cluster does not support KIP-848: joins again with the classic protocol. */
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

  /** Answers a rebalance callback; also that of a client that was replaced, or is not the current one yet. */
  #asked(consumer: Consumer, error: ClientError | undefined, partitions: ReadonlyArray<TopicPartition>): void {
    const isCurrent = consumer === this.#consumer
    if (isCurrent) this.#isTrying = false
    if (error?.code === clientCodes.ASSIGN_PARTITIONS)
      this.#after(isCurrent ? this.#assign(consumer, partitions) : decline(consumer, partitions, this.#isEnding))
    if (error?.code !== clientCodes.REVOKE_PARTITIONS) return
    if (!isCurrent) return this.#after(unassign(consumer, partitions, this.#isEnding))
    const isLost = this.#isClosed || consumer.assignmentLost()
    // At once, even while others still drain: a lost partition may be held by another member already.
    for (const { partition } of partitions) {
      const lane = this.#held.get(partition)
      if (lane !== undefined) lane.isAskedFor = true
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
      partitions.map(({ partition }) => partition),
      this.#options.partitions
    )
    return Effect.raceFirst(starts, Deferred.await(this.#closing)).pipe(
      Effect.flatMap((known) =>
        attempt("subscribe", `${topic} in group ${group}`, () => {
          const { offsets, topicId, begunWith, toBeKept, expired } = known
          const assigned = partitions.map(({ partition }) => ({
            topic,
            partition,
            offset: offsets.get(partition) ?? 0
          }))
          assign(consumer, assigned)
          if (this.#isLeaving) return
          for (const { partition, offset } of assigned) {
            const start = expired.get(partition) ?? offset
            this.#give(partition, { start, kept: offset, topicId, begunWith }, toBeKept.has(partition))
          }
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

  #give(partition: number, from: LaneStart, isToBeKept: boolean): void {
    const { topic, group } = this.#options.subscription
    const owner = {
      topic,
      group,
      commit: (...asked: Parameters<LaneOwner["commit"]>) => this.#commits.commit(...asked),
      over: () => this.#whenReleased?.(),
      first: (lane: GroupLane) => this.#first(lane),
      pause: (lane: GroupLane, isPaused: boolean) => this.#pause(lane, isPaused)
    }
    const lane = new GroupLane(owner, partition, from)
    this.#held.set(partition, lane)
    if (this.#paused.has(partition)) this.#pause(lane, false)
    if (isToBeKept) this.#keep(lane, from.start)
    else this.lanes.offer(lane.held)
  }

  /** Commits where the group begins, and gives the lane then: after it the next holder does not begin at a later end. */
  #keep(lane: GroupLane, start: number): void {
    this.#commits.commit(lane, start, (error) => {
      const { held } = lane
      if (error === undefined && held.isHeld) return this.lanes.offer(held)
      const isFailed = error !== undefined && held.isHeld
      // Nobody has it yet who would release it.
      held.release()
      if (isFailed) this.#fail(failure("Unavailable", "subscribe", error.detail))
    })
  }

  #first({ topic, partition }: GroupLane): number {
    return this.#consumer === undefined ? -1 : firstOffset(this.#consumer, topic, partition)
  }

  #pause({ topic, partition }: GroupLane, isPaused: boolean): void {
    try {
      if (isPaused) {
        this.#consumer?.pause([{ topic, partition }])
        this.#paused.add(partition)
      } else {
        this.#consumer?.resume([{ topic, partition }])
        this.#paused.delete(partition)
      }
    } catch {
      // The partition is no longer assigned; what is noted of it is made good when it is.
    }
  }

  /** Answers the callbacks in their order. */
  #after(answer: Effect.Effect<void>): void {
    this.#answers = Effect.runFork(
      this.#answers === undefined ? answer : Effect.andThen(Fiber.await(this.#answers), answer)
    )
  }

  /** Waits until the lanes are released, or their drain deadline has passed; only then others may have them. */
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
    // Pending callbacks are answered first: a client that is closing accepts other answers.
    if (this.#answers !== undefined) yield* Fiber.await(this.#answers)
    const consumer = this.#consumer
    if (consumer !== undefined) yield* closed((done) => consumer.disconnect(done))
  })
}

function errorOf(cause: Cause.Cause<TransportError>, what: string): TransportError {
  const error = Cause.squash(cause)
  return error instanceof TransportError ? error : failure("Unknown", "subscribe", `${what}: ${String(error)}`)
}
