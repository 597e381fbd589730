import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { it } from "@effect/vitest"
import { Effect } from "effect"
import { Leat, MemoryBroker, memoryDriver } from "leat"
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
    yield* open(0, 500)
    const before = yield* heldBytes
    yield* open(500, 2500)
    const bytes = ((yield* heldBytes) - before) / 2000
    // 12.8 KB when it was written, and 20 KB before a stream was made to hold less.
    expect(bytes).toBeLessThan(17_000)
    expect(bytes).toBeGreaterThan(1000)
  }).pipe(Effect.scoped)
)
