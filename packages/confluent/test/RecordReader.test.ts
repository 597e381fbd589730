import { Cause, Effect, Exit, Stream } from "effect"
import { describe, expect, it } from "vitest"
import type { Control } from "../src/admin/Control.ts"
import type { ClientMessage } from "../src/client/client.ts"
import { RecordReader } from "../src/RecordReader.ts"
import { type FakeConsumer, fakeClient } from "./FakeConsumer.ts"

const message = (offset: number): ClientMessage => ({
  topic: "t",
  partition: 0,
  offset,
  key: null,
  value: Buffer.from("v"),
  timestamp: 1000
})

describe("a range of a partition that has become shorter since it was asked for", () => {
  it("ends in an error, and is not waited for", async () => {
    const made: Array<FakeConsumer> = []
    // The records of the old topic that the client has prefetched, and nothing else ever.
    let end = 100
    const control = {
      partitions: () => Effect.succeed(1),
      edges: (_: string, __: string, ___: unknown, edge: string) =>
        Effect.sync(() => new Map([[0, edge === "earliest" ? 0 : end]]))
    } as unknown as Control
    const read = Effect.gen(function* () {
      const reader = yield* RecordReader.make(fakeClient(made), { brokers: ["b:1"] }, control)
      const seen: Array<number> = []
      const all = Stream.runForEach(reader.read("t", 0, { fromPosition: 0n }), ({ records }) =>
        Effect.sync(() => {
          for (const { position } of records) seen.push(Number(position))
          end = 10
        })
      )
      setTimeout(() => made[0]?.messages.push(...Array.from({ length: 20 }, (_, offset) => message(offset))), 50)
      return [seen, yield* Effect.exit(all)] as const
    })
    const [seen, exit] = await Effect.runPromise(Effect.scoped(read))
    expect(seen).toHaveLength(20)
    expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toMatchObject({
      reason: "Unsupported",
      message: expect.stringContaining("t/0 ends at offset 10, and had 100 when its range was asked for")
    })
  }, 20_000)
})
