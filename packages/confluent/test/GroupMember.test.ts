import { describeKafka } from "@leat/brokers/vitest"
import { confluentTransport } from "@leat/confluent"
import { Clock, Deferred, Effect, Exit, Scope, Stream } from "effect"
import { expect, it } from "vitest"
import { loadClient } from "../src/client/client.js"
import { failure } from "../src/client/failure.js"
import { GroupMember } from "../src/group/GroupMember.js"
import type { OffsetsAsked } from "../src/group/startingOffsets.js"
import { firstLane, topicOf } from "./bench.ts"

/** After 5 s a client that does not end is left to itself. */
const endMsMax = 4000

describeKafka(
  "a member of a group through librdkafka whose partitions have no positions",
  (bootstrap) => {
    const brokers = bootstrap.split(",")

    /** How long a member takes to end after `stay`, and which partition the next one is given. */
    const ended = (
      settled: Effect.Effect<never, ReturnType<typeof failure>>,
      stay: (member: GroupMember) => Effect.Effect<unknown>
    ) => {
      const control: OffsetsAsked = {
        topicOf: () => Effect.succeed({ id: undefined, partitions: 1 }),
        settled: () => settled,
        edges: () => Effect.succeed(new Map([[0, 0]])),
        positionsAt: () => Effect.succeed(new Map())
      }
      const program = Effect.gen(function* () {
        const transport = yield* confluentTransport({ brokers })
        const { topic } = yield* topicOf(transport, 1)
        const scope = yield* Scope.make()
        const subscription = { topic, group: "g", from: "earliest", drainMs: 1000 } as const
        const joining = GroupMember.join({
          kafka: loadClient(),
          options: { brokers },
          control,
          subscription,
          partitions: 1
        })
        yield* stay(yield* Scope.provide(joining, scope))
        const beforeMs = yield* Clock.currentTimeMillis
        yield* Scope.close(scope, Exit.void)
        const tookMs = (yield* Clock.currentTimeMillis) - beforeMs
        // A member that is still there for the group would keep it.
        return { tookMs, partition: (yield* firstLane(transport, topic)).partition }
      })
      return Effect.runPromise(Effect.scoped(program))
    }

    it("ends when they cannot be had, and the next member is given them", async () => {
      const { tookMs, partition } = await ended(Effect.fail(failure("Timeout", "bounds", "no answer")), (member) =>
        Effect.andThen(
          Effect.exit(Stream.runDrain(member.lanes.stream(member.takeNoMore))),
          // The group takes them away meanwhile.
          Effect.sleep("1 second")
        )
      )
      expect(tookMs).toBeLessThan(endMsMax)
      expect(partition).toBe(0)
    })

    it("ends while it still asks for them, and the next member is given them", async () => {
      const asked = Deferred.makeUnsafe<void>()
      const { tookMs, partition } = await ended(Effect.andThen(Deferred.succeed(asked, undefined), Effect.never), () =>
        Deferred.await(asked)
      )
      expect(tookMs).toBeLessThan(endMsMax)
      expect(partition).toBe(0)
    })
  },
  { isConfluent: true }
)
