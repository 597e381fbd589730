/**
 * Commits of one member, one request in flight for each lane. The result comes by `offset_commit_cb`, without the errors of single
 * partitions, so each request has one partition. `commitCb` of the client is not used: it reports that a commit was queued.
 */
import { kafkaCodes, settledNote } from "@leat/kafka"
import type { TransportError } from "leat/transport"
import type { ClientError, Consumer, TopicPartition } from "../client/client.ts"
import { clientCodes, codeOfThrown, failure, failureOf } from "../client/failure.ts"
import type { GroupLane } from "./GroupLane.ts"

/**
 * The group rebalances, its coordinator moves, or this member has not heard its new generation yet: retried while the lane is held. The
 * loss of a lane is reported by a revocation.
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
/** Code of a client that is no longer connected. */
const notConnected = clientCodes.STATE

/**
 * A commit without an offset, for a partition that no topic has. It sends nothing, and its result shows whether the client can still
 * commit. The client reports its end only once, among the records, and the addon drops an error that follows records in one call.
 */
const nothing = { partition: 2 ** 31 - 1, offset: -1001 }

/** Result of every commit of a client that has ended. */
const fatal = clientCodes.FATAL

/** The commit in flight of a lane; the lane sends the next one after its result. */
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

  /** `ended` is called when `probe` finds that the client has ended. */
  constructor(group: string, consumer: () => Consumer | undefined, ended: (error: ClientError) => void) {
    this.#group = group
    this.#consumer = consumer
    this.#ended = ended
  }

  /** Checks whether the client can still commit. */
  probe(topic: string): void {
    try {
      this.#consumer()?.commit([{ topic, ...nothing }])
    } catch {
      // The client is closed, or closing.
    }
  }

  commit(lane: GroupLane, offset: number, done: (error: TransportError | undefined) => void): void {
    const before = this.#commits.get(lane.partition)
    // The earlier lane of the same partition is over: its commit fails as lost.
    if (before !== undefined) this.#end(before, this.#lost(before))
    const commit = { lane, offset, done, attempts: 0 }
    this.#commits.set(lane.partition, commit)
    this.#send(commit)
  }

  /** Takes the result of a commit. */
  done(error: ClientError | undefined, [answered]: ReadonlyArray<TopicPartition>): void {
    if (answered?.partition === nothing.partition) {
      if (error?.code === fatal) this.#ended(error)
      return
    }
    const commit = answered === undefined ? undefined : this.#commits.get(answered.partition)
    if (commit !== undefined) this.#answered(commit, error)
  }

  /** Ends all commits in flight as lost. */
  close(): void {
    for (const commit of this.#commits.values()) this.#end(commit, this.#lost(commit))
  }

  #send(commit: Commit): void {
    const { lane, offset } = commit
    // T38: a lane that was lost in the meantime may be held by another member.
    if (lane.held.isOver) return this.#end(commit, this.#lost(commit))
    const consumer = this.#consumer()
    // There is no client to report the result.
    if (consumer === undefined) return this.#answered(commit, { code: notConnected, message: "" })
    try {
      const { topic, partition } = lane
      const metadata = settledNote(lane)
      consumer.commit([{ topic, partition, offset, ...(metadata === undefined ? {} : { metadata }) }])
    } catch (error) {
      this.#answered(commit, { code: codeOfThrown(error) ?? notConnected, message: "" })
    }
  }

  #answered(commit: Commit, error: ClientError | undefined): void {
    if (error === undefined) return this.#end(commit, undefined)
    const what = `${commit.lane.held.lane.id} of group ${this.#group}`
    if (!passing.has(error.code)) return this.#end(commit, failureOf(error, "settle", what))
    if (commit.attempts++ >= retriesMax) {
      // Not `LaneLost`, whatever the code: librdkafka may keep the partition, and only a revocation says that it is gone.
      const { detail } = failureOf(error, "settle", what)
      return this.#end(commit, failure("Unavailable", "settle", detail))
    }
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
