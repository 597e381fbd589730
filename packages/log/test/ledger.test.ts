import { inspectLog, ledgerStore, log, logTransport, readLedgers } from "@leat/log"
import { expect, it } from "@effect/vitest"
import { Effect, Exit, References, Scope } from "effect"
import { type Announcement, Leat } from "leat"
import { waitUntil } from "leat/testing"
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { once } from "node:events"
import { join } from "node:path"
import { Worker } from "node:worker_threads"
import { describe } from "vitest"
import { noteContract, routesTo } from "./support/Note.js"
import { temporaryDirectory } from "./support/temporary.js"

const openNotes = Effect.fnUntraced(function* (directory: string) {
  const leat = yield* Leat.make({
    source: "test",
    drivers: [log],
    routes: routesTo(directory),
    ledger: { store: ledgerStore(directory), every: "20 millis" }
  })
  return { leat, notes: yield* leat.stream(noteContract) }
})
const note = (index: number) => ({ key: `k${index % 5}`, text: `${index}` })

/** Puts another owner into the announcement of an incarnation: one that cannot be alive. */
function orphan(directory: string, change: (file: Announcement) => object = () => ({})): void {
  const folder = join(directory, "ledger")
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    const file: Announcement & { readonly owner: { readonly host: string } } = JSON.parse(readFileSync(path, "utf8"))
    writeFileSync(
      path,
      JSON.stringify({ ...file, isClosed: false, owner: { ...file.owner, pid: 2 ** 22 + 1 }, ...change(file) })
    )
  }
}

const nothing: Announcement = {
  incarnation: "00000000-0000-4000-8000-000000000000",
  source: "test",
  announcedAtMs: 0,
  isClosed: false,
  streams: [],
  legs: [],
  lanes: []
}

describe("a store of ledgers", () => {
  it.live("keeps which buckets a canary takes, and which drops no record announces", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const counts = {
        admitted: 4,
        recovered: 0,
        movedIn: 0,
        movedOut: 0,
        stored: 4,
        fellBack: 0,
        droppedMayBeStored: 0
      }
      const pending = { queued: 0, inFlight: 0, inDoubt: 0, deadLettering: 0, spilled: 0, balanced: true }
      const leg = { stream: "s", sink: "far/s", epoch: 1, ...counts, deadLettered: {}, dropped: {}, ...pending }
      const unannounced = [
        [17, 3, 5],
        [18, 0, 1]
      ] as const
      const legs = [leg, { ...leg, sink: "near/s", buckets: { from: 0, to: 384 }, unannounced }]
      yield* ledgerStore(directory).save({ ...nothing, legs })
      // No process has a log there.
      const folder = join(directory, "ledger")
      for (const name of readdirSync(folder)) {
        const path = join(folder, name)
        writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), clusters: [] }))
      }
      const { ledgers } = yield* readLedgers(directory)
      expect(ledgers.map((one) => one.legs)).toEqual([legs])
    })
  )

  // Node creates directories there for ever.
  it.live.skipIf(process.platform !== "linux")("fails where no directory can be created, and so does a log", () =>
    Effect.gen(function* () {
      for (const opening of [
        ledgerStore("/proc/leat/data").save(nothing),
        Effect.scoped(logTransport({ directory: "/proc/leat/data" }))
      ]) {
        const { reason, detail } = yield* Effect.flip(Effect.asVoid(opening))
        expect(reason).toBe("Unsupported")
        expect(detail).toContain("nothing can be created there: choose another directory")
      }
    })
  )

  it.live("does not make a directory again that was taken away: the log may come back to it", () =>
    Effect.gen(function* () {
      const directory = join(yield* temporaryDirectory, "data")
      const store = ledgerStore(directory)
      yield* store.save(nothing)
      rmSync(join(directory, "ledger"), { recursive: true })
      yield* store.save(nothing)
      renameSync(directory, `${directory}.old`)
      const { detail } = yield* Effect.flip(store.save(nothing))
      expect(detail).toContain("no such file or directory")
      expect(existsSync(directory)).toBe(false)
      renameSync(`${directory}.old`, directory)
      yield* store.save(nothing)
    })
  )
})

describe("announced ledgers", () => {
  it.live("tell what runs, and what was closed", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const scope = yield* Scope.make()
      const { leat, notes } = yield* openNotes(directory).pipe(Scope.provide(scope))
      yield* notes.publishAll(Array.from({ length: 50 }, (_, index) => note(index)))
      const admitted = Effect.map(readLedgers(directory), ({ ledgers }) => ledgers[0]?.legs[0]?.stored ?? 0)
      yield* waitUntil(
        "announced",
        Effect.map(admitted, (count) => count === 50)
      )
      expect((yield* readLedgers(directory)).ledgers).toMatchObject([
        {
          incarnation: leat.incarnation,
          source: "test",
          state: "running",
          owner: { pid: process.pid },
          crashLosses: []
        }
      ])
      notes.offer(note(50))
      yield* Scope.close(scope, Exit.void)
      const { ledgers, unreadable } = yield* readLedgers(directory)
      expect(unreadable).toEqual([])
      expect(ledgers).toMatchObject([
        {
          state: "closed",
          streams: [{ offered: 51, admitted: 51 }],
          legs: [{ admitted: 51, stored: 51, queued: 0, unannounced: [] }]
        }
      ])
      expect(ledgers[0]?.streams[0]?.sequences.reduce((total, [, next]) => total + next, 0)).toBe(51)
    })
  )

  it.live("of a process that is gone say what of the announced was lost, by id", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { notes } = yield* openNotes(directory)
          yield* notes.publishAll(Array.from({ length: 40 }, (_, index) => note(index)))
        })
      )
      // As if it had admitted three more, dropped one of them, and died before they were sent.
      orphan(directory, ({ streams, legs }) => ({
        streams: streams.map((row) => ({
          ...row,
          admitted: 43,
          sequences: row.sequences.map(([bucket, next], index) => [bucket, index === 0 ? next + 3 : next])
        })),
        legs: legs.map((leg) => ({ ...leg, admitted: 43, dropped: { overflow: 1 }, queued: 2 }))
      }))
      const { ledgers } = yield* readLedgers(directory)
      expect(ledgers).toMatchObject([
        { state: "gone", crashLosses: [{ admitted: 43, stored: 40, dropped: 1, crashLost: 2 }] }
      ])
    })
  )

  it.live("of a process that is gone count as lost nothing that it has left in a spill", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { notes } = yield* openNotes(directory)
          yield* notes.publishAll(Array.from({ length: 40 }, (_, index) => note(index)))
        })
      )
      // As if it had admitted five more, of which three went to its spill and two died with it.
      orphan(directory, ({ streams, legs }) => ({
        streams: streams.map((row) => ({
          ...row,
          admitted: 45,
          sequences: row.sequences.map(([bucket, next], index) => [bucket, index === 0 ? next + 5 : next])
        })),
        legs: legs.map((leg) => ({ ...leg, admitted: 45, queued: 2, spilled: 3 }))
      }))
      const { ledgers } = yield* readLedgers(directory)
      expect(ledgers).toMatchObject([
        { state: "gone", crashLosses: [{ admitted: 45, stored: 40, spilled: 3, crashLost: 2 }] }
      ])
    })
  )

  it.live("count nothing that came after them", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { notes } = yield* openNotes(directory)
          yield* notes.publishAll(Array.from({ length: 40 }, (_, index) => note(index)))
        })
      )
      // As if the last announcement had been made when half of each bucket was admitted.
      let half = 0
      orphan(directory, ({ streams, legs }) => {
        const sequences = streams[0]?.sequences.map(([bucket, next]) => [bucket, next >> 1] as const) ?? []
        half = sequences.reduce((total, [, next]) => total + next, 0)
        return {
          streams: streams.map((row) => ({ ...row, admitted: half, sequences })),
          legs: legs.map((leg) => ({ ...leg, admitted: half }))
        }
      })
      const { ledgers } = yield* readLedgers(directory)
      expect(half).toBeGreaterThan(0)
      expect(ledgers[0]?.crashLosses).toMatchObject([{ admitted: half, stored: half, crashLost: 0 }])
    })
  )

  it.live("count a leg by the log that it goes to, and not by a topic of the same name in this one", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const leg = (cluster: string, required: boolean) => ({ cluster, topic: "notes", required })
      yield* Effect.scoped(
        Effect.gen(function* () {
          const leat = yield* Leat.make({
            source: "test",
            drivers: [log],
            routes: {
              version: 1,
              clusters: { local: { transport: "@leat/log", directory }, away: { transport: "memory", partitions: 4 } },
              routes: [{ match: { stream: "*" }, to: [leg("local", true), leg("away", false)] }]
            },
            ledger: { store: ledgerStore(directory), every: "20 millis" }
          })
          const notes = yield* leat.stream({ ...noteContract, needs: [] })
          yield* notes.publishAll(Array.from({ length: 40 }, (_, index) => note(index)))
        })
      )
      // As if it had died while all was queued for the other cluster.
      orphan(directory, ({ legs }) => ({
        legs: legs.map((row) => (row.sink === "away/notes" ? { ...row, stored: 0, queued: row.admitted } : row))
      }))
      const { ledgers } = yield* readLedgers(directory)
      expect(ledgers[0]?.legs.map(({ sink }) => sink)).toEqual(["local/notes", "away/notes"])
      expect(ledgers[0]?.crashLosses).toMatchObject([{ sink: "local/notes", stored: 40, crashLost: 0 }])
    })
  )

  it.live("are those of a process that is gone when another one has its number", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      yield* Effect.scoped(openNotes(directory))
      const own = (file: Announcement & { readonly owner?: object }) => file.owner
      orphan(directory, (file) => ({ owner: { ...own(file), pid: process.pid } }))
      const stateOf = Effect.map(readLedgers(directory), ({ ledgers }) => ledgers[0]?.state)
      expect(yield* stateOf).toBe("running")
      orphan(directory, (file) => ({ owner: { ...own(file), pid: process.pid, begin: "another boot 4711" } }))
      expect(yield* stateOf).toBe(process.platform === "linux" ? "gone" : "running")
    })
  )

  // Elsewhere nothing says which threads a process has.
  it.live.skipIf(process.platform !== "linux")(
    "are those of one that is gone when its worker thread was terminated",
    () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const script = new URL("support/threadWithLedger.ts", import.meta.url)
        const thread = new Worker(script, { workerData: directory, execArgv: ["--conditions=@leat/source"] })
        yield* Effect.promise(() => once(thread, "message"))
        const { ledgers: before } = yield* readLedgers(directory)
        expect(before).toMatchObject([{ state: "running", crashLosses: [] }])
        yield* Effect.promise(() => thread.terminate())
        const { ledgers } = yield* readLedgers(directory)
        expect(ledgers).toMatchObject([{ state: "gone", crashLosses: [{ admitted: 50, stored: 0, crashLost: 50 }] }])
      })
  )

  it.live("that cannot be read are named, and hide no others", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      yield* Effect.scoped(openNotes(directory))
      const path = join(directory, "ledger", "broken.json")
      writeFileSync(path, '{"format":1,"incarn')
      const { ledgers, unreadable } = yield* readLedgers(directory)
      expect(ledgers).toHaveLength(1)
      expect(unreadable).toEqual([{ path, why: expect.stringContaining("no announcement") }])
    })
  )

  it.live("that are taken away while they are read are left out", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      yield* Effect.scoped(openNotes(directory))
      // A name that leads nowhere is listed, and not there when it is read.
      symlinkSync(join(directory, "gone"), join(directory, "ledger", "00000000-0000-4000-8000-000000000000.json"))
      const { ledgers, unreadable } = yield* readLedgers(directory)
      expect([ledgers.length, unreadable]).toEqual([1, []])
    })
  )

  it.live("say what groups have moved to retry topics; files of earlier versions say nothing of it, and are read", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const lane = {
        group: "g",
        stream: "s",
        lane: "t/0",
        start: "0",
        end: "3",
        positions: 3,
        done: 1,
        moved: { Bug: 2 },
        deadLettered: {},
        dropped: {},
        duplicate: 0,
        skipped: {},
        parked: 0,
        inFlight: 0,
        unread: 0,
        balanced: true
      }
      yield* ledgerStore(directory).save({ ...nothing, isClosed: true, lanes: [lane] })
      expect((yield* readLedgers(directory)).ledgers).toMatchObject([{ lanes: [{ moved: { Bug: 2 } }] }])
      const { moved: _, ...before } = lane
      orphan(directory, () => ({ isClosed: true, lanes: [before] }))
      expect(yield* readLedgers(directory)).toMatchObject({ ledgers: [{ lanes: [{ moved: {} }] }], unreadable: [] })
    })
  )

  it.live("need a log, and never keep one from being opened", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      expect((yield* Effect.flip(readLedgers(join(directory, "none")))).reason).toBe("UnknownTopic")
      // The first announcement comes before the log is there.
      yield* ledgerStore(directory).save({
        incarnation: "01930000-0000-7000-8000-000000000000",
        source: "test",
        announcedAtMs: 0,
        isClosed: true,
        streams: [],
        legs: [],
        lanes: []
      })
      yield* Effect.scoped(
        Effect.flatMap(logTransport({ directory }), (transport) => transport.ensure({ topic: "t", partitions: 1 }))
      )
      expect((yield* inspectLog(directory)).topics).toHaveLength(1)
    })
  )

  it.live("of services on another cluster are read where no log is, and not where a log was", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      yield* ledgerStore(directory).save({ ...nothing, isClosed: true })
      expect(yield* readLedgers(directory)).toMatchObject({
        ledgers: [{ state: "closed", clusters: [], crashLosses: [] }],
        unreadable: []
      })
      orphan(directory)
      expect((yield* readLedgers(directory)).ledgers).toMatchObject([{ state: "gone", crashLosses: [] }])
      orphan(directory, () => ({ clusters: ["local"] }))
      expect(yield* Effect.flip(readLedgers(directory))).toMatchObject({
        reason: "UnknownTopic",
        detail: `${directory} holds no log: log.sqlite is not there`
      })
    })
  )

  it.live("that cannot be saved do not stop the events", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      writeFileSync(join(directory, "ledger"), "a file stands in the way")
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { leat, notes } = yield* openNotes(directory)
          yield* notes.publish(note(1))
          expect(leat.ledger.snapshot().legs).toMatchObject([{ stored: 1 }])
        })
      )
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  )
})

it.each([undefined, "", 5])("ledgerStore says what it takes, and not %s", (directory) => {
  // @ts-expect-error It is what JavaScript may give.
  expect(() => ledgerStore(directory)).toThrow('ledgerStore: takes the directory of a log, as ledgerStore("./data")')
})
