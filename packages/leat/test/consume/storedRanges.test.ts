import { describe, expect, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { batchOf, sendEffect } from "leat/transport"
import { Leat, MemoryBroker, memoryDriver, memoryTransport, RouteError, type StoredEvent, type StoredRange } from "leat"
import { open } from "leat/promise"
import { type Note, noteContract } from "../contracts/Note.ts"

const routes = {
  version: 1,
  clusters: { local: { transport: "memory", partitions: 2 } },
  routes: [
    {
      match: { stream: "*" },
      to: [{ cluster: "local", topic: "shared", wire: "cloudevents", epoch: 3, linger: "1 millis" }]
    }
  ]
}
const contract = noteContract({ stream: "notes", name: "test.Note" })
const compacted = noteContract({ stream: "states", name: "test.State", compacted: true })
const other = noteContract({ stream: "others", name: "test.Other" })

/** Two partitions; in the first what is no event of the stream, and what cannot be read. */
const filled = Effect.gen(function* () {
  const broker = new MemoryBroker({ partitions: 2 })
  const leat = yield* Leat.make({ source: "shop", routes, drivers: [memoryDriver(broker)] })
  const notes = yield* leat.stream(contract)
  const others = yield* leat.stream(other)
  for (const text of ["1", "2", "3"]) yield* notes.publish({ key: "a", text })
  yield* others.publish({ key: "a", text: "of another stream" })
  const writer = yield* memoryTransport(broker).openWriter("shared")
  const rows = yield* notes.stored()
  const at = rows.findIndex(({ from, to }) => from < to)
  for (const value of [null, new Uint8Array([0xff])]) {
    const batch = batchOf([{ key: "a", value, headers: [] }])
    yield* sendEffect(writer, at, batch, 0, 1, 1000)
  }
  return { leat, notes, at }
})

const shown = ({
  event,
  fault,
  info
}: {
  readonly event: unknown
  readonly fault?: string
  readonly info: { readonly position: bigint }
}) =>
  `${info.position} ${event === undefined ? (fault === undefined ? "nothing" : "fault") : (event as { readonly text: string }).text}`

describe("what is stored of a stream", () => {
  it.live("is told as ranges, and read as its events and what cannot be read", () =>
    Effect.gen(function* () {
      const { notes, at } = yield* filled
      const ranges = yield* notes.stored()
      const row = (partition: number) => ({ cluster: "local", topic: "shared", partition, epoch: 3, from: 0n })
      expect(ranges).toEqual([
        { ...row(0), to: at === 0 ? 6n : 0n },
        { ...row(1), to: at === 1 ? 6n : 0n }
      ])
      const range = ranges[at]
      if (range === undefined) throw new Error("no range")
      const events = yield* Stream.runCollect(notes.read(range))
      expect(events.map(shown)).toEqual(["0 1", "1 2", "2 3", "4 fault", "5 fault"])
      expect(events.map(({ info }) => [info.cluster, info.topic, info.partition, info.key])).toEqual(
        Array.from({ length: 5 }, () => ["local", "shared", at, "a"])
      )
      const part = yield* Stream.runCollect(notes.read({ ...range, from: 1n, to: 3n }))
      expect(part.map(shown)).toEqual(["1 2", "2 3"])
      expect(yield* Stream.runCollect(notes.read({ ...range, from: 6n, to: 6n }))).toEqual([])
    })
  )

  it.live("is read with its tombstones", () =>
    Effect.gen(function* () {
      const own = { ...routes, routes: [{ match: { stream: "*" }, to: [{ cluster: "local", topic: "{stream}" }] }] }
      const broker = new MemoryBroker({ partitions: 1 })
      const leat = yield* Leat.make({ source: "shop", routes: own, drivers: [memoryDriver(broker)] })
      const states = yield* leat.stream(compacted)
      yield* states.publish({ key: "a", text: "1" })
      const writer = yield* memoryTransport(broker).openWriter("states")
      yield* sendEffect(writer, 0, batchOf([{ key: "b", value: null }]), 0, 1, 1000)
      const [range] = yield* states.stored()
      if (range === undefined) throw new Error("no range")
      expect((yield* Stream.runCollect(states.read(range))).map(shown)).toEqual(["0 1", "1 nothing"])
    })
  )

  it.live("says how far a group has settled it", () =>
    Effect.gen(function* () {
      const { notes, at } = yield* filled
      expect((yield* notes.stored("g"))[at]?.settled).toBeUndefined()
      const subscription = yield* notes.handle("g", ({ text }) => (text === "3" ? Effect.never : Effect.void), {
        concurrency: 1
      })
      yield* Effect.sleep(200)
      yield* subscription.stop
      expect((yield* notes.stored("g"))[at]).toMatchObject({ settled: 2n, to: 6n })
      expect(yield* Effect.flip(notes.stored(""))).toBeInstanceOf(RouteError)
    })
  )

  const range: StoredRange = { cluster: "local", topic: "shared", partition: 0, epoch: 3, from: 0n, to: 1n }
  it.live.each<[string, unknown, string]>([
    ["nothing", undefined, "range: is one that `stored` gives, and not undefined"],
    ["a number", 7, "range: is one that `stored` gives, and not a number"],
    ["no topic", { ...range, topic: "" }, 'range: topic: "" is no name'],
    ["half a partition", { ...range, partition: 0.5 }, "range: partition: 0.5 is no whole number from 0"],
    ["a position that is a number", { ...range, from: 0 }, "range: from: 0 is not a position: a bigint from 0n"],
    ["a place before the first", { ...range, to: -1n }, "range: to: -1 is not a position: a bigint from 0n"],
    [
      "another cluster",
      { ...range, cluster: "elsewhere" },
      "range.cluster: the cluster elsewhere is none in which this stream lies: it lies in local"
    ]
  ])("is not read where the range is %s", ([, given, sentence]) =>
    Effect.gen(function* () {
      const { notes } = yield* filled
      const error = yield* Effect.flip(Stream.runDrain(notes.read(given as StoredRange)))
      expect(error).toBeInstanceOf(RouteError)
      expect(error.message).toContain(sentence)
    })
  )

  it("is read by programs of promises, which may leave off", async () => {
    const leat = await open({ source: "shop", routes })
    try {
      const notes = await leat.stream(contract)
      for (const text of ["1", "2", "3"]) await notes.publish({ key: "a", text })
      const ranges = await notes.stored()
      const seen: Array<string> = []
      for (const one of ranges)
        for await (const { event } of notes.read(one)) {
          seen.push(event?.text ?? "")
          if (seen.length === 2) break
        }
      expect(seen).toEqual(["1", "2"])
      await expect(async () => {
        for await (const one of notes.read(undefined as unknown as StoredRange)) seen.push(one.event?.text ?? "")
      }).rejects.toMatchObject({ _tag: "RouteError" })
    } finally {
      await leat.close()
    }
  })

  it("answers promises that ask for several at once, one after the other, and all who wait when one leaves", async () => {
    const leat = await open({ source: "shop", routes })
    try {
      const notes = await leat.stream(contract)
      for (const text of ["1", "2", "3"]) await notes.publish({ key: "a", text })
      const filledRange = (await notes.stored()).find(({ from, to }) => from < to)
      if (filledRange === undefined) throw new Error("no range")
      const asked = (iterator: AsyncIterator<StoredEvent<Note>>, count: number) =>
        Promise.all(Array.from({ length: count }, () => iterator.next()))
      const all = await asked(notes.read(filledRange)[Symbol.asyncIterator](), 5)
      expect(all.map(({ done, value }) => (done === true ? "done" : (value?.event?.text ?? "")))).toEqual([
        "1",
        "2",
        "3",
        "done",
        "done"
      ])
      const left = notes.read(filledRange)[Symbol.asyncIterator]()
      const waiting = asked(left, 5)
      expect(await left.return?.()).toMatchObject({ done: true })
      expect((await waiting).at(-1)).toMatchObject({ done: true })
      const wrong = notes.read(undefined as unknown as StoredRange)[Symbol.asyncIterator]()
      const ends = await Promise.allSettled([wrong.next(), wrong.next()])
      expect(ends).toMatchObject([{ reason: { _tag: "RouteError" } }, { value: { done: true } }])
    } finally {
      await leat.close()
    }
  }, 5000)
})
