import { describeKafka } from "@leat/brokers/vitest"
import { confluent } from "@leat/confluent"
import { kafkajs } from "@leat/kafkajs"
import { log } from "@leat/log"
import { Effect, Fiber } from "effect"
import { ControlTools, Leat, MoveTools } from "leat"
import { waitUntil } from "./waitUntil.ts"
import type { Driver } from "leat/transport"
import { expect, it } from "vitest"
import { noteContract } from "../../packages/leat/test/contracts/Note.ts"
import { temporaryDirectory } from "../../packages/log/test/support/temporary.ts"

const keys = 5
const group = "moved"
let topics = 0

for (const driver of [kafkajs, confluent])
  describeKafka(
    `a stream that moves from the log to Kafka and back, through ${driver.name}`,
    (brokers) => {
      it("is published and handled meanwhile: nothing is lost or doubled, keys keep their order, and the old places are retired", () =>
        Effect.runPromise(
          Effect.scoped(
            Effect.gen(function* () {
              const { published, handled, inKafka } = yield* moved(driver, brokers)
              const byKey = Map.groupBy(handled, ([key]) => key)
              expect(byKey.size).toBe(keys)
              const numbers = Array.from({ length: published }, (_, number) => number)
              for (const [key, all] of byKey) {
                const own = numbers.filter((number) => `k${number % keys}` === key)
                expect({ key, handled: all.map(([, number]) => number) }).toEqual({ key, handled: own })
              }
              // The stream was really there.
              expect(inKafka).toHaveLength(2)
              expect(inKafka.reduce((sum, end) => sum + end)).toBeGreaterThan(30)
            })
          )
        ))
    },
    { isConfluent: driver === confluent, isConcurrent: true }
  )

const moved = Effect.fnUntraced(function* (driver: Driver, brokers: string) {
  const folder = yield* temporaryDirectory
  const topic = `moves-${Date.now()}-${topics++}`
  const contract = noteContract({ needs: ["order", "replay"] })
  const { stream } = contract
  const drivers = [log, driver]
  const documentAt = (version: number, cluster: string) =>
    JSON.stringify({
      version,
      clusters: {
        log: { transport: "@leat/log", directory: `${folder}/log` },
        kafka: { transport: driver.name, brokers }
      },
      routes: [{ match: { stream: "*" }, to: [{ cluster, topic, linger: "1 milli" }] }],
      subscriptions: [{ match: { stream: "*" }, from: "earliest", settleEvery: "20 millis" }]
    })
  const section = { transport: "@leat/log", directory: `${folder}/control` }
  const control = yield* log.open("control", { directory: section.directory })
  const tool = { author: "test", reason: "a test", drivers }
  yield* ControlTools.apply(control, { ...tool, document: documentAt(1, "log") })
  // Nobody has to be waited for yet, who would beat every five seconds.
  yield* MoveTools.place(control, { ...tool, streams: [stream] })

  const leat = yield* Leat.make({ source: "moves", drivers, control: { cluster: section } })
  const notes = yield* leat.stream(contract)
  const handled: Array<readonly [key: string, number: number]> = []
  yield* notes.handle(group, ({ key, text }) => Effect.sync(() => void handled.push([key, Number(text)])))
  let published = 0
  const over = new AbortController()
  const publisher = yield* Effect.forkChild(
    Effect.gen(function* () {
      for (; !over.signal.aborted; published++) {
        yield* notes.publish({ key: `k${published % keys}`, text: `${published}` }, { level: "queued" })
        yield* Effect.sleep(10)
      }
    })
  )
  /** Waits until the stream is written in its newest place, and all others are read to their end. */
  const goneTo = (document: string) =>
    Effect.gen(function* () {
      yield* Effect.sleep(300)
      yield* MoveTools.start(control, { ...tool, document, streams: [stream], partitions: 2 })
      const isRetired = Effect.map(MoveTools.status(control), ([one]) => {
        const phases = one?.epochs.map(({ phase }) => phase) ?? []
        return phases.at(-1) === "open" && phases.slice(0, -1).every((phase) => phase === "retired")
      })
      yield* waitUntil(`${document} is what all do`, Effect.orDie(isRetired), { withinMs: 60_000, everyMs: 100 })
    })
  yield* goneTo(documentAt(2, "kafka"))
  yield* goneTo(documentAt(3, "log"))
  yield* Effect.sleep(300)
  over.abort()
  yield* Fiber.join(publisher)
  yield* leat.flush
  yield* waitUntil(
    "all is handled",
    Effect.sync(() => handled.length >= published),
    { withinMs: 60_000 }
  )
  expect(leat.ledger.snapshot().balanced).toBe(true)
  const kafka = yield* driver.open("kafka", { brokers })
  const inKafka = (yield* kafka.bounds(topic)).map(({ end }) => Number(end))
  return { published, handled, inKafka }
})
