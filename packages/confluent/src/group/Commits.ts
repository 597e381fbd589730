/**
 * Commits of one member, a request for each lane at a time. The client's `commitCb` answers when a commit was queued, not when it was
 * made; what became of it is told by `offset_commit_cb`, and there without the errors of single partitions: so each request has one.
 */
import { kafkaCodes } from "@leat/kafka"
import type { TransportError } from "leat/transport"
import type { ClientError, Consumer, TopicPartition } from "../client/client.ts"
import { clientCodes, codeOfThrown, failure, failureOf } from "../client/failure.ts"
import type { GroupLane } from "./GroupLane.ts"

/**
 * The group moves, its coordinator does, or this member is about to learn its new generation: tried again while the lane is ours.
 * Whoever lost it is told so by a revocation.
 */
const passing: ReadonlySet<number> = new Set([
  kafkaCodes.COORDINATOR_LOAD_IN_PROGRESS,
  kafkaCodes.COORDINATOR_NOT_AVAILABLE,
  kafkaCodes.NOT_COORDINATOR,
  kafkaCodes.ILLEGAL_GENERATION,
  kafkaCodes.REBALANCE_IN_PROGRESS,
  kafkaCodes.STALE_MEMBER_EPOCH,
  clientCodes.WAIT_COORD,
  clientCodes.IN_PROGRESS,
  clientCodes.NO_OFFSET
])
const retryMs = 100
const retriesMax = 20
/** What the client throws when it is not connected any more. */
const notConnected = clientCodes.STATE

/**
 * A commit of nothing, for a partition that no topic has: it sends nothing, and its answer tells whether the client can still commit. The client
 * tells of its end once, among the records that it gives, and the addon drops an error that comes behind records of the same look.
 */
const nothing = { partition: 2 ** 31 - 1, offset: -1001 }

/** What a client that has ended answers to every commit. */
const fatal = clientCodes.FATAL

/** The one commit of a lane: a lane asks for the next when this one is answered. */
interface Commit {
  readonly lane: GroupLane
  readonly offset: number
  readonly done: (error: TransportError | undefined) => void
  attempts: number
}

export class Commits {
  readonly #consumer: () => Consumer | undefined
  readonly #group: string
  readonly #ended: (error: ClientError) => void
  /** By partition. */
  readonly #commits = new Map<number, Commit>()

  /** `ended` is called when an answer to `probe` says that the client has. */
  constructor(group: string, consumer: () => Consumer | undefined, ended: (error: ClientError) => void) {
    this.#group = group
    this.#consumer = consumer
    this.#ended = ended
  }

  /** Asks whether the client can still commit. */
  probe(topic: string): void {
    try {
      this.#consumer()?.commit([{ topic, ...nothing }])
    } catch {
      // It is closed, or about to be.
    }
  }

  commit(lane: GroupLane, offset: number, done: (error: TransportError | undefined) => void): void {
    const before = this.#commits.get(lane.partition)
    // The lane before, of the same partition, is over: what waits there has lost it.
    if (before !== undefined) this.#end(before, this.#lost(before))
    const commit = { lane, offset, done, attempts: 0 }
    this.#commits.set(lane.partition, commit)
    this.#send(commit)
  }

  /** The client tells what became of a commit. */
  done(error: ClientError | undefined, [answered]: ReadonlyArray<TopicPartition>): void {
    if (answered?.partition === nothing.partition) {
      if (error?.code === fatal) this.#ended(error)
      return
    }
    const commit = answered === undefined ? undefined : this.#commits.get(answered.partition)
    if (commit !== undefined) this.#answered(commit, error)
  }

  /** Nothing is committed any more. */
  close(): void {
    for (const commit of this.#commits.values()) this.#end(commit, this.#lost(commit))
  }

  #send(commit: Commit): void {
    const { lane, offset } = commit
    // T38: a lane that was lost in the meantime may be another member's.
    if (lane.held.isOver) return this.#end(commit, this.#lost(commit))
    const consumer = this.#consumer()
    // Nobody would ever tell what became of it.
    if (consumer === undefined) return this.#answered(commit, { code: notConnected, message: "" })
    try {
      consumer.commit([{ topic: lane.topic, partition: lane.partition, offset }])
    } catch (error) {
      this.#answered(commit, { code: codeOfThrown(error) ?? notConnected, message: "" })
    }
  }

  #answered(commit: Commit, error: ClientError | undefined): void {
    if (error === undefined) return this.#end(commit, undefined)
    if (!passing.has(error.code) || commit.attempts++ >= retriesMax)
      return this.#end(commit, failureOf(error, "settle", `${commit.lane.held.lane.id} of group ${this.#group}`))
    setTimeout(() => {
      if (this.#commits.get(commit.lane.partition) === commit) this.#send(commit)
    }, retryMs)
  }

  #end(commit: Commit, error: TransportError | undefined): void {
    const { lane, done } = commit
    if (this.#commits.get(lane.partition) === commit) this.#commits.delete(lane.partition)
    done(error)
  }

  #lost({ lane }: Commit): TransportError {
    return failure(
      "LaneLost",
      "settle",
      `${lane.held.lane.id} is no longer held by this member of group ${this.#group}`
    )
  }
}
