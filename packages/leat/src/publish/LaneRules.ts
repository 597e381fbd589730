import type { OutageWatch } from "../OutageWatch.ts"
import type { Policy } from "../Policy.ts"
import { retryBudget } from "../Policy.ts"
import type { Leg } from "../routes/Route.ts"
import { RetryBudget } from "./RetryBudget.ts"
import type { Span } from "./Span.ts"
import type { WriteLane } from "./WriteLane.ts"

/** What keeps lanes from sending while their destination fails. */
export interface LaneBreaker {
  readonly isOpen: boolean
  /** Whether the range may be sent, as a probe. A lane that may not is woken when it is its turn. */
  readonly admits: (lane: WriteLane, span: Span, nowMs: number) => boolean
  /** So many records have ended, or go to the spill, because it is open. */
  readonly ended: (records: number) => void
}

/** The rules of all lanes of a sink; changed in place when another table is put in force. */
export interface LaneRules {
  policy: Policy
  /** A batch is closed when it is this old, in milliseconds, ... */
  lingerMs: number
  /** ... or holds this many bytes ... */
  batchBytes: number
  /** ... or this many records. */
  batchRecords: number
  /** Records sent again so far. */
  retries: number
  /** Bounds retries; absent where the policy does not. */
  budget?: RetryBudget | undefined
  /** Absent where the leg has none. */
  breaker?: LaneBreaker | undefined
  /** Tells an outage from poison; undefined where the policy dead-letters nothing. */
  outage: OutageWatch | undefined
}

/** What a table may change of a sink. */
const settingNames = [
  "policy",
  "breaker",
  "lingerMs",
  "batchBytes",
  "batchRecords",
  "bufferBytesMax",
  "overflow",
  "timeoutMs"
] as const

/** Whether a table changes nothing of a sink. */
export function isSetAlike(was: Leg, leg: Leg): boolean {
  return settingNames.every((name) => was[name] === leg[name])
}

/** The budget that a policy asks for: that of the one before, where it had one. */
export function budgetFor(policy: Policy, budget: RetryBudget | undefined): RetryBudget | undefined {
  const share = retryBudget(policy)
  if (share === undefined) return undefined
  budget?.configure(share)
  return budget ?? new RetryBudget(share)
}
