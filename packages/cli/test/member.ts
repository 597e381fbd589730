// Joins group g of topic t, or of another, settles so many records, prints a line, and stays until it is ended.
//   member.ts <directory> <records to settle> [topic]
import { logTransport } from "@leat/log"
import { Effect, Stream } from "effect"

const [directory = "", settles = "0", topic = "t"] = process.argv.slice(2)
const program = Effect.gen(function* () {
  const log = yield* logTransport({ directory, leaseMs: 600 })
  const subscription = { topic, group: "g", from: "earliest", drainMs: 100 } as const
  yield* Stream.runForEach(log.subscribe(subscription), (lane) =>
    Effect.forkScoped(
      Stream.runForEach(lane.batches, ({ records }) =>
        Effect.gen(function* () {
          const first = records[0]
          if (first === undefined) return
          if (Number(settles) > 0) yield* lane.settle(first.position + BigInt(settles))
          process.stdout.write("read\n")
        })
      )
    )
  )
}).pipe(Effect.scoped)

await Effect.runPromise(program)
