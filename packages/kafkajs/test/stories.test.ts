import { describeKafka } from "@leat/brokers/vitest"
import { kafkajs, kafkajsTransport } from "@leat/kafkajs"
import { Effect } from "effect"
import { calm, type Scenario, seededRandom, tellStory } from "leat/testing"
import type { Driver, Transport } from "leat/transport"
import { expect, it } from "vitest"
import { newName } from "./support/bench.ts"

/** Stories on a real Kafka and the real clock: `LEAT_RUNS` asks for more than the few that fit a test run. */
const runs = Number(process.env["LEAT_RUNS"] ?? 6)
const withinMs = 40_000

/** What a seed is about. */
function scenarioOf(seed: number): Scenario {
  const random = seededRandom(seed * 104_729)
  const rate = () => random() * 0.1
  return {
    ...calm,
    events: 20 + Math.floor(random() * 60),
    keys: 1 + Math.floor(random() * 6),
    rates: {
      fail: rate(),
      delay: rate(),
      loseResponse: rate(),
      cut: rate(),
      oversize: rate(),
      settle: rate(),
      pull: rate() / 4,
      loseLane: rate() / 4,
      msMax: 1 + Math.floor(random() * 30)
    },
    overflow: random() < 0.7 ? "block" : "dropOldest",
    bufferBytes: 65_536,
    lingerMs: Math.floor(random() * 6),
    policy: random() < 0.7 ? "keep" : "drop",
    handlerFaults: random() * 0.2,
    consumers: 1 + Math.floor(random() * 2),
    rebalances: random() * 0.03,
    textBytes: random() < 0.5 ? 10 : 3000,
    isBurst: random() < 0.5,
    isClosedEarly: random() < 0.2
  }
}

/** The same cluster, under names that no other story has. */
function renamed(transport: Transport, prefix: string): Transport {
  const name = (text: string) => `${prefix}-${text}`
  return {
    ...transport,
    openWriter: (topic) => transport.openWriter(name(topic)),
    subscribe: (one) => transport.subscribe({ ...one, topic: name(one.topic), group: name(one.group) }),
    read: (topic, partition, range) => transport.read(name(topic), partition, range),
    bounds: (topic, group) => transport.bounds(name(topic), group === undefined ? undefined : name(group)),
    ensure: (spec) => transport.ensure({ ...spec, topic: name(spec.topic) })
  }
}

describeKafka("the loss guarantees, over a real Kafka", (bootstrap) => {
  const config = { brokers: bootstrap, topic: { partitions: 2 } }
  const tell = (seed: number, scenario: Scenario, over: (driver: Driver) => Driver = (driver) => driver) => {
    const prefix = newName("story")
    const driver = over({
      ...kafkajs,
      open: (...opening) => Effect.map(kafkajs.open(...opening), (transport) => renamed(transport, prefix))
    })
    const reader = Effect.map(kafkajsTransport({ brokers: bootstrap.split(",") }), (one) => renamed(one, prefix))
    return Effect.runPromise(tellStory({ driver, config, reader, withinMs }, scenario, seed))
  }

  it.for(Array.from({ length: runs }, (_, index) => index + 1))(
    "hold in the story of seed %i",
    { timeout: 2 * withinMs },
    async (seed) => {
      expect(await tell(seed, scenarioOf(seed))).toEqual([])
    }
  )

  it("are found broken where a driver forgets what it says is stored", { timeout: 2 * withinMs }, async () => {
    const forgetful = (driver: Driver): Driver => ({
      ...driver,
      open: (...opening) =>
        Effect.map(driver.open(...opening), (transport) => {
          let sends = 0
          return {
            ...transport,
            openWriter: (topic) =>
              Effect.map(transport.openWriter(topic), (writer) => ({
                ...writer,
                send: (partition, batch, from, to, timeoutMs, answer) =>
                  ++sends % 3 === 0
                    ? answer([{ from, to, fate: "stored" }])
                    : writer.send(partition, batch, from, to, timeoutMs, answer)
              }))
          }
        })
    })
    expect(await tell(1, calm, forgetful)).toContainEqual(expect.stringMatching(/^lost: /))
  })
})
