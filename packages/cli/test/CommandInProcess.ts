import { Readable, Writable } from "node:stream"
import { run } from "@leat/cli"
import { Printed } from "./Printed.js"

/** A run of the command in this process: what the bin file calls, with streams of its own. Interrupted at the end of its block. */
export class CommandInProcess implements AsyncDisposable {
  readonly ended: Promise<number>
  readonly #stdout = new Printed()
  readonly #stderr = new Printed()
  readonly #interruption = new AbortController()
  static #running = 0
  /** The working directory before the first of the runs that overlap. */
  static #before = ""

  /** One folder at a time is the working directory of a process: runs that overlap must name the same one. */
  constructor(args: ReadonlyArray<string>, folder: string, input: string | Uint8Array = "") {
    if (CommandInProcess.#running++ === 0) CommandInProcess.#before = process.cwd()
    process.chdir(folder)
    const streams = { stdin: Readable.from([input]), stdout: into(this.#stdout), stderr: into(this.#stderr) }
    this.ended = run(args, streams, this.#interruption.signal).finally(() => {
      if (--CommandInProcess.#running === 0) process.chdir(CommandInProcess.#before)
    })
  }

  get stdout(): string {
    return this.#stdout.text
  }

  get stderr(): string {
    return this.#stderr.text
  }

  interrupt(): void {
    this.#interruption.abort()
  }

  printed(pattern: RegExp): Promise<void> {
    return this.#stdout.matches(pattern, this.ended, () => this.stdout + this.stderr)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.interrupt()
    await this.ended
  }
}

function into(printed: Printed): Writable {
  return new Writable({
    decodeStrings: false,
    write: (chunk: unknown, _, done) => {
      printed.add(chunk)
      done()
    }
  })
}
