import type { Mutant } from "./Mutant.ts"

/** What goes wrong with what legs set aside only among everything else that goes on: the worlds have to find it. */
export const undeliveredWorldMutants: ReadonlyArray<Mutant> = [
  {
    name: "a lane that has drops to announce is given up",
    file: "publish/WriteLane.ts",
    find: `return this.#queue.length === 0 && this.#drops.ranges.length === 0`,
    replace: `return this.#queue.length === 0`,
    foundBy: "worlds"
  },
  {
    name: "a letter says no partition",
    file: "publish/Undelivered.ts",
    find: `letters.put({ partition, record, isWanted, done })`,
    replace: `letters.put({ partition: partition + 1, record, isWanted, done })`,
    foundBy: "worlds"
  }
]
