import { Effect, Stream } from "effect"
import { batchOf, type ReceivedRecord, resolutionHeader, sendEffect, type Transport } from "leat/transport"
import { DeadLetters, MemoryBroker, memoryTransport } from "leat"
import { expect, it } from "vitest"
import { bytesOf, dlq, readAll, textOf, which, type Written, writeLetters } from "./letters.ts"

const run = <A>(use: (transport: Transport) => Effect.Effect<A, unknown>): Promise<A> =>
  Effect.runPromise(use(memoryTransport(new MemoryBroker())))

const listed = (transport: Transport, options?: DeadLetters.ListOptions) =>
  Effect.map(Stream.runCollect(DeadLetters.list(transport, which, options)), (letters) =>
    letters.map(({ partition, position, duplicates, resolution }) => ({
      at: `${partition}/${position}`,
      ...(duplicates === 0 ? {} : { duplicates }),
      ...(resolution === undefined ? {} : { how: resolution.how })
    }))
  )

const send = (transport: Transport, topic: string, records: Parameters<typeof batchOf>[0]) =>
  Effect.scoped(
    Effect.flatMap(transport.openWriter(topic), (writer) =>
      sendEffect(writer, 0, batchOf(records), 0, records.length, 10_000)
    )
  )

it("lists letters with what they were, by partition and position", async () => {
  const letter = { position: 4711n, tag: "Declined", message: "no money", attempts: 6, key: "o-1", value: "cents" }
  const headers = [["own", bytesOf("1")] as const, ["own", bytesOf("2")] as const]
  const letters = await run(
    Effect.fnUntraced(function* (transport) {
      yield* writeLetters(transport, 1, [{ position: 9n, value: null, key: null }])
      yield* writeLetters(transport, 0, [{ ...letter, headers }])
      return yield* Stream.runCollect(DeadLetters.list(transport, which))
    })
  )
  const { key, value, ...said } = letter
  expect(letters).toMatchObject([
    {
      deadLetters: dlq,
      partition: 0,
      position: 0n,
      letter: { by: "leat", topic: "orders", group: "billing", partition: 0, stage: "handle", replays: 0, ...said },
      headers,
      duplicates: 0
    },
    { partition: 1, position: 0n, key: null, value: null, headers: [] }
  ])
  expect([textOf(letters[0]?.key ?? null), textOf(letters[0]?.value ?? null)]).toEqual([key, value])
})

it("shows letters of one origin once, and what nobody has resolved", async () => {
  const [open, all, one] = await run(
    Effect.fnUntraced(function* (transport) {
      const twice: Written = { position: 1n, tag: "Declined" }
      yield* writeLetters(transport, 0, [
        twice,
        { position: 2n },
        { ...twice, tag: "Timeout" },
        { ...twice, replays: 1 }
      ])
      yield* writeLetters(transport, 0, [{ ...twice, value: "of a topic that was made anew" }])
      yield* writeLetters(transport, 1, [{}, {}])
      yield* DeadLetters.drop(transport, which, { reason: "test", where: ({ position }) => position === 1n })
      return [
        yield* listed(transport),
        yield* listed(transport, { state: "all" }),
        yield* listed(transport, { partition: 1 })
      ] as const
    })
  )
  const ofFirst = [{ at: "0/0", duplicates: 1 }, { at: "0/1", how: "dropped" }, { at: "0/3" }, { at: "0/4" }]
  // Letters that do not say where they come from are never taken for one.
  const ofSecond = [{ at: "1/0" }, { at: "1/1" }]
  expect(all).toEqual([...ofFirst, { at: "1/0" }, { at: "1/1", how: "dropped" }])
  expect(open).toEqual([...ofFirst.filter(({ how }) => how === undefined), { at: "1/0" }])
  expect(one).toEqual(ofSecond.slice(0, 1))
})

it("takes a letter behind the resolution of its origin for another failure", async () => {
  const states = await run(
    Effect.fnUntraced(function* (transport) {
      yield* writeLetters(transport, 0, [{ position: 1n }, { position: 1n }])
      yield* DeadLetters.drop(transport, which, { reason: "not needed" })
      yield* writeLetters(transport, 0, [{ position: 1n }])
      return yield* listed(transport, { state: "all" })
    })
  )
  expect(states).toEqual([{ at: "0/0", duplicates: 1, how: "dropped" }, { at: "0/3" }])
})

it("does not believe a resolution of another place, or of a letter that has another key", async () => {
  const open = await run(
    Effect.fnUntraced(function* (transport) {
      yield* writeLetters(transport, 0, [{ key: "a" }, { key: "b" }])
      const resolution = { how: "replayed", atMs: 0 } as const
      yield* send(transport, dlq, [
        { key: "b", value: null, headers: [resolutionHeader({ partition: 0, position: 0n, ...resolution })] },
        { key: "b", value: null, headers: [resolutionHeader({ partition: 1, position: 1n, ...resolution })] },
        { key: "b", value: null, headers: [resolutionHeader({ partition: 0, position: 77n, ...resolution })] }
      ])
      return yield* listed(transport)
    })
  )
  expect(open).toEqual([{ at: "0/0" }, { at: "0/1" }])
})

it("says that a letter was replayed where somebody has dropped it too", async () => {
  const all = await run(
    Effect.fnUntraced(function* (transport) {
      yield* writeLetters(transport, 0, [{}])
      const headers = (how: "replayed" | "dropped") => [resolutionHeader({ partition: 0, position: 0n, how, atMs: 0 })]
      for (const how of ["dropped", "replayed", "dropped"] as const)
        yield* send(transport, dlq, [{ key: "k", value: null, headers: headers(how) }])
      return yield* listed(transport, { state: "all" })
    })
  )
  expect(all).toEqual([{ at: "0/0", how: "replayed" }])
})

it("lists what lies in a topic that was named, also records that say nothing of a failure", async () => {
  const letters = await run(
    Effect.fnUntraced(function* (transport) {
      const headers = [["kafka_dlt-original-topic", bytesOf("orders")] as const, ["x", bytesOf("y")] as const]
      yield* send(transport, "orders.DLT", [
        { key: "a", value: "1", headers },
        { key: "b", value: "2", headers: headers.slice(1) }
      ])
      return yield* Stream.runCollect(DeadLetters.list(transport, { deadLetters: "orders.DLT" }))
    })
  )
  expect(letters.map(({ letter, headers }) => [letter.by, letter.topic, headers.map(([name]) => name)])).toEqual([
    ["spring", "orders", ["x"]],
    ["unknown", undefined, ["x"]]
  ])
})

it("fails where there is no topic of dead letters", async () => {
  const error = await run((transport) => Effect.flip(listed(transport)))
  expect(error).toMatchObject({ reason: "UnknownTopic" })
})

it("finds the topics of dead letters, and whose they are", async () => {
  const found = await run(
    Effect.fnUntraced(function* (transport) {
      const topics = ["orders", "a", "a.b", "a.b.c.dlq", "a.x.dlq", "lonely.dlq", "dlq"]
      for (const topic of topics) yield* transport.ensure({ topic, partitions: 1 })
      yield* writeLetters(transport, 0, [{ by: "leat" }])
      return yield* DeadLetters.find(transport)
    })
  )
  expect(found).toEqual([
    // And not of the group `b.c` of `a`, whose dot is written otherwise.
    { deadLetters: "a.b.c.dlq", of: { topic: "a.b", group: "c" } },
    { deadLetters: "a.x.dlq", of: { topic: "a", group: "x" } },
    { deadLetters: "lonely.dlq" },
    { deadLetters: dlq, of: which }
  ])
})

it("finds none where the transport cannot tell its topics", async () => {
  const error = await run(({ read, bounds }) => Effect.flip(DeadLetters.find({ read, bounds })))
  expect(error).toMatchObject({ reason: "Unsupported" })
})

it("writes a resolution as a record of its own, with the key of the letter and one header", async () => {
  const records = await run(
    Effect.fnUntraced(function* (transport) {
      yield* writeLetters(transport, 0, [{ key: "o-1" }])
      yield* DeadLetters.drop(transport, which, { reason: "a test", by: "anna" })
      return (yield* readAll(transport, dlq)).flat()
    })
  )
  const said = ({ key, value, headers }: ReceivedRecord) => [
    textOf(key),
    value,
    ...headers.map(([name, bytes]) => [name, { ...JSON.parse(textOf(bytes) ?? ""), atMs: 0 }])
  ]
  const [, resolution] = records
  expect(resolution && said(resolution)).toEqual([
    "o-1",
    null,
    ["leat-dlq", { version: 1, resolves: "0/0", how: "dropped", reason: "a test", by: "anna", atMs: 0 }]
  ])
})
