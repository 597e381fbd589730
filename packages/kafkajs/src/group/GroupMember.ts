/**
 * One member of a consumer group, on the coordinator's own requests: it joins, sends heartbeats, takes its assignment, and gives a revoked
 * lane back only after its release. kafkajs's consumer is not used: it joins again without waiting for a drain, commits offsets of its own,
 * and reports commits that were not made.
 */
import { monotonicMs } from "../client/clock.ts"
import { kafkaCodes } from "@leat/kafka"
import type { From, HeldLane, Position, TransportError } from "leat/transport"
import type { Brokers } from "../client/Brokers.ts"
import { failure, failureOf, refusal } from "../client/failureOf.ts"
import type { Link } from "../client/Link.ts"
import { Commits, type Committer } from "./Commits.ts"
import { Fetcher } from "./Fetcher.ts"
import { GroupLane, type LaneHolder } from "./GroupLane.ts"
import { Leader } from "./Leader.ts"
import { protocolName, readAssignment, writeMemberMetadata } from "./memberMetadata.ts"
import { startingPositions } from "./startingPositions.ts"
import { againMs, passes, sleep } from "./transient.ts"

export interface Membership {
  readonly topic: string
  readonly group: string
  readonly from: From
  readonly drainMs: number
  readonly sessionMs: number
}

/** The events of a member for its subscriber. */
export interface MemberEvents {
  readonly given: (lane: HeldLane) => void
  /** The member has left the group; only a new join returns to it. */
  readonly failed: (error: TransportError) => void
}

const coordinatorMoved: ReadonlySet<number> = new Set([
  kafkaCodes.COORDINATOR_LOAD_IN_PROGRESS,
  kafkaCodes.COORDINATOR_NOT_AVAILABLE,
  kafkaCodes.NOT_COORDINATOR
])

/** Longest heartbeat interval, in milliseconds; it bounds the time until a member learns of a rebalance. */
const heartbeatMsMax = 1000
/** Deadline of LeaveGroup, in milliseconds; after it the session expires by itself. */
const leaveMs = 2000

let memberNumbers = 0

export class GroupMember implements LaneHolder, Committer {
  readonly #brokers: Brokers
  readonly #membership: Membership
  readonly #events: MemberEvents
  readonly #purpose = `member ${memberNumbers++}`
  readonly #fetcher: Fetcher
  readonly #heartbeatMs: number
  readonly #leader: Leader
  readonly #commits: Commits
  #memberId = ""
  #generation = -1
  /** The lanes that this member holds, by partition: neither released nor lost. */
  readonly #lanes = new Map<number, GroupLane>()
  readonly #drains = new Map<GroupLane, NodeJS.Timeout>()
  #assigned: ReadonlySet<number> = new Set()
  #takesNoMore = false
  #isOver = false
  /** The join in progress. */
  #joining: Promise<void> | undefined
  /** Resolves when the coordinator has been told that it has left, or has not answered. */
  #left: Promise<void> = Promise.resolve()
  #hasJoined = false
  #wantsToRejoin = false
  /** Instant of `monotonicMs` at which the coordinator last confirmed this member. */
  #aliveMs = 0
  /** Partitions of the topic when this member was given its first lanes. */
  #countAtFirst: number | undefined
  #wake: (() => void) | undefined
  #whenJoined: Array<() => void> = []

  constructor(brokers: Brokers, membership: Membership, events: MemberEvents) {
    this.#brokers = brokers
    this.#membership = membership
    this.#events = events
    this.#heartbeatMs = Math.min(heartbeatMsMax, Math.floor(membership.sessionMs / 3))
    this.#leader = new Leader(brokers)
    this.#commits = new Commits(brokers, this)
    this.#fetcher = new Fetcher(brokers, membership.topic, `${this.#purpose} fetch`, () => this.#lanes.values())
  }

  /** Joins and stays until `leave` or a permanent failure. Never rejects. */
  async run(): Promise<void> {
    this.#aliveMs = monotonicMs()
    while (!this.#isOver) {
      try {
        this.#joining = this.#join()
        await this.#joining
        await this.#stay()
      } catch (error) {
        await this.#recover(failureOf(error, "subscribe", `group ${this.#membership.group}`))
      }
    }
  }

  /** The first step of leaving, the drain: no more lanes, and each held lane goes to another member after its release. */
  takeNoMore(): void {
    this.#takesNoMore = true
    this.#rejoin()
    if (this.#lanes.size === 0) void this.leave()
  }

  /** The second step: the lanes that are still held are lost. */
  async leave(): Promise<void> {
    const memberId = this.#memberId
    this.#memberId = ""
    this.#stop()
    if (memberId !== "") void this.#leaveAs(memberId)
    // Without a member id there is nothing to send LeaveGroup for; the other members would wait until its session expires.
    else if (this.#joining !== undefined) await Promise.race([this.#joining.catch(() => undefined), sleep(leaveMs)])
    // Begun by this call, or by one before: whoever closes the connections next would cut it off.
    await this.#left
    this.#brokers.closePurpose(this.#purpose)
    this.#brokers.closePurpose(`${this.#purpose} fetch`)
  }

  #leaveAs(memberId: string): Promise<void> {
    this.#left = this.#sendLeave(memberId)
    return this.#left
  }

  async #sendLeave(memberId: string): Promise<void> {
    const { group } = this.#membership
    try {
      // On another connection than the member's, where a JoinGroup request may be waiting.
      const link = await this.#brokers.coordinator(group, "ask")
      await link.call("LeaveGroup", { groupId: group, memberId }, leaveMs)
    } catch {
      // The session expires instead.
    }
  }

  get topic(): string {
    return this.#membership.topic
  }

  get group(): string {
    return this.#membership.group
  }

  get memberId(): string {
    return this.#memberId
  }

  get generation(): number {
    return this.#generation
  }

  get isOver(): boolean {
    return this.#isOver
  }

  get isJoining(): boolean {
    return this.#joining !== undefined
  }

  readonly hasRoom = (): void => this.#fetcher.wake()

  /** Later: it may have been lost together with others, and what follows from that is decided for all of them. */
  readonly over = (lane: GroupLane): void => queueMicrotask(() => void this.#drop(lane))

  readonly commit = (lane: GroupLane, position: Position): Promise<void> =>
    this.#commits.store({ partition: lane.partition, ...lane.said, position }, () => !lane.held.isOver)

  async #join(): Promise<void> {
    const { group } = this.#membership
    try {
      const link = await this.#brokers.coordinator(group, this.#purpose)
      const joined = await this.#ask(link)
      const generationId = joined.generationId
      this.#leader.resign()
      const decided = joined.leaderId === joined.memberId ? await this.#leader.decide(joined.members) : []
      const { errorCode, memberAssignment } = await link.call(
        "SyncGroup",
        { groupId: group, generationId, memberId: joined.memberId, groupAssignment: decided },
        this.#joinMs
      )
      this.#judge(errorCode, "sync")
      this.#generation = generationId
      this.#hasJoined = true
      this.#aliveMs = monotonicMs()
      this.#take(readAssignment(memberAssignment).get(this.#membership.topic) ?? [])
    } finally {
      this.#joining = undefined
      for (const joined of this.#whenJoined.splice(0)) joined()
    }
  }

  async #ask(link: Link) {
    const { topic, group, sessionMs } = this.#membership
    const metadata = () =>
      writeMemberMetadata({
        topics: this.#takesNoMore ? [] : [topic],
        held: this.#lanes.size === 0 ? new Map() : new Map([[topic, [...this.#lanes.keys()]]]),
        generation: this.#generation
      })
    for (;;) {
      this.#wantsToRejoin = false
      const answer = await link.call(
        "JoinGroup",
        {
          groupId: group,
          sessionTimeout: sessionMs,
          rebalanceTimeout: sessionMs,
          memberId: this.#memberId,
          protocolType: "consumer",
          groupProtocols: [{ name: protocolName, metadata: metadata() }]
        },
        this.#joinMs
      )
      if (this.#isOver) {
        if (answer.memberId !== "") await this.#leaveAs(answer.memberId)
        throw failure("Closed", "join", "the member has left")
      }
      if (answer.errorCode !== kafkaCodes.MEMBER_ID_REQUIRED) {
        this.#judge(answer.errorCode, "join")
        // All the time that the others took it was taken for alive.
        this.#aliveMs = monotonicMs()
        this.#memberId = answer.memberId
        return answer
      }
      this.#memberId = answer.memberId
    }
  }

  /** The coordinator answers once all members have joined, or the rebalance deadline has passed. */
  get #joinMs(): number {
    return Math.max(this.#membership.sessionMs, 10_000) + 5000
  }

  /** Sends heartbeats until the member must join again. */
  async #stay(): Promise<void> {
    while (!this.#isOver && !this.#wantsToRejoin) {
      await this.#pause(this.#heartbeatMs)
      if (this.#isOver || this.#wantsToRejoin) return
      const { group, sessionMs } = this.#membership
      const sentMs = monotonicMs()
      try {
        const link = await this.#brokers.coordinator(group, this.#purpose)
        const asked = { groupId: group, groupGenerationId: this.#generation, memberId: this.#memberId }
        const { errorCode } = await link.call("Heartbeat", asked, Math.max(1000, sessionMs / 3))
        if (errorCode === kafkaCodes.REBALANCE_IN_PROGRESS) {
          this.#aliveMs = sentMs
          return
        }
        this.#judge(errorCode, "heartbeat")
        this.#aliveMs = sentMs
        // A new join of the leader starts a rebalance, which assigns new partitions too.
        if (await this.#leader.hasOtherPartitions()) this.#rejoin()
      } catch (error) {
        const failed = failureOf(error, "heartbeat", `group ${group}`)
        // Until the session expires another coordinator may be found, and the membership holds.
        if (!passes(failed) || monotonicMs() - this.#aliveMs > sessionMs) throw failed
        this.#brokers.forgetCoordinator(group)
      }
    }
  }

  #judge(code: number, operation: string): void {
    if (code === 0) return
    const { group } = this.#membership
    if (code === kafkaCodes.UNKNOWN_MEMBER_ID || code === kafkaCodes.FENCED_INSTANCE_ID) this.#memberId = ""
    if (
      code === kafkaCodes.UNKNOWN_MEMBER_ID ||
      code === kafkaCodes.FENCED_INSTANCE_ID ||
      code === kafkaCodes.ILLEGAL_GENERATION
    )
      this.#loseAll()
    if (coordinatorMoved.has(code)) this.#brokers.forgetCoordinator(group)
    throw refusal(code, operation, `group ${group}`)
  }

  async #recover(error: TransportError): Promise<void> {
    if (this.#isOver || error.reason === "LaneLost") return
    // The next join looks the coordinator up again.
    this.#brokers.forgetCoordinator(this.#membership.group)
    const isHopeless = !this.#hasJoined && error.operation === "connect"
    if (isHopeless || !passes(error) || monotonicMs() - this.#aliveMs > this.#membership.sessionMs) {
      this.#stop()
      return this.#events.failed(error)
    }
    await this.#pause(againMs)
  }

  /** Applies the assignment: new lanes begin, and those that are not in it end. */
  #take(partitions: ReadonlyArray<number>): void {
    this.#assigned = new Set(partitions)
    // A draining member gets nothing, and keeps its lanes until they are released.
    if (this.#takesNoMore) return
    for (const lane of this.#lanes.values()) if (!this.#assigned.has(lane.partition)) this.#revoke(lane)
    void this.#give(partitions.filter((partition) => !this.#lanes.has(partition)))
  }

  #revoke(lane: GroupLane): void {
    if (!lane.held.isHeld) return
    this.#drains.set(
      lane,
      setTimeout(() => lane.held.lose(), this.#membership.drainMs)
    )
    lane.held.revoke()
  }

  /** Begins lanes for assigned partitions that have none yet. */
  async #give(partitions: ReadonlyArray<number>): Promise<void> {
    const { group, topic, from } = this.#membership
    const generation = this.#generation
    const isOurs = (partition: number) =>
      !this.#isOver && !this.#takesNoMore && generation === this.#generation && this.#assigned.has(partition)
    const wanted = partitions.filter((partition) => isOurs(partition) && !this.#lanes.has(partition))
    if (wanted.length === 0) return
    try {
      // First the id: positions of a topic that is made anew in between are never taken for those of the old one.
      const { id, partitions: count } = await this.#brokers.lookUp(topic)
      this.#countAtFirst ??= count
      const ofTopic = { topic, id, count }
      const starts = await startingPositions(this.#brokers, group, ofTopic, wanted, from, this.#countAtFirst)
      const { positions, begunWith } = starts
      const toBeKept = [...positions].filter(([, { isToBeKept }]) => isToBeKept)
      // Without these commits the next holder could skip records before the first one.
      await Promise.all(
        toBeKept.map(([partition, { position }]) =>
          this.#commits.store({ partition, topicId: id, begunWith, position }, () => isOurs(partition))
        )
      )
      for (const [partition, { position }] of positions) {
        // In the meantime a later generation has begun its lane, or revoked it.
        if (!isOurs(partition) || this.#lanes.has(partition)) continue
        const lane = new GroupLane(this, partition, position, { topicId: id, begunWith })
        this.#lanes.set(partition, lane)
        this.#events.given(lane.held)
      }
      this.#fetcher.wake()
    } catch (error) {
      const failed = failureOf(error, "subscribe", `group ${group}`)
      if (this.#isOver || failed.reason === "LaneLost") return
      if (!passes(failed)) {
        this.#stop()
        return this.#events.failed(failed)
      }
      await sleep(againMs)
      // Each by itself: a partition without a leader must not delay the others.
      await Promise.all(wanted.map((partition) => this.#give([partition])))
    }
  }

  /** Removes a lane that is over; if its partition is still assigned, a new lane begins. */
  async #drop(lane: GroupLane): Promise<void> {
    clearTimeout(this.#drains.get(lane))
    this.#drains.delete(lane)
    if (this.#lanes.get(lane.partition) !== lane) return
    this.#lanes.delete(lane.partition)
    if (this.#isOver) return
    if (this.#takesNoMore && this.#lanes.size === 0) return this.leave()
    if (this.#assigned.has(lane.partition) && !this.#takesNoMore) return this.#give([lane.partition])
    this.#rejoin()
  }

  readonly joined = (): Promise<void> => {
    if (this.#isOver) return Promise.resolve()
    if (this.#joining === undefined) this.#rejoin()
    return new Promise((resolve) => this.#whenJoined.push(resolve))
  }

  readonly evicted = (code: number | undefined): void => {
    if (code !== kafkaCodes.ILLEGAL_GENERATION) this.#memberId = ""
    this.#loseAll()
    this.#rejoin()
  }

  #rejoin(): void {
    this.#wantsToRejoin = true
    this.#wake?.()
  }

  #loseAll(): void {
    this.#assigned = new Set()
    for (const { held } of this.#lanes.values()) held.lose()
  }

  #stop(): void {
    this.#isOver = true
    this.#fetcher.stop()
    this.#loseAll()
    this.#wake?.()
    for (const joined of this.#whenJoined.splice(0)) joined()
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const over = () => {
        clearTimeout(timer)
        this.#wake = undefined
        resolve()
      }
      const timer = setTimeout(over, ms)
      this.#wake = over
    })
  }
}
