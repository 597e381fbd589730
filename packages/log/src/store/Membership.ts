/**
 * The members of groups that live in this worker: their heartbeats, the lanes they hold, and the pulls that wait for records.
 * What the rows say is the truth; this follows it, and tells the main thread what has become of its lanes.
 */
import { type Fault, faultOf, Refusal, sqliteCode } from "../Fault.ts"
import type { Calls, LaneEvent, ReadResult } from "../Message.ts"
import { Heartbeat } from "./Heartbeat.ts"
import type { Answer, Holding, Member, Pulled } from "./Holding.ts"
import type { GroupCommit } from "./GroupCommit.ts"
import type { Groups } from "./Groups.ts"
import type { LaneRow } from "./groupRows.ts"
import { read } from "./read.ts"
import type { Store } from "./Store.ts"

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
  readonly #holdings = new Map<number, Holding>()
  #holdingNumber = 0

  constructor(store: Store, groups: Groups, commit: GroupCommit, options: MembershipOptions) {
    this.#store = store
    this.#groups = groups
    this.#commit = commit
    this.#options = options
    this.#heartbeat = new Heartbeat(store, groups, commit, {
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
    const { member: number, topic, group, from, drainMs } = ask
    const member: Member = { number, topic, group, from, drainMs, row: undefined, isLeaving: false }
    this.#members.set(number, member)
    this.#heartbeat.start()
    this.#enter(member, {
      done: answer.done,
      failed: (fault, mayBeStored) => {
        this.#members.delete(number)
        answer.failed(fault, mayBeStored)
      }
    })
  }

  takeNoMore(number: number, answer: Answer<null>): void {
    const member = this.#members.get(number)
    if (member === undefined) return answer.done(null)
    member.isLeaving = true
    this.#commit.push({
      wakes: "groups",
      run: () => {
        const { group, row, topic } = member
        if (row !== undefined) this.#groups.takeNoMore(this.#store.topics.get(topic), group, row)
        return null
      },
      ...answer
    })
  }

  leave(number: number, answer: Answer<null>): void {
    const member = this.#members.get(number)
    if (member === undefined) return answer.done(null)
    this.#members.delete(number)
    for (const holding of this.#held(member)) this.#drop(holding)
    if (this.#members.size === 0) this.#heartbeat.stop()
    this.#commit.push({
      wakes: "groups",
      run: () => {
        // Read here: joining may have stood before this in the queue.
        if (member.row !== undefined) this.#groups.leave(this.#store.topics.get(member.topic), member.group, member.row)
        return null
      },
      ...answer
    })
  }

  /** Everybody goes; for the close of the log. */
  leaveAll(): void {
    for (const number of this.#members.keys()) this.leave(number, { done: () => undefined, failed: () => undefined })
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
          this.#groups.release(this.#store.topics.get(holding.member.topic), holding.claim)
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
    for (const member of this.#members.values()) {
      if (member.row === undefined) continue
      // Damage or a busy log: the next look tries again.
      attempt(() => this.#store.look(() => this.#followMember(member)))
    }
    this.serve()
  }

  /** Serves the pulls that wait: there may be records for them. */
  serve(): void {
    for (const holding of this.#holdings.values())
      if (holding.pull !== undefined) this.#guard(holding, () => this.#serve(holding))
  }

  #enter(member: Member, answer: Answer<null>): void {
    const { owner, leaseMs } = this.#options
    const { from, drainMs, group } = member
    this.#commit.push({
      wakes: "groups",
      run: () => {
        const topic = this.#store.topics.get(member.topic)
        return this.#groups.join(topic, group, { owner, leaseMs, drainMs, from })
      },
      done: (row) => {
        member.row = row
        answer.done(null)
      },
      failed: answer.failed
    })
  }

  /** As a new member, after its lease has expired: the whole process was paused, mostly. */
  #enterAgain(member: Member): void {
    if (!this.#members.has(member.number) || member.isLeaving) return
    member.row = undefined
    const failed = () => void setTimeout(() => this.#enterAgain(member), againMs)
    this.#enter(member, { done: () => undefined, failed })
  }

  #followMember(member: Member): void {
    const { row, group } = member
    if (row === undefined) return
    const rows = this.#groups.held(this.#store.topics.get(member.topic), group, row)
    const isEvicted = rows.length === 0 && this.#groups.member(row) === undefined
    for (const holding of this.#held(member)) {
      const lane = rows.find(
        ({ partition, generation }) => partition === holding.claim.partition && generation === holding.claim.generation
      )
      if (lane === undefined) this.#lose(holding)
      else if (lane.state === "revoked" && holding.state === "held") this.#revoke(holding)
    }
    for (const lane of rows) if (!this.#isKnown(member, lane)) this.#give(member, row, lane)
    if (isEvicted) this.#enterAgain(member)
  }

  #isKnown(member: Member, { partition, generation }: LaneRow): boolean {
    return this.#held(member).some(({ claim }) => claim.partition === partition && claim.generation === generation)
  }

  #give(
    member: Member,
    row: number,
    { partition, generation, group, number, start, abandoned, abandonedAt }: LaneRow
  ): void {
    const claim = { partition, group, holder: row, generation }
    const lane = this.#holdingNumber++
    this.#holdings.set(lane, {
      number: lane,
      member,
      claim,
      state: "held",
      isTouched: false,
      pull: undefined,
      deadline: undefined
    })
    const told = abandonedAt === start ? abandoned : 0
    this.#options.tell({ event: "given", member: member.number, lane, partition: number, start, abandoned: told })
  }

  #revoke(holding: Holding): void {
    const { claim, member } = holding
    holding.state = "revoked"
    this.#end(holding)
    this.#options.tell({ event: "revoked", lane: holding.number })
    const take = () =>
      this.#commit.push({
        wakes: "groups",
        run: () => this.#groups.take(this.#store.topics.get(member.topic), claim),
        done: () => undefined,
        failed: () => this.#later(holding, againMs, take)
      })
    this.#later(holding, member.drainMs, take)
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
    if (holding.state !== "released") this.#options.tell({ event: "lost", lane: holding.number })
  }

  #drop(holding: Holding): void {
    clearTimeout(holding.deadline)
    holding.pull = undefined
    this.#holdings.delete(holding.number)
  }

  #held(member: Member): ReadonlyArray<Holding> {
    return Array.from(this.#holdings.values()).filter((one) => one.member === member)
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

const laneLost: Fault = { reason: "LaneLost", detail: "the lane is no longer held by this member of its group" }

function attempt(work: () => void): void {
  try {
    work()
  } catch (error) {
    if (sqliteCode(error) === undefined && !(error instanceof Refusal)) throw error
  }
}
