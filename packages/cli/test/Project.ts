import { execFile } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { CommandInProcess } from "./CommandInProcess.js"

/** The bin file, for the few tests in which the process itself is the point. */
export const leatBin = fileURLToPath(new URL("../bin/leat.js", import.meta.url))

/** What a run of the command left: its exit code and all that it printed. */
export interface Run {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Somebody's folder; gone at the end of the block that declares it with `using`. */
export class Project implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "leat-cli-"))

  constructor(files: Readonly<Record<string, string>> = {}) {
    this.write(files)
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  write(files: Readonly<Record<string, string>>): void {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(this.folder, path)), { recursive: true })
      writeFileSync(join(this.folder, path), text)
    }
  }

  remove(path: string): void {
    rmSync(join(this.folder, path), { recursive: true })
  }

  read(path: string): string {
    return readFileSync(join(this.folder, path), "utf8")
  }

  /** The files below a folder, by their path in it, sorted; none when there is no folder. */
  files(path: string): ReadonlyArray<string> {
    const folder = join(this.folder, path)
    if (!existsSync(folder)) return []
    const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
      .toSorted()
  }

  /** Runs the command in the process of the test, in the project or in a folder of it. */
  async leat(args: ReadonlyArray<string>, within = ".", input: string | Uint8Array = ""): Promise<Run> {
    const command = new CommandInProcess(args, join(this.folder, within), input)
    const code = await command.ended
    return { code, stdout: command.stdout, stderr: command.stderr }
  }

  /** Runs the command with --json and gives the one object that it printed. */
  async leatJson(args: ReadonlyArray<string>, within?: string): Promise<Run & { readonly report: unknown }> {
    const told = await this.leat([...args, "--json"], within)
    return { ...told, report: JSON.parse(told.stdout) }
  }

  /** Runs a command line of the shell in the project; `node` is the one that runs the tests. */
  shell(command: string): Promise<Run> {
    const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}` }
    return run("bash", ["-o", "pipefail", "-c", command], this.folder, env)
  }

  async git(...args: ReadonlyArray<string>): Promise<void> {
    const identity = ["-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false"]
    const told = await run("git", [...identity, ...args], this.folder, process.env)
    if (told.code !== 0) throw new Error(told.stderr)
  }

  /** Makes what is there the first commit of a repository, or the next one. */
  async commit(): Promise<void> {
    if (!existsSync(join(this.folder, ".git"))) await this.git("init", "--quiet")
    await this.git("add", "--all")
    await this.git("commit", "--quiet", "--no-verify", "--message", "contracts")
  }
}

function run(file: string, args: ReadonlyArray<string>, cwd: string, env: NodeJS.ProcessEnv): Promise<Run> {
  return new Promise((resolve) => {
    execFile(file, args, { cwd, env, timeout: 25_000, killSignal: "SIGKILL" }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : -1, stdout, stderr })
    })
  })
}
