/** Where the lanes of a group begin: behind what it has settled, else where the subscription says. */
import type { From, Position } from "leat/transport"
import type { Brokers } from "../client/Brokers.ts"
import { positionsAt, settledPositions } from "../Offsets.ts"

export interface Start {
  readonly position: Position
  /** The group has settled nothing here, and where it begins depends on when one asks: it has to be kept. */
  readonly isToBeKept: boolean
}

export async function startingPositions(
  brokers: Brokers,
  group: string,
  topic: string,
  partitions: ReadonlyArray<number>,
  from: From
): Promise<ReadonlyMap<number, Start>> {
  const [settled, starts, ends] = await Promise.all([
    settledPositions(brokers, group, topic, partitions),
    positionsAt(brokers, topic, partitions, "earliest"),
    positionsAt(brokers, topic, partitions, "latest")
  ])
  const fresh = partitions.filter((partition) => !settled.has(partition))
  const times =
    typeof from === "object" && "timeMs" in from && fresh.length > 0
      ? await positionsAt(brokers, topic, fresh, from.timeMs)
      : undefined
  return new Map(
    partitions.map((partition) => {
      const start = starts.get(partition) ?? 0n
      const end = ends.get(partition) ?? start
      const position = settled.get(partition)
      if (position !== undefined) {
        // Behind the end: the topic was made anew, or an unclean election cut it short. What is there now was not settled.
        return [partition, { position: position > end ? start : position, isToBeKept: false }] as const
      }
      const asked = originOf(from, start, end, times?.get(partition))
      return [partition, { position: asked, isToBeKept: from !== "earliest" }] as const
    })
  )
}

function originOf(from: From, start: Position, end: Position, atTime: Position | undefined): Position {
  if (from === "earliest") return start
  if (from === "latest") return end
  if ("timeMs" in from) return atTime ?? end
  return from.position < start ? start : from.position > end ? end : from.position
}
