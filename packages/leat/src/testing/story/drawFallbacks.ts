/** What of a world has to do with fallbacks: which legs have one, in which cluster, and whether what is there is sent on. */
import { seededRandom } from "../seededRandom.ts"
import type { Occasion } from "./Occasions.ts"
import type { DrawnSpills } from "./drawSpills.ts"
import type { WorldLeg, WorldStream } from "./World.ts"

/** What is drawn beside the rest, so that the worlds of the seeds are otherwise what they were. */
export interface DrawnFallbacks extends DrawnSpills {
  readonly clusters: number
}

/** Part of the worlds that have fallbacks, and of their streams that stay there. */
const fallbackShare = 0.25
const stayShare = 0.3

export function drawFallbacks(
  seed: number,
  clusters: number,
  { streams, disk, rates: ofSpills }: DrawnSpills,
  focus?: Occasion
): DrawnFallbacks {
  const random = seededRandom(Math.imul(seed, 67_867_967) + 19)
  const chance = (share: number) => random() < share
  const isAfter = focus?.state === "fellBack"
  if (!chance(fallbackShare) && !isAfter) return { clusters, streams, disk, rates: ofSpills }
  // A fallback is another cluster than the one that it stands in for.
  const count = Math.max(2, clusters)
  const drawn = streams.map((stream, at): WorldStream => {
    const stays = chance(stayShare)
    const legs = stream.legs.map((leg, index): WorldLeg => {
      const isFalling = chance(0.7) || (at === 0 && index === 0)
      const retries = Math.floor(random() * 3)
      const isKept = leg.spill !== undefined && !(isAfter && at === 0 && index === 0)
      if (!isFalling || isKept) return leg
      const cluster = (leg.cluster + 1) % count
      return { ...leg, spill: undefined, fallback: { retries, cluster, back: stays ? "stay" : "redrive" } }
    })
    // What stays is read beside what the destination has.
    const isStaying = legs.some(({ fallback }) => fallback?.back === "stay")
    return isStaying ? { ...stream, isOrdered: false, isCompacted: false, legs } : { ...stream, legs }
  })
  const rates = {
    ...ofSpills,
    ...(chance(0.8) ? { outage: 0.02 + random() * 0.06 } : {}),
    ...(chance(0.4) ? { crash: 0.004 + random() * 0.02 } : {}),
    ...(isAfter ? { outage: 0.1 } : {})
  }
  return { clusters: count, streams: drawn, disk, rates }
}
