// Runs what has to find a planted bug, in this process. Exit code 0: nothing was found; 3: it was, and stdout says how.
// `battery.ts [MUTANT [RUNS]]`; without a mutant, or with `none`, nothing is planted.
import type { Proof } from "./Mutant.ts"
import { mutantCalled, plantInProcess } from "./plant.ts"

const [name = "none", runsText = "60"] = process.argv.slice(2)
const runs = Number(runsText)
const mutant = name === "none" ? undefined : mutantCalled(name)
if (mutant !== undefined) plantInProcess(mutant)

// After the hook: static imports would load the sources before it.
const { findBrokenCase, findFault, findVerdict } = await import("./findFault.ts")
const { findTableFault } = await import("./findTableFault.ts")
const { findLaneFault } = await import("../transport/laneWalk.ts")

function find(proof: Proof): string | undefined {
  if (proof === "tables") return findTableFault()
  if (proof === "lanes") return findLaneFault(300, 1)
  if (proof === "stories") return findFault(runs)
  if (proof === "worlds") return findVerdict(runs)
  if (proof === "conformance") return findBrokenCase()
  throw new Error(`${proof} is for vitest`)
}

// The shortest first: what it finds ends the search.
const proofs: ReadonlyArray<Proof> =
  mutant === undefined
    ? ["tables", "lanes", "conformance", "stories", "worlds"]
    : mutant.foundBy === undefined
      ? ["tables", "lanes", "conformance", "stories"]
      : [mutant.foundBy]
let fault: string | undefined
for (const proof of proofs) fault ??= find(proof)
process.stdout.write(`${fault ?? "nothing found"}\n`)
process.exitCode = fault === undefined ? 0 : 3
