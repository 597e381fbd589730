import { describeKafka } from "@leat/brokers/vitest"
import { confluent } from "@leat/confluent"
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { kafkajs } from "@leat/kafkajs"
import { Clock, Effect, Stream } from "effect"
import { DeadLetters, Leat } from "leat"
import { waitUntil } from "./waitUntil.ts"
import type { Driver } from "leat/transport"
import { expect, it } from "vitest"
import { numbers, sightingAmong } from "./sightings.ts"

const sighting = sightingAmong(3)
const contract = { ...BeaconSighting, needs: [] }
const count = 12
const policy = [{ on: ["*"], retry: { times: 0, baseMs: 10 }, then: "deadLetter" as const }]

interface Call {
  readonly number: number
  readonly attempt: number
  readonly topic: string
  readonly waitedMs: number
}

let topics = 0

for (const driver of [kafkajs, confluent])
  describeKafka(
    `retry topics of a real Kafka through ${driver.name}`,
    (bootstrap) => {
      it(
        "hold an event until it is due, while those behind it are handled; the last one is dead-lettered",
        { timeout: 120_000 },
        async () => {
          const topic = `retry-${process.pid}-${topics++}`
          const { calls, letters, isBalanced } = await Effect.runPromise(
            Effect.scoped(handled(driver, bootstrap, topic))
          )
          const by = (number: number) =>
            calls.flatMap((call) =>
              call.number === number ? [`${call.topic.slice(topic.length)}#${call.attempt}`] : []
            )
          // One is handled at its third attempt, one never.
          expect(by(1)).toEqual(["#1", ".g.retry.1#2", ".g.retry.2#3"])
          expect(by(4)).toEqual(["#1", ".g.retry.1#2", ".g.retry.2#3"])
          const others = numbers(0, count).filter((number) => number !== 1 && number !== 4)
          expect(others.map(by)).toEqual(others.map(() => ["#1"]))
          const retried = calls.filter(({ attempt }) => attempt > 1)
          // Those of their key too, which came behind them.
          expect(calls.slice(-retried.length)).toEqual(retried)
          for (const { attempt, waitedMs } of retried) expect(waitedMs).toBeGreaterThanOrEqual((attempt - 1) * 1000)
          expect(letters).toMatchObject([
            { letter: { topic, partition: 0, position: 4n, group: "g", attempts: 3, moves: 2, replays: 0 } }
          ])
          expect(isBalanced).toBe(true)
        }
      )
    },
    { isConfluent: driver === confluent }
  )

const handled = Effect.fnUntraced(function* (driver: Driver, brokers: string, topic: string) {
  const routes = {
    version: 1,
    clusters: { kafka: { transport: driver.name, brokers } },
    routes: [{ match: { stream: "*" }, to: [{ cluster: "kafka", topic }] }]
  }
  const leat = yield* Leat.make({ source: "retry", routes, drivers: [driver] })
  const transport = yield* leat.transport("kafka")
  yield* transport.ensure({ topic, partitions: 1 })
  const stream = yield* leat.stream(contract)
  const calls: Array<Call> = []
  yield* stream.handle(
    "g",
    ({ inputRef }, { attempt, topic: from, storedAtMs }) =>
      Effect.gen(function* () {
        const number = Number(inputRef)
        calls.push({ number, attempt, topic: from, waitedMs: (yield* Clock.currentTimeMillis) - storedAtMs })
        if (number === 4 || (number === 1 && attempt < 3)) return yield* Effect.fail("not now")
      }),
    { policy, retryTopics: { delaysMs: [1000, 2000] } }
  )
  yield* stream.publishAll(numbers(0, count).map(sighting))
  const which = { topic, group: "g" }
  const listed = DeadLetters.list(transport, which).pipe(
    Stream.runCollect,
    Effect.catch(() => Effect.succeed([]))
  )
  yield* waitUntil(
    "dead-lettered",
    Effect.map(listed, (found) => found.length > 0),
    { withinMs: 90_000, everyMs: 200 }
  )
  return { calls, letters: yield* listed, isBalanced: leat.ledger.snapshot().balanced }
})
