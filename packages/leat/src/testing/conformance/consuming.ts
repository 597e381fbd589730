import assert from "node:assert/strict"
import { Effect, Exit, Fiber, Result, Scope } from "effect"
import type { Capabilities } from "../../transport/index.ts"
import { waitUntil } from "../waitUntil.ts"
import { boundsOf, join, numbered, store, testCase, textOf, type TransportCase, valuesOf } from "./TransportCase.ts"

const hasGroups = ({ groups }: Capabilities): boolean => groups !== "none"
const one = { applies: hasGroups, partitions: 1 }

/** Groups: who gets what, what comes again, and who may settle. */
export const consumingCases: ReadonlyArray<TransportCase> = [
  testCase(
    "a group gets every record of every partition, in order",
    (bench) =>
      Effect.gen(function* () {
        yield* store(bench.writer, 0, numbered(300, "a"))
        yield* store(bench.writer, 1, numbered(300, "b"))
        const member = yield* join(bench.transport, bench.topic, bench.group)
        const lanes = [yield* member.lane, yield* member.lane].toSorted(
          (left, right) => left.partition - right.partition
        )
        assert.deepEqual(
          lanes.map(({ partition }) => partition),
          [0, 1]
        )
        for (const [index, prefix] of ["a", "b"].entries()) {
          const records = yield* lanes[index]?.take(300) ?? Effect.succeed([])
          assert.deepEqual(
            valuesOf(records),
            numbered(300, prefix).map(({ value }) => value)
          )
        }
      }),
    { applies: hasGroups }
  ),

  testCase(
    "a waiting consumer gets a new record within a second",
    (bench) =>
      Effect.gen(function* () {
        const member = yield* join(bench.transport, bench.topic, bench.group)
        const lane = yield* member.lane
        const taking = yield* Effect.forkChild(Effect.timeout(lane.take(1), "2 seconds"))
        yield* Effect.sleep(50)
        yield* store(bench.writer, 0, numbered(1, "late"))
        assert.deepEqual(valuesOf(yield* Fiber.join(taking)), ["late0"])
      }),
    one
  ),

  testCase(
    "T23 a new group begins where it is told: at the earliest record",
    (bench) =>
      Effect.gen(function* () {
        yield* store(bench.writer, 0, numbered(3))
        const lane = yield* (yield* join(bench.transport, bench.topic, bench.group, { from: "earliest" })).lane
        assert.deepEqual(valuesOf(yield* lane.take(3)), ["0", "1", "2"])
      }),
    one
  ),

  testCase(
    "T24 a new group begins where it is told: behind the latest record",
    (bench) =>
      Effect.gen(function* () {
        yield* store(bench.writer, 0, numbered(3, "old"))
        const lane = yield* (yield* join(bench.transport, bench.topic, bench.group, { from: "latest" })).lane
        yield* store(bench.writer, 0, numbered(1, "new"))
        assert.deepEqual(valuesOf(yield* lane.take(1)), ["new0"])
      }),
    one
  ),

  testCase(
    "T43 a group that began behind the latest record goes on there, also before it has settled anything",
    (bench) =>
      Effect.gen(function* () {
        yield* store(bench.writer, 0, numbered(3, "old"))
        const first = yield* Scope.make()
        const joined = join(bench.transport, bench.topic, bench.group, { from: "latest" })
        const lane = yield* Effect.flatMap(joined, (member) => member.lane).pipe(Scope.provide(first))
        yield* store(bench.writer, 0, numbered(2, "new"))
        assert.deepEqual(valuesOf(yield* lane.take(2)), ["new0", "new1"])
        yield* Scope.close(first, Exit.void)
        const again = yield* (yield* joined).lane
        assert.deepEqual(valuesOf(yield* again.take(2)), ["new0", "new1"])
      }),
    one
  ),

  testCase(
    "a new group begins where it is told: at a time",
    (bench) =>
      Effect.gen(function* () {
        const startMs = 1_700_000_000_000
        for (let index = 0; index < 5; index++)
          yield* store(bench.writer, 0, [{ key: "k", value: `${index}`, timeMs: startMs + index * 1000 }])
        const lane = yield* (yield* join(bench.transport, bench.topic, bench.group, {
          from: { timeMs: startMs + 3000 }
        })).lane
        assert.deepEqual(valuesOf(yield* lane.take(2)), ["3", "4"])
      }),
    { applies: (capabilities) => hasGroups(capabilities) && capabilities.replay.time, partitions: 1 }
  ),

  testCase(
    "a new group begins where it is told: at a position",
    (bench) =>
      Effect.gen(function* () {
        const { end } = yield* boundsOf(bench, 0)
        yield* store(bench.writer, 0, numbered(3, "old"))
        const middle = yield* boundsOf(bench, 0)
        assert.ok(middle.end > end)
        yield* store(bench.writer, 0, numbered(2, "new"))
        const lane = yield* (yield* join(bench.transport, bench.topic, bench.group, { from: { position: middle.end } }))
          .lane
        assert.deepEqual(valuesOf(yield* lane.take(2)), ["new0", "new1"])
        // A driver that keeps where the group began tells of it; one that does not says nothing.
        assert.equal((yield* boundsOf(bench, 0, bench.group)).settled ?? middle.end, middle.end)
      }),
    { applies: (capabilities) => hasGroups(capabilities) && capabilities.replay.offset, partitions: 1 }
  ),

  testCase(
    "T20 T21 T22 T30 what was handed out and not settled comes again",
    (bench) =>
      Effect.gen(function* () {
        yield* store(bench.writer, 0, numbered(10))
        const first = yield* Scope.make()
        const lane = yield* Effect.flatMap(
          join(bench.transport, bench.topic, bench.group),
          (member) => member.lane
        ).pipe(Scope.provide(first))
        assert.equal((yield* lane.take(10)).length, 10)
        yield* Scope.close(first, Exit.void)
        const again = yield* (yield* join(bench.transport, bench.topic, bench.group)).lane
        assert.deepEqual(
          valuesOf(yield* again.take(10)),
          numbered(10).map(({ value }) => value)
        )
      }),
    one
  ),

  testCase(
    "T31 a settled position is the first that is not done",
    (bench) =>
      Effect.gen(function* () {
        yield* store(bench.writer, 0, numbered(10))
        const first = yield* Scope.make()
        const lane = yield* Effect.flatMap(
          join(bench.transport, bench.topic, bench.group),
          (member) => member.lane
        ).pipe(Scope.provide(first))
        const records = yield* lane.take(10)
        yield* lane.settle(records[4]?.position ?? 0n)
        yield* lane.release
        yield* Scope.close(first, Exit.void)
        assert.equal((yield* boundsOf(bench, 0, bench.group)).settled, records[4]?.position)
        const again = yield* (yield* join(bench.transport, bench.topic, bench.group)).lane
        assert.equal(again.start, records[4]?.position)
        assert.deepEqual(valuesOf(yield* again.take(6)), ["4", "5", "6", "7", "8", "9"])
      }),
    one
  ),

  testCase(
    "settling less than before takes nothing back",
    (bench) =>
      Effect.gen(function* () {
        yield* store(bench.writer, 0, numbered(10))
        const lane = yield* (yield* join(bench.transport, bench.topic, bench.group)).lane
        const records = yield* lane.take(10)
        yield* lane.settle(records[8]?.position ?? 0n)
        yield* lane.settle(records[2]?.position ?? 0n)
        assert.equal((yield* boundsOf(bench, 0, bench.group)).settled, records[8]?.position)
      }),
    one
  ),

  testCase(
    "groups do not see each other",
    (bench) =>
      Effect.gen(function* () {
        yield* store(bench.writer, 0, numbered(5))
        for (const group of [bench.group, `${bench.group}-other`]) {
          const lane = yield* (yield* join(bench.transport, bench.topic, group)).lane
          const records = yield* lane.take(5)
          assert.deepEqual(
            valuesOf(records),
            numbered(5).map(({ value }) => value)
          )
          yield* lane.settle((records.at(-1)?.position ?? 0n) + 1n)
        }
        assert.equal((yield* boundsOf(bench, 0, `${bench.group}-none`)).settled, undefined)
      }),
    one
  ),

  testCase(
    "a member that takes no more lanes settles and releases those it has, and is given none again",
    (bench) =>
      Effect.gen(function* () {
        yield* store(bench.writer, 0, numbered(10))
        const first = yield* join(bench.transport, bench.topic, bench.group)
        const lane = yield* first.lane
        const position = (yield* lane.take(5))[3]?.position ?? 0n
        yield* first.takeNoMore
        yield* lane.settle(position)
        yield* lane.release
        yield* Effect.sleep(100)
        assert.equal(yield* first.waiting, 0, "a lane was given to a member that takes no more")
        const next = yield* (yield* join(yield* bench.connect, bench.topic, bench.group)).lane
        assert.equal(next.start, position)
      }),
    { applies: (capabilities) => hasGroups(capabilities) && capabilities.handover === "drain", partitions: 1 }
  ),

  testCase(
    "the lanes of a member that goes come to those that stay",
    (bench) =>
      Effect.gen(function* () {
        yield* store(bench.writer, 0, numbered(3, "a"))
        yield* store(bench.writer, 1, numbered(3, "b"))
        const scope = yield* Scope.make()
        const goer = yield* join(bench.transport, bench.topic, bench.group).pipe(Scope.provide(scope))
        yield* Effect.all([goer.lane, goer.lane]).pipe(Scope.provide(scope))
        const stayer = yield* join(yield* bench.connect, bench.topic, bench.group, { drainMs: 100 })
        yield* Scope.close(scope, Exit.void)
        const lanes = [yield* stayer.lane, yield* stayer.lane]
        assert.deepEqual(new Set(lanes.map(({ partition }) => partition)), new Set([0, 1]))
      }),
    { applies: hasGroups }
  ),

  testCase(
    "a lane that is not pulled holds nothing else back",
    (bench) =>
      Effect.gen(function* () {
        yield* store(bench.writer, 0, numbered(2000, "a"))
        yield* store(bench.writer, 1, numbered(2000, "b"))
        const member = yield* join(bench.transport, bench.topic, bench.group)
        const lanes = [yield* member.lane, yield* member.lane]
        const pulled = lanes.find(({ partition }) => partition === 1)
        assert.equal((yield* pulled?.take(2000) ?? Effect.succeed([])).length, 2000)
      }),
    { applies: (capabilities) => hasGroups(capabilities) && capabilities.backpressure === "lane" }
  ),

  testCase(
    "T33 positions that compaction has taken away are passed over, and the last of each key stays",
    (bench) =>
      Effect.gen(function* () {
        if (bench.compact === undefined) return
        for (let round = 0; round < 5; round++)
          yield* store(
            bench.writer,
            0,
            ["x", "y"].map((key) => ({ key, value: `${key}${round}` }))
          )
        yield* bench.compact
        const lane = yield* (yield* join(bench.transport, bench.topic, bench.group)).lane
        const records = yield* lane.take(2)
        assert.deepEqual(
          records.map(({ key, value }) => [textOf(key), textOf(value)]),
          [
            ["x", "x4"],
            ["y", "y4"]
          ]
        )
        yield* lane.settle((records[1]?.position ?? 0n) + 1n)
        assert.equal((yield* boundsOf(bench, 0, bench.group)).settled, (yield* boundsOf(bench, 0)).end)
      }),
    { applies: (capabilities) => hasGroups(capabilities) && capabilities.compaction, partitions: 1, compacted: true }
  ),

  testCase(
    "bounds tell where a group begins that does not begin at the start",
    (bench) =>
      Effect.gen(function* () {
        yield* store(bench.writer, 0, numbered(10))
        const { end } = yield* boundsOf(bench, 0)
        yield* (yield* join(bench.transport, bench.topic, bench.group, { from: "latest" })).lane
        assert.equal((yield* boundsOf(bench, 0, bench.group)).settled, end)
      }),
    one
  ),

  testCase(
    "a transport that tells the groups of a topic tells those that have settled there, with members or without, and no other",
    (bench) =>
      Effect.gen(function* () {
        const { groups } = bench.transport
        if (groups === undefined) return
        assert.deepEqual(yield* groups(bench.topic), [], "a topic that nobody has read has no groups")
        const other = `${bench.topic}-other`
        yield* bench.transport.ensure({ topic: other, partitions: 1 })
        const settles = Effect.fnUntraced(function* (topic: string, group: string) {
          const writer = yield* bench.transport.openWriter(topic)
          yield* store(writer, 0, numbered(3))
          const lane = yield* (yield* join(bench.transport, topic, group)).lane
          yield* lane.settle(((yield* lane.take(2))[0]?.position ?? 0n) + 1n)
          yield* lane.release
        })
        yield* settles(other, `${bench.group}-other`)
        yield* settles(bench.topic, bench.group)
        const left = `${bench.group}-left`
        yield* Effect.scoped(settles(bench.topic, left))
        const told = yield* groups(bench.topic)
        assert.deepEqual(told.toSorted(), [bench.group, left], "those that have settled there, and no other")
      }),
    // Each group of the backend may have to be asked, also those of others.
    { ...one, within: "1 minute" }
  ),

  testCase(
    "the groups of a topic that does not exist are not told",
    ({ transport, topic }) =>
      Effect.gen(function* () {
        if (transport.groups === undefined) return
        const told = yield* Effect.result(transport.groups(`${topic}-none`))
        assert.equal(Result.isFailure(told) ? told.failure.reason : "none", "UnknownTopic")
      }),
    one
  ),

  testCase(
    "lag is what is stored and not settled",
    (bench) =>
      Effect.gen(function* () {
        yield* store(bench.writer, 0, numbered(10))
        const lane = yield* (yield* join(bench.transport, bench.topic, bench.group)).lane
        const records = yield* lane.take(10)
        yield* lane.settle(records[7]?.position ?? 0n)
        yield* waitUntil(
          "bounds tell the settled position",
          Effect.map(
            boundsOf(bench, 0, bench.group),
            ({ end, settled }) => settled !== undefined && end - settled === 3n
          )
        )
      }),
    { applies: (capabilities) => hasGroups(capabilities) && capabilities.lag === "exact", partitions: 1 }
  )
]
