import type { Mutant } from "./Mutant.ts"

/** What goes wrong with retry topics only among everything else that goes on: the worlds have to find it. */
export const retryWorldMutants: ReadonlyArray<Mutant> = [
  {
    name: "in a world all that is moved goes to one partition",
    file: "consume/AsideTopics.ts",
    find: `    this.#retries.put({ partition, record, isWanted, done: moved })`,
    replace: `    this.#retries.put({ partition: 0, record, isWanted, done: moved })`,
    foundBy: "worlds"
  }
]
