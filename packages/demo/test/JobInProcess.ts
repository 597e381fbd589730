import { EventEmitter } from "node:events"
import { Writable } from "node:stream"
import { command } from "../src/command.ts"
import { Signals } from "../src/Signals.ts"

/** A run of the job in the process of the test: what the program calls, with streams and signals of its own. */
export class JobInProcess {
  readonly ended: Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>
  readonly #signals = new EventEmitter()
  #stdout = ""
  #stderr = ""
  #isEnded = false

  constructor(args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) {
    const surroundings = {
      stdout: into((text) => (this.#stdout += text)),
      stderr: into((text) => (this.#stderr += text)),
      env,
      signals: new Signals({
        on: (signal, listener) => this.#signals.on(signal, listener),
        exit: (code) => {
          throw new Error(`a job in the process of a test cannot exit with ${code}`)
        }
      })
    }
    this.ended = command(args, surroundings).then((code) => {
      this.#isEnded = true
      return { code, stdout: this.#stdout, stderr: this.#stderr }
    })
  }

  kill(signal: "SIGINT" | "SIGTERM"): void {
    this.#signals.emit(signal)
  }

  /** Waits until it has said this, or has ended. */
  async says(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.#stdout + this.#stderr) && !this.#isEnded)
      await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

function into(add: (text: string) => void): Writable {
  return new Writable({
    decodeStrings: false,
    write: (chunk: unknown, _, done) => {
      add(String(chunk))
      done()
    }
  })
}
