import { describeKafka } from "@leat/brokers/vitest"
import { confluent } from "@leat/confluent"
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { kafkajs } from "@leat/kafkajs"
import { Clock, Effect, Fiber, Option, type Scope, Stream } from "effect"
import { Audit, DeadLetters, type EventStream, Leat, type OpenLeat } from "leat"
import { waitUntil } from "./waitUntil.ts"
import { expect, it } from "vitest"
import { sightingAmong } from "./sightings.ts"

const sighting = sightingAmong(1)

/** A policy that drops is refused for a contract that needs order where nothing fences. */
const Unordered: typeof BeaconSighting = { ...BeaconSighting, needs: [] }

/** Brokers of Kafka 4 refuse times more than an hour ahead of their own clock. */
const twoHoursMs = 2 * 3_600_000

/** The clock of the machine, which may be wrong. */
function clockOver(real: Clock.Clock) {
  const wall = { aheadMs: 0 }
  const timeMs = () => real.currentTimeMillisUnsafe() + wall.aheadMs
  const clock: Clock.Clock = {
    currentTimeMillisUnsafe: timeMs,
    currentTimeMillis: Effect.sync(timeMs),
    currentTimeNanosUnsafe: () => BigInt(timeMs()) * 1_000_000n,
    currentTimeNanos: Effect.sync(() => BigInt(timeMs()) * 1_000_000n),
    monotonicTimeNanosUnsafe: () => real.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: real.monotonicTimeNanos,
    sleep: (duration) => real.sleep(duration)
  }
  return { wall, clock }
}

interface Parts {
  readonly leat: OpenLeat
  readonly stream: EventStream<BeaconSighting>
  readonly wall: { aheadMs: number }
  readonly topic: string
}

let topics = 0

for (const [name, driver, more] of [
  [kafkajs.name, kafkajs, {}],
  [confluent.name, confluent, {}],
  [`${confluent.name} with positions`, confluent, { positions: true }]
] as const)
  describeKafka(
    `records that a broker refuses for good, through ${name}`,
    (brokers) => {
      /** Runs with a stream on a new topic of one partition. */
      const withStream = (
        leg: object,
        use: (parts: Parts) => Effect.Effect<void, unknown, Scope.Scope>
      ): Promise<void> => {
        const topic = `refusals-${Date.now()}-${topics++}`
        const routes = {
          version: 1,
          clusters: { kafka: { transport: driver.name, brokers, topic: { partitions: 1 }, ...more } },
          policies: {
            dropping: [{ on: ["Rejected"], then: "drop" }],
            aside: [{ on: ["Rejected"], then: "deadLetter" }]
          },
          routes: [{ match: { stream: "*" }, to: [{ cluster: "kafka", topic, ...leg }] }]
        }
        const program = Effect.gen(function* () {
          const { wall, clock } = clockOver(yield* Clock.Clock)
          const opened = Leat.make({ source: "together", routes, drivers: [driver] })
          const leat = yield* Effect.provideService(opened, Clock.Clock, clock)
          yield* use({ leat, stream: yield* leat.stream(Unordered), wall, topic })
        })
        return Effect.runPromise(Effect.scoped(program))
      }

      /** The numbers of the events in the topic, in their order. */
      const stored = (stream: EventStream<BeaconSighting>, count: number) =>
        Effect.gen(function* () {
          const seen: Array<number> = []
          yield* stream.handle("readers", ({ inputRef }) => Effect.sync(() => void seen.push(Number(inputRef))))
          yield* waitUntil(
            "everything is read",
            Effect.sync(() => seen.length >= count)
          )
          return seen
        })

      it("T42 of a batch only those whose time is refused are given up; the others are stored, in order", () =>
        withStream(
          { policy: "dropping", linger: "400 millis" },
          Effect.fnUntraced(function* ({ leat, stream, wall }) {
            yield* stream.publish(sighting(0))
            const publishing: Array<Fiber.Fiber<unknown, { readonly _tag: string }>> = []
            for (let number = 1; number < 10; number++) {
              wall.aheadMs = number === 3 || number === 6 || number === 7 ? twoHoursMs : 0
              publishing.push(yield* Effect.forkScoped(stream.publish(sighting(number)), { startImmediately: true }))
              // The clock is read once in a turn.
              yield* Effect.sleep(5)
            }
            wall.aheadMs = 0
            const told: Array<string> = []
            for (const fiber of publishing) {
              const error = yield* Effect.option(Effect.flip(Fiber.join(fiber)))
              told.push(Option.isSome(error) ? error.value._tag : "stored")
            }
            expect(told).toEqual([
              "stored",
              "stored",
              "NotStored",
              "stored",
              "stored",
              "NotStored",
              "NotStored",
              "stored",
              "stored"
            ])
            expect(leat.ledger.snapshot().balanced).toBe(true)
            expect(yield* stored(stream, 7)).toEqual([0, 1, 2, 4, 5, 8, 9])
          })
        ))

      it("of a batch only those whose time is refused are set aside, as they were; the others are stored, and the audit has no alarm", () =>
        withStream(
          { policy: "aside", linger: "400 millis" },
          Effect.fnUntraced(function* ({ leat, stream, wall, topic }) {
            yield* stream.publish(sighting(0))
            const refused = new Set([3, 6, 7])
            for (let number = 1; number < 10; number++) {
              wall.aheadMs = refused.has(number) ? twoHoursMs : 0
              stream.offer(sighting(number))
              // The clock is read once in a turn.
              yield* Effect.sleep(5)
            }
            wall.aheadMs = 0
            const deadLetters = `${topic}.undelivered`
            expect(yield* leat.flush).toMatchObject({
              deadLettered: { Rejected: 3 },
              deadLetters: [`kafka/${deadLetters}`]
            })
            yield* stream.publish(sighting(10))
            expect(yield* stored(stream, 8)).toEqual([0, 1, 2, 4, 5, 8, 9, 10])
            const transport = yield* leat.transport("kafka")
            const letters = yield* Stream.runCollect(DeadLetters.list(transport, { deadLetters }))
            const numbers = letters.map(({ value }) => BeaconSighting.decode(value ?? new Uint8Array()).inputRef)
            expect(numbers).toEqual(["3", "6", "7"])
            expect(letters[0]).toMatchObject({ letter: { topic, stage: "publish", tag: "Rejected" } })
            expect(leat.ledger.snapshot()).toMatchObject({
              balanced: true,
              legs: [{ stored: 8, deadLettered: { Rejected: 3 } }]
            })
            expect(yield* Audit.topic(transport, topic)).toMatchObject({
              events: 8,
              missing: 0,
              dropped: { deadLettered: 3 }
            })
          })
        ))

      it("a lane that stands because the clock was ahead goes on when it is right and a person says resume", () =>
        withStream(
          {},
          Effect.fnUntraced(function* ({ leat, stream, wall }) {
            yield* stream.publish(sighting(0))
            wall.aheadMs = twoHoursMs
            const ahead = yield* Effect.forkScoped(stream.publish(sighting(1)), { startImmediately: true })
            yield* waitUntil(
              "the lane stands",
              Effect.sync(() => leat.halted().length === 1)
            )
            expect(leat.halted()[0]).toMatchObject({ tag: "Rejected", partition: 0 })
            const behind = yield* Effect.forkScoped(stream.publish(sighting(2)), { startImmediately: true })
            yield* leat.resume
            yield* waitUntil(
              "the lane stands again, for the clock is still wrong",
              Effect.sync(() => leat.halted().length === 1)
            )
            wall.aheadMs = 0
            yield* leat.resume
            yield* Effect.all([Fiber.join(ahead), Fiber.join(behind)])
            expect(leat.halted()).toEqual([])
            expect(yield* stored(stream, 3)).toEqual([0, 1, 2])
          })
        ))
    },
    { isConfluent: driver === confluent }
  )
