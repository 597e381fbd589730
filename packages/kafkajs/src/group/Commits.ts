/** Commits of positions by a member of a group; during a rebalance they wait for the next generation. */
import { kafkaCodes, type SettledNote, settledNote } from "@leat/kafka"
import type { Position } from "leat/transport"
import type { Brokers } from "../client/Brokers.ts"
import { monotonicMs } from "../client/clock.ts"
import { failure, failureOf, refusal } from "../client/failureOf.ts"
import { againMs, passes, sleep } from "./transient.ts"

/** A position to be stored, and what its commit says of itself. */
interface Settle extends SettledNote {
  readonly partition: number
  readonly position: Position
}

/** The member in whose name positions are committed. */
export interface Committer {
  readonly group: string
  readonly topic: string
  readonly memberId: string
  readonly generation: number
  readonly isOver: boolean
  readonly isJoining: boolean
  /** Resolves at the end of the join in progress, or of the next one. */
  readonly joined: () => Promise<void>
  /** The coordinator does not know this member in its generation. */
  readonly evicted: (code: number | undefined) => void
}

export class Commits {
  readonly #brokers: Brokers
  readonly #member: Committer

  constructor(brokers: Brokers, member: Committer) {
    this.#brokers = brokers
    this.#member = member
  }

  /** Commits, and checks the answer. During a rebalance it waits for the next generation. */
  async store(settle: Settle, isOurs: () => boolean): Promise<void> {
    const { group, topic } = this.#member
    const { partition } = settle
    const untilMs = monotonicMs() + this.#brokers.settings.requestMs
    const where = `group ${group}, ${topic}/${partition}`
    for (;;) {
      if (this.#member.isOver || !isOurs())
        throw failure("LaneLost", "settle", `${where}: no longer held by this member`)
      const { generation } = this.#member
      const failed = await this.#tryCommit(settle, where)
      if (failed === undefined) return
      const { code, error } = failed
      // An error about a past generation says nothing of the lane while this member keeps it.
      const isLost = error.reason === "LaneLost"
      const hasMovedOn = this.#member.isJoining || generation !== this.#member.generation
      if (code === kafkaCodes.REBALANCE_IN_PROGRESS || (isLost && hasMovedOn)) {
        // The caller does not retry after LaneLost, so it must be certain.
        if (monotonicMs() > untilMs)
          throw failure("Unavailable", "settle", `${where}: the group has not come to rest in time`)
        // If the next generation has begun by now, a new join would only start another rebalance.
        if (generation === this.#member.generation) await this.#member.joined()
      } else if (isLost) {
        this.#member.evicted(code)
        throw error
      } else if (monotonicMs() > untilMs) {
        throw error
      } else if (passes(error)) {
        this.#brokers.forgetCoordinator(group)
        await sleep(againMs)
      } else throw error
    }
  }

  /** Undefined once committed. `code` is the coordinator's, if it answered. */
  async #tryCommit(settle: Settle, where: string) {
    try {
      const code = await this.#commitOnce(settle)
      return code === 0 ? undefined : { code, error: refusal(code, "settle", where) }
    } catch (error) {
      return { code: undefined, error: failureOf(error, "settle", where) }
    }
  }

  async #commitOnce({ partition, position, ...said }: Settle): Promise<number> {
    const { group, topic } = this.#member
    const link = await this.#brokers.coordinator(group, "settle")
    // Only now: both may have changed in between.
    const { generation, memberId } = this.#member
    const metadata = settledNote(said)
    const settled = { partition, offset: String(position), ...(metadata === undefined ? {} : { metadata }) }
    const { responses } = await link.call(
      "OffsetCommit",
      {
        groupId: group,
        groupGenerationId: generation,
        memberId,
        topics: [{ topic, partitions: [settled] }]
      },
      this.#brokers.settings.requestMs
    )
    const answers = responses.flatMap((one) => (one.topic === topic ? one.partitions : []))
    // An answer without this partition is no answer.
    return answers.find((one) => one.partition === partition)?.errorCode ?? -1
  }
}
