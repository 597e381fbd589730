import { log, logTransport } from "@leat/log"
import { Effect } from "effect"
import { seededRandom } from "leat/testing"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { calm, type Scenario, tell } from "../packages/leat/test/simulation/scenario.ts"

/** Stories to tell; they take a second or two each, because nothing here is virtual. */
const stories = Number(process.env["LEAT_STORIES"] ?? 16)

/** A story drawn from its number: the same every time. */
function drawn(seed: number): Scenario {
  const random = seededRandom(seed)
  const rate = (most: number) => random() * most
  return {
    ...calm,
    events: 40 + Math.floor(random() * 40),
    rates: {
      fail: rate(0.15),
      delay: rate(0.15),
      loseResponse: rate(0.15),
      cut: rate(0.1),
      lateWrite: rate(0.1),
      oversize: rate(0.1),
      fence: rate(0.1),
      settle: rate(0.1),
      pull: rate(0.02),
      loseLane: rate(0.03),
      msMax: 60
    },
    overflow: random() < 0.5 ? "block" : "dropOldest",
    policy: random() < 0.5 ? "keep" : "drop",
    handlerFaults: rate(0.1),
    consumers: 1 + Math.floor(random() * 3),
    rebalances: rate(0.05),
    isBurst: random() < 0.2,
    isClosedEarly: random() < 0.2
  }
}

/** Tells a story on a log of its own. */
const tellOnLog = (seed: number) =>
  Effect.gen(function* () {
    const directory = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "leat-story-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
    )
    const transport = yield* logTransport({ directory, partitions: 2 })
    const cluster = { transport: log.name, directory, partitions: 2 }
    return yield* tell(drawn(seed), seed, { driver: log, cluster, transport })
  }).pipe(Effect.scoped)

describe("the stories of the loss guarantees, on the log and in real time", () => {
  it.each(Array.from({ length: stories }, (_, index) => index + 1))(
    "story %d is right",
    { timeout: 120_000 },
    async (seed) => {
      expect(await Effect.runPromise(tellOnLog(seed))).toEqual([])
    }
  )
})
