import { Effect, Fiber } from "effect"
import { batchOf, type Run } from "leat/transport"
import { setImmediate as turn } from "node:timers/promises"
import { expect, it } from "vitest"
import { ConfluentWriter } from "../src/produce/ConfluentWriter.ts"
import { Outlet } from "../src/produce/Outlet.ts"
import { FakeProducer } from "./FakeProducer.ts"

/** Ten records of which a request takes three: brokers take 1 MiB by default. */
const batch = batchOf(Array.from({ length: 10 }, (_, index) => ({ key: `${index}`, value: "x".repeat(300_000) })))

const turns = async (count: number) => {
  for (let index = 0; index < count; index++) await turn()
}

/** A writer whose first record is stored already, and the answer to a send of all records behind it. */
async function sending(timeoutMs = 10_000) {
  const producer = new FakeProducer()
  const outlet = new Outlet(producer, { hasPositions: false, nowMs: () => 0, codeOf: ({ code }) => code })
  const writer = new ConfluentWriter({
    topic: "t",
    partitions: 1,
    recordBytesMax: 1_000_000,
    fenceMs: 1000,
    outlet: () => outlet,
    end: () => Effect.succeed(0n)
  })
  const first = Effect.runFork(writer.send(0, batch, 0, 1, timeoutMs))
  await turns(2)
  producer.answer(0, 1, 0)
  await Effect.runPromise(Fiber.join(first))
  const sent = Effect.runFork(writer.send(0, batch, 1, 10, timeoutMs))
  const answer = (): Promise<ReadonlyArray<Run>> => Effect.runPromise(Fiber.join(sent))
  /** The broker answers what it has; returns how many records that was. */
  const answered = async (code: number) => {
    await turns(8)
    const { outstanding } = producer
    producer.answer(0, outstanding, code)
    await turns(8)
    return outstanding
  }
  return { writer, answer, answered }
}

const told = (runs: ReadonlyArray<Run>) => runs.map(({ from, to, fate, error }) => [from, to, fate, error?.reason])

it("a range that is too long for one request is sent in several, each once the one before it is stored", async () => {
  const { answer, answered } = await sending()
  expect([await answered(0), await answered(0), await answered(0)]).toEqual([3, 3, 3])
  expect(told(await answer())).toEqual([[1, 10, "stored", undefined]])
})

it("of such a range nothing is sent behind a request that is refused, and what was not has no error of its own", async () => {
  const { answer, answered } = await sending()
  expect([await answered(0), await answered(10)]).toEqual([3, 3])
  expect(told(await answer())).toEqual([
    [1, 4, "stored", undefined],
    [4, 7, "notStored", "TooLarge"],
    [7, 10, "notStored", undefined]
  ])
  expect(await answered(0)).toBe(0)
})

it("of such a range nothing is sent once its caller has the answer that it is in doubt: the fence may have returned", async () => {
  const { writer, answer, answered } = await sending(30)
  expect(told(await answer())).toEqual([[1, 10, "unknown", "Timeout"]])
  expect([await answered(0), await answered(0)]).toEqual([3, 0])
  expect(await Effect.runPromise(writer.fence(0))).toBe(0n)
  const again = Effect.runFork(writer.send(0, batch, 1, 10, 10_000))
  await turns(4)
  expect(told(await Effect.runPromise(Fiber.join(again)))).toEqual([
    [1, 4, "stored", undefined],
    [4, 10, "notStored", "Unavailable"]
  ])
})
