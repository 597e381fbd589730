import { Effect, Fiber, Stream } from "effect"
import type { Lane } from "leat/transport"
import { expect, it } from "vitest"
import { GroupMember } from "../src/group/GroupMember.js"
import { type FakeConsumer, fakeClient } from "./FakeConsumer.ts"
import { until } from "./bench.ts"

const fatal = -150
const noOffset = -168
const topic = "t"
const partitions = [{ topic, partition: 0 }]

/** A member that was given a partition and has lost it, and how its subscription goes on. */
const lost = (use: (consumer: FakeConsumer, subscription: Fiber.Fiber<void, unknown>) => Effect.Effect<void>) =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const made: Array<FakeConsumer> = []
        const member = yield* GroupMember.join({
          kafka: fakeClient(made),
          options: { brokers: ["fake:9092"] },
          control: {
            topicId: () => Effect.succeed(undefined),
            settled: () => Effect.succeed(new Map()),
            edges: () => Effect.succeed(new Map([[0, 0]])),
            positionsAt: () => Effect.succeed(new Map())
          },
          subscription: { topic, group: "g", from: "earliest", drainMs: 1000 },
          partitions: 1
        })
        const [consumer] = made
        if (consumer === undefined) throw new Error("no consumer was made")
        const given: Array<Lane> = []
        const stream = member.lanes.stream(member.takeNoMore)
        const subscription = yield* Effect.forkScoped(
          Stream.runForEach(stream, (lane) => Effect.sync(() => void given.push(lane)))
        )
        consumer.give(partitions)
        yield* until(() => given.length > 0)
        consumer.lose(partitions)
        yield* use(consumer, subscription)
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
