import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { it } from "@effect/vitest"
import { Effect } from "effect"
import { Leat, MemoryBroker, memoryDriver } from "leat"
import { faultDriver } from "leat/testing"
import { expect } from "vitest"
import { noteContract } from "./contracts/Note.js"

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void

/** Bytes on the heap, with nothing on it that nobody holds. */
const heldBytes = Effect.gen(function* () {
  for (let turn = 0; turn < 3; turn++) {
    yield* Effect.sleep(1)
    collect()
  }
  return process.memoryUsage().heapUsed
})

it.live("an open stream that is idle holds less than 17 KB, its topic in the memory broker included", () =>
  Effect.gen(function* () {
    const leat = yield* Leat.make({ source: "test", drivers: [memoryDriver(new MemoryBroker({ partitions: 8 }))] })
    const open = (from: number, to: number) =>
      Effect.forEach(
        Array.from({ length: to - from }, (_, index) => `s${from + index}`),
        (stream) => leat.stream(noteContract({ stream })),
        { discard: true }
      )
    // What is compiled on the first way through is no stream's.
    yield* open(0, 1000)
    let bytes = Number.POSITIVE_INFINITY
    // What the engine compiles meanwhile is some megabytes of one round or the other; what a stream holds is in all of them.
    for (const from of [1000, 4000, 7000, 10_000]) {
      if (bytes < 17_000) break
      const before = yield* heldBytes
      yield* open(from, from + 3000)
      bytes = Math.min(bytes, ((yield* heldBytes) - before) / 3000)
    }
    // 12.8 KB when it was written, and 20 KB before a stream was made to hold less.
    expect(bytes).toBeLessThan(17_000)
    expect(bytes).toBeGreaterThan(1000)
  }).pipe(Effect.scoped)
)

const refusing = faultDriver(memoryDriver(new MemoryBroker()), {
  send: () => ({ kind: "fail", reason: "Unavailable" })
})
const whatIsAskedFor = ["leat", "stream", "event"] as const

it.live.each(whatIsAskedFor)(
  "what became of the events of a %s is asked for in vain and given up: nothing of it stays",
  (of) =>
    Effect.gen(function* () {
      const leat = yield* Leat.make({
        source: "test",
        routes: {
          version: 1,
          clusters: { local: { transport: "memory" } },
          routes: [{ match: { stream: "*" }, to: [{ cluster: "local", topic: "t", batch: { records: 1 } }] }]
        },
        drivers: [refusing],
        drain: "1 milli"
      })
      const notes = yield* leat.stream(noteContract())
      const { outcome } = yield* notes.publish({ key: "k", text: "first" }, { level: "queued" })
      for (let at = 0; at < 60; at++) notes.offer({ key: "k", text: String(at) })
      const asked = { leat: leat.flush, stream: notes.flush, event: outcome }[of]
      const giveUp = (times: number) =>
        Effect.forEach(Array.from({ length: times }), () => Effect.raceFirst(asked, Effect.yieldNow), { discard: true })
      // What is compiled on the way there is nobody's.
      yield* giveUp(3000)
      const before = yield* heldBytes
      yield* giveUp(6000)
      const bytes = (yield* heldBytes) - before
      // More than 500 KB when each stayed, and 20 MB where it stood in each batch.
      expect(bytes).toBeLessThan(200_000)
    }).pipe(Effect.scoped)
)

const asks = [
  ["again and again", 1],
  ["by many at once", "unbounded"]
] as const

it.live.each(asks)("a stream and a transport are asked for %s: nothing of that stays", ([, concurrency]) =>
  Effect.gen(function* () {
    const opening = (times: number) =>
      Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test", drivers: [memoryDriver(new MemoryBroker({ partitions: 1 }))] })
        const both = Effect.andThen(leat.transport("memory"), leat.stream(noteContract()))
        yield* Effect.forEach(Array.from({ length: times }), () => both, { discard: true, concurrency })
      })
    // What is compiled on the way there is nobody's.
    yield* opening(3000)
    const before = yield* heldBytes
    yield* opening(6000)
    const bytes = (yield* heldBytes) - before
    // More than 2,600 KB when each stayed.
    expect(bytes).toBeLessThan(500_000)
  }).pipe(Effect.scoped)
)
