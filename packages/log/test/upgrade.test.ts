import { DatabaseSync } from "node:sqlite"
import { describe, expect, it } from "vitest"
import { pathsOf } from "../src/store/tables/Directory.js"
import { Groups } from "../src/store/groups/Groups.js"
import { rowSum } from "../src/store/tables/rowSum.js"
import { Store } from "../src/store/tables/Store.js"
import { toFormatFour } from "./support/formats.js"
import { Machine } from "./support/Machine.js"
import { OpenStore, storeWithTopic } from "./support/openStore.js"
import { keptOf, maintain, put, retentionMs } from "./support/retained.js"

/** The file as format 1 had it, where a member had one topic: with a member that holds the one lane, and one that leaves. */
function asFormatOne(open: OpenStore): void {
  open.write((store) => store.topics.create({ topic: "t", partitions: 1 }))
  open.append([{ key: "k", value: "kept" }])
  const groups = new Groups(open.store)
  open.write((store) => {
    groups.enter({ id: 5, group: "g", owner: "old", leaseMs: 700 })
    groups.join(store.topics.get("t"), "g", 5, { drainMs: 400, from: { timeMs: 3 } })
  })
  open.close()
  const sql = new DatabaseSync(pathsOf(open.directory).database)
  toFormatFour(sql)
  sql.exec(`DROP TABLE writer; DROP TABLE member_topic; DROP TABLE member;
    CREATE TABLE member (id INTEGER PRIMARY KEY AUTOINCREMENT, topic INTEGER NOT NULL, "group" TEXT NOT NULL,
      owner TEXT NOT NULL, beat INTEGER NOT NULL, lease_ms INTEGER NOT NULL, drain_ms INTEGER NOT NULL, begins TEXT NOT NULL,
      seen_ms INTEGER NOT NULL, leaving INTEGER NOT NULL);
    INSERT INTO member SELECT 5, id, 'g', 'old', 9, 700, 400, '{"timeMs":3}', 0, 0 FROM topic;
    INSERT INTO member SELECT 6, id, 'g', 'old', 2, 700, 300, '"latest"', 0, 1 FROM topic;
    PRAGMA user_version = 1`)
  const { created_ms, topics } = sql.prepare("SELECT created_ms, topics FROM header").get() ?? {}
  sql.prepare("UPDATE header SET format = 1, sum = ?").run(rowSum(1, Number(created_ms), Number(topics)))
  sql.close()
}

/** The file as format 4 had it. */
function asFormatFour(open: OpenStore, storedMs: ReadonlyArray<number>): void {
  open.close()
  const sql = new DatabaseSync(pathsOf(open.directory).database)
  for (const [base, ms] of storedMs.entries())
    sql.prepare("UPDATE batch SET stored_ms = ? WHERE base = ?").run(ms, base)
  toFormatFour(sql)
  const { created_ms, topics } = sql.prepare("SELECT created_ms, topics FROM header").get() ?? {}
  sql.prepare("UPDATE header SET format = 4, sum = ?").run(rowSum(4, Number(created_ms), Number(topics)))
  sql.exec("PRAGMA user_version = 4")
  sql.close()
}

describe("a log of format 4, where times were those of the wall clock", () => {
  const dayMs = 86_400_000

  it("deletes what is old by them after an hour, and what was stored ahead of time once it is old by the upgrade", () => {
    const machine = new Machine()
    using open = storeWithTopic(false, machine.clock)
    for (let record = 0; record < 4; record++) put(open)
    asFormatFour(
      open,
      [-8, -6, 4000, 0].map((days) => machine.trueMs + days * dayMs)
    )
    open.reopen()
    maintain(open)
    expect(keptOf(open)).toEqual([0, 1, 2, 3])
    machine.pass(3_600_000)
    maintain(open)
    expect(keptOf(open)).toEqual([1, 2, 3])
    machine.pass(dayMs)
    maintain(open)
    expect(keptOf(open)).toEqual([2, 3])
    machine.pass(retentionMs - dayMs - 3_600_000 + 1)
    maintain(open)
    expect(keptOf(open)).toEqual([])
  })
})

describe("a log of format 1", () => {
  it("is brought up to date by whoever opens it for writing, with its records, its members and who holds what", () => {
    using open = new OpenStore()
    asFormatOne(open)
    open.reopen()
    const groups = new Groups(open.store)
    const topic = open.store.look(() => open.store.topics.get("t"))
    expect(groups.members("g")).toMatchObject([
      { id: 5, owner: "old", beat: 9, leaseMs: 700 },
      { id: 6, owner: "old", beat: 2, leaseMs: 700 }
    ])
    expect(groups.readers(topic, "g")).toEqual([
      { topic: topic.id, member: 5, drainMs: 400, from: { timeMs: 3 }, isLeaving: false },
      { topic: topic.id, member: 6, drainMs: 300, from: "latest", isLeaving: true }
    ])
    expect(groups.held(topic, "g", 5)).toHaveLength(1)
    expect(open.read()[0]?.records).toHaveLength(1)
    open.reopen()
    expect(open.store.db.prepare("PRAGMA user_version").get()).toEqual({ user_version: 5 })
  })

  it("is left as it is by who only reads it, and refused", () => {
    using open = new OpenStore()
    asFormatOne(open)
    expect(() => new Store({ paths: pathsOf(open.directory), isReadOnly: true })).toThrow("older format")
    const sql = new DatabaseSync(pathsOf(open.directory).database)
    expect(sql.prepare("PRAGMA user_version").get()).toEqual({ user_version: 1 })
    sql.close()
    open.reopen()
  })
})
