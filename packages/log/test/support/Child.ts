import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

/** A script of the tests in a process of its own that prints JSON lines. Killed when it is disposed of, or at its deadline. */
export class Child {
  /** What it has printed so far. */
  readonly lines: Array<unknown> = []
  readonly ended: Promise<number | NodeJS.Signals | null>
  errors = ""
  readonly #process: ChildProcess

  /** `path`: from the folder of the tests of the log, or a whole address. */
  constructor(path: string | URL, parameters: ReadonlyArray<string>, deadlineMs = 60_000) {
    const script = fileURLToPath(typeof path === "string" ? new URL(`../${path}`, import.meta.url) : path)
    this.#process = spawn(process.execPath, ["--conditions=@leat/source", script, ...parameters], {
      stdio: ["ignore", "pipe", "pipe"],
      timeout: deadlineMs,
      killSignal: "SIGKILL"
    })
    const { stdout, stderr } = this.#process
    if (stdout !== null) createInterface({ input: stdout }).on("line", (line) => this.#read(line))
    stderr?.on("data", (chunk: unknown) => (this.errors += String(chunk)))
    this.ended = new Promise((resolve) => {
      this.#process.once("close", (code, signal) => resolve(code ?? signal))
    })
  }

  /** Waits until it is so; fails where the process ends before. */
  async until(is: () => boolean): Promise<void> {
    let ended: string | number | null | undefined
    void this.ended.then((how) => (ended = how))
    while (!is()) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      if (ended !== undefined) throw new Error(`a process ended by itself with ${ended}: ${this.errors}`)
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  [Symbol.dispose](): void {
    this.#process.kill("SIGKILL")
  }

  /** A process that is killed may leave half a line behind. */
  #read(line: string): void {
    try {
      this.lines.push(JSON.parse(line))
    } catch {
      this.errors += line
    }
  }
}
