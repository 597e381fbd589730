/**
 * The members of groups that live in this worker: their rows, the topics that they read, and the changes of their lanes. The rows are the
 * truth; this follows them.
 */
import { randomInt } from "node:crypto"
import { type Fault, isDamage, Refusal, sqliteCode } from "../../Fault.ts"
import type { Calls, LaneEvent } from "../../Message.ts"
import { monotonicMs } from "../../clock.ts"
import { Heartbeat } from "./Heartbeat.ts"
import { againMs, HeldLanes } from "./HeldLanes.ts"
import type { Answer, Member, Subscription } from "./Holding.ts"
import type { GroupCommit } from "../GroupCommit.ts"
import type { Groups } from "./Groups.ts"
import type { LaneRow } from "./groupRows.ts"
import type { Store } from "../tables/Store.ts"

export interface MembershipOptions {
  readonly leaseMs: number
  /** Who this is, for a person. */
  readonly owner: string
  readonly tell: (event: LaneEvent) => void
}

export class Membership {
  readonly #store: Store
  readonly #groups: Groups
  readonly #commit: GroupCommit
  readonly #options: MembershipOptions
  readonly #heartbeat: Heartbeat
  /** What the members hold. */
  readonly lanes: HeldLanes
  readonly #members = new Map<number, Member>()
  readonly #subscriptions = new Map<number, Subscription>()

  constructor(store: Store, groups: Groups, commit: GroupCommit, options: MembershipOptions) {
    this.#store = store
    this.#groups = groups
    this.#commit = commit
    this.#options = options
    this.lanes = new HeldLanes(store, groups, commit, options.tell)
    this.#heartbeat = new Heartbeat(groups, commit, {
      leaseMs: options.leaseMs,
      members: () => this.#members.values(),
      lost: () => this.follow()
    })
  }

  /** True while a member here follows the commits of other processes. */
  get isWatching(): boolean {
    return this.#members.size > 0
  }

  join(ask: Calls["join"]["ask"], answer: Answer<null>): void {
    const { subscription: number, topic, from, drainMs } = ask
    this.#heartbeat.start()
    const member = this.#memberOf(ask)
    const subscription: Subscription = { number, member, topic, from, drainMs, isLeaving: false, handOvers: 0 }
    this.#subscriptions.set(number, subscription)
    member.subscriptions.add(subscription)
    this.#join(subscription, {
      done: answer.done,
      failed: (fault, mayBeStored) => {
        this.#forget(subscription)
        answer.failed(fault, mayBeStored)
      }
    })
  }

  takeNoMore(number: number, answer: Answer<null>): void {
    const subscription = this.#subscriptions.get(number)
    if (subscription === undefined) return answer.done(null)
    subscription.isLeaving = true
    this.#commit.push({
      wakes: "groups",
      run: () => {
        const { member, topic } = subscription
        this.#groups.takeNoMore(this.#store.topics.get(topic), member.group, member.row)
        return null
      },
      ...answer
    })
  }

  leave(number: number, answer: Answer<null>): void {
    const subscription = this.#subscriptions.get(number)
    if (subscription === undefined) return answer.done(null)
    const { member, topic } = subscription
    this.#forget(subscription)
    for (const holding of this.lanes.of(subscription)) this.lanes.drop(holding)
    this.#leaveTopic(member, topic, answer)
  }

  /** All members leave; for the close of the log. */
  leaveAll(): void {
    for (const number of this.#subscriptions.keys())
      this.leave(number, { done: () => undefined, failed: () => undefined })
  }

  /** Called after a commit: applies the new rows to members and lanes, and serves the waiting pulls. */
  follow(): void {
    for (const member of this.#members.values()) if (member.isEntered) this.#followMember(member)
    this.lanes.serve()
  }

  #memberOf({ member: number, group }: Calls["join"]["ask"]): Member {
    const found = this.#members.get(number)
    if (found !== undefined) return found
    const subscriptions = new Set<Subscription>()
    const member: Member = { number, group, subscriptions, row: newRow(), isEntered: false, fault: undefined }
    this.#members.set(number, member)
    this.#enter(member)
    return member
  }

  /** Writes the row of a member; later works find it, in the same transaction or a later one. */
  #enter(member: Member): void {
    const { owner, leaseMs } = this.#options
    const { group, row: id } = member
    const sinceMs = monotonicMs()
    this.#commit.push({
      wakes: "groups",
      run: () => {
        this.#heartbeat.evictExpired(group, sinceMs)
        this.#groups.enter({ id, group, owner, leaseMs })
      },
      done: () => {
        if (member.row !== id) return
        member.isEntered = true
        member.fault = undefined
      },
      failed: (fault) => {
        if (member.row === id) member.fault = fault
      }
    })
  }

  #join(subscription: Subscription, answer: Answer<null>): void {
    const { member, topic, from, drainMs } = subscription
    const { row } = member
    this.#commit.push({
      wakes: "groups",
      run: () => this.#groups.join(this.#store.topics.get(topic), member.group, row, { drainMs, from }),
      done: (isMember) => {
        const fault = member.row === row ? member.fault : undefined
        if (!isMember && fault?.reason === "Corrupt") return answer.failed(fault, false)
        // It was evicted, or its row could not be written: it enters again with all that it reads, this topic too.
        if (!isMember && fault !== undefined) setTimeout(() => this.#enterAgain(member, row), againMs)
        else if (!isMember) this.#enterAgain(member, row)
        answer.done(null)
      },
      failed: answer.failed
    })
  }

  /** Enters as a new member after an eviction: usually the process was paused. `row` is the old row. */
  #enterAgain(member: Member, row: number): void {
    if (member.row !== row || !this.#members.has(member.number)) return
    member.row = newRow()
    member.isEntered = false
    this.#enter(member)
    for (const subscription of member.subscriptions) {
      if (subscription.isLeaving) continue
      const again = member.row
      const failed = (fault: Fault) => {
        // Damage does not pass, and nobody waits for this answer.
        if (fault.reason === "Corrupt") this.#fail(subscription, fault)
        else setTimeout(() => this.#enterAgain(member, again), againMs)
      }
      this.#join(subscription, { done: () => undefined, failed })
    }
  }

  /** It ends, once it has been told why; what it has of the group goes with it. */
  #fail(subscription: Subscription, fault: Fault): void {
    if (this.#subscriptions.get(subscription.number) !== subscription) return
    this.leave(subscription.number, { done: () => undefined, failed: () => undefined })
    this.#options.tell({ event: "failed", subscription: subscription.number, fault })
  }

  #leaveTopic(member: Member, topic: string, answer: Answer<null>): void {
    const { row, group } = member
    const again = () => {
      const isGone = member.row !== row || this.#members.get(member.number) !== member
      const isBack = Array.from(member.subscriptions).some((one) => one.topic === topic)
      if (!isGone && !isBack) this.#leaveTopic(member, topic, { done: () => undefined, failed: () => undefined })
    }
    this.#commit.push({
      wakes: "groups",
      run: () => {
        this.#groups.leave(this.#store.topics.get(topic), group, row)
        return null
      },
      done: answer.done,
      failed: (fault, mayBeStored) => {
        answer.failed(fault, mayBeStored)
        // One that reads other topics lives on: nobody would evict it, and its lanes of this one would be nobody's.
        setTimeout(again, againMs).unref()
      }
    })
  }

  #forget(subscription: Subscription): void {
    const { member, number } = subscription
    this.#subscriptions.delete(number)
    member.subscriptions.delete(subscription)
    if (member.subscriptions.size > 0) return
    this.#members.delete(member.number)
    if (this.#members.size === 0) this.#heartbeat.stop()
  }

  #followMember(member: Member): void {
    const { row, subscriptions } = member
    let isEvicted = false
    // Damage or a busy log, perhaps of one topic only: the next call retries, and the other topics go on.
    for (const subscription of subscriptions)
      attempt(() => {
        this.#store.look(() => this.#followTopic(subscription))
        isEvicted ||= this.#store.look(() => this.#groups.member(row)) === undefined
      })
    if (isEvicted) this.#enterAgain(member, row)
  }

  #followTopic(subscription: Subscription): void {
    const { member, topic } = subscription
    const rows = this.#groups.held(this.#store.topics.get(topic), member.group, member.row)
    const rowOf = new Map(rows.map((row) => [row.partition, row]))
    const known = new Set<LaneRow>()
    for (const holding of this.lanes.of(subscription)) {
      const { partition, generation } = holding.claim
      const lane = rowOf.get(partition)
      if (lane?.generation !== generation) this.lanes.lose(holding)
      else {
        known.add(lane)
        if (lane.state === "revoked" && holding.state === "held") this.lanes.revoke(holding)
      }
    }
    for (const lane of rows) if (!known.has(lane)) this.lanes.give(subscription, lane)
  }
}

/** Random, not counted: a number from a rolled-back transaction could be assigned again. */
const newRow = (): number => randomInt(1, 2 ** 47)

function attempt(work: () => void): void {
  try {
    work()
  } catch (error) {
    if (sqliteCode(error) === undefined && !isDamage(error) && !(error instanceof Refusal)) throw error
  }
}
