/** What publishers could not store: listed, replayed to its topic, dropped. */
import { Effect, Exit, Stream } from "effect"
import { Audit, DeadLetters, MemoryBroker, memoryTransport, readMeta } from "leat"
import { batchOf, deadLetterHeaders, sendEffect, type Transport } from "leat/transport"
import { simulate } from "leat/testing"
import { expect, it } from "vitest"
import { bytesOf, readAll, textOf } from "./letters.ts"

const which = { undelivered: "orders" }
const id = (seq: number) => `0198c1d2-6a00-7000-8000-000000000000/orders/3/${seq}`

/** Writes records of one bucket to a partition of a topic. */
const write = Effect.fnUntraced(function* (
  transport: Transport,
  topic: string,
  sequences: ReadonlyArray<number>,
  isLetter: boolean
) {
  yield* transport.ensure({ topic, partitions: 2 })
  const writer = yield* transport.openWriter(topic)
  const letter = deadLetterHeaders({
    by: "leat",
    topic: "orders",
    partition: 1,
    stage: "publish",
    tag: "Rejected",
    attempts: 1,
    replays: 0
  })
  const records = sequences.map((seq) => {
    const own = [["ce_id", bytesOf(id(seq))] as const]
    // The one behind the gap announces it.
    const notice = seq === 3 ? [["leat-dropped", bytesOf("3:1-3:deadLettered")] as const] : []
    return { key: "k", value: `v${seq}`, headers: isLetter ? [...letter, ...own] : [...own, ...notice] }
  })
  yield* sendEffect(writer, 1, batchOf(records), 0, records.length, 10_000)
}, Effect.scoped)

function told<A>(use: (transport: Transport) => Effect.Effect<A, unknown>): A {
  const { exit } = simulate(1, use(memoryTransport(new MemoryBroker())))
  if (Exit.isFailure(exit)) throw new Error(String(exit.cause))
  return exit.value
}

it("is found, replayed to the topic that it was meant for, in its partition and with its id, and is then no loss", () => {
  const is = told((transport) =>
    Effect.gen(function* () {
      yield* write(transport, "orders", [0, 3], false)
      yield* write(transport, "orders.undelivered", [1, 2], true)
      const found = yield* DeadLetters.find(transport)
      const before = yield* Audit.topic(transport, "orders")
      const report = yield* DeadLetters.replay(transport, which)
      const again = yield* DeadLetters.replay(transport, which)
      const [none, records = []] = yield* readAll(transport, "orders")
      const after = yield* Audit.topic(transport, "orders")
      const all = yield* Stream.runCollect(DeadLetters.list(transport, which, { state: "all" }))
      return { found, before, report, again, none, records, after, all }
    })
  )
  expect(is.found).toEqual([{ deadLetters: "orders.undelivered", undelivered: "orders" }])
  expect(is.before).toMatchObject({ events: 2, dropped: { deadLettered: 2 }, missing: 0 })
  expect(is.report).toEqual({ replayed: 2, guarded: 0, refused: 0 })
  expect(is.again).toEqual({ replayed: 0, guarded: 0, refused: 0 })
  expect(is.none).toEqual([])
  expect(is.records.map(({ value }) => textOf(value))).toEqual(["v0", "v3", "v1", "v2"])
  // What is replayed says so: whoever tells copies by the highest sequence must not take it for one.
  const metas = is.records.slice(2).map(({ headers }) => readMeta(headers, "orders"))
  expect(metas.map(({ id: own, replays }) => [own?.seq, replays])).toEqual([
    [1, 1],
    [2, 1]
  ])
  expect(is.after).toMatchObject({ events: 4, dropped: {}, missing: 0, outOfOrder: 0, lossRatio: 0 })
  expect(is.all.map(({ resolution }) => resolution?.how)).toEqual(["replayed", "replayed"])
})

it("is dropped with a reason, and stays", () => {
  const is = told((transport) =>
    Effect.gen(function* () {
      yield* write(transport, "orders", [0, 3], false)
      yield* write(transport, "orders.undelivered", [1, 2], true)
      const dropped = yield* DeadLetters.drop(transport, which, { reason: "a test", limit: 1 })
      const open = yield* Stream.runCollect(DeadLetters.list(transport, which))
      return { dropped, open, ...(yield* DeadLetters.replay(transport, which)) }
    })
  )
  expect(is).toMatchObject({ dropped: 1, open: [{ value: bytesOf("v2") }], replayed: 1 })
})

it("is not replayed to a topic that is not there, which is not made", () => {
  const is = told((transport) =>
    Effect.gen(function* () {
      yield* write(transport, "ordes.undelivered", [1], true)
      const error = yield* Effect.flip(DeadLetters.replay(transport, { undelivered: "ordes" }))
      return { error, topics: yield* transport.topics ?? Effect.succeed([]) }
    })
  )
  expect(is.error).toMatchObject({ reason: "UnknownTopic" })
  expect(is.topics).toEqual(["ordes.undelivered"])
})
