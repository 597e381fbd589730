/** The starting position of each lane: the committed offset, else the subscription's `from`. */
import type { From, Position } from "leat/transport"
import type { Brokers } from "../client/Brokers.ts"
import { positionsAt, settledPositions } from "../Offsets.ts"

export interface Start {
  readonly position: Position
  /** The group has committed nothing here, and `from` gives another position at another time: commit this one. */
  readonly isToBeKept: boolean
}

export interface Starts {
  readonly positions: ReadonlyMap<number, Start>
  /** Partitions that the topic had when the group began in it: whatever was added later it has from the beginning. */
  readonly begunWith: number
}

/** `count`: partitions of the topic. `countAtFirst`: when the member was given its first lanes. */
export async function startingPositions(
  brokers: Brokers,
  group: string,
  { topic, id, count }: { readonly topic: string; readonly id: string | undefined; readonly count: number },
  partitions: ReadonlyArray<number>,
  from: From,
  countAtFirst = count
): Promise<Starts> {
  const all = Array.from({ length: count }, (_, partition) => partition)
  const [settled, starts, ends] = await Promise.all([
    settledPositions(brokers, group, { topic, id }, all),
    positionsAt(brokers, topic, partitions, "earliest"),
    positionsAt(brokers, topic, partitions, "latest")
  ])
  const fresh = partitions.filter((partition) => !settled.has(partition))
  const times =
    typeof from === "object" && "timeMs" in from && fresh.length > 0
      ? await positionsAt(brokers, topic, fresh, from.timeMs)
      : undefined
  const said = Array.from(settled.values()).flatMap(({ begunWith = [] }) => begunWith)
  const begunWith = Math.min(countAtFirst, ...said)
  const positions = new Map(
    partitions.map((partition) => {
      const start = starts.get(partition) ?? 0n
      const end = ends.get(partition) ?? start
      const found = settled.get(partition)
      if (found !== undefined) {
        // An offset of a topic that no longer exists, or behind the end after an unclean election. The group begins at the start.
        const isVoid = found.isOfOtherLog || found.position > end
        return [partition, { position: isVoid ? start : found.position, isToBeKept: false }] as const
      }
      // A partition that was added since the group began is read from its beginning: all of it is later than the group's "latest".
      const origin = from === "latest" && partition >= begunWith ? "earliest" : from
      const asked = originOf(origin, start, end, times?.get(partition))
      return [partition, { position: asked, isToBeKept: from !== "earliest" }] as const
    })
  )
  return { positions, begunWith }
}

function originOf(from: From, start: Position, end: Position, atTime: Position | undefined): Position {
  if (from === "earliest") return start
  if (from === "latest") return end
  if ("timeMs" in from) return atTime ?? end
  return from.position < start ? start : from.position > end ? end : from.position
}
