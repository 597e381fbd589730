import type { Mutant } from "./Mutant.ts"

/** What goes wrong with spills only where processes come and go, and others have a part in it: the worlds have to find it. */
export const spillWorldMutants: ReadonlyArray<Mutant> = [
  {
    name: "what is in a spill is counted as stored",
    file: "publish/spill/SpillBook.ts",
    find: `    account.spilled += count
    this.#counts`,
    replace: `    account.stored += count
    this.#counts`,
    foundBy: "worlds"
  },
  {
    name: "what an earlier process has left in its spill is given up",
    file: "publish/spill/SpillDrain.ts",
    find: `if (part.at < end) this.#turnOn(partition)`,
    replace: `if (part.at < end) part.at = end`,
    foundBy: "worlds"
  }
]
