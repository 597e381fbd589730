/** Worlds over memory, on virtual time, without what is known. */
import { simulateWorld, type SimulatedWorld, type World } from "leat/testing"
import { isKnown, knownMishaps } from "./knownFaults.ts"

/** Tells a world. Known faults are left out. */
export function tellInMemory(asked: World): SimulatedWorld {
  const rates = Object.fromEntries(
    Object.entries(asked.rates).filter(([name]) => !knownMishaps.some((known) => known === name))
  )
  const told = simulateWorld({ ...asked, rates })
  return { ...told, verdicts: told.verdicts.filter((one) => !isKnown(one, asked)) }
}
