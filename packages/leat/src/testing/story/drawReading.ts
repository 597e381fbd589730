/** What of a world has to do with lanes that are read: which groups halt at what fails for good, which have retry topics, and which hold little. */
import { seededRandom } from "../seededRandom.ts"
import type { Occasion } from "./Occasions.ts"
import type { WorldGroup } from "./World.ts"

/** Bytes at which a lane is full with a few small events, or with one large one. */
const narrowBytes = 1000

/** Delays of tiers, in milliseconds. */
const delays: ReadonlyArray<ReadonlyArray<number>> = [[1000], [1000, 2000], [1000, 1500, 4000]]

/** Drawn beside the rest, so that the worlds of the seeds are otherwise what they were. */
export function drawReading(
  seed: number,
  groups: ReadonlyArray<WorldGroup>,
  focus?: Occasion
): ReadonlyArray<WorldGroup> {
  const random = seededRandom(Math.imul(seed, 86_028_121) + 13)
  return groups.map((group): WorldGroup => {
    const halts = random() < 0.1 || focus?.state === "readHalted"
    const isNarrow = random() < 0.2 || focus?.state === "blocked"
    const isRetrying = random() < 0.2 && !halts
    const retryDelaysMs = delays[Math.floor(random() * delays.length)]
    return {
      ...group,
      ending: halts ? "halt" : isRetrying ? "deadLetterAll" : group.ending,
      retryDelaysMs: isRetrying ? retryDelaysMs : undefined,
      readBytes: isNarrow ? narrowBytes : undefined
    }
  })
}
