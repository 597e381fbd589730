import assert from "node:assert/strict"
import { Cause, Effect, Exit, Fiber, Scope, Stream } from "effect"
import { type Capabilities, TransportError } from "../../transport/index.ts"
import { waitUntil } from "../waitUntil.ts"
import {
  type Bench,
  boundsOf,
  join,
  numbered,
  type PulledLane,
  soon,
  store,
  testCase,
  type TransportCase
} from "./TransportCase.ts"

const handsOver = ({ groups, handover }: Capabilities): boolean => groups !== "none" && handover !== "none"
const drains = ({ groups, handover }: Capabilities): boolean => groups !== "none" && handover === "drain"

/** A member that has both partitions, with ten records in each. */
const holdBoth = Effect.fnUntraced(function* (bench: Bench, drainMs = 5000) {
  yield* store(bench.writer, 0, numbered(10, "a"))
  yield* store(bench.writer, 1, numbered(10, "b"))
  const member = yield* join(bench.transport, bench.topic, bench.group, { drainMs })
  return [yield* member.lane, yield* member.lane] as const
})

/** The first of the lanes that hears that it is revoked. */
const firstRevoked = (lanes: ReadonlyArray<PulledLane>) =>
  soon(
    "a lane that goes to another member is told so, whether it is pulled or not",
    Effect.raceAllFirst(lanes.map((lane) => Effect.as(lane.revoked, lane)))
  )

const assertLost = <A>(exit: Exit.Exit<A, unknown>, operation: string): void => {
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  assert.ok(
    error instanceof TransportError && error.reason === "LaneLost",
    `a late ${operation} must fail with LaneLost`
  )
}

/** How a lane goes from one member to another: revocation, drain, release, loss. */
export const handoverCases: ReadonlyArray<TransportCase> = [
  testCase(
    "T27 a revoked lane ends, may settle once more, and only then goes to the other member",
    (bench) =>
      Effect.gen(function* () {
        const lanes = yield* holdBoth(bench)
        const taken = new Map<string, ReadonlyArray<bigint>>()
        for (const lane of lanes)
          taken.set(
            lane.id,
            (yield* lane.take(10)).map(({ position }) => position)
          )
        const second = yield* join(yield* bench.connect, bench.topic, bench.group)
        const revoked = yield* firstRevoked(lanes)
        yield* soon("the stream of a revoked lane ends", revoked.end)
        yield* Effect.sleep(100)
        assert.equal(yield* second.waiting, 0, "the lane was given away before it was released")
        const position = taken.get(revoked.id)?.[6] ?? 0n
        yield* revoked.settle(position)
        yield* revoked.release
        const lane = yield* soon("a released lane goes to the other member", second.lane)
        assert.equal(lane.partition, revoked.partition)
        assert.equal(lane.start, position)
        assert.equal((yield* lane.take(4))[0]?.position, position)
      }),
    { applies: drains }
  ),

  testCase(
    "a lane that is not pulled hears of its revocation, and hears it again when asked later",
    (bench) =>
      Effect.gen(function* () {
        const lanes = yield* holdBoth(bench)
        const asked = yield* Effect.forEach(lanes, (lane) => Effect.forkChild(lane.revoked))
        yield* Effect.sleep(100)
        assert.ok(
          asked.every((fiber) => fiber.pollUnsafe() === undefined),
          "a lane that is held is told that it is revoked"
        )
        yield* join(yield* bench.connect, bench.topic, bench.group)
        const revoked = yield* firstRevoked(lanes)
        yield* soon("a lane that is revoked already says so at once", revoked.revoked)
        yield* revoked.release
        yield* soon("a released lane is not held", revoked.revoked)
        for (const fiber of asked) yield* Fiber.interrupt(fiber)
      }),
    { applies: handsOver }
  ),

  testCase(
    "a lane that is full hears of its revocation, and gives nothing more of what was fetched",
    (bench) =>
      Effect.gen(function* () {
        const value = new Uint8Array(4096)
        const records = Array.from({ length: 100 }, () => ({ key: "k", value }))
        for (let round = 0; round < 12; round++)
          for (const partition of [0, 1]) yield* store(bench.writer, partition, records)
        const member = yield* join(bench.transport, bench.topic, bench.group)
        const lanes = [yield* member.lane, yield* member.lane]
        for (const lane of lanes) yield* lane.take(1)
        // Long enough that whatever is fetched ahead has come.
        yield* Effect.sleep(200)
        const second = yield* join(yield* bench.connect, bench.topic, bench.group)
        const revoked = yield* firstRevoked(lanes)
        yield* soon("the stream of a revoked lane ends", revoked.end)
        yield* revoked.release
        const lane = yield* soon("a released lane goes to the other member", second.lane)
        assert.equal(lane.partition, revoked.partition)
      }),
    { applies: handsOver }
  ),

  testCase(
    "a pull that waits ends when its lane is revoked",
    (bench) =>
      Effect.gen(function* () {
        const lanes = yield* holdBoth(bench)
        for (const lane of lanes) yield* lane.take(10)
        const pulling = yield* Effect.forEach(lanes, (lane) => Effect.forkChild(Effect.as(lane.end, lane)))
        yield* join(yield* bench.connect, bench.topic, bench.group)
        const ended = yield* soon(
          "a pull that waits ends when its lane is revoked",
          Effect.raceAllFirst(pulling.map((fiber) => Fiber.join(fiber)))
        )
        yield* soon("a lane whose stream has ended is revoked", ended.revoked)
        for (const fiber of pulling) yield* Fiber.interrupt(fiber)
      }),
    { applies: handsOver }
  ),

  testCase(
    "T38 a member that did not drain in time has lost the lane: it settles nothing more",
    (bench) =>
      Effect.gen(function* () {
        const lanes = yield* holdBoth(bench, 50)
        for (const lane of lanes) yield* lane.take(10)
        const second = yield* join(yield* bench.connect, bench.topic, bench.group)
        const lane = yield* soon("a lane that is not drained in time goes to the other member", second.lane)
        const late = lanes.find(({ partition }) => partition === lane.partition)
        assert.ok(late)
        assert.equal(lane.abandoned, 0, "a member that lives is counted as vanished")
        yield* soon("a lost lane is told so", late.revoked)
        assertLost(yield* Effect.exit(late.settle(lane.start + 5n)), "settle")
        assertLost(yield* Effect.exit(late.end), "pull")
        assert.equal((yield* boundsOf(bench, lane.partition, bench.group)).settled ?? lane.start, lane.start)
        assert.equal((yield* lane.take(10)).length, 10)
      }),
    { applies: handsOver }
  ),

  testCase(
    "the lanes of a member that has gone are lost, and are told so",
    (bench) =>
      Effect.gen(function* () {
        yield* store(bench.writer, 0, numbered(10))
        const scope = yield* Scope.make()
        const lane = yield* Effect.flatMap(
          join(bench.transport, bench.topic, bench.group),
          (member) => member.lane
        ).pipe(Scope.provide(scope))
        yield* lane.take(5)
        yield* Scope.close(scope, Exit.void)
        yield* soon("a lane whose member has gone is told so", lane.revoked)
        assertLost(yield* Effect.exit(lane.settle(lane.start + 5n)), "settle")
      }),
    { applies: handsOver, partitions: 1 }
  ),
  testCase(
    "a lane that a leaving member has not taken goes to another, while it drains the one that it has",
    (bench) =>
      Effect.gen(function* () {
        const taken: Array<number> = []
        // It takes one lane, and is busy with that.
        const running = yield* bench.transport
          .subscribe({ topic: bench.topic, group: bench.group, from: "earliest", drainMs: 15_000 })
          .pipe(
            Stream.runForEach((lane) => {
              taken.push(lane.partition)
              return Effect.andThen(Stream.runDrain(lane.batches), Effect.never)
            }),
            Effect.forkScoped
          )
        yield* waitUntil(
          "a lane is taken",
          Effect.sync(() => taken.length > 0)
        )
        yield* Effect.sleep(200)
        yield* Fiber.interrupt(running)
        const other = yield* join(yield* bench.connect, bench.topic, bench.group)
        yield* soon(
          "a lane that nobody took goes to another member",
          Effect.repeat(other.lane, { until: ({ partition }) => !taken.includes(partition) })
        )
      }),
    { applies: drains }
  ),

  testCase(
    "holders that vanish with records in their hands are counted, where that can be told, until one releases",
    (bench) =>
      Effect.gen(function* () {
        yield* store(bench.writer, 0, numbered(10))
        const hold = Effect.fnUntraced(function* (isReleased: boolean) {
          const scope = yield* Scope.make()
          const lane = yield* Effect.flatMap(
            join(bench.transport, bench.topic, bench.group),
            (member) => member.lane
          ).pipe(Scope.provide(scope))
          yield* lane.take(5)
          if (isReleased) yield* lane.release
          yield* Scope.close(scope, Exit.void)
          return lane.abandoned
        })
        const counted = [yield* hold(false), yield* hold(false), yield* hold(true), yield* hold(true)]
        const told = counted.every((count) => count === 0) ? [0, 0, 0, 0] : [0, 1, 2, 0]
        assert.deepEqual(counted, told)
      }),
    { applies: handsOver, partitions: 1 }
  )
]
