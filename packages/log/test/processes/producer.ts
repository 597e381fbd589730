// Publishes to a log until it has sent so many batches, and prints a JSON line for each that was stored.
//   producer.ts <directory> <batches> <pause in ms> <leat id of this process, 1-100>
import { logTransport } from "@leat/log"
import { sendEffect } from "leat/transport"
import { Effect } from "effect"
import { batchOf } from "leat/testing"

const [directory = "", batches = "100", pauseMs = "5", name = "1"] = process.argv.slice(2)

const program = Effect.gen(function* () {
  const transport = yield* logTransport({ directory })
  const writer = yield* transport.openWriter("t")
  for (let batch = 0; batch < Number(batches); batch++) {
    const partition = batch % writer.partitions
    const count = 1 + (batch % 7)
    const sentAtMs = performance.timeOrigin + performance.now()
    const records = Array.from({ length: count }, (_, index) => ({
      key: name,
      value: JSON.stringify({ name, batch, index, sentAtMs })
    }))
    const [run] = yield* sendEffect(writer, partition, batchOf(records), 0, count, 20_000)
    const storedMs = performance.timeOrigin + performance.now() - sentAtMs
    if (run?.base === undefined) return yield* Effect.die(new Error(run?.error?.message ?? "stored without a position"))
    process.stdout.write(`${JSON.stringify({ partition, base: Number(run.base), count, storedMs })}\n`)
    yield* Effect.sleep(Number(pauseMs))
  }
}).pipe(Effect.scoped)

await Effect.runPromise(program)
