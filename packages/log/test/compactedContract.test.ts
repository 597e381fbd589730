/** A contract that is compacted, on a log whose section has a retention. */
import { log, logTransport } from "@leat/log"
import { Effect } from "effect"
import { Leat } from "leat"
import { describe, expect, it } from "vitest"
import { noteContract } from "./support/Note.js"
import { temporaryDirectory } from "./support/temporary.ts"

describe("a compacted contract on a log with a retention", () => {
  it.each([{ bytes: 20_000 }, { timeMs: 500 }])(
    "keeps the last event of each key for a group that comes late: %j",
    (retention) =>
      Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const directory = yield* temporaryDirectory
            const routes = {
              version: 1,
              clusters: { disk: { transport: "@leat/log", directory, partitions: 1, retention } },
              routes: [{ match: { stream: "*" }, to: [{ cluster: "disk", topic: "notes" }] }]
            }
            const leat = yield* Leat.make({ source: "test", routes, drivers: [log] })
            const notes = yield* leat.stream({ ...noteContract, compacted: true, needs: ["compaction"] })
            yield* notes.publish({ key: "seldom", text: "the state of seldom" })
            yield* Effect.sleep(600)
            for (let index = 0; index < 2000; index++) {
              notes.offer({ key: "often", text: `${index}`.padEnd(100, ".") })
              if (index % 100 === 0) yield* leat.flush
            }
            yield* leat.flush
            const { compact } = yield* logTransport({ directory })
            yield* compact
            const state = new Map<string, string>()
            const late = yield* notes.handle("late", ({ key, text }) => Effect.sync(() => void state.set(key, text)))
            yield* late.caughtUp
            expect(Array.from(state)).toEqual([
              ["seldom", "the state of seldom"],
              ["often", "1999".padEnd(100, ".")]
            ])
          })
        )
      )
  )
})
