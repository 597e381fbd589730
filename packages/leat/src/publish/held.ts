/** What becomes of a range that an open breaker keeps. */
import { deadlineMs, decide, type Ending, type Policy } from "../Policy.ts"
import { breakerOpen } from "../reasons.ts"
import type { Halted } from "./LaneHome.ts"
import type { Span } from "./Span.ts"

/** It waits, until a time of the monotonic clock or until the breaker lets it go, or ends. */
export type Held =
  | { readonly untilMs: number }
  | { readonly ending: Exclude<Ending, "deadLetter">; readonly failure: Halted }

const waits: Held = { untilMs: Number.POSITIVE_INFINITY }

/**
 * A rule that names the open breaker ends it at once. Otherwise it ends when the deadline of its last failure is over, and only then: an attempt
 * that is not made is none. Dead letters are made of no outage.
 */
export function heldOf(policy: Policy, { attempts, firstSentMs, failed }: Span, nowMs: number): Held {
  const named = policy.find(({ on }) => on.includes(breakerOpen))?.then
  if (named === "drop" || named === "spill" || named === "fallback")
    return { ending: named, failure: { tag: breakerOpen, attempts, detail: failed?.detail ?? "the breaker is open" } }
  if (attempts === 0 || failed === undefined) return waits
  const untilMs = firstSentMs + deadlineMs(policy, failed.tag)
  if (nowMs < untilMs) return { untilMs }
  const elapsedMs = Math.max(nowMs - firstSentMs, Number.MIN_VALUE)
  const decision = decide(policy, { tag: failed.tag, attempts, elapsedMs, random: 0 })
  if (!("ending" in decision) || decision.ending === "deadLetter") return waits
  return { ending: decision.ending, failure: { ...failed, attempts } }
}
