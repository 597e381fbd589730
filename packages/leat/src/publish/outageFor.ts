import type { ChangeTeller } from "../ChangeTeller.ts"
import { OutageWatch } from "../OutageWatch.ts"
import type { Policy } from "../Policy.ts"

/** Tells an outage of a sink from poison, only where there is something to tell apart; the one that there is already goes on. */
export function outageFor(
  policy: Policy,
  watch: OutageWatch | undefined,
  outages: Pick<ChangeTeller, "changed">
): OutageWatch | undefined {
  if (!policy.some(({ then }) => then === "deadLetter")) return undefined
  return watch ?? new OutageWatch((isOutage) => outages.changed(isOutage))
}
