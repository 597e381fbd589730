/** The worst that became of the records of a range. */
import type { Run } from "../transport/index.ts"

export type Fate = Run["fate"]

export function worstOf(runs: ReadonlyArray<Run>): Fate {
  if (runs.some(({ fate }) => fate === "unknown")) return "unknown"
  return runs.some(({ fate }) => fate === "notStored") ? "notStored" : "stored"
}
