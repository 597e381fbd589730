/** The duties of the member that leads its group: it shares the partitions out, and notices when a topic has more of them. */
import { monotonicMs } from "../client/clock.ts"
import type { Brokers } from "../client/Brokers.ts"
import { failureOf } from "../client/failureOf.ts"
import { assign } from "./assign.ts"
import { readMemberMetadata, writeAssignment } from "./memberMetadata.ts"

/** Interval in which the leader checks topics for new partitions, in milliseconds. */
const countMs = 10_000

/** A member as the coordinator names it to the leader. */
interface Joined {
  readonly memberId: string
  readonly memberMetadata: Buffer
}

export class Leader {
  readonly #brokers: Brokers
  /** The number of partitions that were assigned, by topic. */
  #counts: ReadonlyMap<string, number> = new Map()
  #countedMs = 0

  constructor(brokers: Brokers) {
    this.#brokers = brokers
  }

  /** Another member leads the generation that begins now. */
  resign(): void {
    this.#counts = new Map()
  }

  async decide(members: ReadonlyArray<Joined>) {
    const known = members.map(({ memberId, memberMetadata }) => ({
      id: memberId,
      ...readMemberMetadata(memberMetadata)
    }))
    const counts = new Map<string, number>()
    for (const topic of new Set(known.flatMap(({ topics }) => topics))) {
      try {
        counts.set(topic, (await this.#brokers.lookUp(topic)).partitions)
      } catch (error) {
        if (failureOf(error, "join", topic).reason !== "UnknownTopic") throw error
      }
    }
    this.#counts = counts
    return Array.from(assign(known, counts), ([memberId, given]) => ({
      memberId,
      memberAssignment: writeAssignment(given)
    }))
  }

  /** Whether a topic has other partitions than were assigned; looked up now and then. */
  async hasOtherPartitions(): Promise<boolean> {
    const nowMs = monotonicMs()
    if (nowMs - this.#countedMs < countMs) return false
    this.#countedMs = nowMs
    let hasOther = false
    for (const [topic, count] of this.#counts) {
      const found = await this.#brokers.lookUp(topic).catch(() => undefined)
      hasOther ||= found !== undefined && found.partitions !== count
    }
    return hasOther
  }
}
