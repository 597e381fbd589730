import { describeKafka } from "@leat/brokers/vitest"
import { confluent } from "@leat/confluent"
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { kafkajs } from "@leat/kafkajs"
import { Data, Effect, type Scope, Stream } from "effect"
import { Kafka, logLevel } from "kafkajs"
import { DeadLetters, type EventStream, Leat } from "leat"
import { waitUntil } from "./waitUntil.ts"
import type { Transport } from "leat/transport"
import { expect, it } from "vitest"
import { sightingAmong } from "./sightings.ts"

class Poison extends Data.TaggedError("Poison") {}

const sighting = sightingAmong(3)

let topics = 0

for (const driver of [kafkajs, confluent])
  describeKafka(
    `consumers on Kafka through ${driver.name}`,
    (brokers) => {
      /** Runs with a stream on a new topic of one partition. */
      const withStream = (
        policies: object,
        use: (
          stream: EventStream<BeaconSighting>,
          transport: Transport,
          topic: string
        ) => Effect.Effect<void, unknown, Scope.Scope>
      ): Promise<void> => {
        const topic = `together-${Date.now()}-${topics++}`
        const routes = {
          version: 1,
          clusters: { kafka: { transport: driver.name, brokers, topic: { partitions: 1 } } },
          policies,
          routes: [{ match: { stream: "*" }, to: [{ cluster: "kafka", topic }] }],
          subscriptions: [{ match: { stream: "*" }, policy: "consume", settleEvery: "20 millis" }]
        }
        const program = Effect.gen(function* () {
          const leat = yield* Leat.make({ source: "together", routes, drivers: [driver] })
          yield* use(yield* leat.stream(BeaconSighting), yield* leat.transport("kafka"), topic)
        })
        return Effect.runPromise(Effect.scoped(program))
      }
      const settledOf = (stream: EventStream<BeaconSighting>) =>
        Effect.map(stream.bounds("group"), ([row]) => row?.settled ?? 0n)

      it("T29 a poison event is tried as often as the policy says and dropped; the others flow, and nobody restarts", () =>
        withStream(
          { consume: [{ on: ["Poison"], retry: { times: 3, base: "10 millis" }, then: "drop" }] },
          Effect.fnUntraced(function* (stream) {
            const attempts: Array<number> = []
            const handled: Array<string> = []
            yield* stream.publishAll(Array.from({ length: 30 }, (_, number) => sighting(number)))
            const subscription = yield* stream.handle("group", (event, { attempt }) => {
              if (event.inputRef !== "7") return Effect.sync(() => void handled.push(event.inputRef))
              attempts.push(attempt)
              return new Poison()
            })
            yield* waitUntil(
              "everything is settled",
              Effect.map(settledOf(stream), (settled) => settled === 30n),
              { everyMs: 50 }
            )
            expect(attempts).toEqual([1, 2, 3, 4])
            expect(handled.toSorted()).toEqual(
              Array.from({ length: 30 }, (_, number) => `${number}`)
                .filter((ref) => ref !== "7")
                .toSorted()
            )
            expect(subscription.halted()).toEqual([])
          })
        ))

      it("a poison event is dead-lettered, the others flow, and a replay of it comes to its group alone", () =>
        withStream(
          { consume: [{ on: ["Poison"], retry: { times: 1, base: "10 millis" }, then: "deadLetter" }] },
          Effect.fnUntraced(function* (stream, transport, topic) {
            const handled: Array<string> = []
            yield* stream.publishAll(Array.from({ length: 30 }, (_, number) => sighting(number)))
            const first = yield* stream.handle("group", (event) =>
              event.inputRef === "7" || event.inputRef === "13"
                ? new Poison()
                : Effect.sync(() => void handled.push(event.inputRef))
            )
            yield* first.caughtUp
            yield* first.stop
            expect(handled).toHaveLength(28)
            const letters = yield* Stream.runCollect(DeadLetters.list(transport, { topic, group: "group" }))
            expect(Array.from(letters, ({ letter }) => [letter.position, letter.tag, letter.attempts])).toEqual([
              [7n, "Poison", 2],
              [13n, "Poison", 2]
            ])
            expect(yield* DeadLetters.replay(transport, { topic, group: "group" })).toMatchObject({ replayed: 2 })
            const again: Array<unknown> = []
            yield* stream.handle("group", (event, { replays }) =>
              Effect.sync(() => void again.push([event.inputRef, replays]))
            )
            yield* waitUntil(
              "both came again",
              Effect.sync(() => again.length === 2)
            )
            expect(again).toEqual([
              ["7", 1],
              ["13", 1]
            ])
          })
        ))

      it("T32 events that are done out of order are settled only up to the first that is not", () =>
        withStream(
          { consume: [] },
          Effect.fnUntraced(function* (stream) {
            let finish = () => {}
            const blocked = new Promise<void>((resolve) => {
              finish = resolve
            })
            const done: Array<string> = []
            yield* stream.publishAll(Array.from({ length: 30 }, (_, number) => sighting(number)))
            yield* stream.handle("group", (event) =>
              Effect.andThen(
                event.inputRef === "4" ? Effect.promise(() => blocked) : Effect.void,
                Effect.sync(() => void done.push(event.inputRef))
              )
            )
            // Two of three keys flow; those of the third wait behind its event 4.
            yield* waitUntil(
              "the others are done",
              Effect.sync(() => done.length === 21)
            )
            yield* Effect.sleep(300)
            expect(yield* settledOf(stream)).toBe(4n)
            finish()
            yield* waitUntil(
              "everything is settled",
              Effect.map(settledOf(stream), (settled) => settled === 30n),
              { everyMs: 50 }
            )
          })
        ))

      it("a topic that is made anew under a consumer is read from its beginning", async () => {
        const topic = `anew-${driver === kafkajs ? "kafkajs" : "confluent"}-${Date.now()}`
        const admin = new Kafka({ brokers: brokers.split(","), logLevel: logLevel.NOTHING }).admin()
        await admin.connect()
        // Without waiting for leaders: what was made, and then waited for in vain, would be told as not made ever after.
        const create = () => admin.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions: 1 }] })
        await create()
        const routes = {
          version: 1,
          clusters: { kafka: { transport: driver.name, brokers } },
          routes: [{ match: { stream: "*" }, to: [{ cluster: "kafka", topic }] }],
          subscriptions: [{ match: { stream: "*" }, settleEvery: "20 millis" }]
        }
        const handled = new Set<string>()
        const program = Effect.gen(function* () {
          const leat = yield* Leat.make({ source: "together", routes, drivers: [driver] })
          const stream = yield* leat.stream(BeaconSighting)
          const subscription = yield* stream.handle("group", ({ inputRef }) =>
            Effect.sync(() => void handled.add(inputRef))
          )
          yield* stream.publishAll(Array.from({ length: 10 }, (_, number) => sighting(number)))
          yield* waitUntil(
            "the old topic is settled",
            Effect.map(subscription.lag, (lag) => lag === 0n)
          )
          yield* Effect.promise(() => admin.deleteTopics({ topics: [topic] }))
          // The broker forgets a topic in its own time.
          const isAnew = Effect.tryPromise(create).pipe(Effect.orElseSucceed(() => false))
          yield* waitUntil("the topic is made anew", isAnew, { everyMs: 100 })
          yield* stream.publishAll(Array.from({ length: 25 }, (_, number) => sighting(100 + number)))
          yield* waitUntil(
            "the new topic is handled",
            Effect.sync(() =>
              Array.from({ length: 25 }, (_, number) => `${100 + number}`).every((ref) => handled.has(ref))
            ),
            { withinMs: 60_000, everyMs: 50 }
          )
        })
        await Effect.runPromise(Effect.scoped(program))
        await admin.disconnect()
        expect(handled.size).toBe(35)
      })
    },
    { isConfluent: driver === confluent }
  )
