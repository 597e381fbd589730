/** What of a world has to do with spills, with processes that come and go, and with clusters that are away; and which legs have a budget or a breaker. */
import { seededRandom } from "../seededRandom.ts"
import type { Occasion } from "./Occasions.ts"
import type { World, WorldLeg, WorldSpill, WorldStream } from "./World.ts"

/** What is drawn beside the rest, so that the worlds of the seeds are otherwise what they were. */
export interface DrawnSpills {
  readonly streams: ReadonlyArray<WorldStream>
  readonly disk: World["disk"]
  readonly rates: World["rates"]
}

/** Part of the worlds that have a disk. */
const diskShare = 0.3

export function drawSpills(seed: number, streams: ReadonlyArray<WorldStream>, focus?: Occasion): DrawnSpills {
  const random = seededRandom(Math.imul(seed, 49_979_687) + 7)
  const chance = (share: number) => random() < share
  const isAfter = focus?.state === "spilled" || focus?.mishap === "losePower" || focus?.mishap === "diskFull"
  const hasDisk = chance(diskShare) || isAfter
  // Drawn beside the rest, too.
  const breaking = seededRandom(Math.imul(seed, 32_452_843) + 5)
  const budgetOf = () => (chance(0.2) ? [0, 0.1, 0.5][Math.floor(random() * 3)] : undefined)
  const drawn = streams.map((stream, at) => ({
    ...stream,
    legs: stream.legs.map((leg, index): WorldLeg => {
      const isSpilling = chance(0.6) || (at === 0 && index === 0) || isAfter
      const spill = drawSpill(random, isAfter)
      return {
        ...leg,
        budget: budgetOf(),
        breaker: drawBreaker(breaking),
        spill: hasDisk && isSpilling ? spill : undefined
      }
    })
  }))
  const disk = { isShared: chance(0.2), flushMs: 1 + Math.floor(random() * 20) }
  return { streams: drawn, disk: hasDisk ? disk : undefined, rates: ratesOf(random, hasDisk, focus) }
}

function drawBreaker(random: () => number): WorldLeg["breaker"] {
  const drawn = random()
  return drawn < 0.2 ? "waits" : drawn < 0.35 ? "ends" : undefined
}

/** A short one is full at once. Where a story is after what is in it, that is sent on slowly. */
function drawSpill(random: () => number, isAfter: boolean): WorldSpill {
  const bytes = random() < 0.3 ? 65_536 : 10_000_000
  const rate = random() < (isAfter ? 0.6 : 0.2) ? [20, 100, 1000][Math.floor(random() * 3)] : undefined
  return { retries: Math.floor(random() * 3), bytes, rate }
}

/** These are looked for at each look of whoever disturbs, not at each call: they are rare, and what they do lasts. */
function ratesOf(random: () => number, hasDisk: boolean, focus?: Occasion): World["rates"] {
  const chance = (share: number) => random() < share
  return {
    ...(chance(hasDisk ? 0.8 : 0.08) ? { outage: 0.02 + random() * 0.06 } : {}),
    ...(chance(hasDisk ? 0.4 : 0.08) ? { crash: 0.004 + random() * 0.02 } : {}),
    ...(hasDisk && chance(0.4) ? { losePower: 0.01 + random() * 0.05 } : {}),
    ...(hasDisk && chance(0.3) ? { diskFull: 0.01 + random() * 0.04 } : {}),
    ...(focus?.state === "spilled" ? { outage: 0.1 } : {})
  }
}
