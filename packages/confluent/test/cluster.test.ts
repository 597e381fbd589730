import { type Kafka, startKafka } from "@leat/brokers"
import { describeOwnKafka } from "@leat/brokers/vitest"
import { confluentTransport } from "@leat/confluent"
import { Effect, Fiber, Result, Stream } from "effect"
import { waitUntil } from "leat/testing"
import { setTimeout as sleep } from "node:timers/promises"
import { afterAll, beforeAll, expect, it } from "vitest"
import { type ClientError, loadClient, type Metadata } from "../src/client/client.ts"
import { numbered, readValues, send, sendUntilStored, topicOf, valuesOf } from "./bench.ts"

/** Which broker leads each partition; brokers learn of a new topic one after another. */
async function leadersOf(bootstrap: string, topic: string, partitions: number): Promise<ReadonlyArray<number>> {
  const client = new (loadClient().Producer)({ "metadata.broker.list": bootstrap })
  const ask = (start: (done: (error: ClientError | null | undefined, metadata: Metadata) => void) => void) =>
    new Promise<ReadonlyArray<number>>((resolve, reject) => {
      start((error, metadata) => {
        if (error) return reject(new Error(`metadata: ${error.code}`))
        const found = metadata.topics.find(({ name }) => name === topic)?.partitions ?? []
        resolve(found.toSorted((left, right) => left.id - right.id).map(({ leader }) => leader))
      })
    })
  const options = { topic, timeout: 5000 }
  let leaders = await ask((done) => client.connect(options, done))
  while (leaders.filter((id) => id > 0).length < partitions) {
    await sleep(50)
    leaders = await ask((done) => client.getMetadata(options, done))
  }
  await new Promise<void>((resolve) => client._disconnect(resolve))
  return leaders
}

await describeOwnKafka(
  "@leat/confluent on three brokers",
  () => {
    let kafka: Kafka
    beforeAll(async () => {
      kafka = await startKafka({ nodes: 3, proxied: true })
    }, 60_000)
    afterAll(() => kafka.close())

    it(
      "the groups of a topic are all of them, or a failure, while their coordinators are gone",
      () =>
        Effect.runPromise(
          Effect.scoped(
            Effect.gen(function* () {
              const brokers = kafka.bootstrap.split(",")
              const transport = yield* confluentTransport({ brokers, requestMs: 5000 })
              const { topic, writer } = yield* topicOf(transport, 1)
              yield* send(writer, 0, numbered(3, ""), 8000)
              const groups = Array.from({ length: 12 }, (_, index) => `${topic}-${index}`).toSorted()
              for (const group of groups)
                yield* Effect.scoped(
                  transport.subscribe({ topic, group, from: "earliest", drainMs: 1000 }).pipe(
                    Stream.mapEffect((lane) =>
                      Effect.andThen(
                        Stream.runForEach(Stream.take(lane.batches, 1), ({ next }) => lane.settle(next)),
                        lane.release
                      )
                    ),
                    Stream.take(1),
                    Stream.runDrain
                  )
                )
              const asked = Effect.result(transport.groups?.(topic) ?? Effect.die("it cannot tell"))
              const isTold = Effect.map(asked, (told) => {
                if (Result.isSuccess(told)) expect(told.success.toSorted()).toEqual(groups)
                else expect([told.failure.isRetryable, told.failure.message]).toEqual([true, told.failure.message])
                return Result.isSuccess(told)
              })
              for (const node of kafka.nodes.slice(0, 1)) {
                const going = yield* Effect.forkScoped(
                  Effect.promise(() => node.kill().then(() => node.restart())),
                  { startImmediately: true }
                )
                while (going.pollUnsafe() === undefined) {
                  yield* isTold
                  yield* Effect.sleep(50)
                }
                yield* waitUntil("they are told again", isTold, { withinMs: 45_000 })
              }
            })
          )
        ),
      180_000
    )

    it("a leader that gives no answer holds back its own partitions, and no others", () =>
      Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const brokers = (kafka.proxied?.bootstrap ?? "").split(",")
            const transport = yield* confluentTransport({ brokers, requestMs: 3000 })
            const { topic, writer } = yield* topicOf(transport, 6)
            const leaders = yield* Effect.promise(() => leadersOf(kafka.bootstrap, topic, 6))
            for (const partition of leaders.keys()) yield* send(writer, partition, numbered(10, "warm"), 8000)
            const [stuck = 0] = leaders
            const node = kafka.nodes.find(({ id }) => id === stuck)
            node?.proxy?.freeze()
            const waiting = yield* Effect.forkChild(sendUntilStored(writer, 0, numbered(50, "x"), 1500))
            const others = [...leaders.entries()]
              .filter(([, leader]) => leader !== stuck)
              .map(([partition]) => partition)
            expect(others.length).toBeGreaterThan(0)
            for (let round = 0; round < 3; round++) {
              const runs = yield* Effect.forEach(others, (at) => send(writer, at, numbered(50, `${round}/`), 5000), {
                concurrency: "unbounded"
              })
              for (const [run] of runs) expect(run).toMatchObject({ from: 0, to: 50, fate: "stored" })
            }
            yield* Effect.sleep(1800)
            node?.proxy?.pass()
            expect(yield* Fiber.join(waiting)).toContain("unknown")
            const reader = yield* confluentTransport({ brokers: kafka.bootstrap.split(",") })
            expect(yield* readValues(reader, topic, 0)).toEqual(
              [numbered(10, "warm"), numbered(50, "x")].flatMap((one) => valuesOf(one))
            )
          })
        )
      ))
  },
  { isConfluent: true }
)
