import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises"
import { dirname } from "node:path"
import { promisify } from "node:util"
import { withFileLock } from "@leat/brokers"

/** A program of another language as it is started; serializable, because vitest hands it to its workers. */
export interface Program {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly environment: Readonly<Record<string, string>>
}

/** Why this machine cannot run one: a sentence that says what is missing and what to do about it. */
export interface ProgramMissing {
  readonly reason: string
}

export const isMissing = (found: Program | ProgramMissing): found is ProgramMissing => "reason" in found

const run = promisify(execFile)
const installMsMax = 300_000

/** Runs a command of an installation and gives what it printed; throws a sentence with the last that it said. */
export async function runTool(
  command: string,
  args: ReadonlyArray<string>,
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {}
): Promise<string> {
  try {
    const { stdout } = await run(command, args, { ...options, timeout: installMsMax, maxBuffer: 2 ** 26 })
    return stdout
  } catch (error) {
    if (!(error instanceof Error)) throw error
    if ("code" in error && error.code === "ENOENT") throw new Error(`there is no ${command}`, { cause: error })
    const said = "stderr" in error ? String(error.stderr).trim().split("\n").at(-1) : ""
    throw new Error(`${[command, ...args.slice(0, 3)].join(" ")} failed: ${said}`, { cause: error })
  }
}

/** A folder of the cache outside the repository, filled once per machine; it appears whole or not at all. */
export async function installed(folder: string, fill: (building: string) => Promise<unknown>): Promise<string> {
  if (existsSync(folder)) return folder
  await mkdir(dirname(folder), { recursive: true })
  return withFileLock(`${folder}.lock`, installMsMax * 2, async () => {
    if (existsSync(folder)) return folder
    const building = await mkdtemp(`${folder}.installing-`)
    try {
      await fill(building)
      await rename(building, folder)
      return folder
    } finally {
      await rm(building, { recursive: true, force: true })
    }
  })
}

/** What `find` finds, or the reason that it throws. */
export async function orMissing(what: string, find: () => Promise<Program>): Promise<Program | ProgramMissing> {
  try {
    return await find()
  } catch (error) {
    return { reason: `${what}: ${error instanceof Error ? error.message : String(error)}` }
  }
}
