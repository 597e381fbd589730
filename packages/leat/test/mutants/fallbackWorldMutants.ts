import type { Mutant } from "./Mutant.ts"

/** What goes wrong with fallbacks only where processes come and go, and others have a part in it: the worlds have to find it. */
export const fallbackWorldMutants: ReadonlyArray<Mutant> = [
  {
    name: "what is sent on from a fallback is counted once for each time that it is sent",
    file: "publish/fallback/RedriveEndings.ts",
    find: `  account.recovered += events`,
    replace: `  account.recovered += 2 * events`,
    foundBy: "worlds"
  }
]
