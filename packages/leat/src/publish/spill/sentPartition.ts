/** A partition of a spill as whoever sends it on has it. */
import type { Writer } from "../../transport/index.ts"
import type { SentPartition } from "../sendOn/SendOn.ts"
import type { OlderTurn } from "./OlderSpills.ts"
import type { SpillPart } from "./Spill.ts"
import type { SpillEndings } from "./SpillEndings.ts"
import type { SpillLanes } from "./SpillLanes.ts"
import type { SpillParting } from "./SpillParting.ts"

export interface SentFrom {
  readonly partition: number
  readonly part: SpillPart
  /** Where it stands, and is settled. */
  readonly lanes: SpillLanes
  /** To the destination. */
  readonly writer: Writer
  readonly parting: SpillParting
  readonly endings: SpillEndings
  readonly turn: Pick<OlderTurn, "isOver" | "isWanted">
  /** Some of it has ended. */
  readonly ended?: () => void
  /** Nothing gets on for the time being. */
  readonly stands?: () => void
}

export function sentPartition(from: SentFrom): SentPartition {
  const { partition, part, lanes, writer, parting, endings, turn } = from
  return {
    partition,
    writer,
    // Whoever has the spill has all of it, and is interrupted when another one gets it.
    get isOver() {
      return turn.isOver()
    },
    get end() {
      return part.end
    },
    get isOfTurn() {
      return !turn.isWanted()
    },
    doubt: (end) => {
      if (end > part.doubtEnd) part.doubtEnd = end
    },
    ended: (records, how, isSettled) => {
      const kept = parting.kept(records)
      if (kept.length === 0) return
      endings.ended(partition, part, kept, how, isSettled)
      from.ended?.()
    },
    announce: (record, how) => endings.announce(partition, part, record, how),
    // What is its own was given to its lanes at first.
    refused: () => undefined,
    untold: () => endings.notices.forget(partition),
    settle: (position) => lanes.settle(partition, position),
    stands: () => from.stands?.()
  }
}
