import { log, logTransport } from "@leat/log"
import { Effect } from "effect"
import {
  calm,
  drawWorld,
  type Scenario,
  seededRandom,
  type Stage,
  tellStory,
  tellWorld,
  type World
} from "leat/testing"
import type { Driver } from "leat/transport"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { temporaryDirectory } from "./support/temporary.js"

/** Stories on the real disk and the real clock: `LEAT_RUNS` asks for more than the few that fit a test run. */
const runs = Number(process.env["LEAT_RUNS"] ?? 30)
const withinMs = 20_000

/** What a seed is about. Delays are short, because here they are waited for. */
function scenarioOf(seed: number): Scenario {
  const random = seededRandom(seed * 7919)
  const rate = () => random() * 0.12
  const one = <A>(...choices: readonly [A, ...Array<A>]) => choices[Math.floor(random() * choices.length)] ?? choices[0]
  return {
    ...calm,
    events: 20 + Math.floor(random() * 60),
    keys: 1 + Math.floor(random() * 6),
    rates: {
      fail: rate(),
      delay: rate(),
      loseResponse: rate(),
      cut: rate(),
      lateWrite: rate(),
      oversize: rate(),
      fence: rate(),
      settle: rate(),
      pull: rate() / 3,
      loseLane: rate() / 2,
      msMax: 1 + Math.floor(random() * 30)
    },
    overflow: one("block", "reject", "dropOldest"),
    bufferBytes: 65_536,
    lingerMs: Math.floor(random() * 6),
    policy: one("keep", "drop"),
    handlerFaults: random() * 0.2,
    consumers: 1 + Math.floor(random() * 3),
    rebalances: random() * 0.05,
    textBytes: one(10, 200, 3000),
    isBurst: random() < 0.5,
    isClosedEarly: random() < 0.25
  }
}

const tell = Effect.fnUntraced(function* (seed: number, scenario: Scenario, driver: Driver = log) {
  const config = { directory: join(yield* temporaryDirectory, "log"), partitions: 2 }
  return yield* tellStory({ driver, config, reader: logTransport(config), withinMs }, scenario, seed)
}, Effect.scoped)

/** A world whose clusters are logs in directories of their own. */
const tellOnDisk = Effect.fnUntraced(function* (world: World) {
  const stages: Array<Stage> = []
  for (let cluster = 0; cluster < world.clusters; cluster++) {
    const config = { directory: join(yield* temporaryDirectory, "log"), partitions: 2 }
    stages.push({ driver: log, config, reader: logTransport(config), withinMs })
  }
  return yield* tellWorld(stages, world)
}, Effect.scoped)

/** A log that says stored every third time without having stored anything. */
const forgetful: Driver = {
  ...log,
  open: (cluster, config) =>
    Effect.map(log.open(cluster, config), (transport) => {
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
}

describe("the loss guarantees, over the log on the disk", () => {
  it.concurrent.for(Array.from({ length: runs }, (_, index) => index + 1))(
    "hold in the story of seed %i",
    { timeout: 2 * withinMs },
    async (seed) => {
      expect(await Effect.runPromise(tell(seed, scenarioOf(seed)))).toEqual([])
    }
  )

  // Worlds of a few seconds: in others an outage, or an answer that never comes, is waited for by the clock.
  it.concurrent.for([1, 4, 8, 9])("hold in the world of seed %i", { timeout: 120_000 }, async (seed) => {
    const drawn = drawWorld(seed)
    // Time-outs are waited for here, and the clock of the machine is left alone. What a log has compacted the judge would miss.
    const streams = drawn.streams.map((stream) => ({
      ...stream,
      isCompacted: false,
      legs: stream.legs.map((leg) => ({ ...leg, timeoutMs: 300 }))
    }))
    const rates = { ...drawn.rates, wallBack: 0, wallForward: 0 }
    const { verdicts } = await Effect.runPromise(tellOnDisk({ ...drawn, streams, rates }))
    expect(verdicts).toEqual([])
  })

  it("are found broken where the log forgets what it says is stored", async () => {
    expect(await Effect.runPromise(tell(1, calm, forgetful))).toContainEqual(expect.stringMatching(/^lost: /))
  })
})
