/** When what has failed is sent again. */
import type { OutageWatch } from "../OutageWatch.ts"
import type { Decision } from "../Policy.ts"
import type { AnswerFacts } from "./LaneHome.ts"
import { retryDelayMs } from "./retryDelayMs.ts"
import type { Span } from "./Span.ts"

/** Waits of a range for the end of an outage: the first, and the longest, in milliseconds. */
const outageMs = 1000
const outageMsMax = 30_000

/** How long until the part is sent again; undefined: it is not, by itself. */
export function waitMsOf(
  part: Pick<Span, "from" | "to" | "attempts" | "countedMs">,
  decision: Decision,
  tag: string,
  { nowMs, random }: Pick<AnswerFacts, "nowMs" | "random">,
  outage: OutageWatch | undefined
): number | undefined {
  if ("retryAfterMs" in decision) return retryDelayMs(decision.retryAfterMs, part.attempts)
  // What is refused for good says something of the record; everything else may be the same for all of them.
  if (decision.ending !== "deadLetter" || tag === "Rejected" || tag === "TooLarge" || outage === undefined)
    return undefined
  part.countedMs = outage.failed(nowMs, part.countedMs, part.to - part.from)
  if (!outage.isOutage(nowMs)) return undefined
  return Math.min(outageMs * 2 ** (part.attempts - 1), outageMsMax) * (1 - 0.2 * random)
}
