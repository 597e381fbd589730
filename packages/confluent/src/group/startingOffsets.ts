/** Starting offsets of the lanes of a group: the committed offset, or else the subscription's `from`. */
import { Effect } from "effect"
import type { From, Subscription, TransportError } from "leat/transport"
import type { Control } from "../admin/Control.ts"
import { offsetOf } from "../client/received.ts"

/** The part of `Control` that finds them. */
export type OffsetsAsked = Pick<Control, "topicOf" | "settled" | "edges" | "positionsAt">

/** Where lanes begin, and in which topic: the id of a topic that is made anew is another. */
export interface Starts {
  readonly topicId: string | undefined
  readonly offsets: ReadonlyMap<number, number>
  /** Partitions that the topic had when the group began in it: whatever was added later it has from the beginning. */
  readonly begunWith: number
  /** Partitions in which the group begins now, and not at the first record: without a commit the next holder would begin elsewhere. */
  readonly toBeKept: ReadonlySet<number>
  /** By partition: where the group had come to, of those whose records from there on have expired. Consumers are told. */
  readonly expired: ReadonlyMap<number, number>
}

/**
 * The committed offset of each partition; if there is none, the subscription's `from`; if it has expired, or belongs to another log, the
 * earliest that is kept. `countAtFirst`: partitions of the topic when the member joined. One that was added since the group began is read from its
 * beginning, because all of it is later than the group's "latest".
 */
export function startingOffsets(
  control: OffsetsAsked,
  { topic, group, from }: Subscription,
  partitions: ReadonlyArray<number>,
  countAtFirst: number
): Effect.Effect<Starts, TransportError> {
  return Effect.gen(function* () {
    // First the id: offsets of a topic that is made anew in between are never taken for those of the old one.
    const { id: topicId, partitions: count } = yield* control.topicOf("subscribe", topic)
    const all = Array.from({ length: count }, (_, partition) => partition)
    const [settled, earliest, latest] = yield* Effect.all(
      [
        control.settled({ topic, id: topicId }, all, group),
        control.edges("subscribe", topic, partitions, "earliest"),
        control.edges("subscribe", topic, partitions, "latest")
      ],
      { concurrency: "unbounded" }
    )
    const kept = new Map<number, number>()
    const expired = new Map<number, number>()
    for (const [partition, { offset, isOfOtherLog }] of settled) {
      if (isOfOtherLog || !partitions.includes(partition)) continue
      if (offset < (earliest.get(partition) ?? 0)) expired.set(partition, offset)
      else if (offset <= (latest.get(partition) ?? offset)) kept.set(partition, offset)
    }
    const said = Array.from(settled.values()).flatMap(({ begunWith = [] }) => begunWith)
    const begunWith = Math.min(countAtFirst, ...said)
    const others = partitions.filter((partition) => !kept.has(partition))
    const fresh = from === "earliest" ? [] : others.filter((partition) => !settled.has(partition))
    const toBeKept = new Set(fresh)
    if (others.length === 0) return { topicId, offsets: kept, begunWith, toBeKept, expired }
    const byTime =
      typeof from === "object" && "timeMs" in from
        ? yield* control.positionsAt("subscribe", topic, others, from.timeMs)
        : undefined
    for (const partition of others) {
      const origin = from === "latest" && partition >= begunWith ? "earliest" : from
      const low = earliest.get(partition) ?? 0
      const high = latest.get(partition) ?? low
      // What is void was committed all the same, so the earliest record that is kept comes next, not `from`.
      const start = settled.has(partition) ? low : startOf(origin, low, high, byTime?.get(partition))
      kept.set(partition, start)
    }
    return { topicId, offsets: kept, begunWith, toBeKept, expired }
  })
}

function startOf(from: From, low: number, high: number, byTime: number | undefined): number {
  if (from === "earliest") return low
  if (from === "latest") return high
  if ("timeMs" in from) return byTime ?? high
  const offset = offsetOf(from.position, "subscribe")
  return typeof offset === "number" ? Math.min(high, Math.max(low, offset)) : high
}
