/**
 * What becomes of a record whose handler failed: what the policy says, and where the group has retry topics, a move instead of an ending. A
 * rule without `retry` says that no retry helps, now or later.
 */
import { type Decision, decide, type Failure, isRetried, type Policy } from "../Policy.ts"
import type { NextTier } from "./SetAside.ts"

/** Failures that waiting cannot mend: the bytes stay the same, and what ends the process is not to be tried by the next one. */
const neverMoved: ReadonlyArray<string> = ["Malformed", "CrashLoop"]

interface Rules {
  readonly policy: Policy
  readonly nextTier?: NextTier | undefined
}

export function verdictOf({ policy, nextTier }: Rules, failure: Failure): Decision | { readonly move: NextTier } {
  const decision = decide(policy, failure)
  if ("retryAfterMs" in decision || nextTier === undefined) return decision
  return neverMoved.includes(failure.tag) || !isRetried(policy, failure.tag) ? decision : { move: nextTier }
}
