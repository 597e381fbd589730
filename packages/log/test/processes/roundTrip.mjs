// Stores and reads one record through what was built: no source condition, no TypeScript.
import { logTransport } from "@leat/log"
import { sendEffect } from "leat/transport"
import { Effect, Stream } from "effect"
import { batchOf } from "leat/testing"

const [directory] = process.argv.slice(2)
const program = Effect.gen(function* () {
  const transport = yield* logTransport({ directory })
  const writer = yield* transport.openWriter("t")
  yield* sendEffect(writer, 0, batchOf([{ key: "k", value: "built" }]), 0, 1, 10_000)
  const batches = yield* Stream.runCollect(transport.read("t", 0, { fromPosition: 0n }))
  for (const { records } of batches)
    for (const { value } of records) process.stdout.write(new TextDecoder().decode(value))
}).pipe(Effect.scoped)

await Effect.runPromise(program)
