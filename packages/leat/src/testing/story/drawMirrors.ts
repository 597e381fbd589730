/** Which legs of a world come and go with tables, and whether sections do; drawn beside the rest, so that the worlds of the seeds are otherwise what they were. */
import { seededRandom } from "../seededRandom.ts"
import type { DrawnFallbacks } from "./drawFallbacks.ts"
import { one, type WorldLeg } from "./World.ts"

/** Part of the worlds in which some do, and of their legs that do. */
const mirrorShare = 0.5
const legShare = 0.7

/** Part of the worlds whose sections change. */
const rotatingShare = 0.25

/** What is drawn beside the rest. */
export interface DrawnMirrors extends DrawnFallbacks {
  readonly rotates: boolean
}

/** The first leg is read, and stays. */
export function drawMirrors(seed: number, drawn: DrawnFallbacks): DrawnMirrors {
  const random = seededRandom(Math.imul(seed, 86_028_121) + 23)
  const hasMirrors = random() < mirrorShare
  const streams = drawn.streams.map((stream) => ({
    ...stream,
    legs: stream.legs.map((leg, index): WorldLeg => {
      const isMirror = random() < legShare && index > 0 && hasMirrors
      return isMirror ? { ...leg, isIn: one(random, ["even", "odd"]) } : leg
    })
  }))
  const rotates = random() < rotatingShare
  const isChanging = rotates || streams.some(({ legs }) => legs.some(({ isIn }) => isIn !== undefined))
  const rates = isChanging ? { ...drawn.rates, swap: 0.03 + random() * 0.1 } : drawn.rates
  return { ...drawn, streams, rates, rotates }
}
