import type { Mutant } from "./Mutant.ts"

/** What goes wrong with fallbacks only where processes come and go, and others have a part in it: the worlds have to find it. */
export const fallbackWorldMutants: ReadonlyArray<Mutant> = [
  {
    name: "a process that begins writes before what its fallback holds",
    file: "publish/fallback/Fallback.ts",
    find: `      part.isOn = part.settled < part.end`,
    replace: `      part.isOn = part.end < part.settled`,
    foundBy: "worlds"
  },
  {
    name: "what is sent on from a fallback is counted once for each time that it is sent",
    file: "publish/fallback/RedriveEndings.ts",
    find: `  account.recovered += events`,
    replace: `  account.recovered += 2 * events`,
    foundBy: "worlds"
  },
  {
    name: "what stays in a fallback is read by nobody",
    file: "consume/FallbackTopics.ts",
    find: `    this.#fallback === undefined
      ? Effect.never`,
    replace: `    this.#fallback === undefined || this.#options.group !== ""
      ? Effect.never`,
    foundBy: "worlds"
  }
]
