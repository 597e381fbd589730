import { randomUUID } from "node:crypto"
import { describeKafka } from "@leat/brokers/vitest"
import { confluentTransport } from "@leat/confluent"
import { Effect } from "effect"
import { expect, it } from "vitest"
import { numbered, send } from "./bench.ts"

const partitions = 64
const topics = 6
const records = 100

describeKafka(
  "@leat/confluent on topics that were just made",
  (bootstrap) => {
    // Brokers know a partition before they serve it: a first request was refused, the second one taken, and the first told stored.
    it("stores the first records of every partition, as it says", () =>
      Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const options = { brokers: bootstrap.split(","), topic: { partitions, replicationFactor: 1 } }
            const transport = yield* confluentTransport(options)
            for (let round = 0; round < topics; round++) {
              const topic = `new-${randomUUID()}`
              const writer = yield* transport.openWriter(topic)
              const batch = numbered(records, "n")
              yield* Effect.forEach(
                Array.from({ length: partitions }, (_, partition) => partition),
                (partition) =>
                  Effect.map(send(writer, partition, batch, 20_000), (runs) =>
                    expect(runs).toMatchObject([{ fate: "stored" }])
                  ),
                { concurrency: "unbounded", discard: true }
              )
              const bounds = yield* transport.bounds(topic)
              expect(bounds.map(({ end }) => end)).toEqual(bounds.map(() => BigInt(records)))
            }
          })
        )
      ))
  },
  { isConfluent: true }
)
