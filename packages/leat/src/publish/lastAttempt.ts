/**
 * What a sink that closes still tries: its cluster may be well again, and what is left when the time is over is dropped. Each lane has one attempt at
 * once, and so have dead letters, under their rules otherwise: attempts count on, the order stays, and an open breaker lets one probe go. Where the attempt
 * of a partition that has fallen back fails, or the fallback has refused what waits for good, `FallbackReturn.tryNow` has the first cluster asked at once.
 */
import { isPassing } from "../reasons.ts"
import type { Halted } from "./LaneHome.ts"
import type { PumpedLane } from "./Pumped.ts"

export function lastAttempt(
  lanes: ReadonlyArray<PumpedLane>,
  letters: { readonly tryNow: () => void },
  breaker: { readonly probeNow: () => void } | undefined,
  fallback: { readonly tryNow: (partition: number) => void } | undefined
): void {
  for (const lane of lanes) {
    // What no gate has let go is not to be sent.
    if (lane.isGated) continue
    if (lane.halted?.isOfFallback === true) fallback?.tryNow(lane.partition.partition)
    else if (mayPass(lane.halted)) lane.tryNow()
    if (mayPass(lane.partition.halted)) lane.partition.tryNow()
  }
  letters.tryNow()
  breaker?.probeNow()
}

/** Whether what stands, where it does, stands because of an outage: everything else would be refused again. */
function mayPass(halted: Halted | undefined): boolean {
  return halted === undefined || isPassing(halted.tag)
}
