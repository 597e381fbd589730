import type { MoveTools } from "leat"
import { plural } from "../outcome.ts"

/** Names that a note has at most. */
const namesMax = 3

const namesText = (names: ReadonlyArray<string>): string => {
  const more = names.length - namesMax
  return `${names.slice(0, namesMax).join(", ")}${more > 0 ? ` and ${more} more` : ""}`
}

/** What an epoch waits for, for a person; empty: nothing. `isBeside`: whether something may be left of those before it. */
export function epochNote(
  { phase, order, missing, passedOver, groups, trouble }: MoveTools.EpochStatus,
  isBeside = false
): string {
  const notes: Array<string> = []
  if (order === "relaxed" && isBeside) notes.push("order relaxed")
  if (phase === "planned") notes.push("not begun")
  if (missing.length > 0) notes.push(`waits for ${namesText(missing)}`)
  const owing = passedOver.filter(({ isOwing }) => isOwing).map(({ member }) => member)
  if (owing.length > 0)
    notes.push(
      phase === "abandoned"
        ? `${namesText(owing)} may still write there`
        : `${namesText(owing)} was passed over, and is silent`
    )
  const swept = passedOver.length - owing.length
  if (swept > 0 && phase !== "abandoned") notes.push(`${swept} passed over, and being swept`)
  for (const { group, hasSettled, isOther, behind } of groups)
    if (!hasSettled)
      notes.push(
        `${isOther ? "other group" : "group"} ${group} ${behind === undefined ? "reads it" : `has ${behind} to settle`}`
      )
  if (trouble !== undefined) notes.push(trouble)
  return notes.join("; ")
}

/** What spills hold of a stream that moves, as the rest of a sentence; empty: nothing. */
export function spilledNote(spilled: MoveTools.StreamStatus["spilled"]): string {
  const holds = spilled.slice(0, namesMax).map(({ member, events }) => `${plural(events, "event")} of ${member}`)
  const more = spilled.length - holds.length
  if (holds.length === 0) return ""
  return `; spills of places that it leaves hold ${holds.join(", ")}${more > 0 ? ` and those of ${more} more` : ""}`
}

export function rowsOf({ stream, epochs }: MoveTools.StreamStatus): ReadonlyArray<ReadonlyArray<string>> {
  return epochs.map((epoch, index) => [
    stream,
    String(epoch.epoch),
    `${epoch.cluster}/${epoch.topic}`,
    String(epoch.partitions),
    epoch.phase,
    epochNote(
      epoch,
      epochs.slice(0, index).some(({ phase }) => phase !== "retired")
    )
  ])
}

/** A stream as `--json` has it. */
export const toldStream = ({ sinceMs, ...stream }: MoveTools.StreamStatus) => ({
  ...stream,
  ...(sinceMs === undefined ? {} : { since: new Date(sinceMs).toISOString() })
})
