import { logTransport } from "@leat/log"
import { Effect, Fiber, Queue, Stream } from "effect"
import { batchOf, seededRandom } from "leat/testing"
import { sendEffect, type TransportError } from "leat/transport"
import { Buffer } from "node:buffer"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Wire } from "../support/Wire.js"

const partitions = 2
const pageBytes = 4096
const seed = Number(process.env["LEAT_SEED"] ?? 1)
const flipsPerTable = Number(process.env["LEAT_FLIPS"] ?? 3)

let root = ""
let whole = Buffer.alloc(0)

/** A log as a kill leaves it: a member of the group `g` holds the lanes, and each partition has an event of each of ten incarnations. */
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "leat-flips-"))
  const directory = join(root, "whole")
  const killed = join(root, "killed")
  await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const transport = yield* logTransport({ directory, partitions, leaseMs: 300 })
        const writer = yield* transport.openWriter("t")
        for (let incarnation = 1; incarnation <= 10; incarnation++)
          for (let partition = 0; partition < partitions; partition++) yield* send(writer, partition, incarnation)
        const settle = transport.subscribe({ topic: "t", group: "g", from: "earliest", drainMs: 100 }).pipe(
          Stream.take(partitions),
          Stream.runForEach((lane) =>
            lane.batches.pipe(
              Stream.takeUntil(({ next }) => next >= 5n),
              Stream.runDrain,
              Effect.andThen(lane.settle(5n))
            )
          )
        )
        yield* Effect.scoped(
          Effect.andThen(
            settle,
            Effect.sync(() => cpSync(directory, killed, { recursive: true }))
          )
        )
      })
    )
  )
  const sql = new DatabaseSync(join(killed, "log.sqlite"))
  sql.exec("PRAGMA wal_checkpoint(TRUNCATE)")
  sql.close()
  whole = readFileSync(join(killed, "log.sqlite"))
})
afterAll(() => rmSync(root, { recursive: true }))

type Writer = Parameters<typeof sendEffect>[0]

const send = (writer: Writer, partition: number, incarnation: number) =>
  sendEffect(writer, partition, batchOf([Wire.event(partition, 1, incarnation)]), 0, 1, 10_000).pipe(
    Effect.map(([run]) => (run?.fate === "stored" ? "stored" : String(run?.error?.reason ?? run?.fate)))
  )

/** Whether SQLite reads a table of a file; `rows` decodes all of them, `page` only looks at where they are. */
function isReadable(path: string, table: string, what: "page" | "rows"): boolean {
  const sql = new DatabaseSync(path, { readOnly: true })
  try {
    sql.exec("PRAGMA cell_size_check = ON")
    sql.prepare(`SELECT ${what === "page" ? "count(*)" : "*"} FROM ${table}`).all()
    return true
  } catch {
    return false
  } finally {
    sql.close()
  }
}

/** Offset of the only page of a table. */
function pageOf(path: string, table: string): number {
  const sql = new DatabaseSync(path, { readOnly: true })
  try {
    const page = Number(sql.prepare("SELECT rootpage FROM sqlite_schema WHERE name = ?").get(table)?.["rootpage"])
    return (page - 1) * pageBytes
  } finally {
    sql.close()
  }
}

interface Flip {
  readonly at: string
  /** What cannot be read any more: all of the page, or a row. `values`: it can be read, and holds other values. */
  readonly costs: "page" | "rows" | "values"
  readonly directory: string
}

/** Logs with one flipped bit in the page of a table. */
function flipsOf(table: string): ReadonlyArray<Flip> {
  const random = seededRandom(seed)
  const path = join(root, `${table}.sqlite`)
  writeFileSync(path, whole)
  const from = pageOf(path, table)
  const content = whole.readUInt16BE(from + 5)
  const found: Array<Flip> = []
  for (let trial = 0; trial < 400 && found.length < 3 * flipsPerTable; trial++) {
    // The first one is in the type of the page.
    const at = trial === 0 ? from : from + content + Math.floor(random() * (pageBytes - content))
    const bit = Math.floor(random() * 8)
    const bytes = Buffer.from(whole)
    bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << bit), at)
    writeFileSync(path, bytes)
    const costs = isReadable(path, table, "rows") ? "values" : isReadable(path, table, "page") ? "rows" : "page"
    if (found.filter((flip) => flip.costs === costs).length === flipsPerTable) continue
    const directory = join(root, `${table}-${trial}`)
    mkdirSync(directory)
    writeFileSync(join(directory, "log.sqlite"), bytes)
    found.push({ at: `bit ${bit} of byte ${at - from} of ${table}, seed ${seed}`, costs, directory })
  }
  return found
}

/** What becomes of an event that is sent to each partition, and of a group that reads. */
const live = (directory: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const transport = yield* logTransport({ directory, partitions, leaseMs: 300 })
      const handled = yield* transport.subscribe({ topic: "t", group: "g", from: "earliest", drainMs: 100 }).pipe(
        Stream.flatMap(({ batches }) => batches, { concurrency: "unbounded" }),
        Stream.flatMap(({ records }) => Stream.fromIterable(records)),
        Stream.filter(({ position }) => position === 10n),
        Stream.take(partitions),
        Stream.runCount,
        Effect.map(String),
        Effect.catch(({ reason }: TransportError) => Effect.succeed<string>(reason)),
        Effect.timeoutOrElse({ duration: "6 seconds", orElse: () => Effect.succeed("nothing") }),
        Effect.forkScoped
      )
      const writer = yield* transport.openWriter("t")
      const sent = yield* Effect.all([send(writer, 0, 20), send(writer, 1, 20)])
      return { sent, handled: yield* Fiber.join(handled) }
    })
  )

const valuesOf = (directory: string, query: string): ReadonlyArray<unknown> => {
  const sql = new DatabaseSync(join(directory, "log.sqlite"), { readOnly: true })
  try {
    return sql.prepare(query).all().flatMap(Object.values)
  } finally {
    sql.close()
  }
}

describe("one flipped bit in the page of", () => {
  it.for(["writer", "id_range", "clock"])(
    "%s costs ids or ages: events are sent and handled",
    { timeout: 60_000 },
    (table) =>
      Effect.runPromise(
        Effect.gen(function* () {
          const flips = flipsOf(table)
          expect(flips.map(({ costs }) => costs)).toContain("page")
          for (const { at, costs, directory } of flips) {
            const { sent, handled } = yield* live(directory)
            expect({ at, sent, handled }).toEqual({ at, sent: ["stored", "stored"], handled: "2" })
            if (costs !== "page") continue
            expect(valuesOf(directory, "SELECT DISTINCT what FROM quarantine")).toEqual([
              table === "clock" ? "clock" : "ids"
            ])
            // Whoever counts the stored events of this incarnation by its ids must know that some are missing.
            if (table === "id_range")
              expect(valuesOf(directory, `SELECT kept FROM writer WHERE hex(incarnation) LIKE '1414%'`)).toEqual([
                "some"
              ])
          }
        })
      )
  )

  it.for(["member", "member_topic", "lane"])("%s stops no event, and a group is told", { timeout: 120_000 }, (table) =>
    Effect.runPromise(
      Effect.gen(function* () {
        for (const { at, costs, directory } of flipsOf(table)) {
          // A member that is gone for good, and whose lease reads longer, is waited for longer.
          if (costs === "values" && valuesOf(directory, "SELECT lease_ms FROM member")[0] !== 300) continue
          const { sent, handled } = yield* live(directory)
          expect({ at, sent, handled }).toEqual({
            at,
            sent: ["stored", "stored"],
            handled: expect.stringMatching(/^(2|Corrupt)$/)
          })
        }
      })
    )
  )

  it("what tells of damage, beside one of ids, stops no event", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        const directory = join(root, "both")
        const bytes = Buffer.from(whole)
        for (const table of ["quarantine", "writer"]) {
          const at = pageOf(join(root, "killed", "log.sqlite"), table)
          bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
        }
        mkdirSync(directory)
        writeFileSync(join(directory, "log.sqlite"), bytes)
        expect(yield* live(directory)).toEqual({ sent: ["stored", "stored"], handled: "2" })
      })
    ))
})

describe("a number that no column ever holds", () => {
  const updates = [
    "member SET beat = 1 << 60",
    "member SET at_ms = 1 << 60",
    "member SET id = 1 << 60",
    "member_topic SET drain_ms = 1 << 60",
    "member_topic SET member = 1 << 60",
    "lane SET settled = 1 << 60",
    "lane SET generation = 1 << 60",
    "lane SET holder = 1 << 60",
    "lane SET topic = 1 << 60"
  ]

  it.for(updates)("in %s costs what is there, and the group goes on", { timeout: 20_000 }, (update) =>
    Effect.runPromise(
      Effect.gen(function* () {
        const directory = join(root, update.replaceAll(/\W/g, ""))
        mkdirSync(directory)
        writeFileSync(join(directory, "log.sqlite"), whole)
        change(directory, update)
        expect(yield* live(directory)).toEqual({ sent: ["stored", "stored"], handled: "2" })
      })
    )
  )

  it.for([...updates, "header SET topics = 1 << 60"])("in %s does not end an open log", { timeout: 20_000 }, (update) =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const directory = join(root, `open${update.replaceAll(/\W/g, "")}`)
          mkdirSync(directory)
          writeFileSync(join(directory, "log.sqlite"), whole)
          const transport = yield* logTransport({ directory, partitions, leaseMs: 300 })
          const writer = yield* transport.openWriter("t")
          const given = yield* Queue.unbounded<unknown>()
          yield* transport.subscribe({ topic: "t", group: "g", from: "earliest", drainMs: 100 }).pipe(
            Stream.runForEach((lane) => Queue.offer(given, lane)),
            Effect.ignore,
            Effect.forkScoped
          )
          yield* Effect.all([Queue.take(given), Queue.take(given)])
          change(directory, update)
          yield* Effect.sleep("700 millis")
          const sent = yield* send(writer, 0, 20)
          expect(sent).toBe(update.startsWith("header") ? "Corrupt" : "stored")
        })
      )
    )
  )
})

function change(directory: string, update: string): void {
  const sql = new DatabaseSync(join(directory, "log.sqlite"), { timeout: 5000 })
  try {
    sql.exec(`UPDATE OR REPLACE ${update}`)
  } finally {
    sql.close()
  }
}
