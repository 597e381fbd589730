import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url))

/** How long a job may take on a machine that is busy, in milliseconds; then it is killed and the test fails. */
const jobMsMax = 220_000

export interface Told {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** The real program as a process of its own. */
export class Job {
  readonly #process: ChildProcess
  readonly ended: Promise<Told>
  #stdout = ""
  #stderr = ""

  constructor(args: ReadonlyArray<string>, environment: Readonly<Record<string, string>> = {}) {
    this.#process = spawn(process.execPath, ["--conditions=@leat/source", main, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...environment }
    })
    running.add(this.#process)
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), jobMsMax)
    this.#process.stdout?.on("data", (part: Buffer) => (this.#stdout += part.toString()))
    this.#process.stderr?.on("data", (part: Buffer) => (this.#stderr += part.toString()))
    this.ended = new Promise((resolve) => {
      this.#process.on("close", (code, signal) => {
        clearTimeout(timer)
        running.delete(this.#process)
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr })
      })
    })
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** Waits until it has said this, or has ended. */
  async says(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.#stdout + this.#stderr) && running.has(this.#process))
      await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

const running = new Set<ChildProcess>()
const folders: Array<string> = []

/** A directory for one test. */
export function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), "leat-job-"))
  folders.push(folder)
  return folder
}

/** Leaves no process and no directory behind. */
export function cleanUp(): void {
  for (const child of running) child.kill("SIGKILL")
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
}
