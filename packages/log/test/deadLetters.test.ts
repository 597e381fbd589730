import { logTransport } from "@leat/log"
import { Deferred, Effect, Stream } from "effect"
import { DeadLetters } from "leat"
import { batchOf, type DeadLetter, deadLetterHeaders, sendEffect, type Transport } from "leat/transport"
import { faultTransport } from "leat/testing"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, expect, it } from "vitest"

const which = { topic: "orders", group: "billing" }
const dlq = "orders.billing.dlq"
const directory = mkdtempSync(join(tmpdir(), "leat-dlq-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const onLog = <A>(use: (transport: Transport) => Effect.Effect<A, unknown>): Promise<A> =>
  Effect.runPromise(Effect.scoped(Effect.flatMap(logTransport({ directory }), use)))

const writeLetters = (transport: Transport, count: number) =>
  Effect.gen(function* () {
    yield* transport.ensure({ topic: dlq, partitions: 2 })
    const writer = yield* transport.openWriter(dlq)
    for (const partition of [0, 1]) {
      const records = Array.from({ length: count }, (_, at) => {
        const letter: DeadLetter = { by: "leat", ...which, partition, position: BigInt(at), replays: 0 }
        return { key: String(at), value: "v", headers: deadLetterHeaders(letter) }
      })
      yield* sendEffect(writer, partition, batchOf(records), 0, count, 10_000)
    }
  }).pipe(Effect.scoped)

/** A replay that is killed at its `at`th send, which is stored on disk when `isStored`. */
const killed = (transport: Transport, at: number, isStored: boolean) =>
  Effect.suspend(() => {
    const dead = Deferred.makeUnsafe<void>()
    const faulty = faultTransport(transport, {
      send: ({ call }) => {
        if (call !== at) return undefined
        Deferred.doneUnsafe(dead, Effect.void)
        return { kind: isStored ? "loseResponse" : "silence" }
      }
    })
    return Effect.raceFirst(Effect.asVoid(DeadLetters.replay(faulty, which)), Deferred.await(dead))
  })

it("a replay that is killed again and again, and goes on with the log opened anew, loses nothing and keeps the order", async () => {
  await onLog((transport) => writeLetters(transport, 250))
  for (const [at, isStored] of [
    [0, true],
    [1, false],
    [3, true],
    [2, false],
    [5, true]
  ] as const)
    await onLog((transport) => killed(transport, at, isStored))
  const { report, open, keys } = await onLog((transport) =>
    Effect.gen(function* () {
      const again = yield* DeadLetters.replay(transport, which)
      const left = yield* Stream.runCount(DeadLetters.list(transport, which))
      const batches = yield* Effect.forEach([0, 1], (partition) =>
        Stream.runCollect(transport.read("orders.billing.replay", partition, { fromPosition: 0n }))
      )
      const stored = batches.map((some) =>
        some.flatMap(({ records }) => records.map(({ key }) => Number(Buffer.from(key ?? []))))
      )
      return { report: again, open: left, keys: stored }
    })
  )
  const all = Array.from({ length: 250 }, (_, at) => at)
  expect({ open, refused: report.refused }).toEqual({ open: 0, refused: 0 })
  for (const some of keys) {
    // Each where it stands first.
    expect([...new Set(some)]).toEqual(all)
  }
  // At most a page is replayed again for each kill.
  expect(keys.flat().length).toBeLessThanOrEqual(500 + 5 * 100)
})

it("finds whose dead letters there are", async () => {
  expect(await onLog((transport) => DeadLetters.find(transport))).toEqual([{ deadLetters: dlq, of: which }])
})
