import { Effect, Stream } from "effect"
import { expect, it } from "vitest"
import type { ClientMessage } from "../src/client/client.ts"
import { GroupLane } from "../src/group/GroupLane.ts"

const message = (offset: number): ClientMessage => ({
  topic: "orders",
  partition: 2,
  offset,
  key: Buffer.from("k"),
  value: Buffer.from(`${offset}`),
  timestamp: 0
})

it("a lane whose offsets go back gives what came before, and then fails: the topic was made anew", async () => {
  const owner = {
    topic: "orders",
    group: "g",
    commit: () => undefined,
    over: () => undefined,
    first: () => -1,
    pause: () => undefined
  }
  const lane = new GroupLane(owner, 2, { start: 5, kept: 5 })
  for (const offset of [5, 6]) lane.received(message(offset))
  lane.received(message(0))
  // What follows is of the other log too, whatever its offset.
  for (const offset of [1, 7]) lane.received(message(offset))
  lane.flow()
  const positions: Array<bigint> = []
  const reading = Stream.runForEach(lane.held.lane.batches, ({ records }) =>
    Effect.sync(() => {
      for (const { position } of records as ReadonlyArray<{ readonly position: bigint }>) positions.push(position)
    })
  )
  const error = await Effect.runPromise(Effect.flip(reading))
  expect(positions).toEqual([5n, 6n])
  expect(error).toMatchObject({ reason: "Unavailable", isRetryable: true })
  expect(error.message).toContain("orders/2: offset 0 came after 6; the topic was made anew, or its log was cut")
})

it("a lane of a topic that was made anew fails, although no offset goes back; where an id is not known nothing is said", async () => {
  const owner = {
    topic: "orders",
    group: "g",
    commit: () => undefined,
    over: () => undefined,
    first: () => -1,
    pause: () => undefined
  }
  const lane = new GroupLane(owner, 2, { start: 5, kept: 5, topicId: "a1" })
  lane.received(message(5))
  for (const id of ["a1", undefined]) lane.isNow(id)
  lane.received(message(6))
  lane.isNow("b2")
  // It is of the other log.
  lane.received(message(7))
  lane.flow()
  const positions: Array<bigint> = []
  const reading = Stream.runForEach(lane.held.lane.batches, ({ records }) =>
    Effect.sync(() => void positions.push(...records.map(({ position }) => position)))
  )
  const error = await Effect.runPromise(Effect.flip(reading))
  expect([positions, error.reason]).toEqual([[5n, 6n], "Unavailable"])
  expect(error.message).toContain("orders/2: the topic was made anew")
  const unidentified = new GroupLane(owner, 2, { start: 5, kept: 5 })
  unidentified.isNow("b2")
  unidentified.received(message(5))
  unidentified.flow()
  const [batch] = await Effect.runPromise(Stream.runCollect(Stream.take(unidentified.held.lane.batches, 1)))
  expect(batch?.next).toBe(6n)
})

it("a lane that is not pulled is full by the bytes of headers too", () => {
  let pauses = 0
  const owner = {
    topic: "orders",
    group: "g",
    commit: () => undefined,
    over: () => undefined,
    first: () => -1,
    pause: () => pauses++
  }
  const lane = new GroupLane(owner, 2, { start: 0, kept: 0 })
  const headers = [{ trace: Buffer.alloc(40_000) }, { cause: "x".repeat(10_000) }]
  for (let offset = 0; offset < 83; offset++) lane.received({ ...message(offset), headers })
  lane.flow()
  expect(pauses).toBe(0)
  lane.received({ ...message(83), headers })
  lane.flow()
  expect(pauses).toBe(1)
})

it("a lane whose position has expired says so first, and goes on with what is kept", () => {
  const owner = {
    topic: "orders",
    group: "g",
    commit: () => undefined,
    over: () => undefined,
    first: () => -1,
    pause: () => undefined
  }
  const lane = new GroupLane(owner, 2, { start: 3, kept: 7 })
  expect(lane.held.lane.start).toBe(3n)
  expect(lane.read()).toEqual({ records: [], next: 7n, gap: "expired" })
  expect(lane.read()).toBeUndefined()
  lane.received(message(7))
  expect(lane.read()).toMatchObject({ next: 8n, records: [{ position: 7n }] })
})

it("what is missing below the first record that is kept has expired, and what is missing behind it was compacted", () => {
  let first = 0
  const owner = {
    topic: "orders",
    group: "g",
    commit: () => undefined,
    over: () => undefined,
    first: () => first,
    pause: () => undefined
  }
  const lane = new GroupLane(owner, 2, { start: 0, kept: 0 })
  const take = () => {
    const batch = lane.read()
    return batch && [batch.records.map(({ position }) => Number(position)), Number(batch.next), batch.gap]
  }
  for (const offset of [0, 2]) lane.received(message(offset))
  // What expires later was fetched already.
  first = 2
  expect(take()).toEqual([[0, 2], 3, "compacted"])
  lane.received(message(3))
  first = 7
  for (const offset of [8, 9]) lane.received(message(offset))
  expect([take(), take(), take()]).toEqual([[[3], 7, "expired"], [[8, 9], 10, "compacted"], undefined])
  // A fetch has failed since: the client has forgotten it.
  first = -1
  lane.received(message(15))
  first = 15
  expect([take(), take()]).toEqual([
    [[], 15, "expired"],
    [[15], 16, undefined]
  ])
  first = 20
  lane.passed(20)
  expect([take(), take()]).toEqual([[[], 20, "expired"], undefined])
  lane.received(message(20))
  expect(take()).toEqual([[20], 21, undefined])
})
