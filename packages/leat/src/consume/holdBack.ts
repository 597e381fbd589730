/** Whether a record that failed for good waits before it is set aside, because it may not be the record that is at fault. */
import type { Effect } from "effect"
import type { OutageWatch } from "../OutageWatch.ts"
import type { HeldRecord } from "./HeldRecord.ts"
import type { ReadingWatch, Unread } from "./ReadingWatch.ts"

/** What the lanes of a subscription have seen together: signs that it is not the records that are at fault. */
export interface Signs {
  /** Of what handlers need. */
  readonly outage: Pick<OutageWatch, "handled" | "failed" | "failedAgain" | "isOutage">
  /** Of what decodes records. Absent: what cannot be decoded never waits. */
  readonly reading?: Pick<ReadingWatch, "decoded" | "failed" | "waits">
  /** Says what was not told yet of either. Absent: nothing is told. */
  readonly close?: Effect.Effect<void>
}

/** What has failed for good, and with what. */
interface Failed {
  readonly held: HeldRecord
  readonly tag: string
  /** It could not be decoded. */
  readonly isUnread: boolean
}

interface Holding {
  /** Others cannot be handled before the record has ended. */
  readonly isAhead: boolean
  /** Everything that the lane holds, in its order, from an index on. */
  readonly held: ReadonlyArray<HeldRecord>
  readonly head: number
}

/** Waits of a record: the first, and the longest, in milliseconds. */
const firstMs = 1000
const longestMs = 30_000

/** How long it waits, in milliseconds; undefined: not at all. `random`: [0, 1). */
export function holdBackMs(
  failed: Failed,
  signs: Signs,
  holding: Holding,
  nowMs: number,
  random: () => number
): number | undefined {
  if (!isHeldBack(failed, signs, holding, nowMs)) return undefined
  return Math.min(firstMs * 2 ** failed.held.waits++, longestMs) * (1 - 0.2 * random())
}

function isHeldBack(
  { held, tag, isUnread }: Failed,
  { outage, reading }: Signs,
  holding: Holding,
  nowMs: number
): boolean {
  if (isUnread) {
    held.failedAtMs = reading?.failed(nowMs, held.failedAtMs) ?? nowMs
    return reading?.waits(nowMs, () => unstarted(holding)) ?? false
  }
  held.failedAtMs = outage.failed(nowMs, held.failedAtMs)
  // What ends the process is not handled again to see whether it still does.
  return tag !== "CrashLoop" && outage.isOutage(nowMs, holding.isAhead)
}

/** Records that are looked at, of those that no handler has had yet. */
const looksMax = 50

/** Some of them, spread over all that is held. */
function* unstarted({ held, head }: Holding): Iterable<Unread> {
  const step = Math.max(1, Math.floor((held.length - head) / looksMax))
  for (let index = held.length - 1; index >= head; index -= step) {
    const one = held[index]
    if (one?.state === "waiting" && one.slice !== undefined) yield one.slice
  }
}
