/** Which legs of a world take a share of the keys; drawn beside the rest, so that the worlds of the seeds without are what they were. */
import { seededRandom } from "../seededRandom.ts"
import type { DrawnMirrors } from "./drawMirrors.ts"
import { one, type WorldCanary, type WorldLeg } from "./World.ts"

/** Part of the worlds that have some, of their legs that are, and of these whose share changes with tables. */
const canaryShare = 0.8
const legShare = 0.8
const changingShare = 0.5

/** By hand, and not as leat counts them: of eight buckets, each is an eighth behind the last. */
const shares: readonly [WorldCanary, ...ReadonlyArray<WorldCanary>] = [
  { percent: "0-9%", buckets: [0] },
  { percent: "0-49%", buckets: [0, 1, 2, 3] },
  { percent: "50-99%", buckets: [4, 5, 6, 7] },
  { percent: "25-74%", buckets: [2, 3, 4, 5] },
  { percent: "13-37%", buckets: [2, 3] },
  { percent: "80-99%", buckets: [7] },
  { percent: "0-99%", buckets: [0, 1, 2, 3, 4, 5, 6, 7] }
]

/** The first leg is read, and has all; events without a key are in no share. */
export function drawCanaries(seed: number, drawn: DrawnMirrors): DrawnMirrors {
  const random = seededRandom(Math.imul(seed, 122_949_823) + 31)
  if (random() >= canaryShare) return drawn
  const streams = drawn.streams.map((stream) => ({
    ...stream,
    legs: stream.legs.map((leg, index): WorldLeg => {
      const isCanary = random() < legShare && index > 0 && stream.isOrdered
      if (!isCanary) return leg
      const even = one(random, shares)
      return { ...leg, canary: { even, odd: random() < changingShare ? one(random, shares) : even } }
    })
  }))
  const isChanging = streams.some(({ legs }) => legs.some(({ canary }) => canary?.even !== canary?.odd))
  const rates =
    isChanging && drawn.rates.swap === undefined ? { ...drawn.rates, swap: 0.03 + random() * 0.1 } : drawn.rates
  return { ...drawn, streams, rates }
}
