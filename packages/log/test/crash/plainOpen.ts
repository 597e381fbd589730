import { Worker } from "node:worker_threads"

/** Opens a database in a worker thread as anybody would, and reads from it. */
const program = `
const { DatabaseSync } = require("node:sqlite")
const { workerData } = require("node:worker_threads")
const sql = new DatabaseSync(workerData)
sql.prepare("SELECT count(*) FROM head").get()
sql.close()
`

/** What opening a log is measured against: how long a plain open takes here and now, in milliseconds. */
export function plainOpenMs(path: string): Promise<number> {
  const beganAt = performance.now()
  return new Promise((resolve, reject) => {
    const worker = new Worker(program, { eval: true, workerData: path })
    worker.once("error", reject)
    worker.once("exit", () => resolve(performance.now() - beganAt))
  })
}
