import type { MoveTools } from "leat"
import { plural } from "../outcome.ts"

type Place = MoveTools.PlannedMove["from"]

export const placeText = ({ cluster, topic, partitions }: Place): string =>
  `${cluster}/${topic} (${plural(partitions, "partition")})`

export function moveText({ stream, from, to, isPlaced }: MoveTools.PlannedMove): string {
  return `stream ${stream}: ${placeText(from)} -> ${placeText(to)}${isPlaced ? "" : "; not placed yet"}`
}

/** A move as `--json` has it. */
export const toldMove = ({ foreignWriters, ...move }: MoveTools.PlannedMove) => ({
  ...move,
  foreignWriters: foreignWriters.map(({ lastMs, ...writer }) => ({ ...writer, lastAt: new Date(lastMs).toISOString() }))
})
