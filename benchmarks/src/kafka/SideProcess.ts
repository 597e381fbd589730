import type { ChildProcess } from "node:child_process"
import type { Guarded } from "./Guarded.ts"
import type { Answer, Ask, ConsumeWay, ProduceWay, SideCase, SidePlan, Turn } from "./Side.ts"

/** How long a side may take for one answer, in milliseconds. */
const answerMsMax = 60_000

/** A side in its process, seen from the one that asks. */
export class SideProcess {
  readonly #process: ChildProcess
  readonly #name: string

  private constructor(plan: SidePlan, guarded: Guarded) {
    this.#name = `${plan.side} on ${plan.client}`
    // kafkajs gives timers negative times, of which Node 24 warns.
    const flags = ["--expose-gc", "--conditions=@leat/source", "--disable-warning=TimeoutNegativeWarning"]
    this.#process = guarded.fork("sideWorker.ts", [JSON.stringify(plan)], [...flags, ...profiling()])
  }

  static async start(plan: SidePlan, guarded: Guarded): Promise<SideProcess> {
    const side = new SideProcess(plan, guarded)
    await side.#answer("to start")
    return side
  }

  async open(one: SideCase): Promise<string> {
    const answer = await this.#ask({ ask: "open", one })
    if (!("incarnation" in answer)) throw this.#unexpected(answer)
    return answer.incarnation
  }

  async produce(way: ProduceWay, events: number): Promise<Turn> {
    const answer = await this.#ask({ ask: "produce", way, events })
    if (!("turn" in answer)) throw this.#unexpected(answer)
    return answer.turn
  }

  async latencies(perSecond: number, seconds: number): Promise<ReadonlyArray<number>> {
    const answer = await this.#ask({ ask: "latencies", perSecond, seconds })
    if (!("latenciesMs" in answer)) throw this.#unexpected(answer)
    return answer.latenciesMs
  }

  async consume(way: ConsumeWay, group: string, events: number): Promise<Turn> {
    const answer = await this.#ask({ ask: "consume", way, group, events })
    if (!("turn" in answer)) throw this.#unexpected(answer)
    return answer.turn
  }

  /** Ends what was opened last. */
  async close(): Promise<void> {
    await this.#ask({ ask: "close" })
  }

  /** Lets the process end by itself. */
  async end(): Promise<void> {
    const ended = new Promise<void>((resolve) => this.#process.once("exit", () => resolve()))
    this.#process.disconnect()
    await ended
  }

  #ask(asked: Ask): Promise<Answer> {
    const answer = this.#answer(JSON.stringify(asked))
    this.#process.send(asked)
    return answer
  }

  #answer(asked: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const end = (then: () => void) => {
        clearTimeout(timer)
        this.#process.off("message", told)
        this.#process.off("exit", gone)
        then()
      }
      const told = (message: unknown) => {
        const answer = message as Answer
        end(() => ("failed" in answer ? reject(new Error(`${this.#name}: ${answer.failed}`)) : resolve(answer)))
      }
      const gone = () => end(() => reject(new Error(`${this.#name} ended before it answered ${asked}`)))
      const timer = setTimeout(() => end(() => reject(new Error(`${this.#name} did not answer ${asked}`))), answerMsMax)
      this.#process.once("message", told)
      this.#process.once("exit", gone)
    })
  }

  #unexpected(answer: Answer): Error {
    return new Error(`${this.#name} said ${JSON.stringify(answer)}`)
  }
}

/** `LEAT_BENCH_PROFILES=FOLDER`: each side leaves a processor profile there. */
function profiling(): ReadonlyArray<string> {
  const folder = process.env["LEAT_BENCH_PROFILES"]
  return folder === undefined || folder === "" ? [] : ["--cpu-prof", `--cpu-prof-dir=${folder}`]
}
