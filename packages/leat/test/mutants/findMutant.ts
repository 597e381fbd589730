/** Whether the proof of a mutant finds it, told by a process of its own, because a mutant may hang or never be collected. */
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import type { Mutant } from "./Mutant.ts"
import { planted } from "./plant.ts"

const battery = fileURLToPath(new URL("battery.ts", import.meta.url))
const vitest = fileURLToPath(import.meta.resolve("vitest/package.json")).replace(/package\.json$/, "vitest.mjs")
const root = fileURLToPath(new URL("../../../..", import.meta.url))
const timeoutMs = 120_000

export interface Search {
  readonly found: boolean
  /** How it was found; or what ended the search otherwise. */
  readonly how: string
}

/** Runs the battery for one mutant, or for none. */
export function runBattery(name: string, runs: number): Promise<Search> {
  return execute([battery, name, String(runs)], {}, ({ code, stdout }) => ({
    found: code === 3,
    how: stdout.trim().split("\n").at(-1) ?? ""
  }))
}

/** A property may miss a mutant once in hundreds of draws, and there are hundreds of mutants. */
const draws = 3

/** Looks for a mutant with the proof that it names; what a test file draws comes from `seed`, so that the same is found again. */
export async function findMutant(mutant: Mutant, runs = 60, seed = 1): Promise<Search> {
  planted(mutant)
  if (mutant.foundBy?.endsWith(".test.ts") !== true) return await runBattery(mutant.name, runs)
  let search = await runTest(mutant, seed)
  let draw = 1
  for (; draw < draws && !search.found; draw++) search = await runTest(mutant, seed + draw)
  return draw === 1 ? search : { ...search, how: `at draw ${draw}: ${search.how}` }
}

async function runTest({ name, foundBy, test }: Mutant, seed: number): Promise<Search> {
  const file = `packages/leat/test/${foundBy}`
  const parameters = [vitest, "run", "--project", "leat", file, ...(test === undefined ? [] : ["-t", literal(test)])]
  return await execute(
    parameters,
    { LEAT_MUTANT: name, LEAT_SEED: String(seed), NO_COLOR: "1" },
    ({ stdout, stderr }) => {
      // Where no terminal listens, failures are told on the other channel.
      const [, failed] = /^ FAIL {2}(.*)$/m.exec(`${stdout}\n${stderr}`) ?? []
      // A file that cannot be loaded fails too, and finds nothing.
      const found = /^ +Tests +.*\b\d+ failed/m.test(stdout)
      return { found, how: failed ?? stdout.slice(-300) }
    }
  )
}

/** As a pattern for names of tests. */
function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
}

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const run = promisify(execFile)

async function execute(
  parameters: ReadonlyArray<string>,
  env: Readonly<Record<string, string>>,
  read: (ended: Ended) => Search
): Promise<Search> {
  const options = {
    cwd: root,
    env: { ...process.env, ...env },
    timeout: timeoutMs,
    killSignal: "SIGKILL" as const,
    maxBuffer: 1 << 26
  }
  try {
    const { stdout, stderr } = await run(process.execPath, ["--conditions=@leat/source", ...parameters], options)
    return read({ code: 0, stdout, stderr })
  } catch (error) {
    const { code, stdout = "", stderr = "" } = error as { code?: number | string; stdout?: string; stderr?: string }
    if (typeof code !== "number") return { found: false, how: `it ended by ${code ?? "a time-out"}` }
    try {
      const search = read({ code, stdout, stderr })
      return search.found ? search : { found: false, how: `${search.how} ${stderr}`.trim().slice(-500) }
    } catch {
      return { found: false, how: stderr.slice(-500) }
    }
  }
}
