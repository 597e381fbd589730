/**
 * What a process that is gone may have lost of what it had announced, by its rows and by what stands in the topic. One computation for everybody who
 * tells the number: an audit of the topic, and `readLedgers` of `@leat/log`.
 *
 * It begins with what the rows count as pending, and not with what they count as admitted: an event that has ended is not lost with the process, whatever
 * was recovered, doubted, sent on or replayed. Of what was pending nothing is lost that the topic has; so the loss is the smallest of three bounds, each of
 * which holds by itself:
 *
 * - `queued + inFlight + inDoubt + deadLettering`: all that was only in memory;
 * - what is behind the last event of its bucket that is there, for a lane stores in order, and what waited to be set aside;
 * - what was admitted and is not there, less what was dropped without ever being sent.
 */
import type { BucketRange } from "./BucketRange.ts"
import { sum as total } from "./Counts.ts"
import type { LegRow } from "./Ledger.ts"

/** What is known of the topic, for the sequences that were announced; in events. */
export interface FoundEvents {
  /** Different ones that are there. Undefined: not all of the topic could be looked at. */
  readonly present: number | undefined
  /** Behind the last one of their bucket that is there. */
  readonly behind: number
  /** Not there, and not known as dropped, before the last one of their bucket that is there. */
  readonly between: number
}

/** What became of what is not there; in events. */
export interface CrashLosses {
  /** At most so many are lost with the process. */
  readonly lost: number
  /** So many may be in its spill, or in its fallback. */
  readonly kept: number
  /** At least so many were told as stored, and are not there. */
  readonly missing: number
  /** At least so many are there, or were dropped, beyond what was admitted: the rows and the topic contradict each other. */
  readonly excess: number
}

/**
 * `legs`: all rows of one stream in one sink, of whatever epoch: the topic does not say to which one an event belongs.
 *
 * @example
 * ```ts
 * // 160 admitted, of which 100 were dropped without an answer (and are there all the same) and 60 were in flight.
 * crashLossesOf(legs, { present: 100, behind: 60, between: 0 }) // { lost: 60, kept: 0, missing: 0, excess: 0 }
 * ```
 */
export function crashLossesOf(legs: ReadonlyArray<LegRow>, { present, behind, between }: FoundEvents): CrashLosses {
  const sum = (count: (leg: LegRow) => number) => legs.reduce((all, leg) => all + count(leg), 0)
  const deadLettering = sum((leg) => leg.deadLettering)
  const pending = sum(({ queued, inFlight, inDoubt }) => queued + inFlight + inDoubt) + deadLettering
  const dropped = sum((leg) => total(leg.dropped))
  const ended = dropped + sum((leg) => total(leg.deadLettered))
  // Of dropped and dead letters together, so that what is left of either is certainly not stored; dead letters may be replayed.
  const doubtful = sum((leg) => leg.droppedMayBeStored)
  const neverSent = Math.max(0, dropped - doubtful)
  const admitted = sum((leg) => leg.admitted + leg.movedIn - leg.movedOut)
  const absent = present === undefined ? behind + between : admitted - present
  const inMemory = present === undefined ? absent : Math.max(0, absent - neverSent)
  const lost = Math.min(pending, behind + Math.min(between, deadLettering), inMemory)
  const elsewhere = sum(({ spilled, fellBack }) => spilled + fellBack)
  const kept = Math.max(0, Math.min(elsewhere, absent - lost - Math.max(0, ended - doubtful)))
  if (present === undefined) return { lost, kept: Math.min(elsewhere, absent - lost), missing: 0, excess: 0 }
  const missing = Math.max(0, absent - lost - kept - ended)
  return { lost, kept, missing, excess: Math.max(0, neverSent - absent) }
}

/**
 * Whether a leg takes the events of a bucket, as it is now: a canary takes some.
 *
 * @example
 * ```ts
 * hasBucket({ buckets: { from: 0, to: 384 } }, 384) // false
 * ```
 */
export function hasBucket({ buckets }: { readonly buckets?: BucketRange }, bucket: number): boolean {
  return buckets === undefined || (bucket >= buckets.from && bucket < buckets.to)
}
