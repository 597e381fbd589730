import { MessageChannel } from "node:worker_threads"
import type { Fault } from "../../src/Fault.js"
import { defaults } from "../../src/LogOptions.js"
import type { LaneEvent, Reply, Request, WorkerSettings } from "../../src/Message.js"
import { LogServer } from "../../src/store/LogServer.js"

const isEvent = (reply: Reply): reply is LaneEvent => "event" in reply

/** The worker's side of an open log in this thread, where a test can set the clock. */
export class Server {
  readonly events: Array<LaneEvent> = []
  /** Of each append that is answered: why it failed, if it did. */
  readonly faults: Array<Fault | undefined> = []
  readonly #appends = new Set<number>()
  readonly #channel = new MessageChannel()
  readonly #server: LogServer
  #calls = 0

  constructor(directory: string, leaseMs: number, more: Partial<WorkerSettings> = {}) {
    this.#channel.port2.on("message", (reply: Reply) => {
      if (isEvent(reply)) this.events.push(reply)
      else if (this.#appends.has(reply.call)) this.faults.push("fault" in reply ? reply.fault : undefined)
    })
    const settings = { directory, isReadOnly: false, partitions: 4, recordBytesMax: 1000, leaseMs }
    const none = { retentionMs: undefined, retentionBytes: undefined, bytesMax: undefined, idsMs: defaults.idsMs }
    this.#server = new LogServer({ ...settings, ...none, ...more }, this.#channel.port1)
  }

  call(request: { [N in Request["name"]]: Omit<Extract<Request, { name: N }>, "call"> }[Request["name"]]): void {
    this.#server.receive({ call: this.#calls++, ...request })
  }

  append(topic: string, partition: number, bytes: Uint8Array<ArrayBuffer>): void {
    this.#appends.add(this.#calls)
    this.call({ name: "append", topic, partition, bytes, deadlineMs: Number.POSITIVE_INFINITY })
  }

  close(): void {
    this.call({ name: "close" })
    this.#channel.port2.close()
  }

  /** Lanes that its members were given. */
  get given(): number {
    return this.events.filter(({ event }) => event === "given").length
  }
}
