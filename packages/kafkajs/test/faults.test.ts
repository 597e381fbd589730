import { ApiKey, type FaultProxy, type Kafka, SleptClock, startKafka } from "@leat/brokers"
import { describeOwnKafka } from "@leat/brokers/vitest"
import { Effect } from "effect"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { benchAt, numbered, recordsOf, run, send, valuesOf } from "./support/bench.ts"

await describeOwnKafka("what a send is told when the network fails", () => {
  let kafka: Kafka
  let proxy: FaultProxy
  let behind: string
  beforeAll(async () => {
    kafka = await startKafka({ proxied: true })
    proxy = kafka.nodes[0]?.proxy as FaultProxy
    behind = kafka.proxied?.bootstrap ?? ""
  })
  afterAll(() => kafka.close())
  beforeEach(async () => {
    proxy.pass()
    await proxy.heal()
  })

  it("T6 an answer that never comes is unknown at the deadline, stored once, and the next send goes through", () =>
    run(
      Effect.gen(function* () {
        const { transport, topic, writer } = yield* benchAt(behind)
        yield* send(writer, numbered(1, "before"))
        const lost = proxy.dropResponse({ apiKey: ApiKey.produce, then: "hold" })
        using clock = new SleptClock()
        const first = yield* send(writer, numbered(3, "lost"), { withinMs: 1500 })
        expect(clock.ms).toBeLessThan(2000)
        yield* Effect.promise(() => lost.happened)
        expect([first.fate, first.error?.reason, first.base]).toEqual(["unknown", "Timeout", undefined])
        expect((yield* send(writer, numbered(1, "after"))).fate).toBe("stored")
        expect(valuesOf(yield* recordsOf(transport, topic))).toEqual(["before0", "lost0", "lost1", "lost2", "after0"])
      })
    ))

  it("an answer that is lost with its connection is unknown at once, and stored once", () =>
    run(
      Effect.gen(function* () {
        const { transport, topic, writer } = yield* benchAt(behind)
        yield* send(writer, numbered(1, "before"))
        proxy.dropResponse({ apiKey: ApiKey.produce, then: "reset" })
        const first = yield* send(writer, numbered(2, "lost"))
        expect([first.fate, first.error?.reason]).toEqual(["unknown", "Disconnected"])
        expect((yield* send(writer, numbered(1, "after"))).fate).toBe("stored")
        expect(valuesOf(yield* recordsOf(transport, topic))).toEqual(["before0", "lost0", "lost1", "after0"])
      })
    ))

  it("a request that is cut in the middle is unknown, and the next connection begins with a whole frame", () =>
    run(
      Effect.gen(function* () {
        const { transport, topic, writer } = yield* benchAt(behind)
        yield* send(writer, numbered(1, "before"))
        proxy.cutMidFrame({ apiKey: ApiKey.produce })
        const first = yield* send(writer, numbered(100, "cut"))
        expect([first.fate, first.error?.reason]).toEqual(["unknown", "Disconnected"])
        expect((yield* send(writer, numbered(1, "after"))).fate).toBe("stored")
        expect(valuesOf(yield* recordsOf(transport, topic))).toEqual(["before0", "after0"])
      })
    ))

  it("where nobody listens nothing is stored, and leat may be sure of it", () =>
    run(
      Effect.gen(function* () {
        const { transport, topic, writer } = yield* benchAt(behind)
        yield* Effect.promise(() => proxy.cut())
        const first = yield* send(writer, numbered(2, "refused"), { withinMs: 3000 })
        expect([first.fate, first.error?.reason]).toEqual(["notStored", "Unavailable"])
        expect(first.error?.isRetryable).toBe(true)
        yield* Effect.promise(() => proxy.heal())
        expect((yield* send(writer, numbered(1, "after"))).fate).toBe("stored")
        expect(valuesOf(yield* recordsOf(transport, topic))).toEqual(["after0"])
      })
    ))

  it("T13 on a connection that stands still a send ends at its deadline, and so does every later one", () =>
    run(
      Effect.gen(function* () {
        const { transport, topic, writer } = yield* benchAt(behind, 1, { connectMs: 500 })
        yield* send(writer, numbered(1, "before"))
        proxy.freeze()
        using clock = new SleptClock()
        const first = yield* send(writer, numbered(1, "frozen"), { withinMs: 1200 })
        const second = yield* send(writer, numbered(1, "again"), { withinMs: 1200 })
        expect(clock.ms).toBeLessThan(3500)
        expect([first.fate, second.fate]).toEqual(["unknown", "notStored"])
        proxy.pass()
        expect((yield* send(writer, numbered(1, "after"))).fate).toBe("stored")
        const values = valuesOf(yield* recordsOf(transport, topic))
        expect(values.filter((value) => value !== "frozen0")).toEqual(["before0", "after0"])
      })
    ))

  it.each([
    ["with it", [1200, 1200, 1200]],
    ["later", [1200, 2500, 4000]]
  ])(
    "of a send that gets no answer those behind it on the connection, whose deadline is %s, end as it does",
    (_, times) =>
      run(
        Effect.gen(function* () {
          const { writer } = yield* benchAt(behind, 3, { connectMs: 500 })
          const all = [0, 1, 2]
          yield* Effect.all(all.map((partition) => send(writer, numbered(1, "before"), { partition })))
          proxy.freeze()
          const sends = times.map((withinMs, partition) => send(writer, numbered(1, "frozen"), { partition, withinMs }))
          const runs = yield* Effect.all(sends, { concurrency: "unbounded" })
          expect(runs.map(({ fate, error }) => [fate, error?.reason])).toEqual(all.map(() => ["unknown", "Timeout"]))
          // The deadline of the first, less what had passed when the request was written.
          const [, withinMs] = /no answer to Produce within (\d+) ms/.exec(runs[2]?.error?.detail ?? "") ?? []
          expect(Number(withinMs)).toBeGreaterThan(0)
          expect(Number(withinMs)).toBeLessThanOrEqual(1200)
          // On the next connection nothing is written.
          const next = yield* send(writer, numbered(1, "next"), { withinMs: 1200 })
          expect([next.fate, next.error?.reason]).toEqual(["notStored", "Unavailable"])
        })
      )
  )

  it("T4 T5 sends of one partition that overlap keep their order although one in the middle is lost", () =>
    run(
      Effect.gen(function* () {
        const { transport, topic, writer } = yield* benchAt(behind)
        yield* send(writer, numbered(1, "before"))
        proxy.dropResponse({ apiKey: ApiKey.produce, nth: 3, then: "reset" })
        const sends = Array.from({ length: 8 }, (_, index) =>
          send(writer, numbered(index % 2 === 0 ? 50 : 1, `${index}/`))
        )
        const runs = yield* Effect.all(sends, { concurrency: "unbounded" })
        expect(runs.map(({ fate }) => fate)).toEqual([
          "stored",
          "stored",
          "unknown",
          "stored",
          "stored",
          "stored",
          "stored",
          "stored"
        ])
        const order = valuesOf(yield* recordsOf(transport, topic))
          .slice(1)
          .map((value) => Number(value?.split("/")[0]))
        expect(order).toEqual(order.toSorted((left, right) => left - right))
        expect(new Set(order).size).toBe(8)
      })
    ))

  it("T2 a send that failed sends nothing again by itself", () =>
    run(
      Effect.gen(function* () {
        const { writer } = yield* benchAt(behind)
        yield* send(writer, numbered(1))
        const seen = proxy.requestsSeen(ApiKey.produce)
        proxy.dropResponse({ apiKey: ApiKey.produce, then: "reset" })
        yield* send(writer, numbered(1))
        yield* Effect.sleep(1500)
        expect(proxy.requestsSeen(ApiKey.produce) - seen).toBe(1)
      })
    ))

  describe("of one send a connection lost", () => {
    it("the sends of other partitions on it are told of, each by itself (T1, T18)", () =>
      run(
        Effect.gen(function* () {
          const { transport, topic, writer } = yield* benchAt(behind, 3)
          yield* send(writer, numbered(1, "before"))
          proxy.dropResponse({ apiKey: ApiKey.produce, nth: 2, then: "reset" })
          const runs = yield* Effect.all(
            [0, 1, 2].map((partition) => send(writer, numbered(2, `p${partition}/`), { partition })),
            { concurrency: "unbounded" }
          )
          for (const [partition, { fate }] of runs.entries()) {
            const values = valuesOf(yield* recordsOf(transport, topic, { fromPosition: 0n }, partition))
            const found = values.filter((value) => value?.startsWith("p")).length
            if (fate === "stored") expect(found).toBe(2)
            else expect(fate).toBe("unknown")
          }
          expect(runs.some(({ fate }) => fate === "unknown")).toBe(true)
        })
      ))
  })

  it("a transport cannot be opened where nobody listens, and says so within the time it is given", async () => {
    await proxy.cut()
    using clock = new SleptClock()
    const error = await run(Effect.flip(benchAt(behind, 1, { connectMs: 500 })))
    expect([error.reason, clock.ms < 2000]).toEqual(["Unavailable", true])
  })
})
