/** Worlds over memory, on virtual time, without what is known. */
import { drawWorld, type Occasion, simulateWorld, type SimulatedWorld, type World } from "leat/testing"
import { isKnown, knownMishaps } from "./knownFaults.ts"

/**
 * The world of a seed that is after an occasion. Where lanes halt no group dead-letters, and nothing is replayed: a replay meets a lane that has
 * halted where one group halts and another one dead-letters.
 */
export function worldAfter(seed: number, occasion: Occasion): World {
  if (occasion.mishap !== "replay" || occasion.state !== "readHalted") return drawWorld(seed, occasion)
  const drawn = drawWorld(seed, { mishap: "replay", state: "handling" })
  const [first, second = first] = drawn.groups
  if (first === undefined || second === undefined) throw new Error(`the world of seed ${seed} has no group`)
  const halting = { ...first, ending: "halt", retryDelaysMs: undefined } as const
  return { ...drawn, focus: occasion, groups: [halting, { ...second, group: "g1" }] }
}

/** Tells a world. Known faults are left out. */
export function tellInMemory(asked: World): SimulatedWorld {
  const rates = Object.fromEntries(
    Object.entries(asked.rates).filter(([name]) => !knownMishaps.some((known) => known === name))
  )
  const told = simulateWorld({ ...asked, rates })
  return { ...told, verdicts: told.verdicts.filter((one) => !isKnown(one, asked)) }
}
