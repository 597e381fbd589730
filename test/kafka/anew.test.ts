import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { Effect } from "effect"
import { Kafka as Foreign, logLevel } from "kafkajs"
import { Leat } from "leat"
import { waitUntil } from "./waitUntil.ts"
import { expect, it } from "vitest"
import { numbers, sightingAmong } from "./sightings.ts"
import { describeStanding } from "./standing.ts"

const sighting = sightingAmong(3)

let topics = 0

await describeStanding("a topic that is made anew under a consumer", (standing) => {
  const { driver } = standing

  const leatAt = (brokers: string, topic: string, subscription: object) =>
    Leat.make({
      source: "anew",
      routes: {
        version: 1,
        clusters: { kafka: { transport: driver.name, brokers } },
        routes: [{ match: { stream: "*" }, to: [{ cluster: "kafka", topic }] }],
        subscriptions: [{ match: { stream: "*" }, ...subscription }]
      },
      drivers: [driver]
    })

  /**
   * The consumer, behind the proxy, hears nothing of it: its next request comes when the new topic has more events than the old one had.
   * No offset goes back then.
   */
  const anew = (settleEvery: string, meanwhile: Effect.Effect<void>) =>
    Effect.gen(function* () {
      const topic = `anew-${topics++}`
      const admin = new Foreign({ brokers: standing.kafka().bootstrap.split(","), logLevel: logLevel.NOTHING }).admin()
      yield* Effect.acquireRelease(
        Effect.promise(() => admin.connect()),
        () => Effect.promise(() => admin.disconnect())
      )
      // Without waiting for leaders: what was made, and then waited for in vain, would be told as not made ever after.
      const create = () => admin.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions: 1 }] })
      yield* Effect.promise(create)
      const writing = yield* (yield* leatAt(standing.kafka().bootstrap, topic, {})).stream(BeaconSighting)
      const reading = yield* (yield* leatAt(standing.kafka().proxied?.bootstrap ?? "", topic, { settleEvery })).stream(
        BeaconSighting
      )
      const handled = new Set<number>()
      const subscription = yield* reading.handle("group", ({ inputRef }) =>
        Effect.sync(() => void handled.add(Number(inputRef)))
      )
      yield* writing.publishAll(numbers(0, 10).map(sighting))
      yield* waitUntil(
        "the old topic is handled",
        Effect.sync(() => handled.size === 10)
      )
      yield* meanwhile
      yield* Effect.acquireRelease(
        Effect.sync(() => standing.proxy().freeze("requests")),
        () => Effect.sync(() => standing.proxy().pass())
      )
      // The request that waits at the broker is answered, and the next one is held.
      yield* Effect.sleep(1000)
      yield* Effect.promise(() => admin.deleteTopics({ topics: [topic] }))
      const isAnew = Effect.tryPromise(create).pipe(Effect.orElseSucceed(() => false))
      yield* waitUntil("the topic is made anew", isAnew, { everyMs: 100 })
      yield* writing.publishAll(numbers(100, 25).map(sighting))
      standing.proxy().pass()
      yield* waitUntil(
        "the new topic is handled from its beginning",
        Effect.sync(() => numbers(100, 25).every((number) => handled.has(number))),
        { withinMs: 30_000, everyMs: 50 }
      )
      yield* waitUntil(
        "all of it is settled",
        Effect.map(subscription.lag, (lag) => lag === 0n),
        { withinMs: 30_000, everyMs: 50 }
      )
      return (yield* reading.bounds("group"))[0]
    })

  it("T39 is read from its beginning, although no offset goes back", async () => {
    const row = await Effect.runPromise(Effect.scoped(anew("20 millis", Effect.sleep(500))))
    expect(row).toMatchObject({ end: 25n, settled: 25n })
  })

  it("T39 is read from its beginning, although a position of the old one is settled in it", async () => {
    // What was handled is settled while the requests are held: it comes to the new topic.
    const row = await Effect.runPromise(Effect.scoped(anew("1500 millis", Effect.void)))
    expect(row).toMatchObject({ end: 25n, settled: 25n })
  })
})
