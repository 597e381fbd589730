// The worker thread of an open log. It loads only SQLite and the SPI, so a log opens in tens of milliseconds.
import { parentPort, workerData } from "node:worker_threads"
import { faultOf } from "../Fault.ts"
import type { Reply, Request, WorkerSettings } from "../Message.ts"
import { LogServer } from "./LogServer.ts"

const port = parentPort
if (port === null) throw new Error("store/worker runs in a worker thread")
const settings = workerData as WorkerSettings
let server: LogServer | undefined
port.on("message", (request: Request) => {
  try {
    // The first call is `open`: what keeps the log from being opened is its answer.
    server ??= new LogServer(settings, port)
  } catch (error) {
    const reply: Reply = { call: request.call, fault: faultOf(error, settings.directory), mayBeStored: false }
    port.postMessage(reply, [])
    return port.close()
  }
  server.receive(request)
})
