// Publishes in phases, in each of which its cluster behaves in another way, and kills itself once what it has on its way is announced. Prints what it had
// given to nobody else at that moment: the events that are lost, unless the log has them.
//   loser.ts <directory> <kind> <phases>     phases as [["fail", 40], ["ok", 10], ["hold", 20]]
import { ledgerStore, log } from "@leat/log"
import { Effect } from "effect"
import { type Journal, Leat, type LedgerStore } from "leat"
import { faultDriver } from "leat/testing"
import { writeSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { noteContract } from "../support/Note.ts"

const [directory = "", kind = "drop", phases = "[]"] = process.argv.slice(2)
const at = (name: string) => ({ transport: "@leat/log", directory: join(directory, name) })
const policies: Readonly<Record<string, ReadonlyArray<object>>> = {
  drop: [{ on: ["*"], then: "drop" }],
  spill: [
    { on: ["SpillExpired"], then: "drop" },
    { on: ["passing"], then: "spill" }
  ],
  fallback: [
    { on: ["Rejected"], then: "drop" },
    { on: ["passing"], then: "fallback" }
  ]
}
const legs: Readonly<Record<string, object>> = {
  drop: {},
  spill: { spill: { cluster: "aside", age: "1 second" } },
  fallback: { fallback: { cluster: "aside", back: "redrive" } }
}
const routes = {
  version: 1,
  clusters: { main: at("main"), aside: at("aside") },
  policies: { own: policies[kind] },
  routes: [
    {
      match: { stream: "*" },
      to: [{ cluster: "main", topic: "notes", policy: "own", linger: "1 milli", timeout: "2 minutes", ...legs[kind] }]
    }
  ]
}

let mode = "ok"
const faults: Readonly<Record<string, object>> = {
  fail: { kind: "fail", reason: "Unavailable" },
  reject: { kind: "fail", reason: "Rejected" },
  lose: { kind: "loseResponse" },
  hold: { kind: "delay", ms: 120_000 }
}
const send = ({ topic }: { readonly topic: string }) => (topic === "notes" ? faults[mode] : undefined) as never

/** Where each event is that the leat holds in memory. */
const held = new Set<string>()
const inMemory = new Set<string | undefined>(["queued", "inFlight", "inDoubt", "deadLettering"])
const journal: Journal = {
  moved: (_, bucket, seq, __, to) =>
    void (inMemory.has(to) ? held.add(`${bucket}/${seq}`) : held.delete(`${bucket}/${seq}`))
}

const program = Effect.gen(function* () {
  const books = ledgerStore(join(directory, "main"))
  let announced = ""
  const store: LedgerStore = {
    save: (one) => Effect.tap(books.save(one), () => Effect.sync(() => void (announced = JSON.stringify(one.legs))))
  }
  const ledger = { store, every: "20 millis" as const }
  const leat = yield* Leat.make({ source: kind, drivers: [faultDriver(log, { send })], routes, ledger, journal })
  const notes = yield* leat.stream(noteContract)
  const row = () => leat.ledger.snapshot().legs[0]
  const until = (is: () => boolean) =>
    Effect.promise(async () => {
      while (!is()) await sleep(5)
    })
  let index = 0
  for (const [next, count] of JSON.parse(phases) as ReadonlyArray<readonly [string, number]>) {
    mode = next
    // What others have left, or what is in the fallback, has to be back first.
    if (next === "recover") yield* until(() => (row()?.recovered ?? 0) >= count)
    else if (next === "rejectLeft") {
      mode = "reject"
      yield* until(() => (row()?.recovered ?? 0) >= count)
    } else if (next === "back") yield* until(() => leat.sinks()[0]?.fallback?.partitions.length === 0)
    else {
      for (let event = 0; event < count; event++, index++) notes.offer({ key: `k${index % 4}`, text: `${index}` })
      if (next !== "hold") yield* until(() => held.size === 0)
    }
  }
  // What is sent is on its way by then; what changed after the last announcement nobody could know.
  yield* Effect.sleep("100 millis")
  yield* until(() => announced === JSON.stringify(leat.ledger.snapshot().legs))
  writeSync(1, `${JSON.stringify({ incarnation: leat.incarnation, row: row(), held: [...held] })}\n`)
  process.kill(process.pid, "SIGKILL")
}).pipe(Effect.scoped)

await Effect.runPromise(program)
