import { ApiKey, type FaultProxy, type Kafka, SleptClock, startKafka } from "@leat/brokers"
import { describeOwnKafka } from "@leat/brokers/vitest"
import { confluentTransport } from "@leat/confluent"
import { Effect, Exit, Fiber, Scope } from "effect"
import { type Transport, TransportError } from "leat/transport"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { firstLane, numbered, pullInto, readValues, send, sendUntilStored, topicOf, until, valuesOf } from "./bench.ts"

await describeOwnKafka(
  "@leat/confluent when the network fails",
  () => {
    let kafka: Kafka
    let proxy: FaultProxy
    beforeAll(async () => {
      kafka = await startKafka({ proxied: true })
      const behind = kafka.nodes[0]?.proxy
      if (behind === undefined) throw new Error("the node has no proxy")
      proxy = behind
    })
    afterAll(() => kafka.close())
    afterEach(async () => {
      proxy.pass()
      await proxy.heal()
    })

    const options = (positions: boolean) => ({
      brokers: [kafka.proxied?.bootstrap ?? ""],
      positions,
      requestMs: 1500,
      connectMs: 2000
    })
    /** Its reads come by a way that no fault reaches. */
    const run = <A>(
      positions: boolean,
      body: (transport: Transport, reader: Transport) => Effect.Effect<A, unknown, Scope.Scope>
    ) =>
      Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const transport = yield* confluentTransport(options(positions))
            const reader = yield* confluentTransport({ brokers: [kafka.bootstrap] })
            return yield* body(transport, reader)
          })
        )
      )

    describe.each([false, true])("positions: %s", (positions) => {
      it("T6 an answer that is lost doubles nothing and takes no order: fence, then the same range again", () =>
        run(positions, (transport, reader) =>
          Effect.gen(function* () {
            const { topic, writer } = yield* topicOf(transport, 3)
            for (const partition of [0, 1, 2]) yield* send(writer, partition, numbered(10, "warm"), 5000)
            const { happened } = proxy.dropResponse({ apiKey: ApiKey.produce, then: "hold" })
            const batches = [0, 1, 2].map((partition) => [
              numbered(200, `${partition}a`),
              numbered(50, `${partition}b`)
            ])
            const told = yield* Effect.forEach(
              batches.entries(),
              ([partition, [first, second]]) =>
                Effect.gen(function* () {
                  if (first === undefined || second === undefined) return []
                  const before = yield* sendUntilStored(writer, partition, first, 700)
                  return [...before, ...(yield* sendUntilStored(writer, partition, second, 700))]
                }),
              { concurrency: "unbounded" }
            )
            yield* Effect.promise(() => happened)
            expect(told.flat()).toContain("unknown")
            for (const [partition, parts] of batches.entries()) {
              const expected = [valuesOf(numbered(10, "warm")), ...parts.map((one) => valuesOf(one))].flat()
              expect(yield* readValues(reader, topic, partition)).toEqual(expected)
            }
          })
        ))

      it("a connection that is reset after the broker stored is made up for by librdkafka itself", () =>
        run(positions, (transport, reader) =>
          Effect.gen(function* () {
            const { topic, writer } = yield* topicOf(transport, 1)
            yield* send(writer, 0, numbered(10, "warm"), 5000)
            proxy.dropResponse({ apiKey: ApiKey.produce, then: "reset" })
            const batch = numbered(300, "x")
            const runs = yield* send(writer, 0, batch, 8000)
            expect(runs.every(({ fate }) => fate === "stored")).toBe(true)
            proxy.cutMidFrame({ apiKey: ApiKey.produce })
            const next = yield* send(writer, 0, numbered(300, "y"), 8000)
            expect(next.every(({ fate }) => fate === "stored")).toBe(true)
            expect(yield* readValues(reader, topic, 0)).toEqual(
              ["warm", "x", "y"].flatMap((prefix) => valuesOf(numbered(prefix === "warm" ? 10 : 300, prefix)))
            )
          })
        ))

      it("a broker that gives no answer for a while: unknown at the deadline, stored once afterwards", () =>
        run(positions, (transport, reader) =>
          Effect.gen(function* () {
            const { topic, writer } = yield* topicOf(transport, 1)
            yield* send(writer, 0, numbered(10, "warm"), 5000)
            proxy.freeze()
            const batch = numbered(100, "x")
            using clock = new SleptClock()
            const [first] = yield* send(writer, 0, batch, 400)
            expect(first).toMatchObject({ from: 0, to: 100, fate: "unknown", error: { reason: "Timeout" } })
            expect(clock.ms).toBeLessThan(4000)
            proxy.pass()
            const end = yield* Effect.retry(writer.fence(0), { times: 20 })
            expect(end).toBe(110n)
            const [again] = yield* send(writer, 0, batch, 400)
            expect(again).toMatchObject({ from: 0, to: 100, fate: "stored" })
            expect(yield* writer.fence(0)).toBe(110n)
            yield* sendUntilStored(writer, 0, numbered(5, "y"), 5000)
            expect(yield* readValues(reader, topic, 0)).toEqual(
              [numbered(10, "warm"), batch, numbered(5, "y")].flatMap((one) => valuesOf(one))
            )
          })
        ))

      it("a broker that is away and comes back: nothing lost, doubled or out of order", () =>
        run(positions, (transport, reader) =>
          Effect.gen(function* () {
            const { topic, writer } = yield* topicOf(transport, 2)
            for (const partition of [0, 1]) yield* send(writer, partition, numbered(10, "warm"), 5000)
            yield* Effect.promise(() => proxy.cut())
            const prefixes = ["a", "b", "c"]
            const sending = yield* Effect.forkChild(
              Effect.forEach(
                [0, 1],
                (partition) =>
                  Effect.forEach(prefixes, (prefix) => sendUntilStored(writer, partition, numbered(50, prefix), 300)),
                { concurrency: "unbounded" }
              )
            )
            yield* Effect.sleep(1500)
            yield* Effect.promise(() => proxy.heal())
            yield* Fiber.join(sending)
            for (const partition of [0, 1]) {
              expect(yield* readValues(reader, topic, partition)).toEqual([
                ...valuesOf(numbered(10, "warm")),
                ...prefixes.flatMap((prefix) => valuesOf(numbered(50, prefix)))
              ])
            }
          })
        ))

      it("while no broker is there, a send is refused soon, and not held", () =>
        run(positions, (transport) =>
          Effect.gen(function* () {
            const { writer } = yield* topicOf(transport, 1)
            yield* send(writer, 0, numbered(10, "warm"), 5000)
            yield* Effect.promise(() => proxy.cut())
            yield* Effect.sleep(300)
            const runs = yield* send(writer, 0, numbered(10), 5000)
            expect(runs).toMatchObject([{ from: 0, to: 10, fate: "notStored", error: { reason: "Unavailable" } }])
            yield* Effect.promise(() => proxy.heal())
            yield* sendUntilStored(writer, 0, numbered(10), 5000)
          })
        ))

      it("T13 T14 closing with the broker away ends, and what is open is told unknown", () =>
        Effect.runPromise(
          Effect.gen(function* () {
            const scope = yield* Scope.make()
            const opened = yield* Scope.provide(
              Effect.gen(function* () {
                const transport = yield* confluentTransport(options(positions))
                return yield* topicOf(transport, 1)
              }),
              scope
            )
            yield* send(opened.writer, 0, numbered(10, "warm"), 5000)
            proxy.freeze()
            const sending = yield* Effect.forkChild(send(opened.writer, 0, numbered(10), 60_000))
            yield* Effect.sleep(50)
            using clock = new SleptClock()
            yield* Scope.close(scope, Exit.void)
            expect(clock.ms).toBeLessThan(9000)
            expect(yield* Fiber.join(sending)).toMatchObject([{ from: 0, to: 10, fate: "unknown" }])
          })
        ))
    })

    it("opening where nobody listens fails as Unavailable, and soon", async () => {
      await proxy.cut()
      using clock = new SleptClock()
      const exit = await Effect.runPromiseExit(Effect.scoped(confluentTransport(options(false))))
      expect(Exit.findErrorOption(exit)).toMatchObject({ value: { reason: "Unavailable", operation: "open" } })
      expect(clock.ms).toBeLessThan(8000)
    })

    it("a lane whose broker was away goes on where it was, and settles", () =>
      run(false, (transport, reader) =>
        Effect.gen(function* () {
          const { topic, writer } = yield* topicOf(reader, 1)
          yield* sendUntilStored(writer, 0, numbered(100, "a"), 5000)
          const lane = yield* firstLane(transport, topic)
          const seen: Array<string> = []
          const pulling = yield* Effect.forkChild(pullInto(lane, seen))
          yield* until(() => seen.length === 100)
          yield* Effect.promise(() => proxy.cut())
          yield* sendUntilStored(writer, 0, numbered(100, "b"), 5000)
          yield* Effect.sleep(500)
          yield* Effect.promise(() => proxy.heal())
          yield* until(() => seen.length >= 200)
          expect(seen).toEqual([...valuesOf(numbered(100, "a")), ...valuesOf(numbered(100, "b"))])
          yield* Effect.retry(lane.settle(200n), {
            times: 20,
            while: (error) => error instanceof TransportError && error.isRetryable
          })
          expect((yield* reader.bounds(topic, topic))[0]?.settled).toBe(200n)
          pulling.interruptUnsafe()
        })
      ))
  },
  { isConfluent: true }
)
