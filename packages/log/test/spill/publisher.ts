// Publishes to a log whose spill is another log, at the level durable, and prints each text that it was told is safe. While a file is there the
// first log takes nothing. With a count of 0 it sends on what the spill holds, and ends.
//   publisher.ts <directory> <directory of the spill> <file> <round> <count>
import { log } from "@leat/log"
import { Effect } from "effect"
import { Leat, type LegRow } from "leat"
import { faultDriver, waitUntil } from "leat/testing"
import { existsSync, writeSync } from "node:fs"
import { noteContract } from "../support/Note.ts"

const [directory = "", spill = "", away = "", round = "", count = "0"] = process.argv.slice(2)

const far = faultDriver(log, {
  send: () => (existsSync(away) ? { kind: "fail", reason: "Unavailable" } : undefined),
  fence: () => (existsSync(away) ? "Unavailable" : undefined)
})

const routes = {
  version: 1,
  clusters: {
    far: { transport: "far", directory },
    disk: { transport: "@leat/log", directory: spill, leaseMs: 300 }
  },
  policies: { spilling: [{ on: ["passing"], retry: { times: 1, base: "5 millis" }, then: "spill" }] },
  routes: [
    {
      match: { stream: "*" },
      level: "durable",
      to: [{ cluster: "far", topic: "notes", policy: "spilling", linger: "1 milli", spill: { cluster: "disk" } }]
    }
  ]
}

const isOver = ({ queued, inFlight, spilled }: LegRow) => queued + inFlight + spilled === 0

const program = Effect.gen(function* () {
  const leat = yield* Leat.make({ source: "test", routes, drivers: [{ ...far, name: "far" }, log], drain: "2 seconds" })
  const notes = yield* leat.stream(noteContract)
  yield* Effect.forEach(
    Array.from({ length: Number(count) }, (_, index) => index),
    (index) =>
      Effect.map(notes.publish({ key: `k${index % 7}`, text: `${round} ${index}` }), () =>
        writeSync(1, `${JSON.stringify(`${round} ${index}`)}\n`)
      ),
    { concurrency: 40, discard: true }
  )
  if (count !== "0") return
  // One event behind all the others: when it is stored they are.
  yield* Effect.forEach(Array.from({ length: 7 }), (_, index) =>
    notes.publish({ key: `k${index}`, text: `${round} last` }, { level: "stored" })
  )
  yield* waitUntil(
    "the spill is empty",
    Effect.sync(() => leat.ledger.snapshot().legs.every(isOver)),
    {
      withinMs: 30_000
    }
  )
  const [leg] = leat.ledger.snapshot().legs
  writeSync(1, `${JSON.stringify({ recovered: leg?.recovered, balanced: leat.ledger.snapshot().balanced })}\n`)
})
await Effect.runPromise(Effect.scoped(program))
