import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"

/**
 * Reads which processes were started (`+ pid`) and which have ended (`- pid`) from a pipe. When the pipe ends, which it also
 * does when its owner crashes, it kills what is left and removes the folder.
 */
const script = `
pids=""
while read -r sign pid; do
  if [ "$sign" = "+" ]; then pids="$pids $pid"; else
    left=""
    for one in $pids; do [ "$one" = "$pid" ] || left="$left $one"; done
    pids="$left"
  fi
done
[ -z "$pids" ] || kill -9 $pids 2>/dev/null
rm -rf "$1" 2>/dev/null || { sleep 1; rm -rf "$1"; }
`

/** Sees to it that no process and no folder outlives this process, however it ends. */
export class Watchdog {
  readonly #process: ChildProcess

  constructor(folder: string) {
    // In a group of its own: Ctrl-C is for the owner, and the watchdog must outlive it.
    this.#process = spawn("/bin/sh", ["-c", script, "leat-watchdog", folder], {
      stdio: ["pipe", "ignore", "ignore"],
      detached: true
    })
    this.#process.stdin?.on("error", () => undefined)
    this.#process.unref()
    const pipe = this.#process.stdin
    if (pipe !== null && "unref" in pipe && typeof pipe.unref === "function") pipe.unref()
  }

  watch(pid: number): void {
    this.#process.stdin?.write(`+ ${pid}\n`)
  }

  /** The number may soon belong to somebody else. */
  forget(pid: number): void {
    this.#process.stdin?.write(`- ${pid}\n`)
  }

  /** Kills what is left, removes the folder, and waits for it. */
  async finish(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const ended = new Promise((resolve) => this.#process.once("exit", resolve))
    this.#process.ref()
    this.#process.stdin?.end()
    await ended
  }
}
