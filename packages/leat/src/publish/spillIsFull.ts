/** What becomes of a range that a spill has not taken. */
import { type Ending, decide, type Policy } from "../Policy.ts"
import type { AnswerFacts } from "./LaneHome.ts"
import type { Span } from "./Span.ts"

/** What the policy is asked about while the spill takes no more. */
export const spillFull = "SpillFull"

/** Pause before the spill is tried again, in milliseconds. */
export const spillAgainMs = 250

/** How it ends while the spill is full; undefined: it waits. */
export function endingWhileFull(
  policy: Policy,
  { attempts, firstSentMs }: Span,
  { nowMs, random }: AnswerFacts
): Ending | undefined {
  const decision = decide(policy, { tag: spillFull, attempts, elapsedMs: nowMs - firstSentMs, random })
  return "ending" in decision ? decision.ending : undefined
}
