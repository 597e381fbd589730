// Every mutant, each by the proof that it names, two at a time: `proveMutants.ts [RUNS [SEED [PART OF A NAME]]]`. The last line is a
// report. Exit code 0: all were found; 3: one was not.
import { findMutant, runBattery, type Search } from "./findMutant.ts"
import type { Mutant } from "./Mutant.ts"
import { mutants } from "./mutants.ts"

const runs = Number(process.argv[2] ?? 60)
const seed = Number(process.argv[3] ?? 1)
const part = process.argv[4] ?? ""
const chosen = mutants.filter(({ name, file, foundBy }) => `${name} ${file} ${foundBy}`.includes(part))
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
const report = { total: chosen.length, killed: chosen.length - missed.length, survivors: missed.length, missed }
process.stdout.write(
  `${JSON.stringify(violations.length === 0 ? report : { ...report, violation: violations.join("; ") })}\n`
)
process.exitCode = violations.length === 0 ? 0 : 3
