/**
 * Consumer groups as rows: members, the topics that each of them reads, and for each partition of a group who holds it in which
 * generation and how far it is settled. Each topic of a group is shared out among those of its members that read it.
 * A partition changes hands only after its holder has released it, its drain deadline has passed, or its lease has expired; then
 * its generation rises, and what the old holder still says is refused. Everything here runs inside a write, unless it only reads.
 */
import type { From } from "leat/transport"
import { clockName } from "../../clockName.ts"
import { Refusal } from "../../Fault.ts"
import { monotonicMs, wallMs } from "../../clock.ts"
import { positionAt } from "../read.ts"
import {
  laneOf,
  type LaneRow,
  memberOf,
  type MemberRow,
  memberTopicOf,
  type MemberTopicRow,
  newLane,
  plainRow,
  sumOfLane,
  textOfFrom
} from "./groupRows.ts"
import { shareOut } from "./shareOut.ts"
import type { Store } from "../tables/Store.ts"
import type { Topic } from "../tables/Topics.ts"

/** The proof of a holder: only the current generation may commit or release. */
export interface Claim {
  readonly partition: number
  readonly group: string
  readonly holder: number
  readonly generation: number
}

export class Groups {
  readonly #store: Store
  readonly #lane
  readonly #lanes
  readonly #held
  readonly #putLane
  readonly #group
  readonly #member
  readonly #putMember
  readonly #removeMember
  readonly #beat
  readonly #readers
  readonly #topicsOf
  readonly #putTopic
  readonly #removeTopic
  readonly #takeNoMore
  readonly #names

  constructor(store: Store) {
    this.#store = store
    const { db } = store
    this.#lane = db.prepare('SELECT * FROM lane WHERE partition = ? AND "group" = ?')
    this.#lanes = db.prepare('SELECT * FROM lane WHERE partition BETWEEN ? AND ? AND "group" = ? ORDER BY partition')
    this.#held = db.prepare('SELECT * FROM lane WHERE partition BETWEEN ? AND ? AND "group" = ? AND holder = ?')
    this.#putLane = db.prepare("INSERT OR REPLACE INTO lane VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
    this.#group = db.prepare('SELECT * FROM member WHERE "group" = ?')
    this.#member = db.prepare("SELECT * FROM member WHERE id = ?")
    this.#putMember = db.prepare("INSERT INTO member VALUES (?, ?, ?, 0, ?, ?, ?, ?)")
    this.#removeMember = db.prepare("DELETE FROM member WHERE id = ?")
    this.#beat = db.prepare("UPDATE member SET beat = beat + 1, seen_ms = ?, at_ms = ? WHERE id = ?")
    this.#readers = db.prepare(
      'SELECT r.* FROM member_topic r JOIN member m ON m.id = r.member WHERE r.topic = ? AND m."group" = ? ORDER BY r.member'
    )
    this.#topicsOf = db.prepare("SELECT topic FROM member_topic WHERE member = ?")
    this.#putTopic = db.prepare("INSERT OR REPLACE INTO member_topic VALUES (?, ?, ?, ?, 0)")
    this.#removeTopic = db.prepare("DELETE FROM member_topic WHERE topic = ? AND member = ?")
    for (const query of [this.#lane, this.#lanes, this.#held, this.#group, this.#member, this.#readers])
      query.setReadBigInts(true)
    this.#names = db.prepare(
      `SELECT DISTINCT "group" AS name FROM lane WHERE topic = ?
       UNION SELECT m."group" FROM member_topic r JOIN member m ON m.id = r.member WHERE r.topic = ? ORDER BY 1`
    )
    this.#takeNoMore = db.prepare("UPDATE member_topic SET leaving = 1 WHERE topic = ? AND member = ?")
  }

  /** How far a partition is settled: where the group began counts too, unless that was the start. */
  settled(partition: number, group: string): number | undefined {
    const { settled, origin } = this.lane(partition, group) ?? {}
    if (settled !== undefined || origin === undefined) return settled
    return origin > this.#store.heads.get(partition).start ? origin : undefined
  }

  /** The groups that have a lane of a topic, or members that read it. */
  names({ id }: Topic): ReadonlyArray<string> {
    return this.#names.all(id, id).map(({ name }) => String(name))
  }

  lane(partition: number, group: string): LaneRow | undefined {
    const row = this.#lane.get(partition, group)
    return row === undefined ? undefined : this.#laneOf(row)
  }

  lanes({ firstPartition, partitions }: Topic, group: string): ReadonlyArray<LaneRow> {
    return this.#lanes.all(firstPartition, firstPartition + partitions - 1, group).map((row) => this.#laneOf(row))
  }

  /** Lanes that a member holds. */
  held({ firstPartition, partitions }: Topic, group: string, holder: number): ReadonlyArray<LaneRow> {
    const rows = this.#held.all(firstPartition, firstPartition + partitions - 1, group, holder)
    return rows.map((row) => this.#laneOf(row))
  }

  member(id: number): MemberRow | undefined {
    const row = this.#member.get(id)
    return row === undefined ? undefined : memberOf(plainRow(row))
  }

  /** Every member of a group, whatever it reads. One without a usable id is none: `rebalance` frees what it held. */
  members(group: string): ReadonlyArray<MemberRow> {
    const members = this.#group.all(group).map((row) => memberOf(plainRow(row)))
    return members.filter(({ id }) => Number.isSafeInteger(id))
  }

  /** The members of a group that read a topic. */
  readers(topic: Topic, group: string): ReadonlyArray<MemberTopicRow> {
    return this.#readers.all(topic.id, group).map((row) => memberTopicOf(plainRow(row)))
  }

  /** Adds a member, with an id of its own choice, without topics. */
  enter({ id, group, owner, leaseMs }: Pick<MemberRow, "id" | "group" | "owner" | "leaseMs">): void {
    this.#putMember.run(id, group, owner, leaseMs, wallMs(), clockName ?? "", monotonicMs())
  }

  /** Adds a topic to a member; false if the member was evicted. */
  join(topic: Topic, group: string, id: number, { drainMs, from }: Pick<MemberTopicRow, "drainMs" | "from">): boolean {
    if (this.member(id) === undefined) return false
    this.#putTopic.run(topic.id, id, drainMs, textOfFrom(from))
    this.rebalance(topic, group)
    return true
  }

  /** The first step of leaving a topic: the member gets no more lanes of it, and drains those it has. */
  takeNoMore(topic: Topic, group: string, id: number): void {
    this.#takeNoMore.run(topic.id, id)
    this.rebalance(topic, group)
  }

  /** Removes a topic from a member; records in flight are delivered again. With its last topic the member leaves the group. */
  leave(topic: Topic, group: string, id: number): void {
    this.#removeTopic.run(topic.id, id)
    for (const lane of this.held(topic, group, id)) this.#save(abandonedLane(lane))
    this.rebalance(topic, group)
    if (this.#topicsOf.get(id) === undefined) this.#removeMember.run(id)
  }

  /** The lease of a member has expired: it leaves all its topics. */
  evict(group: string, id: number): void {
    const topics = new Set(this.#topicsOf.all(id).map((row) => row["topic"]))
    for (const topic of this.#store.topics.all) if (topics.has(topic.id)) this.leave(topic, group, id)
    this.#removeMember.run(id)
  }

  /** Returns how many of the members are still there. */
  beat(ids: ReadonlyArray<number>): number {
    const nowMs = wallMs()
    const atMs = monotonicMs()
    return ids.reduce((count, id) => count + Number(this.#beat.run(nowMs, atMs, id).changes), 0)
  }

  /** Gives every member its share, with as few moves of partitions as possible. */
  rebalance(topic: Topic, group: string): void {
    const all = this.readers(topic, group)
    const readers = all.filter(({ isLeaving }) => !isLeaving)
    const holders = new Set(all.map(({ member }) => member))
    const lanes = this.#allLanes(topic, group).map((lane) => this.#withoutLostHolder(lane, holders))
    const target = shareOut(
      lanes,
      readers.map(({ member }) => member),
      topic.id
    )
    const byMember = new Map(readers.map((reader) => [reader.member, reader]))
    for (const lane of lanes) {
      const reader = byMember.get(target.get(lane.partition) ?? Number.NaN)
      if (reader === undefined || lane.holder === reader.member) continue
      if (lane.state === "free") this.#give(lane, reader)
      else if (lane.state === "held") this.#save({ ...lane, state: "revoked" })
    }
  }

  /** The holder gets its first record: from now on its crash is counted. */
  touch(claim: Claim): void {
    const lane = this.lane(claim.partition, claim.group)
    if (isHeldBy(lane, claim)) this.#save({ ...lane, touched: true })
  }

  /** Commits `position` for a holder. Never goes back. */
  settle(claim: Claim, position: number): void {
    const lane = this.lane(claim.partition, claim.group)
    if (!isHeldBy(lane, claim)) throw lost(claim)
    const { end } = this.#store.heads.get(claim.partition)
    if (position > end)
      throw new Refusal("Rejected", `position ${position} is behind the end ${end}: nothing there was ever read`)
    if (position > (lane.settled ?? lane.start)) this.#save({ ...lane, settled: position, abandoned: 0 })
  }

  /** The lanes are shared out, which looks at every partition of the topic, unless more of them come at once: then with the last (`isLast`). */
  release(topic: Topic, claim: Claim, isLast = true): void {
    const lane = this.lane(claim.partition, claim.group)
    if (isHeldBy(lane, claim)) this.#save({ ...lane, holder: undefined, state: "free", touched: false, abandoned: 0 })
    if (isLast) this.rebalance(topic, claim.group)
  }

  /** As `release`: the drain deadline of a revoked lane has passed. Its holder lives: that is no crash. */
  take(topic: Topic, claim: Claim, isLast = true): void {
    const lane = this.lane(claim.partition, claim.group)
    if (isHeldBy(lane, claim) && lane.state === "revoked")
      this.#save({ ...lane, holder: undefined, state: "free", touched: false })
    if (isLast) this.rebalance(topic, claim.group)
  }

  #give(lane: LaneRow, { member: id, from }: MemberTopicRow): void {
    // Stored, so that a group that began at the latest record does not skip the records before its first commit.
    const origin = lane.origin ?? this.#originOf(lane.partition, from)
    const start = lane.settled ?? origin
    const generation = lane.generation + 1
    this.#save({ ...lane, holder: id, generation, state: "held", touched: false, start, origin })
  }

  /** Who leaves gives back its lanes in the same write. So a holder whose rows are gone has lost them to damage, and would never give them back. */
  #withoutLostHolder(lane: LaneRow, holders: ReadonlySet<number>): LaneRow {
    if (lane.holder === undefined || holders.has(lane.holder)) return lane
    const free = abandonedLane(lane)
    this.#save(free)
    return free
  }

  #originOf(partition: number, from: From): number {
    const { start, end } = this.#store.heads.get(partition)
    if (from === "earliest") return start
    if (from === "latest") return end
    if ("timeMs" in from) return positionAt(this.#store, partition, from.timeMs)
    return Math.min(end, Math.max(start, Number(from.position)))
  }

  #allLanes(topic: Topic, group: string): ReadonlyArray<LaneRow> {
    const known = new Map(this.lanes(topic, group).map((lane) => [lane.number, lane]))
    return Array.from({ length: topic.partitions }, (_, number) => {
      const lane = known.get(number)
      if (lane !== undefined) return lane
      const partition = topic.firstPartition + number
      return { ...newLane, group, partition, topic: topic.id, number }
    })
  }

  #save(lane: LaneRow): void {
    const { group, partition, topic, number, holder, generation, state, touched, start, origin, settled } = lane
    this.#putLane.run(
      group,
      partition,
      topic,
      number,
      holder ?? null,
      generation,
      state,
      touched ? 1 : 0,
      start,
      origin ?? null,
      settled ?? null,
      lane.abandoned,
      lane.abandonedAt,
      sumOfLane(lane)
    )
  }

  /** If a row does not verify, the group begins again at the earliest record: records come twice, and none is skipped. */
  #laneOf(found: Record<string, unknown>): LaneRow {
    const row = plainRow(found)
    const lane = laneOf(row)
    if (row["sum"] === sumOfLane(lane)) return lane
    const { group, partition } = lane
    const { start } = this.#store.heads.get(partition)
    this.#store.quarantine.report({ partition, base: start, end: start, what: "lane" })
    const { id = lane.topic, firstPartition = partition - lane.number } =
      this.#store.topics.ofPartition(partition) ?? {}
    const number = partition - firstPartition
    // Above every generation that was ever given: none is counted as fast as milliseconds are.
    const generation = Number.isSafeInteger(lane.generation) ? lane.generation + 1 : wallMs()
    return { ...newLane, group, partition, topic: id, number, generation, start, origin: start }
  }
}

/** A lane whose holder crashed with records in flight. */
function abandonedLane(lane: LaneRow): LaneRow {
  const free = { ...lane, holder: undefined, state: "free", touched: false } as const
  if (!lane.touched) return free
  const position = lane.settled ?? lane.start
  return { ...free, abandoned: lane.abandonedAt === position ? lane.abandoned + 1 : 1, abandonedAt: position }
}

function isHeldBy(lane: LaneRow | undefined, { holder, generation }: Claim): lane is LaneRow {
  return lane !== undefined && lane.holder === holder && lane.generation === generation && lane.state !== "free"
}

function lost({ partition, group }: Claim): Refusal {
  return new Refusal("LaneLost", `partition ${partition} of the log is no longer held by this member of group ${group}`)
}
