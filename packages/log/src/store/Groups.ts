/**
 * Consumer groups as rows: members, and for each partition of a group who holds it in which generation and how far it is settled.
 * A partition changes hands only after its holder has released it, its drain deadline has passed, or its lease has expired; then
 * its generation rises, and what the old holder still says is refused. Everything here runs inside a write, unless it only reads.
 */
import type { From } from "leat/transport"
import { Refusal } from "../Fault.ts"
import { positionAt } from "./read.ts"
import { laneOf, type LaneRow, memberOf, type MemberRow, newLane, sumOfLane } from "./groupRows.ts"
import { shareOut } from "./shareOut.ts"
import type { Store } from "./Store.ts"
import type { Topic } from "./Topics.ts"

/** What a holder shows to be believed. */
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
  readonly #members
  readonly #member
  readonly #allMembers
  readonly #putMember
  readonly #removeMember
  readonly #takeNoMore
  readonly #beat

  constructor(store: Store) {
    this.#store = store
    const { db } = store
    this.#lane = db.prepare('SELECT * FROM lane WHERE partition = ? AND "group" = ?')
    this.#lanes = db.prepare('SELECT * FROM lane WHERE partition BETWEEN ? AND ? AND "group" = ? ORDER BY partition')
    this.#held = db.prepare('SELECT * FROM lane WHERE partition BETWEEN ? AND ? AND "group" = ? AND holder = ?')
    this.#putLane = db.prepare("INSERT OR REPLACE INTO lane VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
    this.#members = db.prepare('SELECT * FROM member WHERE topic = ? AND "group" = ? ORDER BY id')
    this.#member = db.prepare("SELECT * FROM member WHERE id = ?")
    this.#allMembers = db.prepare("SELECT * FROM member ORDER BY id")
    this.#putMember = db.prepare("INSERT INTO member VALUES (NULL, ?, ?, ?, 0, ?, ?, ?, ?, 0)")
    this.#removeMember = db.prepare("DELETE FROM member WHERE id = ?")
    this.#takeNoMore = db.prepare("UPDATE member SET leaving = 1 WHERE id = ?")
    this.#beat = db.prepare("UPDATE member SET beat = beat + 1, seen_ms = ? WHERE id = ?")
  }

  settled(partition: number, group: string): number | undefined {
    return this.lane(partition, group)?.settled
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
    return row === undefined ? undefined : memberOf(row)
  }

  members(topic: Topic, group: string): ReadonlyArray<MemberRow> {
    return this.#members.all(topic.id, group).map(memberOf)
  }

  allMembers(): ReadonlyArray<MemberRow> {
    return this.#allMembers.all().map(memberOf)
  }

  join(topic: Topic, group: string, member: Pick<MemberRow, "owner" | "leaseMs" | "drainMs" | "from">): number {
    const { owner, leaseMs, drainMs, from } = member
    const begins = typeof from === "object" && "position" in from ? { position: Number(from.position) } : from
    const { lastInsertRowid } = this.#putMember.run(
      topic.id,
      group,
      owner,
      leaseMs,
      drainMs,
      JSON.stringify(begins),
      Date.now()
    )
    this.rebalance(topic, group)
    return Number(lastInsertRowid)
  }

  /** The first step of leaving: the member is given no more lanes, and others take over the ones it has as it drains them. */
  takeNoMore(topic: Topic, group: string, id: number): void {
    this.#takeNoMore.run(id)
    this.rebalance(topic, group)
  }

  /** A member goes, or its lease has expired: what it had in its hands comes again. */
  leave(topic: Topic, group: string, id: number): void {
    this.#removeMember.run(id)
    for (const lane of this.held(topic, group, id)) this.#save(abandonedLane(lane))
    this.rebalance(topic, group)
  }

  /** Returns how many of the members are still there. */
  beat(ids: ReadonlyArray<number>): number {
    const nowMs = Date.now()
    return ids.reduce((count, id) => count + Number(this.#beat.run(nowMs, id).changes), 0)
  }

  /** Moves as few partitions as it takes to give every member its share. */
  rebalance(topic: Topic, group: string): void {
    const members = this.members(topic, group).filter(({ isLeaving }) => !isLeaving)
    const lanes = this.#allLanes(topic, group)
    const target = shareOut(lanes, members)
    for (const lane of lanes) {
      const member = members.find(({ id }) => id === target.get(lane.partition))
      if (member === undefined || lane.holder === member.id) continue
      if (lane.state === "free") this.#give(lane, member)
      else if (lane.state === "held") this.#save({ ...lane, state: "revoked" })
    }
  }

  /** The holder is about to be given its first record: if it vanishes now, that counts. */
  touch(claim: Claim): void {
    const lane = this.lane(claim.partition, claim.group)
    if (isHeldBy(lane, claim)) this.#save({ ...lane, touched: true })
  }

  /** Everything before `position` is done, says a holder. Never goes back. */
  settle(claim: Claim, position: number): void {
    const lane = this.lane(claim.partition, claim.group)
    if (!isHeldBy(lane, claim)) throw lost(claim)
    const { end } = this.#store.heads.get(claim.partition)
    if (position > end)
      throw new Refusal("Rejected", `position ${position} is behind the end ${end}: nothing there was ever read`)
    if (position > (lane.settled ?? lane.start)) this.#save({ ...lane, settled: position, abandoned: 0 })
  }

  release(topic: Topic, claim: Claim): void {
    const lane = this.lane(claim.partition, claim.group)
    if (!isHeldBy(lane, claim)) return
    this.#save({ ...lane, holder: undefined, state: "free", touched: false, abandoned: 0 })
    this.rebalance(topic, claim.group)
  }

  /** The drain deadline of a revoked lane has passed. */
  take(topic: Topic, claim: Claim): void {
    const lane = this.lane(claim.partition, claim.group)
    if (!isHeldBy(lane, claim) || lane.state !== "revoked") return
    this.#save(abandonedLane(lane))
    this.rebalance(topic, claim.group)
  }

  #give(lane: LaneRow, { id, from }: MemberRow): void {
    // Kept, so that a group that began at the latest record does not skip what comes before its first settle.
    const origin = lane.origin ?? this.#originOf(lane.partition, from)
    const start = lane.settled ?? origin
    const generation = lane.generation + 1
    this.#save({ ...lane, holder: id, generation, state: "held", touched: false, start, origin })
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

  /** Where a position does not verify, the group begins again at the earliest: what it has done comes twice, and nothing is skipped. */
  #laneOf(row: Record<string, unknown>): LaneRow {
    const lane = laneOf(row)
    if (row["sum"] === sumOfLane(lane)) return lane
    const { group, partition, topic, number, generation } = lane
    const { start } = this.#store.heads.get(partition)
    this.#store.quarantine.report({ partition, base: start, end: start, what: "lane" })
    return { ...newLane, group, partition, topic, number, generation: generation + 1, start, origin: start }
  }
}

/** A lane whose holder vanished with records in its hands. */
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
