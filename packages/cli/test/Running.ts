import { type ChildProcess, spawn } from "node:child_process"

/** A process that runs beside the test; killed at the end of the block that declares it with `using`. */
export class Running implements Disposable {
  stdout = ""
  stderr = ""
  readonly ended: Promise<number | NodeJS.Signals | null>
  readonly #process: ChildProcess

  constructor(args: ReadonlyArray<string>, cwd: string, env: NodeJS.ProcessEnv = process.env) {
    const options = ["--conditions=@leat/source", "--disable-warning=ExperimentalWarning", ...args]
    this.#process = spawn(process.execPath, options, { cwd, env, timeout: 60_000, killSignal: "SIGKILL" })
    this.#process.stdout?.on("data", (chunk: unknown) => (this.stdout += String(chunk)))
    this.#process.stderr?.on("data", (chunk: unknown) => (this.stderr += String(chunk)))
    this.ended = new Promise((resolve) => {
      this.#process.once("close", (code, signal) => resolve(code ?? signal))
    })
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** Reads no more of what it prints: its next write finds a closed pipe. */
  closeOutput(): void {
    this.#process.stdout?.destroy()
  }

  [Symbol.dispose](): void {
    this.#process.kill("SIGKILL")
  }

  /** Waits until the process has printed what matches. */
  async printed(pattern: RegExp, withinMs = 20_000): Promise<void> {
    const deadlineMs = Date.now() + withinMs
    while (!pattern.test(this.stdout)) {
      if (Date.now() > deadlineMs) throw new Error(`it did not print ${pattern}: ${this.stdout}${this.stderr}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}
