/** Starting offsets of the lanes of a group: the committed offset, or else the subscription's `from`. */
import { Effect } from "effect"
import type { From, Subscription, TransportError } from "leat/transport"
import type { Control } from "../admin/Control.ts"
import { offsetOf } from "../client/received.ts"

/** The part of `Control` that finds them. */
export type OffsetsAsked = Pick<Control, "settled" | "edges" | "positionsAt">

/** The committed offset of each partition; if there is none, the subscription's `from`; if it has expired, the earliest that is kept. */
export function startingOffsets(
  control: OffsetsAsked,
  { topic, group, from }: Subscription,
  partitions: ReadonlyArray<number>
): Effect.Effect<ReadonlyMap<number, number>, TransportError> {
  return Effect.gen(function* () {
    const [settled, earliest] = yield* Effect.all(
      [control.settled(topic, partitions, group), control.edges("subscribe", topic, partitions, "earliest")],
      { concurrency: "unbounded" }
    )
    const kept = new Map([...settled].filter(([partition, offset]) => offset >= (earliest.get(partition) ?? 0)))
    const others = partitions.filter((partition) => !kept.has(partition))
    if (others.length === 0) return kept
    const latest = yield* control.edges("subscribe", topic, others, "latest")
    const byTime =
      typeof from === "object" && "timeMs" in from
        ? yield* control.positionsAt("subscribe", topic, others, from.timeMs)
        : undefined
    for (const partition of others) {
      const low = earliest.get(partition) ?? 0
      const high = latest.get(partition) ?? low
      // An expired offset was committed all the same, so the earliest record that is kept comes next, not `from`.
      const start = settled.has(partition) ? low : startOf(from, low, high, byTime?.get(partition))
      kept.set(partition, start)
    }
    return kept
  })
}

function startOf(from: From, low: number, high: number, byTime: number | undefined): number {
  if (from === "earliest") return low
  if (from === "latest") return high
  if ("timeMs" in from) return byTime ?? high
  const offset = offsetOf(from.position, "subscribe")
  return typeof offset === "number" ? Math.min(high, Math.max(low, offset)) : high
}
