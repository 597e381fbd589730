import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { closeSync, openSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import type { FaultProxy } from "./FaultProxy.ts"
import { askMetadata } from "./KafkaFrames.ts"
import type { ClusterView } from "./KafkaFrames.ts"
import { consolePath, logPath, logTail } from "./KafkaLog.ts"
import type { KafkaProgram } from "./KafkaProgram.ts"
import type { Watchdog } from "./Watchdog.ts"

const pollMs = 25
const askMsMax = 2_000
const startMsMax = 60_000
const terminateMsMax = 30_000

export interface KafkaNodeOptions {
  readonly id: number
  readonly port: number
  readonly folder: string
  readonly propertiesFile: string
  readonly log4jFile: string
  readonly program: KafkaProgram
  readonly jvmFlags: ReadonlyArray<string>
  readonly watchdog: Watchdog
  readonly proxy: FaultProxy | undefined
}

/** One broker as a process: signalled by its own pid, started again on the same folder and ports. */
export class KafkaNode {
  readonly id: number
  readonly port: number
  /** Its configuration, data and log, until the cluster is closed. */
  readonly folder: string
  /** Stands before its proxied listener, where the cluster has one. */
  readonly proxy: FaultProxy | undefined
  readonly #options: KafkaNodeOptions
  #process: ChildProcess | undefined

  constructor(options: KafkaNodeOptions) {
    this.id = options.id
    this.port = options.port
    this.folder = options.folder
    this.proxy = options.proxy
    this.#options = options
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  get isRunning(): boolean {
    return this.#process !== undefined
  }

  /** Starts the JVM; `ready` tells when it serves. */
  launch(): void {
    if (this.#process !== undefined) throw new Error(`Kafka node ${this.id} runs already`)
    const { folder, program, jvmFlags, watchdog, log4jFile, propertiesFile } = this.#options
    const console = openSync(consolePath(folder), "a")
    const flags = [...jvmFlags, `-Dlog4j2.configurationFile=${log4jFile}`, `-Dleat.log=${logPath(folder)}`]
    // In a group of its own: Ctrl-C is for the owner, which then ends its nodes itself.
    const process = spawn(program.java.java, [...flags, "-cp", program.classPath, "kafka.Kafka", propertiesFile], {
      stdio: ["ignore", console, console],
      cwd: folder,
      detached: true
    })
    closeSync(console)
    const { pid } = process
    this.#process = process
    if (pid !== undefined) watchdog.watch(pid)
    const ended = () => {
      if (pid !== undefined) watchdog.forget(pid)
      if (this.#process === process) this.#process = undefined
    }
    process.once("exit", ended)
    process.once("error", ended)
    process.unref()
  }

  /** What this node knows of its cluster. */
  view(): Promise<ClusterView> {
    return askMetadata("127.0.0.1", this.port, askMsMax)
  }

  /** Waits until the node answers and its view of the cluster is as wanted: by default, that it is a part of it. */
  async ready(
    isReady: (view: ClusterView) => boolean = ({ brokers }) => brokers.some(({ nodeId }) => nodeId === this.id)
  ): Promise<void> {
    const deadline = performance.now() + startMsMax
    for (;;) {
      const view = await this.view().catch(() => undefined)
      if (view !== undefined && isReady(view)) return
      if (!this.isRunning) throw new Error(`Kafka node ${this.id} ended while starting:\n${await this.#tail()}`)
      if (performance.now() > deadline) {
        throw new Error(`Kafka node ${this.id} is not ready after ${startMsMax} ms:\n${await this.#tail()}`)
      }
      await sleep(pollMs)
    }
  }

  /** SIGKILL, as a power cut for the process; resolves when it is gone. */
  async kill(): Promise<void> {
    const ended = this.#ended()
    this.#signal("SIGKILL")
    await ended
  }

  /** SIGSTOP: connections stay open, nothing answers. */
  stop(): void {
    this.#signal("SIGSTOP")
  }

  /** SIGCONT: goes on after `stop`. */
  continue(): void {
    this.#signal("SIGCONT")
  }

  /** SIGTERM: hands its partitions over and ends; resolves when it is gone. */
  async terminate(): Promise<void> {
    const ended = this.#ended()
    this.#signal("SIGTERM")
    const cancel = new AbortController()
    const late = sleep(terminateMsMax, true, { signal: cancel.signal }).catch(() => false)
    if (await Promise.race([ended.then(() => false), late])) {
      throw new Error(`Kafka node ${this.id} still runs ${terminateMsMax} ms after SIGTERM`)
    }
    cancel.abort()
  }

  /** Starts again on the same folder and ports, ending the process first if it runs; resolves when it serves. */
  async restart(): Promise<void> {
    if (this.isRunning) await this.terminate()
    this.launch()
    await this.ready()
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#process === undefined) throw new Error(`Kafka node ${this.id} does not run, so it cannot get ${signal}`)
    this.#process.kill(signal)
  }

  #ended(): Promise<void> {
    const process = this.#process
    if (process === undefined) return Promise.resolve()
    // A node that merely runs does not keep this process alive; one that is waited for does.
    process.ref()
    return new Promise((resolve) => process.once("exit", () => resolve()))
  }

  #tail(): Promise<string> {
    return logTail(this.#options.folder)
  }
}
