import { Effect, Stream } from "effect"
import { MemoryBroker, memoryTransport } from "leat"
import { batchOf, type Run, sendEffect, TransportError, type Transport } from "leat/transport"
import { describe, expect, it } from "vitest"
import { placed } from "../../src/publish/spill/placed.js"

const batchFor = (seqs: ReadonlyArray<number>) =>
  batchOf(
    seqs.map((seq) => ({
      key: "k",
      value: "v",
      headers: [["ce_id", Buffer.from(`0198c1d2-6a00-7000-8000-000000000000/a/0/${seq}`)] as const]
    }))
  )

/** A spill that holds these. */
const holding = Effect.fnUntraced(function* (seqs: ReadonlyArray<number>) {
  const transport = memoryTransport(new MemoryBroker({ partitions: 1 }))
  const writer = yield* transport.openWriter("t")
  yield* sendEffect(writer, 0, batchFor(seqs), 0, seqs.length, 1000)
  return { transport, topic: "t", writer, bytesMax: () => 1000 }
})
const run = <A, E>(effect: Effect.Effect<A, E>) => Effect.runPromise(effect)
const stored = (from: number, to: number, base?: bigint): Run => ({
  from,
  to,
  fate: "stored",
  ...(base === undefined ? {} : { base })
})

describe("where records stand in a spill that does not say it", () => {
  it("is read there, each for itself, and of what stands nowhere nothing is said", () =>
    run(
      Effect.scoped(
        Effect.gen(function* () {
          const place = yield* holding([7, 8, 5, 9])
          const runs = yield* placed(place, 0, 0n, batchFor([7, 8, 9, 10]), [stored(0, 4)])
          expect(runs).toEqual([stored(0, 2, 0n), stored(2, 3, 3n), stored(3, 4)])
          // What it says is not looked for.
          const rest: Run = { from: 2, to: 3, fate: "unknown" }
          const mixed = yield* placed(place, 0, 0n, batchFor([5, 9, 7]), [stored(0, 1, 40n), stored(1, 2), rest])
          expect(mixed).toEqual([stored(0, 1, 40n), stored(1, 2, 3n), rest])
        })
      )
    ))

  it("is behind what this leat has noted: what was sent on stands there no more", () =>
    run(
      Effect.scoped(
        Effect.gen(function* () {
          const place = yield* holding([1, 2, 1])
          expect(yield* placed(place, 0, 1n, batchFor([1]), [stored(0, 1)])).toEqual([stored(0, 1, 2n)])
          expect(yield* placed(place, 0, 3n, batchFor([1]), [stored(0, 1)])).toEqual([stored(0, 1)])
        })
      )
    ))

  it("is unknown while it cannot be read", () =>
    run(
      Effect.scoped(
        Effect.gen(function* () {
          const place = yield* holding([1])
          const error = new TransportError({ reason: "Unavailable", transport: "t", operation: "read", detail: "away" })
          const transport: Transport = { ...place.transport, read: () => Stream.fail(error) }
          const runs = yield* placed({ ...place, transport }, 0, 0n, batchFor([1]), [stored(0, 1)])
          expect(runs).toMatchObject([{ from: 0, to: 1, fate: "unknown", error: { reason: "Unavailable" } }])
        })
      )
    ))
})
