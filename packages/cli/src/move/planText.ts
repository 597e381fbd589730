import type { MoveTools } from "leat"
import { plural } from "../outcome.ts"

type Place = MoveTools.PlannedMove["from"]

export const placeText = ({ cluster, topic, partitions }: Place): string =>
  `${cluster}/${topic} (${plural(partitions, "partition")})`

export function moveText({ stream, from, to, isPlaced, isPaused, order, makes }: MoveTools.PlannedMove): string {
  const paused = isPaused ? "; paused: it goes when leat move resume says so" : ""
  const relaxed = order === "relaxed" ? "; order relaxed: groups read both places at the same time" : ""
  return `stream ${stream}: ${placeText(from)} -> ${placeText(to)}${makes === undefined ? "" : madeText(makes)}${isPlaced ? "" : "; not placed yet"}${relaxed}${paused}`
}

function madeText({ isCompacted, isKnown }: MoveTools.MadeTopic): string {
  const how = isCompacted ? "compacted" : "not compacted"
  return isKnown
    ? `; its topic is made, ${how}`
    : `; its topic is made as the contract of a process says, else as the old one is: ${how}`
}

/** A move as `--json` has it. */
export const toldMove = ({ foreignWriters, ...move }: MoveTools.PlannedMove) => ({
  ...move,
  foreignWriters: foreignWriters.map(({ lastMs, ...writer }) => ({ ...writer, lastAt: new Date(lastMs).toISOString() }))
})

/** A process that may be gone, as `--json` has it. */
export const toldQuiet = ({ incarnation, seenMs, goneMs }: MoveTools.QuietProcess) => ({
  incarnation,
  seenAt: new Date(seenMs).toISOString(),
  goneAt: new Date(goneMs).toISOString()
})

export function quietText({ incarnation, seenMs, goneMs }: MoveTools.QuietProcess, nowMs: number): string {
  const [ago, left] = [nowMs - seenMs, goneMs - nowMs].map((ms) => Math.max(0, Math.round(ms / 1000)))
  return `note: process ${incarnation} has not beaten for ${ago} seconds; a start waits until it does, or for ${left} seconds: then it counts as gone, and would be passed over`
}
