/**
 * The members of groups that live in this worker: their heartbeats, the lanes they hold, and the pulls that wait for records.
 * What the rows say is the truth; this follows it, and tells the main thread what has become of its lanes.
 */
import { randomInt } from "node:crypto"
import { type Fault, faultOf, Refusal, sqliteCode } from "../../Fault.ts"
import type { Calls, LaneEvent, ReadResult } from "../../Message.ts"
import { monotonicMs } from "../../clock.ts"
import { Heartbeat } from "./Heartbeat.ts"
import type { Answer, Holding, Member, Pulled, Subscription } from "./Holding.ts"
import type { GroupCommit } from "../GroupCommit.ts"
import type { Groups } from "./Groups.ts"
import type { LaneRow } from "./groupRows.ts"
import { read } from "../read.ts"
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
  readonly #members = new Map<number, Member>()
  readonly #subscriptions = new Map<number, Subscription>()
  readonly #holdings = new Map<number, Holding>()
  #holdingNumber = 0

  constructor(store: Store, groups: Groups, commit: GroupCommit, options: MembershipOptions) {
    this.#store = store
    this.#groups = groups
    this.#commit = commit
    this.#options = options
    this.#heartbeat = new Heartbeat(groups, commit, {
      leaseMs: options.leaseMs,
      members: () => this.#members.values(),
      lost: () => this.follow()
    })
  }

  /** Whether anybody here waits for what other processes do. */
  get isWatching(): boolean {
    return this.#members.size > 0
  }

  join(ask: Calls["join"]["ask"], answer: Answer<null>): void {
    const { subscription: number, topic, from, drainMs } = ask
    this.#heartbeat.start()
    const member = this.#memberOf(ask)
    const subscription: Subscription = { number, member, topic, from, drainMs, isLeaving: false }
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
    for (const holding of this.#held(subscription)) this.#drop(holding)
    this.#leaveTopic(member, topic, answer)
  }

  /** Everybody goes; for the close of the log. */
  leaveAll(): void {
    for (const number of this.#subscriptions.keys())
      this.leave(number, { done: () => undefined, failed: () => undefined })
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
    this.#commit.push({ wakes: "nobody", run, ...answer })
  }

  release(number: number, answer: Answer<null>): void {
    const holding = this.#holdings.get(number)
    if (holding === undefined || holding.state === "released") return answer.done(null)
    holding.state = "released"
    this.#end(holding)
    clearTimeout(holding.deadline)
    const give = () =>
      this.#commit.push({
        wakes: "groups",
        run: () => {
          this.#groups.release(this.#store.topics.get(holding.subscription.topic), holding.claim)
          return null
        },
        done: () => {
          this.#drop(holding)
          answer.done(null)
        },
        failed: (fault, mayBeStored) => {
          answer.failed(fault, mayBeStored)
          // The member lives on, and nobody else would ever get the lane.
          this.#later(holding, againMs, give)
        }
      })
    give()
  }

  /** Somebody has committed: follows what that means for members and lanes, and serves the pulls that wait. */
  follow(): void {
    for (const member of this.#members.values()) if (member.isEntered) this.#followMember(member)
    this.serve()
  }

  /** Serves the pulls that wait: there may be records for them. */
  serve(): void {
    for (const holding of this.#holdings.values())
      if (holding.pull !== undefined) this.#guard(holding, () => this.#serve(holding))
  }

  #memberOf({ member: number, group }: Calls["join"]["ask"]): Member {
    const found = this.#members.get(number)
    if (found !== undefined) return found
    const member = { number, group, subscriptions: new Set<Subscription>(), row: newRow(), isEntered: false }
    this.#members.set(number, member)
    this.#enter(member)
    return member
  }

  /** Writes the row of a member; what is pushed later finds it, in the same transaction or a later one. */
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
        if (member.row === id) member.isEntered = true
      },
      failed: () => undefined
    })
  }

  #join(subscription: Subscription, answer: Answer<null>): void {
    const { member, topic, from, drainMs } = subscription
    const { row } = member
    this.#commit.push({
      wakes: "groups",
      run: () => this.#groups.join(this.#store.topics.get(topic), member.group, row, { drainMs, from }),
      done: (isMember) => {
        // It was evicted, or its row could not be written: it enters again with all that it reads, this topic too.
        if (!isMember) this.#enterAgain(member, row)
        answer.done(null)
      },
      failed: answer.failed
    })
  }

  /** As a new member, after its lease has expired: the whole process was paused, mostly. `row` is what it was. */
  #enterAgain(member: Member, row: number): void {
    if (member.row !== row || !this.#members.has(member.number)) return
    member.row = newRow()
    member.isEntered = false
    this.#enter(member)
    for (const subscription of member.subscriptions) {
      if (subscription.isLeaving) continue
      const again = member.row
      const failed = () => void setTimeout(() => this.#enterAgain(member, again), againMs)
      this.#join(subscription, { done: () => undefined, failed })
    }
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
    // Damage or a busy log, perhaps of one topic: the next look tries again, and the others go on.
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
    for (const holding of this.#held(subscription)) {
      const lane = rows.find(
        ({ partition, generation }) => partition === holding.claim.partition && generation === holding.claim.generation
      )
      if (lane === undefined) this.#lose(holding)
      else if (lane.state === "revoked" && holding.state === "held") this.#revoke(holding)
    }
    for (const lane of rows) if (!this.#isKnown(subscription, lane)) this.#give(subscription, lane)
  }

  #isKnown(subscription: Subscription, { partition, generation }: LaneRow): boolean {
    return this.#held(subscription).some(
      ({ claim }) => claim.partition === partition && claim.generation === generation
    )
  }

  #give(
    subscription: Subscription,
    { partition, generation, group, number, start, abandoned, abandonedAt }: LaneRow
  ): void {
    const claim = { partition, group, holder: subscription.member.row, generation }
    const lane = this.#holdingNumber++
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
    this.#options.tell({ event: "given", subscription: subscription.number, ...given })
  }

  #revoke(holding: Holding): void {
    const { claim, subscription } = holding
    holding.state = "revoked"
    this.#end(holding)
    this.#tell("revoked", holding)
    const take = () =>
      this.#commit.push({
        wakes: "groups",
        run: () => this.#groups.take(this.#store.topics.get(subscription.topic), claim),
        done: () => undefined,
        failed: () => this.#later(holding, againMs, take)
      })
    this.#later(holding, subscription.drainMs, take)
  }

  /** Does it after so many milliseconds, unless the lane has gone by then; instead of what was to be done before. */
  #later(holding: Holding, ms: number, work: () => void): void {
    clearTimeout(holding.deadline)
    if (this.#holdings.has(holding.number)) holding.deadline = setTimeout(work, ms)
  }

  /** A pull that waits learns that the lane has ended. */
  #end(holding: Holding): void {
    const { pull } = holding
    holding.pull = undefined
    pull?.done({ ended: true })
  }

  #lose(holding: Holding): void {
    const { pull } = holding
    this.#drop(holding)
    pull?.failed(laneLost, false)
    if (holding.state !== "released") this.#tell("lost", holding)
  }

  #tell(event: "revoked" | "lost", { number: lane, subscription }: Holding): void {
    this.#options.tell({ event, subscription: subscription.number, lane })
  }

  #drop(holding: Holding): void {
    clearTimeout(holding.deadline)
    holding.pull = undefined
    this.#holdings.delete(holding.number)
  }

  #held(subscription: Subscription): ReadonlyArray<Holding> {
    return Array.from(this.#holdings.values()).filter((one) => one.subscription === subscription)
  }

  /** Answers a waiting pull, when there is something and the lane is still held. */
  #serve(holding: Holding): void {
    const { pull, claim } = holding
    if (pull === undefined) return
    const found = this.#store.look((): ReadResult | "lost" | undefined => {
      if (this.#store.heads.get(claim.partition).end <= pull.from) return undefined
      // Another may hold it already, and be handling what would be given here.
      const lane = this.#groups.lane(claim.partition, claim.group)
      if (lane?.holder !== claim.holder || lane.generation !== claim.generation) return "lost"
      return read(this.#store, claim.partition, pull.from, Number.MAX_SAFE_INTEGER)
    })
    if (found === undefined) return
    holding.pull = undefined
    if (found === "lost") {
      pull.failed(laneLost, false)
      return this.#lose(holding)
    }
    if (holding.isTouched) return pull.done(found)
    this.#commit.push({
      wakes: "nobody",
      run: () => this.#groups.touch(claim),
      done: () => {
        holding.isTouched = true
        pull.done(found)
      },
      // A full disk must not keep anybody from reading: then a crash here goes uncounted.
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

/** When something is tried again that a full, busy or damaged log did not take, in milliseconds. */
const againMs = 1000

/** Drawn, not counted: a number that was given in a transaction that was undone could be given again. */
const newRow = (): number => randomInt(1, 2 ** 47)

const laneLost: Fault = { reason: "LaneLost", detail: "the lane is no longer held by this member of its group" }

function attempt(work: () => void): void {
  try {
    work()
  } catch (error) {
    if (sqliteCode(error) === undefined && !(error instanceof Refusal)) throw error
  }
}
