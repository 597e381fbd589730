// A member of group `g`: prints a JSON line for each lane and each record, and settles behind every batch. Leaves on SIGTERM.
//   consumer.ts <directory> <lease in ms>
import { logTransport } from "@leat/log"
import { Deferred, Effect, Stream } from "effect"
import { Buffer } from "node:buffer"

const [directory = "", leaseMs = "600"] = process.argv.slice(2)
const say = (line: object) => void process.stdout.write(`${JSON.stringify(line)}\n`)

const program = Effect.gen(function* () {
  const stopped = yield* Deferred.make<void>()
  process.once("SIGTERM", () => Effect.runFork(Deferred.succeed(stopped, undefined)))
  const transport = yield* logTransport({ directory, leaseMs: Number(leaseMs) })
  const lanes = transport.subscribe({ topic: "t", group: "g", from: "earliest", drainMs: 500 })
  const consume = Stream.runForEach(lanes, ({ partition, start, abandoned, batches, settle, release }) =>
    Effect.gen(function* () {
      say({ lane: partition, start: Number(start), abandoned })
      yield* Stream.runForEach(batches, ({ records, next }) =>
        Effect.gen(function* () {
          const nowMs = performance.timeOrigin + performance.now()
          for (const { position, value } of records) {
            const { sentAtMs }: { sentAtMs: number } = JSON.parse(Buffer.from(value ?? []).toString())
            say({ partition, position: Number(position), latencyMs: nowMs - sentAtMs })
          }
          yield* settle(next)
        })
      )
      yield* release
    }).pipe(
      Effect.catch((error) => Effect.sync(() => say({ lost: partition, reason: error.reason }))),
      Effect.forkChild
    )
  )
  yield* Effect.raceFirst(consume, Deferred.await(stopped))
}).pipe(Effect.scoped)

await Effect.runPromise(program)
