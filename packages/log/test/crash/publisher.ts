// Publishes events through the front door and prints the id of each once it is acknowledged, one `bucket/seq` a line, until it is
// killed.
//   publisher.ts <directory>
import { log } from "@leat/log"
import { Effect } from "effect"
import { Leat } from "leat"
import { writeSync } from "node:fs"
import { noteContract, routesTo } from "../support/Note.ts"

const [directory = ""] = process.argv.slice(2)

const program = Effect.gen(function* () {
  const leat = yield* Leat.make({ source: "crash", drivers: [log], routes: routesTo(directory) })
  const notes = yield* leat.stream(noteContract)
  // Written at once: what stands in a stream's buffer would die with the process.
  writeSync(1, `${leat.incarnation}\n`)
  const publish = (index: number) =>
    Effect.map(notes.publish({ key: `k${index % 16}`, text: `${index}` }, { level: "stored" }), ({ id }) =>
      writeSync(1, `${id.bucket}/${id.seq}\n`)
    )
  for (let index = 0; ; index += 50)
    yield* Effect.all(
      Array.from({ length: 50 }, (_, more) => publish(index + more)),
      { concurrency: "unbounded" }
    )
}).pipe(Effect.scoped)

await Effect.runPromise(program)
