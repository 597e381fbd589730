import { Effect, Fiber, Stream } from "effect"
import type { Lane } from "leat/transport"
import { expect, it, vi } from "vitest"
import { GroupMember } from "../src/group/GroupMember.js"
import { type FakeConsumer, fakeClient } from "./FakeConsumer.ts"
import { until } from "./bench.ts"

const fatal = -150
const noOffset = -168
const illegalGeneration = 22
const unknownMember = 25
const topic = "t"
/** More than may wait in a lane. */
const many = 6000
const partitions = [{ topic, partition: 0 }]

interface Given {
  readonly consumer: FakeConsumer
  readonly lane: Lane
  readonly subscription: Fiber.Fiber<void, unknown>
}

/** A member that was given a partition and has lost it, and how its subscription goes on. */
const lost = (
  use: (consumer: FakeConsumer, subscription: Fiber.Fiber<void, unknown>) => Effect.Effect<void>,
  before: (consumer: FakeConsumer) => Effect.Effect<void> = () => Effect.void
) =>
  given(({ consumer, subscription }) =>
    Effect.gen(function* () {
      yield* before(consumer)
      consumer.lose(partitions)
      yield* use(consumer, subscription)
    })
  )

/** A member that was given a partition. */
const given = (use: (given: Given) => Effect.Effect<unknown>) =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const made: Array<FakeConsumer> = []
        const member = yield* GroupMember.join({
          kafka: fakeClient(made),
          options: { brokers: ["fake:9092"] },
          control: {
            topicOf: () => Effect.succeed({ id: undefined, partitions: 1 }),
            settled: () => Effect.succeed(new Map()),
            edges: () => Effect.succeed(new Map([[0, 0]])),
            positionsAt: () => Effect.succeed(new Map())
          },
          subscription: { topic, group: "g", from: "earliest", drainMs: 1000 },
          partitions: 1
        })
        const [consumer] = made
        if (consumer === undefined) throw new Error("no consumer was made")
        const lanes: Array<Lane> = []
        const stream = member.lanes.stream(member.takeNoMore)
        const subscription = yield* Effect.forkScoped(
          Stream.runForEach(stream, (lane) => Effect.sync(() => void lanes.push(lane)))
        )
        consumer.give(partitions)
        yield* until(() => lanes.length > 0)
        const [lane] = lanes
        if (lane !== undefined) yield* use({ consumer, lane, subscription })
      })
    )
  )

it("a member that the client has given up ends, although the error was swallowed behind records of the same look", () =>
  lost((consumer, subscription) =>
    Effect.gen(function* () {
      consumer.commitCode = fatal
      const error = yield* Effect.flip(Fiber.join(subscription))
      expect(error).toMatchObject({
        reason: "Unknown",
        isRetryable: true,
        detail: expect.stringMatching(/^t in group g: FATAL \(-150\); librdkafka has given this member up, most often/)
      })
    }).pipe(Effect.orDie)
  ))

it("a member that holds nothing stays one as long as the client is well, and commits nothing by asking", () =>
  lost((consumer, subscription) =>
    Effect.gen(function* () {
      consumer.commitCode = noOffset
      yield* until(() => consumer.commits >= 2)
      expect(subscription.pollUnsafe()).toBeUndefined()
    })
  ))

const message = (offset: number) => ({ topic, partition: 0, offset, key: null, value: Buffer.from("v"), timestamp: 0 })

it("a partition that was paused when it was lost is fetched again when it comes back: the client keeps the pause", () =>
  lost(
    (consumer) =>
      Effect.gen(function* () {
        expect([...consumer.paused]).toEqual([0])
        consumer.give(partitions)
        yield* until(() => consumer.paused.size === 0)
      }),
    (consumer) =>
      Effect.gen(function* () {
        consumer.messages = Array.from({ length: many }, (_, offset) => message(offset))
        yield* until(() => consumer.paused.size > 0)
      })
  ))

it("T46 a settle that is refused because the group rebalances may be tried again, however long that takes: the lane is held", () =>
  given(({ consumer, lane }) =>
    Effect.gen(function* () {
      consumer.messages = [message(0)]
      yield* Stream.runDrain(Stream.take(lane.batches, 1))
      consumer.commitCode = illegalGeneration
      expect(yield* Effect.flip(lane.settle(1n))).toMatchObject({ reason: "Unavailable", isRetryable: true })
      consumer.commitCode = 0
      yield* lane.settle(1n)
    }).pipe(Effect.orDie)
  ))

it("a member whose lane is lost by a commit, and whose client keeps the partition, leaves and joins again", () =>
  given(({ consumer, lane, subscription }) =>
    Effect.gen(function* () {
      consumer.messages = [message(0)]
      yield* Stream.runDrain(Stream.take(lane.batches, 1))
      consumer.commitCode = unknownMember
      expect(yield* Effect.flip(lane.settle(1n))).toMatchObject({ reason: "LaneLost" })
      // The client may tell by itself, and has some seconds for it.
      expect(subscription.pollUnsafe()).toBeUndefined()
      const now = performance.now.bind(performance)
      const ahead = vi.spyOn(performance, "now").mockImplementation(() => now() + 11_000)
      const error = yield* Effect.ensuring(
        Effect.flip(Fiber.join(subscription)),
        Effect.sync(() => ahead.mockRestore())
      )
      expect(error).toMatchObject({
        reason: "Unavailable",
        isRetryable: true,
        detail: "t/0 in group g: its lane is over, and librdkafka keeps it"
      })
    }).pipe(Effect.orDie)
  ))
