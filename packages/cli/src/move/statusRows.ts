import type { MoveTools } from "leat"

/** Names that a note has at most. */
const namesMax = 3

const namesText = (names: ReadonlyArray<string>): string => {
  const more = names.length - namesMax
  return `${names.slice(0, namesMax).join(", ")}${more > 0 ? ` and ${more} more` : ""}`
}

/** What an epoch waits for, for a person; empty: nothing. */
export function epochNote({ phase, missing, passedOver, groups, trouble }: MoveTools.EpochStatus): string {
  const notes: Array<string> = []
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

export function rowsOf({ stream, epochs }: MoveTools.StreamStatus): ReadonlyArray<ReadonlyArray<string>> {
  return epochs.map((epoch) => [
    stream,
    String(epoch.epoch),
    `${epoch.cluster}/${epoch.topic}`,
    String(epoch.partitions),
    epoch.phase,
    epochNote(epoch)
  ])
}

/** A stream as `--json` has it. */
export const toldStream = ({ sinceMs, ...stream }: MoveTools.StreamStatus) => ({
  ...stream,
  ...(sinceMs === undefined ? {} : { since: new Date(sinceMs).toISOString() })
})
