import { MessageChannel } from "node:worker_threads"
import type { LaneEvent, Reply, Request } from "../../src/Message.js"
import { LogServer } from "../../src/store/LogServer.js"

const isEvent = (reply: Reply): reply is LaneEvent => "event" in reply

/** The worker's side of an open log in this thread, where a test can set the clock. */
export class Server {
  readonly events: Array<LaneEvent> = []
  readonly #channel = new MessageChannel()
  readonly #server: LogServer
  #calls = 0

  constructor(directory: string, leaseMs: number) {
    this.#channel.port2.on("message", (reply: Reply) => {
      if (isEvent(reply)) this.events.push(reply)
    })
    const settings = { directory, isReadOnly: false, partitions: 4, recordBytesMax: 1000, leaseMs }
    const none = { retentionMs: undefined, retentionBytes: undefined, bytesMax: undefined }
    this.#server = new LogServer({ ...settings, ...none }, this.#channel.port1)
  }

  call(request: { [N in Request["name"]]: Omit<Extract<Request, { name: N }>, "call"> }[Request["name"]]): void {
    this.#server.receive({ call: this.#calls++, ...request })
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
