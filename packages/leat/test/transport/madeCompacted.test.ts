import { Effect } from "effect"
import { MemoryBroker, memoryTransport } from "leat"
import { describe, expect, it } from "vitest"
import { isFoundCompacted } from "../../src/transport/madeCompacted.ts"

describe("whether a topic is compacted", () => {
  it("is asked without making one", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        const broker = new MemoryBroker()
        const transport = memoryTransport(broker)
        const { reason } = yield* Effect.flip(isFoundCompacted(transport, "missing"))
        expect([reason, broker.find("missing")]).toEqual(["UnknownTopic", undefined])
      })
    ))

  it.each([true, false])("is told as it is: %s", (compacted) =>
    Effect.runPromise(
      Effect.gen(function* () {
        const transport = memoryTransport(new MemoryBroker())
        yield* transport.ensure({ topic: "notes", partitions: 2, compacted })
        expect(yield* isFoundCompacted(transport, "notes")).toBe(compacted)
      })
    )
  )
})
