import type { Decision } from "../Policy.ts"

/** Whether what has failed goes to a place that stands in for its destination. */
export function isForStandIn(decision: Decision): boolean {
  return "ending" in decision && (decision.ending === "spill" || decision.ending === "fallback")
}
