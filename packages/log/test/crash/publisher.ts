// Publishes so many events through the front door, unless it is killed before. Writes the id of each into a file once it is
// acknowledged, one `bucket/seq` a line behind the incarnation, and says `running` after the first ones.
//   publisher.ts <directory> <file> <total>
import { ledgerStore, log } from "@leat/log"
import { Effect } from "effect"
import { Leat } from "leat"
import { openSync, writeSync } from "node:fs"
import { noteContract, routesTo } from "../support/Note.ts"

const [directory = "", path = "", total = "0"] = process.argv.slice(2)
/** Publishes at the same time. */
const concurrency = 50
// Written at once, and not into a pipe: what is in the page cache survives a kill, and nobody has to read it in time.
const file = openSync(path, "w")

const program = Effect.gen(function* () {
  const ledger = { store: ledgerStore(directory), every: "20 millis" as const }
  const leat = yield* Leat.make({ source: "crash", drivers: [log], routes: routesTo(directory), ledger })
  const notes = yield* leat.stream(noteContract)
  writeSync(file, `${leat.incarnation}\n`)
  const publish = (index: number) =>
    Effect.map(notes.publish({ key: `k${index % 16}`, text: `${index}` }, { level: "stored" }), ({ id }) =>
      writeSync(file, `${id.bucket}/${id.seq}\n`)
    )
  for (let index = 0; index < Number(total); index += concurrency) {
    yield* Effect.all(
      Array.from({ length: concurrency }, (_, more) => publish(index + more)),
      { concurrency: "unbounded" }
    )
    if (index === 0) process.stdout.write("running\n")
  }
  // Until it is killed: a round whose kill came too late ends like the others.
  return yield* Effect.never
}).pipe(Effect.scoped)

await Effect.runPromise(program)
