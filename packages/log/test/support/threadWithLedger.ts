// Opens a leat in a worker thread whose cluster stores nothing, publishes 50 events, and says so once they are announced.
import { ledgerStore, log } from "@leat/log"
import { Effect } from "effect"
import { Leat } from "leat"
import { faultDriver } from "leat/testing"
import { parentPort, workerData } from "node:worker_threads"
import { noteContract, routesTo } from "./Note.ts"

const directory = String(workerData)
const port = parentPort

await Effect.runPromise(
  Effect.scoped(
    Effect.gen(function* () {
      const leat = yield* Leat.make({
        source: "thread",
        drivers: [faultDriver(log, { send: () => ({ kind: "fail", reason: "Unavailable" }) })],
        routes: routesTo(directory),
        ledger: { store: ledgerStore(directory), every: "20 millis" }
      })
      const notes = yield* leat.stream(noteContract)
      for (let index = 0; index < 50; index++) notes.offer({ key: `k${index % 4}`, text: `${index}` })
      yield* Effect.sleep("200 millis")
      port?.postMessage("announced")
      return yield* Effect.never
    })
  )
)
