/** Which legs of a world come and go with tables; drawn beside the rest, so that the worlds of the seeds are otherwise what they were. */
import { seededRandom } from "../seededRandom.ts"
import { one, type World, type WorldLeg, type WorldStream } from "./World.ts"

/** Part of the worlds in which some do, and of their legs that do. */
const mirrorShare = 0.5
const legShare = 0.7

/** The first leg is read, and stays. */
export function drawMirrors(
  seed: number,
  streams: ReadonlyArray<WorldStream>
): { readonly streams: ReadonlyArray<WorldStream>; readonly rates: World["rates"] } {
  const random = seededRandom(Math.imul(seed, 86_028_121) + 23)
  if (random() >= mirrorShare) return { streams, rates: {} }
  const drawn = streams.map((stream) => ({
    ...stream,
    legs: stream.legs.map((leg, index): WorldLeg => {
      const isMirror = random() < legShare && index > 0
      return isMirror ? { ...leg, isIn: one(random, ["even", "odd"]) } : leg
    })
  }))
  const hasMirrors = drawn.some(({ legs }) => legs.some(({ isIn }) => isIn !== undefined))
  return { streams: drawn, rates: hasMirrors ? { swap: 0.03 + random() * 0.1 } : {} }
}
