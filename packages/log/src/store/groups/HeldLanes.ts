/**
 * The lanes that the members in this worker hold, and the pulls that wait for records. The main thread is told what becomes of its lanes.
 */
import { type Fault, faultOf } from "../../Fault.ts"
import type { LaneEvent, ReadResult } from "../../Message.ts"
import type { GroupCommit } from "../GroupCommit.ts"
import { read } from "../read.ts"
import type { Store } from "../tables/Store.ts"
import type { LaneRow } from "./groupRows.ts"
import type { Groups } from "./Groups.ts"
import type { Answer, Holding, Pulled, Subscription } from "./Holding.ts"

/** Pause before a retry of a write that a full, busy or damaged log did not take, in milliseconds. */
export const againMs = 1000

const laneLost: Fault = { reason: "LaneLost", detail: "the lane is no longer held by this member of its group" }

export class HeldLanes {
  readonly #store: Store
  readonly #groups: Groups
  readonly #commit: GroupCommit
  readonly #toMain: (event: LaneEvent) => void
  readonly #holdings = new Map<number, Holding>()
  #number = 0

  constructor(store: Store, groups: Groups, commit: GroupCommit, toMain: (event: LaneEvent) => void) {
    this.#store = store
    this.#groups = groups
    this.#commit = commit
    this.#toMain = toMain
  }

  pull(number: number, from: number, answer: Answer<Pulled>): void {
    const holding = this.#holdings.get(number)
    if (holding === undefined) return answer.failed(laneLost, false)
    if (holding.state !== "held") return answer.done({ ended: true })
    holding.pull = { from, ...answer }
    this.#guard(holding, () => this.#serve(holding))
  }

  settle(number: number, position: number, answer: Answer<null>): void {
    const holding = this.#holdings.get(number)
    if (holding === undefined || holding.state === "released") return answer.failed(laneLost, false)
    const run = () => {
      this.#groups.settle(holding.claim, position)
      return null
    }
    // Records of the lane are read meanwhile.
    this.#commit.push({ wakes: "nobody", isPatient: true, run, ...answer })
  }

  release(number: number, answer: Answer<null>): void {
    const holding = this.#holdings.get(number)
    if (holding === undefined || holding.state === "released") return answer.done(null)
    holding.state = "released"
    this.#end(holding)
    clearTimeout(holding.deadline)
    const give = () =>
      this.#handOver(holding, "release", {
        done: () => {
          this.drop(holding)
          answer.done(null)
        },
        failed: (fault, mayBeStored) => {
          answer.failed(fault, mayBeStored)
          // Retried, because the member stays alive, and without a release no other member would get the lane.
          this.#later(holding, againMs, give)
        }
      })
    give()
  }

  /** Serves the waiting pulls. */
  serve(): void {
    for (const holding of this.#holdings.values())
      if (holding.pull !== undefined) this.#guard(holding, () => this.#serve(holding))
  }

  give(
    subscription: Subscription,
    { partition, generation, group, number, start, abandoned, abandonedAt }: LaneRow
  ): void {
    const claim = { partition, group, holder: subscription.member.row, generation }
    const lane = this.#number++
    this.#holdings.set(lane, {
      number: lane,
      subscription,
      claim,
      state: "held",
      isTouched: false,
      pull: undefined,
      deadline: undefined
    })
    const told = abandonedAt === start ? abandoned : 0
    const given = { lane, partition: number, start, abandoned: told }
    this.#toMain({ event: "given", subscription: subscription.number, ...given })
  }

  revoke(holding: Holding): void {
    holding.state = "revoked"
    this.#end(holding)
    this.#tell("revoked", holding)
    const take = () =>
      this.#handOver(holding, "take", {
        done: () => undefined,
        failed: () => this.#later(holding, againMs, take)
      })
    this.#later(holding, holding.subscription.drainMs, take)
  }

  /** Those of a subscription that wait behind it share out for all: a member that joins gets half of the lanes at once. */
  #handOver({ claim, subscription }: Holding, how: "release" | "take", answer: Answer<null>): void {
    const number = ++subscription.handOvers
    this.#commit.push({
      wakes: "groups",
      run: () => {
        const topic = this.#store.topics.get(subscription.topic)
        this.#groups[how](topic, claim, number === subscription.handOvers)
        return null
      },
      ...answer
    })
  }

  /** Runs `work` after `ms`, unless the lane is gone by then; replaces the earlier timer of the lane. */
  #later(holding: Holding, ms: number, work: () => void): void {
    clearTimeout(holding.deadline)
    if (this.#holdings.has(holding.number)) holding.deadline = setTimeout(work, ms)
  }

  /** Answers a waiting pull: the lane has ended. */
  #end(holding: Holding): void {
    const { pull } = holding
    holding.pull = undefined
    pull?.done({ ended: true })
  }

  lose(holding: Holding): void {
    const { pull } = holding
    this.drop(holding)
    pull?.failed(laneLost, false)
    if (holding.state !== "released") this.#tell("lost", holding)
  }

  #tell(event: "revoked" | "lost", { number: lane, subscription }: Holding): void {
    this.#toMain({ event, subscription: subscription.number, lane })
  }

  drop(holding: Holding): void {
    clearTimeout(holding.deadline)
    holding.pull = undefined
    this.#holdings.delete(holding.number)
  }

  of(subscription: Subscription): ReadonlyArray<Holding> {
    return Array.from(this.#holdings.values()).filter((one) => one.subscription === subscription)
  }

  /** Answers a waiting pull, if there are records and the lane is still held. */
  #serve(holding: Holding): void {
    const { pull, claim } = holding
    if (pull === undefined) return
    const found = this.#store.look((): ReadResult | "lost" | undefined => {
      if (this.#store.heads.get(claim.partition).end <= pull.from) return undefined
      // Another member may hold it already, and handle the same records.
      const lane = this.#groups.lane(claim.partition, claim.group)
      if (lane?.holder !== claim.holder || lane.generation !== claim.generation) return "lost"
      return read(this.#store, claim.partition, pull.from, Number.MAX_SAFE_INTEGER)
    })
    if (found === undefined) return
    holding.pull = undefined
    if (found === "lost") {
      pull.failed(laneLost, false)
      return this.lose(holding)
    }
    if (holding.isTouched) return pull.done(found)
    this.#commit.push({
      wakes: "nobody",
      run: () => this.#groups.touch(claim),
      done: () => {
        holding.isTouched = true
        pull.done(found)
      },
      // A full disk must not block reading; a crash of this holder is then not counted.
      failed: () => pull.done(found)
    })
  }

  #guard(holding: Holding, work: () => void): void {
    try {
      work()
    } catch (error) {
      const { pull } = holding
      holding.pull = undefined
      pull?.failed(faultOf(error, this.#store.db.paths.database), false)
    }
  }
}
