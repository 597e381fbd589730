import { type ChildProcess, spawn } from "node:child_process"
import { Printed } from "./Printed.js"

/** A process that runs beside the test; killed at the end of the block that declares it with `using`. */
export class Running implements Disposable {
  readonly ended: Promise<number | NodeJS.Signals | null>
  readonly #stdout = new Printed()
  readonly #stderr = new Printed()
  readonly #process: ChildProcess

  constructor(args: ReadonlyArray<string>, cwd: string) {
    const options = ["--conditions=@leat/source", "--disable-warning=ExperimentalWarning", ...args]
    // A group of its own: what it has started ends with it.
    this.#process = spawn(process.execPath, options, { cwd, detached: true, timeout: 60_000, killSignal: "SIGKILL" })
    this.#process.stdout?.on("data", (chunk: unknown) => this.#stdout.add(chunk))
    this.#process.stderr?.on("data", (chunk: unknown) => this.#stderr.add(chunk))
    this.ended = new Promise((resolve) => {
      this.#process.once("close", (code, signal) => resolve(code ?? signal))
    })
  }

  get stdout(): string {
    return this.#stdout.text
  }

  get stderr(): string {
    return this.#stderr.text
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** Reads no more of what it prints: its next write finds a closed pipe. */
  closeOutput(): void {
    this.#process.stdout?.destroy()
  }

  [Symbol.dispose](): void {
    const { pid } = this.#process
    if (pid === undefined) return
    try {
      process.kill(-pid, "SIGKILL")
    } catch {
      // All of it has ended.
    }
  }

  /** Waits until the process has printed what matches. */
  printed(pattern: RegExp): Promise<void> {
    return this.#stdout.matches(pattern, this.ended, () => this.stdout + this.stderr)
  }

  /** The same of its standard error. */
  complained(pattern: RegExp): Promise<void> {
    return this.#stderr.matches(pattern, this.ended, () => this.stdout + this.stderr)
  }
}
