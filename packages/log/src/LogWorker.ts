/**
 * The main thread's side of the worker: calls with numbers, and their answers. A worker that dies answers everything that waits
 * with an error; nothing hangs.
 */
import { Effect, type Scope } from "effect"
import { TransportError } from "leat/transport"
import { Worker } from "node:worker_threads"
import type { Fault } from "./Fault.ts"
import type { CallName, Calls, LaneEvent, Reply, WorkerSettings } from "./Message.ts"

interface Pending {
  readonly name: CallName
  readonly answered: (answer: Calls[CallName]["answer"]) => void
  readonly failed: (error: TransportError, mayBeStored: boolean) => void
}

/** How long a close may take before the worker is ended, in milliseconds. */
const closeMsMax = 15_000

/** The sources run in a worker as they stand; what was built runs as JavaScript. */
const isSource = import.meta.url.endsWith(".ts")
const entry = new URL(isSource ? "./store/worker.ts" : "./store/worker.js", import.meta.url)
const sourceConditions = ["--conditions=@leat/source", "--disable-warning=ExperimentalWarning"]

export class LogWorker {
  readonly #worker: Worker
  readonly #directory: string
  readonly #pending = new Map<number, Pending>()
  readonly #listeners = new Set<(event: LaneEvent | TransportError) => void>()
  #calls = 0
  #ended: string | undefined
  #isClosing = false

  private constructor(settings: WorkerSettings) {
    this.#directory = settings.directory
    this.#worker = new Worker(entry, {
      workerData: settings,
      ...(isSource ? { execArgv: sourceConditions } : {})
    })
    this.#keepAlive()
    this.#worker.on("message", (reply: Reply) => this.#receive(reply))
    this.#worker.on("error", (error) => this.#end(`its worker failed: ${error.message}`))
    this.#worker.on("exit", (code) => this.#end(`its worker ended with code ${code}`))
  }

  /** Starts a worker and opens the log in it; both end with the scope, after what was queued is on disk. */
  static readonly open = (settings: WorkerSettings): Effect.Effect<LogWorker, TransportError, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.sync(() => new LogWorker(settings)),
      (worker) => worker.#close
    ).pipe(Effect.tap((worker) => worker.call("open", {})))

  /** Thread of the worker. */
  get threadId(): number {
    return this.#worker.threadId
  }

  /** Calls the worker; `transfer` hands buffers over. */
  call<N extends CallName>(
    name: N,
    ask: Calls[N]["ask"],
    transfer: Array<ArrayBuffer> = []
  ): Effect.Effect<Calls[N]["answer"], TransportError> {
    return Effect.callback((resume) => {
      const call = this.start(
        name,
        ask,
        (answer) => resume(Effect.succeed(answer)),
        (error) => resume(Effect.fail(error)),
        transfer
      )
      return Effect.sync(() => this.abandon(call))
    })
  }

  /** The same without an Effect, for what must also be told what may be stored. Returns the number of the call. */
  start<N extends CallName>(
    name: N,
    ask: Calls[N]["ask"],
    answered: (answer: Calls[N]["answer"]) => void,
    failed: (error: TransportError, mayBeStored: boolean) => void,
    transfer: Array<ArrayBuffer> = []
  ): number {
    const call = this.#calls++
    if (this.#ended !== undefined) {
      failed(this.#closed(name), false)
      return call
    }
    this.#pending.set(call, { name, answered, failed })
    this.#keepAlive()
    this.#worker.postMessage({ call, name, ...ask }, transfer)
    return call
  }

  /** Nobody waits for this call any more. */
  abandon(call: number): void {
    this.#pending.delete(call)
    this.#keepAlive()
  }

  /** Calls `listener` with what becomes of lanes, and with the error when the worker has died; returns how to stop. */
  listen(listener: (event: LaneEvent | TransportError) => void): () => void {
    this.#listeners.add(listener)
    this.#keepAlive()
    return () => {
      this.#listeners.delete(listener)
      this.#keepAlive()
    }
  }

  /** Ends the worker at once, as a crash would. */
  readonly kill: Effect.Effect<void> = Effect.promise(() => this.#worker.terminate().then(() => undefined))

  /** An open log alone does not keep a process alive; a call, a member of a group and a close do. */
  #keepAlive(): void {
    if (this.#isClosing || this.#pending.size > 0 || this.#listeners.size > 0) this.#worker.ref()
    else this.#worker.unref()
  }

  #receive(reply: Reply): void {
    if ("event" in reply) {
      for (const listener of this.#listeners) listener(reply)
      return
    }
    const pending = this.#pending.get(reply.call)
    if (pending === undefined) return
    this.abandon(reply.call)
    if ("answer" in reply) pending.answered(reply.answer)
    else pending.failed(this.#failure(pending.name, reply.fault), reply.mayBeStored)
  }

  #end(why: string): void {
    if (this.#ended !== undefined) return
    this.#ended = why
    const pending = Array.from(this.#pending.values())
    this.#pending.clear()
    const detail = `${this.#directory}: ${why} before it answered; open the transport again, and read what it holds`
    for (const { name, failed } of pending) failed(this.#failure(name, { reason: "Disconnected", detail }), true)
    for (const listener of this.#listeners)
      listener(this.#failure("subscribe", { reason: "Disconnected", detail: `${this.#directory}: ${why}` }))
  }

  readonly #close: Effect.Effect<void> = Effect.callback<void>((resume) => {
    if (this.#ended !== undefined) return resume(Effect.void)
    const done = () => resume(Effect.void)
    this.#worker.once("exit", done)
    const timer = setTimeout(() => void this.#worker.terminate(), closeMsMax)
    this.#worker.once("exit", () => clearTimeout(timer))
    this.#isClosing = true
    this.start(
      "close",
      {},
      () => undefined,
      () => undefined
    )
  })

  #closed(operation: string): TransportError {
    const detail = `${this.#directory}: ${this.#ended ?? "it is closed"}; open the transport again`
    return this.#failure(operation, { reason: "Closed", detail })
  }

  #failure(operation: string, { reason, detail }: Fault): TransportError {
    return new TransportError({ reason, transport: "@leat/log", operation: operationOf(operation), detail })
  }
}

/** The operation of the SPI behind a call. */
function operationOf(name: string): string {
  const operations: Readonly<Record<string, string>> = {
    append: "send",
    topic: "openWriter",
    partitions: "partitionsOf",
    join: "subscribe",
    leave: "subscribe",
    locate: "read"
  }
  return operations[name] ?? name
}
