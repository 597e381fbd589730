// Announces 5 events of which 3 are stored, and waits to be killed: nobody sends the other two.
//   publishAndLose.ts <directory> [<folder of the ledger>]
import { ledgerStore, log, readLedgers } from "@leat/log"
import { Effect } from "effect"
import { waitUntil } from "leat/testing"
import { open } from "leat/promise"
import { LogLine, Severity } from "@leat/demo/gen/risk/v1/log.ts"

const [directory = "", folder = directory] = process.argv.slice(2)
const routes = {
  version: 1,
  clusters: { local: { transport: "@leat/log", directory } },
  routes: [
    {
      match: { stream: "*" },
      to: [{ cluster: "local", topic: "{stream}", linger: "9 minutes", timeout: "10 minutes" }]
    }
  ]
}
await using leat = await open({ source: "loser", routes, drivers: [log], ledger: { store: ledgerStore(folder) } })
const lines = await leat.stream(LogLine)
const line = { program: "sshd", severity: Severity.INFO, message: "", atUs: 0n, inputRef: "" }
for (const host of ["a", "b", "c"]) lines.offer({ ...line, host })
lines.offer({ ...line, host: "" })
await leat.flush()
for (const host of ["d", "e"]) lines.offer({ ...line, host })
// It announces every second.
const isAnnounced = Effect.map(readLedgers(folder), ({ ledgers }) => ledgers[0]?.streams[0]?.admitted === 5)
await Effect.runPromise(waitUntil("the last offer is announced", isAnnounced, { withinMs: 20_000, everyMs: 50 }))
process.stdout.write("announced\n")
await new Promise((resolve) => setTimeout(resolve, 60_000))
