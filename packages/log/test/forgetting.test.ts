import { ledgerStore, log, readLedgers } from "@leat/log"
import fc from "fast-check"
import { Effect } from "effect"
import { Leat } from "leat"
import { batchOf } from "leat/testing"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { afterEach, describe, expect, it, vi } from "vitest"
import { Block } from "../src/Block.js"
import { machineClock } from "../src/clock.js"
import { pathsOf } from "../src/store/tables/Directory.js"
import { rowSum } from "../src/store/tables/rowSum.js"
import { toFormatFour } from "./support/formats.js"
import { Machine } from "./support/Machine.js"
import { OpenStore, storeWithTopic } from "./support/openStore.js"
import { noteContract, routesTo } from "./support/Note.js"
import { Server } from "./support/Server.js"
import { temporaryDirectory } from "./support/temporary.js"
import { Wire } from "./support/Wire.js"

const hourMs = 3_600_000
const idsMs = 10 * hourMs

/** A batch of one incarnation: an event for each bucket and sequence. */
function blockOf(incarnation: number, events: ReadonlyArray<readonly [bucket: number, seq: number]>): Block {
  const records = events.map(([bucket, seq]) => Wire.event(bucket, seq, incarnation))
  return Block.pack(batchOf(records).columns(0, records.length))
}

const take = (open: OpenStore, block: Block) =>
  open.write((store) => store.ids.take(0, block, store.ages.stamp())?.size ?? 0)
const forgetSome = (open: OpenStore) => open.write((store) => store.ids.forgetOld([0], idsMs, 1024))
const forgetAll = (open: OpenStore) => {
  while (forgetSome(open));
}
const idOf = (incarnation: number) => new Uint8Array(16).fill(incarnation)
const rowsOf = (open: OpenStore, incarnation: number) =>
  Number(
    open.store.db.prepare("SELECT count(*) AS n FROM id_range WHERE incarnation = ?").get(idOf(incarnation))?.["n"]
  )
const keptOf = (open: OpenStore, incarnation: number) => open.store.look(() => open.store.ids.keptOf(idOf(incarnation)))

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

describe("event ids of an incarnation", () => {
  it("are kept as long as it has written within the time, and deleted at most an hour after it", () => {
    const step = fc.record({
      afterMs: fc.integer({ min: 0, max: 6 * hourMs }),
      incarnation: fc.integer({ min: 1, max: 3 }),
      seq: fc.nat(20),
      reopens: fc.boolean(),
      wrongMs: fc.constantFrom(0, 0, -20 * hourMs, 20 * hourMs, -90_000 * hourMs, 90_000 * hourMs)
    })
    let forgotten = 0
    let again = 0
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), (steps) => {
        const machine = new Machine()
        using open = storeWithTopic(false, machine.clock)
        const last = new Map<number, number>()
        const taken = new Set<string>()
        /** Taken, and nobody may have deleted them. */
        const sure = new Set<string>()
        for (const { afterMs, incarnation, seq, reopens, wrongMs } of steps) {
          // Wrong for less than an hour, and corrected.
          machine.wrongMs = wrongMs
          take(open, blockOf(4, [[1, seq]]))
          machine.pass(Math.min(afterMs, hourMs / 2))
          machine.wrongMs = 0
          take(open, blockOf(4, [[1, seq]]))
          machine.pass(Math.max(0, afterMs - hourMs / 2))
          const nowMs = machine.trueMs
          if (reopens) open.reopen()
          forgetAll(open)
          for (const [one, lastMs] of last) {
            if (nowMs - lastMs <= idsMs) continue
            for (const id of sure) if (id.startsWith(`${one}/`)) sure.delete(id)
            if (nowMs - lastMs <= idsMs + hourMs) continue
            expect([rowsOf(open, one), keptOf(open, one)]).toEqual([0, "none"])
            forgotten++
          }
          const id = `${incarnation}/${seq}`
          const duplicates = take(open, blockOf(incarnation, [[1, seq]]))
          expect(duplicates).toBeGreaterThanOrEqual(sure.has(id) ? 1 : 0)
          expect(duplicates).toBeLessThanOrEqual(taken.has(id) ? 1 : 0)
          if (sure.has(id)) again++
          taken.add(id)
          sure.add(id)
          last.set(incarnation, nowMs)
        }
      }),
      { numRuns: 60 }
    )
    expect(Math.min(forgotten, again)).toBeGreaterThan(20)
  })

  it("go in several writes, and from the first on nobody takes the rest for all", () => {
    const machine = new Machine()
    using open = storeWithTopic(false, machine.clock)
    const events = Array.from({ length: 1500 }, (_, index) => [index % 100, index * 2] as const)
    take(open, blockOf(1, events))
    expect([rowsOf(open, 1), keptOf(open, 1)]).toEqual([1500, "all"])
    machine.pass(idsMs + 2 * hourMs)
    expect(forgetSome(open)).toBe(true)
    expect([rowsOf(open, 1), keptOf(open, 1)]).toEqual([476, "some"])
    open.reopen()
    forgetAll(open)
    expect([rowsOf(open, 1), keptOf(open, 1)]).toEqual([0, "none"])
    // It was only slow: what it writes now is kept, and deleted like the rest.
    expect(take(open, blockOf(1, [[0, 5000]]))).toBe(0)
    expect(take(open, blockOf(1, [[0, 5000]]))).toBe(1)
    expect([rowsOf(open, 1), keptOf(open, 1)]).toEqual([1, "some"])
    machine.pass(idsMs + 2 * hourMs)
    forgetAll(open)
    expect([rowsOf(open, 1), keptOf(open, 1)]).toEqual([0, "none"])
  })

  it("are not thought complete where the row that says so does not verify", () => {
    using open = storeWithTopic()
    take(open, blockOf(1, [[0, 0]]))
    open.write(({ db }) => db.prepare("UPDATE writer SET last_ms = last_ms + 1").run())
    open.reopen()
    expect(keptOf(open, 1)).toBe("some")
  })

  it("of many starts do not fill a small log for good", async () => {
    await Effect.runPromise(
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "Date", "hrtime"], now: 1_800_000_000_000 })
        const limits = { bytesMax: 1024 * 1024, retentionBytes: 4096, idsMs: hourMs }
        const fill = (server: Server) => {
          for (let incarnation = 1; incarnation <= 80; incarnation++) {
            const events = Array.from({ length: 256 }, (_, index) => [index % 128, index * 2] as const)
            server.append("t", 0, blockOf(incarnation, events).bytes)
          }
        }
        const first = new Server(directory, 3000, limits)
        first.call({ name: "topic", topic: "t" })
        fill(first)
        yield* Effect.promise(async () => await expect.poll(() => first.faults.length).toBe(80))
        expect(first.faults.at(-1)?.reason).toBe("Full")
        first.close()
        vi.advanceTimersByTime(3 * hourMs)
        const second = new Server(directory, 3000, limits)
        vi.advanceTimersByTime(5000)
        yield* Effect.promise(
          async () =>
            await expect
              .poll(() => {
                second.append("t", 0, blockOf(99, [[0, 0]]).bytes)
                return second.faults.at(-1)
              })
              .toBe(undefined)
        )
        second.close()
      }).pipe(Effect.scoped)
    )
  })

  it("that are deleted leave no verdict on what was lost", async () => {
    await Effect.runPromise(
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const ledger = { store: ledgerStore(directory), every: "20 millis" } as const
        yield* Effect.scoped(
          Effect.gen(function* () {
            const leat = yield* Leat.make({ source: "test", drivers: [log], routes: routesTo(directory), ledger })
            const notes = yield* leat.stream(noteContract)
            yield* notes.publishAll(Array.from({ length: 40 }, (_, index) => ({ key: `k${index}`, text: "" })))
          })
        )
        const folder = join(directory, "ledger")
        for (const name of readdirSync(folder)) {
          const file: { readonly owner: object } = JSON.parse(readFileSync(join(folder, name), "utf8"))
          const owner = { ...file.owner, pid: 2 ** 22 + 1 }
          writeFileSync(join(folder, name), JSON.stringify({ ...file, isClosed: false, owner }))
        }
        expect((yield* readLedgers(directory)).ledgers).toMatchObject([
          { state: "gone", crashLosses: [{ stored: 40, crashLost: 0 }] }
        ])
        let laterMs = 0
        const clock = { ...machineClock, monotonicMs: () => machineClock.monotonicMs() + laterMs }
        const open = new OpenStore(directory, clock)
        laterMs = idsMs + 2 * hourMs
        open.write((store) => store.ids.forgetOld([0, 1, 2, 3], idsMs, 256))
        open.close()
        expect((yield* readLedgers(directory)).ledgers).toMatchObject([{ state: "forgotten", crashLosses: [] }])
      }).pipe(Effect.scoped)
    )
  })
})

/** The file as format 3 had it, where ids were never deleted. */
function asFormatThree(open: OpenStore): void {
  open.close()
  const sql = new DatabaseSync(pathsOf(open.directory).database)
  toFormatFour(sql)
  sql.exec("DROP TABLE writer; PRAGMA user_version = 3; VACUUM")
  const { created_ms, topics } = sql.prepare("SELECT created_ms, topics FROM header").get() ?? {}
  sql.prepare("UPDATE header SET format = 3, sum = ?").run(rowSum(3, Number(created_ms), Number(topics)))
  sql.close()
}

describe("a log of format 3", () => {
  it("counts each incarnation that it knows as one that writes now, also when it is full", () => {
    const machine = new Machine()
    using open = storeWithTopic(false, machine.clock)
    take(open, blockOf(1, [[0, 0]]))
    take(open, blockOf(2, [[0, 0]]))
    asFormatThree(open)
    const pages = () => Number(open.store.db.prepare("PRAGMA page_count").get()?.["page_count"])
    machine.trueMs = Date.now()
    open.reopen(4096)
    expect(pages()).toBeGreaterThan(1)
    expect([take(open, blockOf(1, [[0, 0]])), keptOf(open, 1), keptOf(open, 2)]).toEqual([1, "all", "all"])
    machine.pass(idsMs)
    forgetAll(open)
    expect([rowsOf(open, 1), rowsOf(open, 2)]).toEqual([1, 1])
    machine.pass(hourMs + 5 * 60_000)
    forgetAll(open)
    expect([rowsOf(open, 1), rowsOf(open, 2)]).toEqual([0, 0])
  })
})
