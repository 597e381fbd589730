import { inspectLog, log } from "@leat/log"
import { Effect } from "effect"
import { Leat } from "leat"
import { waitUntil } from "leat/testing"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { describe, expect, it } from "vitest"
import { noteContract, routesTo } from "../support/Note.js"
import { runScript } from "../support/runScript.js"
import { temporaryDirectory } from "../support/temporary.js"

const trials = Number(process.env["LEAT_CORRUPT_TRIALS"] ?? 40)
const deadlineMs = 10_000 + trials * 2000

/** Flips one bit in the middle of the block with this id. */
function flip(directory: string, id: number): void {
  const sql = new DatabaseSync(join(directory, "log.sqlite"))
  const block = sql.prepare("SELECT block FROM bytes WHERE id = ?").get(id)?.["block"]
  if (!(block instanceof Uint8Array)) throw new Error(`there is no block ${id}`)
  const middle = block.length >> 1
  block[middle] = (block[middle] ?? 0) ^ 1
  sql.prepare("UPDATE bytes SET block = ? WHERE id = ?").run(block, id)
  sql.close()
}

describe("a damaged log", () => {
  it(
    "is a typed error, correct bytes, or a counted quarantine: never a crash, never other bytes",
    { timeout: deadlineMs },
    async () => {
      const seed = String(Date.now() % 1_000_000)
      const { code, output } = await runScript("corrupt/corruptLog.ts", [String(trials), seed], deadlineMs)
      expect({ code, output }).toMatchObject({ code: 0 })
      expect(JSON.parse(output)).toMatchObject({ trials })
    }
  )

  it("is read on: what does not verify is skipped, counted by the reader, and noted in the log", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const leat = yield* Leat.make({
          source: "test",
          drivers: [log],
          routes: routesTo(directory, { partitions: 1 })
        })
        const notes = yield* leat.stream(noteContract)
        for (const text of ["0", "1", "2"]) yield* notes.publish({ key: "k", text }, { level: "stored" })
        flip(directory, 2)
        const texts: Array<string> = []
        const consumer = yield* notes.handle("g", ({ text }) => Effect.sync(() => texts.push(text)))
        yield* waitUntil(
          "all is settled",
          Effect.map(consumer.lag, (lag) => lag === 0n && texts.length > 0)
        )
        yield* consumer.stop
        expect(texts).toEqual(["0", "2"])
        const { lanes, balanced } = leat.ledger.snapshot()
        expect(lanes).toMatchObject([{ positions: 3, done: 2, skipped: { corrupt: 1 } }])
        expect(balanced).toBe(true)
        const { quarantined } = yield* inspectLog(directory)
        expect(quarantined).toMatchObject([{ topic: "notes", partition: 0, from: 1n, to: 2n, what: "block" }])
      }).pipe(Effect.scoped)
    ))
})
