import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import type { Program } from "./programs/Program.ts"

/** How long one answer may take, in milliseconds: a little more than a peer gives itself. */
const answerMsMax = 40_000
const stderrCharactersMax = 4_000

/** A program that answers each line of JSON with one. It ends when its input does, so also when this process is gone. */
export class Peer {
  readonly #process: ChildProcess
  readonly #waiting: Array<PromiseWithResolvers<unknown>> = []
  #stderr = ""
  #gone: Error | undefined

  constructor({ command, args, environment }: Program, own: ReadonlyArray<string>) {
    this.#process = spawn(command, [...args, ...own], { env: { ...process.env, ...environment } })
    const { stdin, stdout, stderr } = this.#process
    if (stdin === null || stdout === null || stderr === null) throw new Error(`${command} has no pipes`)
    stdin.on("error", () => undefined)
    stderr.on("data", (part: Buffer) => (this.#stderr = (this.#stderr + part.toString()).slice(-stderrCharactersMax)))
    createInterface({ input: stdout }).on("line", (line) => this.#waiting.shift()?.resolve(JSON.parse(line)))
    this.#process.once("error", (error) => this.#end(error))
    this.#process.once("close", (code) => this.#end(new Error(`${command} ended with ${code}: ${this.#stderr}`)))
  }

  /** Rejects with what the peer says went wrong, or with its last words. */
  async ask<A extends object>(request: object): Promise<A> {
    if (this.#gone !== undefined) throw this.#gone
    const answered = Promise.withResolvers<unknown>()
    this.#waiting.push(answered)
    this.#process.stdin?.write(`${JSON.stringify(request)}\n`)
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), answerMsMax)
    const answer = (await answered.promise.finally(() => clearTimeout(timer))) as A
    if ("error" in answer) throw new Error(String(answer.error))
    return answer
  }

  async close(): Promise<void> {
    if (this.#gone !== undefined) return
    const closed = new Promise((resolve) => this.#process.once("close", resolve))
    this.#process.stdin?.end()
    await closed
  }

  #end(error: Error): void {
    this.#gone = error
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }
}
