import { SleptClock } from "@leat/brokers"
import { describeKafka } from "@leat/brokers/vitest"
import { confluentTransport } from "@leat/confluent"
import { Effect, Exit, Pull, Scope, Stream } from "effect"
import { batchOf, type Lane, type ReceivedBatch, type Transport, type TransportError } from "leat/transport"
import { expect, it } from "vitest"
import { loadClient } from "../src/client/client.ts"
import { firstLane, numbered, readValues, send, topicOf, until, valuesOf } from "./bench.ts"

interface DeletingAdmin {
  readonly deleteRecords: (
    before: ReadonlyArray<{ readonly topic: string; readonly partition: number; readonly offset: number }>,
    options: { readonly timeout: number },
    done: (error: unknown) => void
  ) => void
  readonly disconnect: () => void
}

/** Lets a broker delete what stands before a position: what retention does after days. */
const deleteBefore = (bootstrap: string, topic: string, offset: number) =>
  new Promise<void>((resolve, reject) => {
    const { AdminClient } = loadClient() as unknown as {
      readonly AdminClient: { readonly create: (config: Readonly<Record<string, string>>) => DeletingAdmin }
    }
    const admin = AdminClient.create({ "bootstrap.servers": bootstrap })
    admin.deleteRecords([{ topic, partition: 0, offset }], { timeout: 10_000 }, (error) => {
      admin.disconnect()
      if (error instanceof Error) reject(error)
      else resolve()
    })
  })

describeKafka(
  "@leat/confluent in a group",
  (bootstrap) => {
    const run = <A>(body: (transport: Transport) => Effect.Effect<A, unknown, Scope.Scope>) =>
      Effect.runPromise(
        Effect.scoped(Effect.flatMap(confluentTransport({ brokers: bootstrap.split(","), requestMs: 5000 }), body))
      )

    it("T25 a lane that is pulled slowly is paused, and loses and doubles nothing of what was fetched before", () =>
      run((transport) =>
        Effect.gen(function* () {
          const { topic, writer } = yield* topicOf(transport, 1)
          const count = 30_000
          for (let from = 0; from < count; from += 5000) {
            const values = Array.from({ length: 5000 }, (_, index) => ({
              key: "k",
              value: `${from + index}`.padEnd(300)
            }))
            yield* send(writer, 0, batchOf(values), 20_000)
          }
          const lane = yield* firstLane(transport, topic)
          const pull = yield* Stream.toPull(lane.batches)
          const seen: Array<number> = []
          let largest = 0
          while (seen.length < count) {
            for (const { records } of yield* pull) {
              largest = Math.max(largest, records.length)
              for (const { value } of records) seen.push(Number(new TextDecoder().decode(value ?? undefined)))
            }
            yield* Effect.sleep(40)
          }
          expect(seen).toEqual(Array.from({ length: count }, (_, index) => index))
          // Bounded by what waits in a lane, and what comes with one look at the client.
          expect(largest).toBeLessThan(8000)
          yield* lane.settle(BigInt(count))
          expect((yield* transport.bounds(topic, topic))[0]).toMatchObject({
            end: BigInt(count),
            settled: BigInt(count)
          })
        })
      ))

    it("T45 a partition that was paused when another member got it is fetched when it comes back", () =>
      run((transport) =>
        Effect.gen(function* () {
          const { topic, writer } = yield* topicOf(transport, 2)
          const count = 12_000
          for (const partition of [0, 1])
            for (let from = 0; from < count; from += 2000)
              yield* send(writer, partition, numbered(2000, `${from}-`), 20_000)
          const seen = new Map<number, number>()
          const last = new Map<number, Lane>()
          // Nothing is pulled at first, so both partitions are paused.
          const own = transport.subscribe({ topic, group: topic, from: "earliest", drainMs: 2000 }).pipe(
            Stream.runForEach((lane) => {
              const isFirst = !last.has(lane.partition)
              last.set(lane.partition, lane)
              seen.set(lane.partition, 0)
              if (isFirst) return Effect.forkScoped(Effect.andThen(lane.revoked, lane.release))
              const pulled = ({ records }: ReceivedBatch) =>
                Effect.sync(() => seen.set(lane.partition, (seen.get(lane.partition) ?? 0) + records.length))
              return Effect.forkScoped(Stream.runForEach(lane.batches, pulled))
            }),
            Effect.forkScoped
          )
          yield* own
          yield* until(() => last.size === 2)
          yield* Effect.sleep(2000)
          const other = yield* Scope.make()
          const given = yield* Scope.provide(firstLane(transport, topic), other)
          yield* given.release
          const moved = last.get(given.partition)
          yield* Scope.close(other, Exit.void)
          yield* until(() => last.get(given.partition) !== moved, 30_000)
          yield* until(() => (seen.get(given.partition) ?? 0) >= count, 30_000)
          expect(seen.get(given.partition)).toBe(count)
        })
      ))

    it("T28 a handler slower than the session keeps its lane", () =>
      run((transport) =>
        Effect.gen(function* () {
          const { topic, writer } = yield* topicOf(transport, 1)
          yield* send(writer, 0, numbered(10), 5000)
          const lane = yield* firstLane(transport, topic)
          const pull = yield* Stream.toPull(lane.batches)
          yield* pull
          yield* Effect.sleep(7500)
          yield* lane.settle(10n)
          yield* send(writer, 0, numbered(1, "later"), 5000)
          const [next] = yield* pull
          expect(next.records.map(({ position }) => position)).toEqual([10n])
        })
      ))

    it("T36 a position that the client cannot express is refused, and never rounded", () =>
      run((transport) =>
        Effect.gen(function* () {
          const { topic, writer } = yield* topicOf(transport, 1)
          yield* send(writer, 0, numbered(10), 5000)
          const lane = yield* firstLane(transport, topic)
          const beyond = 2n ** 53n + 1n
          const settled = yield* Effect.flip(lane.settle(beyond))
          expect(settled).toMatchObject({ reason: "Rejected", operation: "settle" })
          const read = transport.read(topic, 0, { fromPosition: beyond })
          expect(yield* Effect.flip(Stream.runDrain(read))).toMatchObject({ reason: "Unsupported", operation: "read" })
        })
      ))

    it("what was never read cannot be settled", () =>
      run((transport) =>
        Effect.gen(function* () {
          const { topic } = yield* topicOf(transport, 1)
          const lane = yield* firstLane(transport, topic)
          expect(yield* Effect.flip(lane.settle(5n))).toMatchObject({ reason: "Rejected" })
        })
      ))

    it("T38 settles that meet are one commit after another, and none of them goes back", () =>
      run((transport) =>
        Effect.gen(function* () {
          const { topic, writer } = yield* topicOf(transport, 2)
          for (const partition of [0, 1]) yield* send(writer, partition, numbered(100), 5000)
          const lane = yield* firstLane(transport, topic)
          yield* Effect.flatMap(Stream.toPull(lane.batches), (pull) => pull)
          const settles = [10n, 40n, 20n, 80n, 5n].map((position) => lane.settle(position))
          yield* Effect.all(settles, { concurrency: "unbounded" })
          expect((yield* transport.bounds(topic, topic))[lane.partition]?.settled).toBe(80n)
        })
      ))

    it("a lane of a member that is closed is lost: it ends with LaneLost and settles nothing", () =>
      run((transport) =>
        Effect.gen(function* () {
          const { topic, writer } = yield* topicOf(transport, 1)
          yield* send(writer, 0, numbered(10), 5000)
          const scope = yield* Scope.make()
          const lane = yield* Scope.provide(firstLane(transport, topic), scope)
          const pull = yield* Stream.toPull(lane.batches)
          yield* pull
          yield* Scope.close(scope, Exit.void)
          expect(yield* Effect.flip(lane.settle(5n))).toMatchObject({ reason: "LaneLost" })
          const ended = yield* Effect.exit(pull)
          expect(Exit.isFailure(ended) && !Pull.isDoneCause(ended.cause)).toBe(true)
        })
      ))

    it("what retention has deleted of a range is told as expired, and not as compacted", () =>
      run((transport) =>
        Effect.gen(function* () {
          const { topic, writer } = yield* topicOf(transport, 1)
          yield* send(writer, 0, numbered(10), 5000)
          yield* Effect.promise(() => deleteBefore(bootstrap, topic, 7))
          const told = (fromPosition: bigint, toPosition: bigint) =>
            Effect.map(Stream.runCollect(transport.read(topic, 0, { fromPosition, toPosition })), (batches) =>
              batches.map(({ records, next, gap }) => [gap, next, records.length])
            )
          expect(yield* told(2n, 10n)).toEqual([
            ["expired", 7n, 0],
            [undefined, 10n, 3]
          ])
          expect(yield* told(2n, 5n)).toEqual([["expired", 5n, 0]])
          expect(yield* told(7n, 9n)).toEqual([[undefined, 9n, 2]])
        })
      ))

    it("a group whose position has expired is told what it has missed, and not that it was compacted", () =>
      run((transport) =>
        Effect.gen(function* () {
          const { topic, writer } = yield* topicOf(transport, 1)
          yield* send(writer, 0, numbered(10), 5000)
          yield* Effect.scoped(
            Effect.gen(function* () {
              const lane = yield* firstLane(transport, topic, { group: "expired" })
              yield* Stream.runDrain(Stream.take(lane.batches, 1))
              yield* lane.settle(3n)
            })
          )
          yield* Effect.promise(() => deleteBefore(bootstrap, topic, 7))
          const lane = yield* firstLane(transport, topic, { group: "expired" })
          expect(lane.start).toBe(3n)
          const batches = yield* Stream.runCollect(Stream.take(lane.batches, 2))
          expect(batches.map(({ records, next, gap }) => [gap, next, records.length])).toEqual([
            ["expired", 7n, 0],
            [undefined, 10n, 3]
          ])
        })
      ))

    it("T37 names of headers stay as they are, whatever JavaScript makes of such names", () =>
      run((transport) =>
        Effect.gen(function* () {
          const { topic, writer } = yield* topicOf(transport, 1)
          const names = ["__proto__", "constructor", "7", "1", "toString", "same", "same", "äöü", ""]
          const headers = names.map((name, index) => [name, Uint8Array.of(index, 0, 255)] as const)
          yield* send(writer, 0, batchOf([{ key: "k", value: "v", headers }]), 5000)
          const [batch] = yield* Stream.runCollect(transport.read(topic, 0, { fromPosition: 0n }))
          expect(batch?.records[0]?.headers.map(([name, value]) => [name, ...value])).toEqual(
            names.map((name, index) => [name, index, 0, 255])
          )
        })
      ))

    it("a topic that is not there is neither written nor consumed, and not created by asking", () =>
      run((transport) =>
        Effect.gen(function* () {
          const topic = `none-${Date.now()}`
          const unknown = { reason: "UnknownTopic" } satisfies Partial<TransportError>
          expect(yield* Effect.flip(transport.openWriter(topic))).toMatchObject(unknown)
          const subscription = { topic, group: "g", from: "earliest", drainMs: 100 } as const
          expect(yield* Effect.flip(Stream.runDrain(transport.subscribe(subscription)))).toMatchObject(unknown)
          expect(yield* Effect.flip(transport.bounds(topic))).toMatchObject(unknown)
        })
      ))

    it("a topic is created by its first use where the section says with how many partitions", () =>
      Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const transport = yield* confluentTransport({ brokers: bootstrap.split(","), topic: { partitions: 3 } })
            const topic = `first-use-${Date.now()}`
            const writer = yield* transport.openWriter(topic)
            expect(writer.partitions).toBe(3)
            yield* send(writer, 2, numbered(3), 5000)
            expect(yield* readValues(transport, topic, 2)).toEqual(valuesOf(numbered(3)))
          })
        )
      ))

    it("many reads one after another take no new client each, and see their own range only", () =>
      run((transport) =>
        Effect.gen(function* () {
          const { topic, writer } = yield* topicOf(transport, 2)
          for (const partition of [0, 1]) yield* send(writer, partition, numbered(50, `${partition}/`), 5000)
          using clock = new SleptClock()
          for (let round = 0; round < 20; round++) {
            const partition = round % 2
            expect(yield* readValues(transport, topic, partition)).toEqual(valuesOf(numbered(50, `${partition}/`)))
            const some = transport.read(topic, partition, { fromPosition: 10n, toPosition: 12n })
            // Left in the middle, and taken up again.
            yield* Stream.runDrain(Stream.take(some, 1))
          }
          expect(clock.ms).toBeLessThan(20_000)
        })
      ))
  },
  { isConfluent: true, isConcurrent: true }
)
