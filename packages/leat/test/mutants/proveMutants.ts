// Every mutant, each by the proof that it names, two at a time: `proveMutants.ts [RUNS [SEED [PART OF A NAME]]] [--share quarter]`. A quarter
// is every fourth one; which, the seed of the day says, and four days have had all. The last line is a report. Exit code 0: all were found;
// 3: one was not.
import { parseArgs } from "node:util"
import { findMutant, runBattery, type Search } from "./findMutant.ts"
import type { Mutant } from "./Mutant.ts"
import { mutants } from "./mutants.ts"

const { positionals, values } = parseArgs({
  options: { share: { type: "string", default: "all" } },
  allowPositionals: true
})
const [runsText = "60", seedText = "1", part = ""] = positionals
const runs = Number(runsText)
const seed = Number(seedText)
const parts = values.share === "quarter" ? 4 : 1
/** Seeds of two days differ by this. */
const day = Math.floor(seed / 10_000)
const chosen = mutants.filter(
  ({ name, file, foundBy }, index) => `${name} ${file} ${foundBy}`.includes(part) && index % parts === day % parts
)
const missed: Array<string> = []
const left = [...chosen]

const nothing = await runBattery("none", Math.min(runs, 20))

async function work(): Promise<void> {
  for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) {
    const beginMs = performance.now()
    const found = await search(mutant)
    note(mutant, found, performance.now() - beginMs)
  }
}

async function search(mutant: Mutant): Promise<Search> {
  try {
    return await findMutant(mutant, runs, seed)
  } catch (error) {
    return { found: false, how: String(error) }
  }
}

function note({ name, file }: Mutant, { found, how }: Search, ms: number): void {
  process.stderr.write(`${found ? "found" : "MISSED"} after ${(ms / 1000).toFixed(1)} s ${file}: ${name}: ${how}\n`)
  if (!found) missed.push(`${file}: ${name}`)
}

await Promise.all([work(), work()])
const isQuiet = nothing.how === "nothing found"
const violations = [...(isQuiet ? [] : [`without a mutant: ${nothing.how}`]), ...missed]
const report = {
  of: mutants.length,
  total: chosen.length,
  killed: chosen.length - missed.length,
  survivors: missed.length,
  missed
}
process.stdout.write(
  `${JSON.stringify(violations.length === 0 ? report : { ...report, violation: violations.join("; ") })}\n`
)
process.exitCode = violations.length === 0 ? 0 : 3
