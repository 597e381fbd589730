// Runs walks of a bare lane, what checks tables and records, the stories, and then the conformance suite, that must find a planted bug. Exit code 0: none was found; 3: one was, and stdout says how.
import { readFileSync } from "node:fs"
import { registerHooks } from "node:module"
import { fileURLToPath } from "node:url"
import { mutants } from "./mutants.ts"

const mutant = mutants.find(({ name }) => name === process.argv[2])
if (mutant !== undefined) {
  const target = new URL(`../../src/${mutant.file}`, import.meta.url).href
  registerHooks({
    load: (url, context, next) => {
      if (url !== target) return next(url, context)
      const source = readFileSync(fileURLToPath(target), "utf8")
      if (source.split(mutant.find).length !== 2)
        throw new Error(`the text of "${mutant.name}" does not stand once in ${mutant.file}`)
      return {
        format: "module-typescript",
        source: source.replace(mutant.find, () => mutant.replace),
        shortCircuit: true
      }
    }
  })
}

// After the hook: static imports would load the sources before it.
const { findBrokenCase, findFault } = await import("./findFault.ts")
const { findTableFault } = await import("./findTableFault.ts")
const { findLaneFault } = await import("../transport/laneWalk.ts")
const runs = Number(process.argv[3] ?? 150)
const fault = findTableFault() ?? findLaneFault(300, 1) ?? findFault(runs) ?? findBrokenCase()
process.stdout.write(`${fault ?? "nothing found"}\n`)
process.exitCode = fault === undefined ? 0 : 3
