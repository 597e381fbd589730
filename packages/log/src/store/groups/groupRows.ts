/** The rows of members and lanes. */
import type { From } from "leat/transport"
import { rowSum } from "../tables/rowSum.ts"

export interface MemberRow {
  readonly id: number
  readonly group: string
  readonly owner: string
  /** Rises with every heartbeat. A member whose beat has not changed for its lease is gone, whatever its clock says. */
  readonly beat: number
  readonly leaseMs: number
  /** For a person: wall clock of the member at its last heartbeat. */
  readonly seenMs: number
  /** The clock of `atMs`: `clockName` of the process; empty if it has no name. */
  readonly clock: string
  /** The last heartbeat. */
  readonly atMs: number
}

/** One topic of a member. */
export interface MemberTopicRow {
  readonly topic: number
  readonly member: number
  readonly drainMs: number
  readonly from: From
  /** Draining: it gets no more lanes, and leaves after the last one. */
  readonly isLeaving: boolean
}

export interface LaneRow {
  readonly group: string
  readonly partition: number
  readonly topic: number
  /** Partition of the topic. */
  readonly number: number
  readonly holder: number | undefined
  readonly generation: number
  readonly state: "free" | "held" | "revoked"
  /** Whether this holder was given a record. */
  readonly touched: boolean
  readonly start: number
  /** Where the group began, before it settled anything. */
  readonly origin: number | undefined
  readonly settled: number | undefined
  readonly abandoned: number
  readonly abandonedAt: number
}

/** A lane that nobody has held yet. */
export const newLane = {
  holder: undefined,
  generation: 0,
  state: "free",
  touched: false,
  start: 0,
  origin: undefined,
  settled: undefined,
  abandoned: 0,
  abandonedAt: 0
} as const satisfies Partial<LaneRow>

/**
 * A row that was read with BigInts: with numbers, one that none of our columns ever holds (damage) would fail the rows beside it too. Such a one
 * is NaN here.
 */
export function plainRow(row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, typeof value === "bigint" ? safeNumber(value) : value])
  )
}

function safeNumber(value: bigint): number {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : Number.NaN
}

/** Parses a row; `sumOfLane` verifies it. */
export function laneOf(row: Record<string, unknown>): LaneRow {
  return {
    group: String(row["group"]),
    partition: Number(row["partition"]),
    topic: Number(row["topic"]),
    number: Number(row["number"]),
    holder: optional(row["holder"]),
    generation: Number(row["generation"]),
    state: stateOf(row["state"]),
    touched: row["touched"] === 1,
    start: Number(row["start"]),
    origin: optional(row["origin"]),
    settled: optional(row["settled"]),
    abandoned: Number(row["abandoned"]),
    abandonedAt: Number(row["abandoned_at"])
  }
}

export function sumOfLane(lane: LaneRow): number {
  const { group, partition, topic, number, holder, generation, state, start, origin, settled } = lane
  return rowSum(
    group,
    partition,
    topic,
    number,
    holder ?? null,
    generation,
    state,
    start,
    origin ?? null,
    settled ?? null,
    lane.abandoned,
    lane.abandonedAt
  )
}

export function memberOf(row: Record<string, unknown>): MemberRow {
  return {
    id: Number(row["id"]),
    group: String(row["group"]),
    owner: String(row["owner"]),
    beat: Number(row["beat"]),
    leaseMs: Number(row["lease_ms"]),
    seenMs: Number(row["seen_ms"]),
    clock: String(row["clock"]),
    atMs: Number(row["at_ms"])
  }
}

export function memberTopicOf(row: Record<string, unknown>): MemberTopicRow {
  return {
    topic: Number(row["topic"]),
    member: Number(row["member"]),
    drainMs: Number(row["drain_ms"]),
    from: fromOf(String(row["begins"])),
    isLeaving: row["leaving"] === 1
  }
}

/** As `fromOf` reads it. */
export function textOfFrom(from: From): string {
  return JSON.stringify(typeof from === "object" && "position" in from ? { position: Number(from.position) } : from)
}

function stateOf(value: unknown): LaneRow["state"] {
  return value === "held" || value === "revoked" ? value : "free"
}

/** The earliest for a text that cannot be parsed, so that nothing is skipped. */
function fromOf(text: string): From {
  try {
    const value: unknown = JSON.parse(text)
    if (value === "latest") return "latest"
    if (typeof value === "object" && value !== null) {
      if ("timeMs" in value && typeof value.timeMs === "number") return { timeMs: value.timeMs }
      if ("position" in value && typeof value.position === "number")
        return { position: BigInt(Math.trunc(value.position)) }
    }
    return "earliest"
  } catch {
    return "earliest"
  }
}

function optional(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined
}
