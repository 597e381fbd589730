import assert from "node:assert/strict"
import { Effect, Exit, Fiber, Scope } from "effect"
import type { Capabilities } from "../../transport/index.ts"
import { type Bench, join, numbered, soon, store, testCase, type TransportCase, valuesOf } from "./TransportCase.ts"

const shares = { applies: ({ groups }: Capabilities): boolean => groups !== "none", partitions: 1 }

/** A second topic of the same case, with one partition. */
const another = Effect.fnUntraced(function* (bench: Bench, name: string) {
  const topic = `${bench.topic}-${name}`
  yield* bench.transport.ensure({ topic, partitions: 1 })
  return { ...bench, topic, writer: yield* bench.transport.openWriter(topic) }
})

const laneOf = (bench: Bench) =>
  Effect.gen(function* () {
    yield* store(bench.writer, 0, numbered(3, bench.topic))
    const member = yield* join(bench.transport, bench.topic, bench.group)
    const lane = yield* soon(`the lane of ${bench.topic} is given`, member.lane)
    assert.equal((yield* lane.take(3)).length, 3)
    return { member, lane }
  })

/** What one connection reads of one group: topics come and go, and those that stay do not notice. */
export const membershipCases: ReadonlyArray<TransportCase> = [
  testCase(
    "a group reads more topics while it runs, and no lane that it has is revoked by that",
    (bench) =>
      Effect.gen(function* () {
        const first = yield* laneOf(bench)
        const revoked = yield* Effect.forkChild(first.lane.revoked)
        for (const name of ["b", "c"]) yield* laneOf(yield* another(bench, name))
        yield* store(bench.writer, 0, numbered(1, "more"))
        assert.deepEqual(valuesOf(yield* first.lane.take(1)), ["more0"])
        yield* first.lane.settle(first.lane.start + 2n)
        assert.equal(revoked.pollUnsafe(), undefined, "a lane was revoked because its group reads another topic")
        yield* Fiber.interrupt(revoked)
      }),
    shares
  ),

  testCase(
    "a topic that is left is drained and given back, and the other topics of the group go on",
    (bench) =>
      Effect.gen(function* () {
        const stays = yield* laneOf(bench)
        const revoked = yield* Effect.forkChild(stays.lane.revoked)
        const other = yield* another(bench, "b")
        const scope = yield* Scope.make()
        const leaves = yield* laneOf(other).pipe(Scope.provide(scope))
        yield* leaves.member.takeNoMore
        yield* leaves.lane.settle(leaves.lane.start + 2n)
        yield* leaves.lane.release
        yield* Scope.close(scope, Exit.void)
        const next = yield* join(yield* bench.connect, other.topic, bench.group)
        const lane = yield* soon("a topic that was left goes to another member", next.lane)
        assert.equal(lane.start, leaves.lane.start + 2n)
        yield* store(bench.writer, 0, numbered(1, "more"))
        assert.deepEqual(valuesOf(yield* stays.lane.take(1)), ["more0"])
        assert.equal(revoked.pollUnsafe(), undefined, "a lane was revoked because its group left another topic")
        yield* Fiber.interrupt(revoked)
      }),
    shares
  ),

  testCase(
    "a second subscription to the same topic and group is another member",
    (bench) =>
      Effect.gen(function* () {
        const first = yield* join(bench.transport, bench.topic, bench.group)
        const lanes = [yield* first.lane, yield* first.lane]
        const scope = yield* Scope.make()
        const second = yield* join(bench.transport, bench.topic, bench.group).pipe(Scope.provide(scope))
        const revoked = yield* soon(
          "one of the lanes goes to the second member",
          Effect.raceAllFirst(lanes.map((lane) => Effect.as(lane.revoked, lane)))
        )
        yield* revoked.release
        const lane = yield* soon("the second member is given a lane", second.lane).pipe(Scope.provide(scope))
        assert.equal(lane.partition, revoked.partition)
        yield* Scope.close(scope, Exit.void)
        const again = yield* soon("the lane of a member that has gone comes back", first.lane)
        assert.equal(again.partition, revoked.partition)
      }),
    { ...shares, partitions: 2 }
  )
]
