import { describeKafka } from "@leat/brokers/vitest"
import { Effect } from "effect"
import { waitUntil } from "leat/testing"
import { Worker } from "node:worker_threads"
import { expect, it } from "vitest"
import { benchAt, numbered, run, send } from "./support/bench.ts"
import { sawMember, sawNone, type Watched } from "./support/groupWatch.ts"
import { join, reasonOf, settledOf } from "./support/member.ts"

const standMsMax = 20_000

/** In a file of its own: nothing else may run in a process that stands still. */
describeKafka("a member of a group", (bootstrap) => {
  /** Nothing runs in this thread until the broker has given up the member of the group. */
  const standStill = Effect.fnUntraced(function* (group: string) {
    const seen = new Int32Array(new SharedArrayBuffer(4))
    const workerData: Watched = { bootstrap, group, seen }
    yield* Effect.acquireRelease(
      Effect.sync(() => new Worker(new URL("support/groupWatch.ts", import.meta.url), { workerData })),
      (watch) => Effect.promise(() => watch.terminate())
    )
    yield* waitUntil(
      "the broker tells of the member",
      Effect.sync(() => Atomics.load(seen, 0) === sawMember)
    )
    Atomics.wait(seen, 0, sawMember, standMsMax)
    expect(Atomics.load(seen, 0)).toBe(sawNone)
  })

  it("T28 whose process stood still longer than its session has lost its lanes, and may settle nothing", () =>
    run(
      Effect.gen(function* () {
        const { transport, topic, writer } = yield* benchAt(bootstrap, 1, { sessionMs: 1000 })
        yield* send(writer, numbered(10))
        const first = yield* join(transport, topic, topic)
        const lane = yield* first.next
        yield* lane.take(10)
        yield* standStill(topic)
        const exit = yield* Effect.exit(lane.settle(5n))
        expect(reasonOf(exit)).toBe("LaneLost")
        expect(reasonOf(yield* lane.over)).toBe("LaneLost")
        expect(yield* settledOf(transport, topic, topic)).toBeUndefined()
        // It joins again by itself, and begins where the group has settled.
        const again = yield* first.next
        expect([again.start, (yield* again.take(10)).length]).toEqual([0n, 10])
      })
    ))
})
