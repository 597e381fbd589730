// Publishes events through the front door until it is killed. Writes the id of each into a file once it is acknowledged, one
// `bucket/seq` a line behind the incarnation, and says `running` after the first.
//   publisher.ts <directory> <file>
import { log } from "@leat/log"
import { Effect } from "effect"
import { Leat } from "leat"
import { openSync, writeSync } from "node:fs"
import { noteContract, routesTo } from "../support/Note.ts"

const [directory = "", path = ""] = process.argv.slice(2)
// Written at once, and not into a pipe: what is in the page cache survives a kill, and nobody has to read it in time.
const file = openSync(path, "w")

const program = Effect.gen(function* () {
  const leat = yield* Leat.make({ source: "crash", drivers: [log], routes: routesTo(directory) })
  const notes = yield* leat.stream(noteContract)
  writeSync(file, `${leat.incarnation}\n`)
  const publish = (index: number) =>
    Effect.map(notes.publish({ key: `k${index % 16}`, text: `${index}` }, { level: "stored" }), ({ id }) =>
      writeSync(file, `${id.bucket}/${id.seq}\n`)
    )
  for (let index = 0; ; index += 50) {
    yield* Effect.all(
      Array.from({ length: 50 }, (_, more) => publish(index + more)),
      { concurrency: "unbounded" }
    )
    if (index === 0) process.stdout.write("running\n")
  }
}).pipe(Effect.scoped)

await Effect.runPromise(program)
