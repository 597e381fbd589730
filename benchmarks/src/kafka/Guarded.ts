import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"

/** Processes that end with this one, however it ends: each has a channel to it and leaves when that breaks. */
export class Guarded {
  readonly #running = new Set<ChildProcess>()

  /** A script of this folder, under this Node. */
  fork(script: string, args: ReadonlyArray<string>, flags: ReadonlyArray<string> = []): ChildProcess {
    const child = fork(fileURLToPath(new URL(script, import.meta.url)), args, {
      execArgv: [...flags],
      stdio: ["ignore", "ignore", "inherit", "ipc"]
    })
    this.#running.add(child)
    child.once("exit", () => this.#running.delete(child))
    return child
  }

  /** Runs a program to its end; resolves with the end of what it printed. */
  run(program: string, args: ReadonlyArray<string>): Promise<string> {
    const child = this.fork("toolWorker.ts", [program, ...args])
    return new Promise((resolve, reject) => {
      child.once("message", (message) => {
        const told = message as { readonly printed?: string; readonly failed?: string }
        if (told.printed === undefined) reject(new Error(told.failed ?? `${program} failed`))
        else resolve(told.printed)
      })
      child.once("exit", () => reject(new Error(`${program} ended without a word`)))
    })
  }

  async close(): Promise<void> {
    const ended = Array.from(this.#running, (child) => new Promise((resolve) => child.once("exit", resolve)))
    for (const child of this.#running) if (child.connected) child.disconnect()
    await Promise.all(ended)
  }
}
