import type { OutageWatch } from "../OutageWatch.ts"
import type { Policy } from "../Policy.ts"
import type { RetryBudget } from "./RetryBudget.ts"

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
  /** Tells an outage from poison; undefined where the policy dead-letters nothing. */
  outage: OutageWatch | undefined
}
