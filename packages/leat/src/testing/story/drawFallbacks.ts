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

/** Part of the legs that have a second fallback, of those whose events are sent on: one that is read is told by its topic, which has the same name in both. */
const furtherShare = 0.4

export function drawFallbacks(
  seed: number,
  clusters: number,
  { streams, disk, rates: ofSpills }: DrawnSpills,
  focus?: Occasion
): DrawnFallbacks {
  const random = seededRandom(Math.imul(seed, 67_867_967) + 19)
  const chance = (share: number) => random() < share
  const isAfter = focus?.state === "fellBack"
  const beside = seededRandom(Math.imul(seed, 49_979_687) + 29)
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
      const further = beside() < furtherShare && !stays ? furtherThan([leg.cluster, cluster]) : undefined
      return { ...leg, spill: undefined, fallback: { retries, cluster, further, back: stays ? "stay" : "redrive" } }
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
  const further = drawn.flatMap(({ legs }) => legs.map(({ fallback }) => fallback?.further ?? 0))
  return { clusters: Math.max(count, ...further.map((cluster) => cluster + 1)), streams: drawn, disk, rates }
}

/** The first cluster that is none of those. */
function furtherThan(clusters: ReadonlyArray<number>): number {
  return [0, 1, 2].find((cluster) => !clusters.includes(cluster)) ?? 2
}
