import { inspectLog, log, logTransport } from "@leat/log"
import { Effect, Stream } from "effect"
import { Leat } from "leat"
import { batchOf, waitUntil } from "leat/testing"
import type { Transport } from "leat/transport"
import { sendEffect } from "leat/transport"
import { cpSync, readdirSync, statSync, truncateSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { describe, expect, it } from "vitest"
import { noteContract, routesTo } from "../support/Note.js"
import { runScript } from "../support/runScript.js"
import { temporaryDirectory } from "../support/temporary.js"

/** `npm run prove -- corrupt` has 120. */
const trials = Number(process.env["LEAT_CORRUPT_TRIALS"] ?? 15)
const deadlineMs = 60_000 + trials * 2000

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
      const seed = process.env["LEAT_SEED"] ?? String(Date.now() % 1_000_000)
      const { code, output } = await runScript("corrupt/corruptLog.ts", [String(trials), seed], deadlineMs)
      // Both shown when one is wrong: the trial and its damage cannot be had again from the seed alone.
      const told: unknown = expect.stringContaining('"outcomes"')
      expect({ seed, code, output }).toEqual({ seed, code: 0, output: told })
      expect(JSON.parse(output)).toMatchObject({ trials })
    }
  )

  it("whose write-ahead log was cut says how much is gone, keeps the file, and gives no position twice", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const whole = join(directory, "whole")
        const cut = join(directory, "cut")
        const store = Effect.fnUntraced(function* (transport: Transport, count: number) {
          const writer = yield* transport.openWriter("t")
          const bases: Array<bigint | undefined> = []
          for (let batch = 0; batch < count; batch++) {
            const records = [{ key: "k", value: new Uint8Array(500) }]
            const [run] = yield* sendEffect(writer, 0, batchOf(records), 0, 1, 10_000)
            bases.push(run?.base)
          }
          return bases
        })
        yield* Effect.scoped(
          Effect.gen(function* () {
            const transport = yield* logTransport({ directory: whole, partitions: 1 })
            yield* store(transport, 50)
            // Answers come before the wake file says how far the log reaches; the next call is taken after that.
            yield* transport.bounds("t")
            cpSync(whole, cut, { recursive: true })
          })
        )
        const wal = join(cut, "log.sqlite-wal")
        truncateSync(wal, Math.floor(statSync(wal).size * 0.6))
        const { size } = statSync(wal)
        const transport = yield* logTransport({ directory: cut, partitions: 1 })
        expect(yield* store(transport, 1)).toEqual([50n])
        const [bounds] = yield* transport.bounds("t")
        const batches = yield* Stream.runCollect(transport.read("t", 0, { fromPosition: 0n }))
        const read = Array.from(batches).flatMap(({ records }) => records.length)
        expect(bounds).toMatchObject({ start: 0n, end: 51n })
        expect(Array.from(batches, ({ gap }) => gap)).toContain("corrupt")
        expect(read.reduce((total, count) => total + count, 0)).toBeLessThan(50)
        const { quarantined } = yield* inspectLog(cut)
        const tail = quarantined.find(({ what }) => what === "tail")
        const reached = read.reduce((total, count) => total + count, 0) - 1
        expect(tail).toMatchObject({ from: BigInt(reached), to: 50n })
        const kept = readdirSync(cut).find((name) => name.endsWith(".wal"))
        expect(statSync(join(cut, kept ?? "none")).size).toBe(size)
      }).pipe(Effect.scoped)
    ))

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
