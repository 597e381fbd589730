/** What a group has not settled of the epochs of a stream in one topic. */
import { isSameTopic, type Placement } from "../control/Placement.ts"
import type { PartitionBounds, Position } from "../transport/index.ts"
import type { TopicPlace } from "./PlaceEpochs.ts"

/** Positions [from, to) of one epoch. */
interface RangeLeft {
  readonly from: Position
  readonly to: Position
}

/** Of one partition, with the first position that the group has not settled there; the oldest epoch first. */
export function rangesLeft(
  { epochs }: Placement,
  place: TopicPlace,
  { partition, end: stored }: PartitionBounds,
  settled: Position
): ReadonlyArray<RangeLeft> {
  return epochs.flatMap(({ phase, place: one, begin, end }) => {
    const first = begin?.[partition]
    if (phase === "retired" || first === undefined || !isSameTopic(one, { partitions: 0, ...place })) return []
    const sealed = end?.[partition]
    const from = settled > first ? settled : BigInt(first)
    const to = sealed === undefined || stored < sealed ? stored : BigInt(sealed)
    return from < to ? [{ from, to }] : []
  })
}
