import type { Run } from "./index.ts"

const fates: ReadonlyArray<unknown> = ["stored", "notStored", "unknown"]

/**
 * What a driver has said of records [from, to), as runs that cover exactly these. What it has not said, or said in a way that makes no
 * sense, is unknown.
 */
export function answeredRuns(runs: ReadonlyArray<Run>, from: number, to: number): ReadonlyArray<Run> {
  const [first] = Array.isArray(runs) ? (runs as ReadonlyArray<Run>) : []
  if (isRun(first) && first.from === from && first.to === to && isPlaced(first))
    return runs.length === 1 ? runs : [first]
  const result: Array<Run> = []
  let at = from
  for (const run of Array.isArray(runs) ? (runs as ReadonlyArray<Run>) : []) {
    if (!isRun(run)) continue
    const start = Math.max(run.from, at)
    const end = Math.min(run.to, to)
    if (end <= start) continue
    if (start > at) result.push({ from: at, to: start, fate: "unknown" })
    if (isPlaced(run)) result.push(start === run.from && end === run.to ? run : partOf(run, start, end))
    else result.push({ from: start, to: end, fate: "stored" })
    at = end
  }
  if (at < to) result.push({ from: at, to, fate: "unknown" })
  return result
}

/** A position is that of the first record. */
function partOf(run: Run, from: number, to: number): Run {
  const base = run.base === undefined ? {} : { base: run.base + BigInt(from - run.from) }
  return { ...run, from, to, ...base }
}

function isRun(run: Run | undefined | null): run is Run {
  return (
    run !== undefined &&
    run !== null &&
    Number.isInteger(run.from) &&
    Number.isInteger(run.to) &&
    fates.includes(run.fate) &&
    (run.fate === "stored" || run.error === undefined || isError(run.error))
  )
}

/** Whether a position that was said can be one. What is stored somewhere else is stored all the same. */
function isPlaced(run: Run): boolean {
  if (run.fate !== "stored" || run.base === undefined) return true
  return typeof run.base === "bigint" && run.base >= 0n
}

/** By its fields, for the driver may have loaded a `TransportError` of its own; a reason is any text. */
function isError(error: unknown): boolean {
  if (typeof error !== "object" || error === null) return false
  const { reason, detail, isRetryable } = error as Partial<Record<keyof NonNullable<Run["error"]>, unknown>>
  return typeof reason === "string" && typeof detail === "string" && typeof isRetryable === "boolean"
}
