import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { ledgerStore } from "@leat/log"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { Project } from "./Project.js"
import { fillLog } from "./fillLog.js"
import { Running } from "./Running.js"

const script = fileURLToPath(new URL("publishAndLose.ts", import.meta.url))

describe("leat ledger", () => {
  it("sums what was announced, while the process runs and after it was killed", async () => {
    using project = new Project()
    using running = new Running([script, "data"], project.folder)
    await running.printed(/announced/)
    const stream = { stream: "risk.logs.line", offered: 6, admitted: 5, rejected: 1, waiting: 0 }
    const leg = {
      sink: "local/risk.logs.line",
      admitted: 5,
      stored: 3,
      dropped: 0,
      pending: 2,
      crashLost: 0,
      unknown: 0
    }
    const alive = await project.leatJson(["ledger"])
    expect([alive.code, alive.stderr]).toEqual([0, ""])
    expect(alive.report).toMatchObject({
      balanced: true,
      crashLost: 0,
      streams: [stream],
      legs: [leg],
      incarnations: [{ source: "loser", state: "running" }],
      unreadable: []
    })
    running.signal("SIGKILL")
    await running.ended
    project.write({ "data/ledger/odd.json": "{}" })
    const gone = await project.leatJson(["ledger"])
    expect([gone.code, gone.stderr]).toEqual([
      0,
      expect.stringMatching(/^leat: \S+odd\.json: it is no announcement[^\n]+\n$/)
    ])
    expect(gone.report).toMatchObject({
      crashLost: 2,
      streams: [stream],
      legs: [{ ...leg, pending: 0, crashLost: 2 }],
      incarnations: [{ state: "gone", crashLosses: [{ admitted: 5, stored: 3, crashLost: 2 }] }],
      unreadable: [{ why: expect.stringContaining("it is no announcement") }]
    })
    const { stdout } = await project.leat(["ledger"])
    expect(stdout).toMatch(
      /^STREAM +OFFERED.*\nrisk\.logs\.line +6 +5 +1 +0\n\nSINK.*\nlocal\/risk\.logs\.line +risk\.logs\.line +5 +3 +0 +0 +2 +0\+\n/
    )
    expect(stdout).toMatch(
      /\n1 process announced: 1 gone; \+ is what those that are gone admitted after their last announcement, which no file says\n$/
    )
  })

  it("tells what groups have done, moved to retry topics and set aside", async () => {
    using project = new Project()
    const lane = { group: "g", stream: "s", start: "0", end: "9", duplicate: 0, skipped: {}, parked: 0, inFlight: 0 }
    const ended = { dropped: { Bug: 1 }, unread: 0, balanced: true }
    const store = ledgerStore(join(project.folder, "data"))
    await Effect.runPromise(
      store.save({
        incarnation: "01930000-0000-7000-8000-000000000000",
        source: "test",
        announcedAtMs: 0,
        isClosed: true,
        streams: [],
        legs: [],
        lanes: [
          { ...lane, ...ended, lane: "t/0", positions: 9, done: 3, moved: { Bug: 4, Late: 1 }, deadLettered: {} },
          { ...lane, ...ended, lane: "t.g.retry.1/0", positions: 5, done: 2, moved: {}, deadLettered: { Bug: 2 } }
        ]
      })
    )
    const { code, stdout } = await project.leat(["ledger"])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^GROUP +STREAM +POSITIONS +DONE +MOVED +DEAD +DROPPED\ng +s +14 +5 +5 +2 +2\n/)
  })

  it("says that nobody has announced anything, and that there is no log", async () => {
    using project = new Project()
    const absent = await project.leat(["ledger"])
    expect([absent.code, absent.stderr]).toEqual([
      1,
      expect.stringMatching(/^leat: [^\n]*there is no log to look at\n$/)
    ])
  })
})

describe("leat ledger with a route document", () => {
  const documentOf = (clusters: object, read = "local") =>
    JSON.stringify({
      version: 1,
      clusters,
      routes: [{ match: { stream: "*" }, to: [{ cluster: read, topic: "{stream}" }] }]
    })
  const logAt = (directory: string) => ({ transport: "@leat/log", directory })
  const local = ["--routes", "routes.json", "--cluster", "local"]
  const leg = {
    stream: "s",
    epoch: 1,
    admitted: 3,
    stored: 2,
    recovered: 0,
    movedIn: 0,
    movedOut: 0,
    fellBack: 0,
    deadLettered: {},
    dropped: { overflow: 1 },
    droppedMayBeStored: 0,
    queued: 0,
    inFlight: 0,
    inDoubt: 0,
    deadLettering: 0,
    spilled: 0,
    balanced: true
  }
  const lane = { group: "g", lane: "s/0", start: "0", end: "2", duplicate: 0, skipped: {}, parked: 0, inFlight: 0 }
  const ended = { positions: 2, done: 2, moved: {}, deadLettered: {}, dropped: {}, unread: 0, balanced: true }
  const counted = { offered: 3, admitted: 3, rejected: {}, waiting: 0, balanced: true, sequences: [] }
  const announce = (folder: string, sinks: ReadonlyArray<string>, more: Partial<typeof leg> = {}) =>
    Effect.runPromise(
      ledgerStore(folder).save({
        incarnation: "01930000-0000-7000-8000-000000000000",
        source: "test",
        announcedAtMs: 0,
        isClosed: true,
        streams: [
          { stream: "s", ...counted },
          { stream: "other", ...counted }
        ],
        legs: sinks.map((sink) => ({ ...leg, sink, ...more })),
        lanes: [{ ...lane, ...ended, stream: "s" }]
      })
    )

  it("finds in the topics of a cluster what was lost with a process that keeps its ledger elsewhere", async () => {
    using project = new Project({ "routes.json": documentOf({ local: logAt("./data") }) })
    using running = new Running([script, "data", "ledgers"], project.folder)
    await running.printed(/announced/)
    const args = ["ledger", "--routes", "routes.json", "--ledger", "ledgers"]
    const leg5 = { sink: "local/risk.logs.line", admitted: 5, stored: 3, dropped: 0 }
    const alive = await project.leatJson(args)
    expect([alive.code, alive.report]).toMatchObject([0, { legs: [{ ...leg5, pending: 2, crashLost: 0, unknown: 0 }] }])
    running.signal("SIGKILL")
    await running.ended
    const gone = await project.leatJson(args)
    expect([gone.code, gone.stderr, gone.report]).toMatchObject([
      0,
      "",
      { crashLost: 2, legs: [{ ...leg5, pending: 0, crashLost: 2, unknown: 0 }], incarnations: [{ state: "gone" }] }
    ])
    // Where nobody looks into the cluster it stays unknown.
    const blind = await project.leatJson(["ledger", "--ledger", "ledgers"])
    expect(blind.report).toMatchObject({ legs: [{ ...leg5, crashLost: 0, unknown: 2 }] })
  })

  it("tells of one cluster what processes announced, whatever its transport", async () => {
    using project = new Project({
      "routes.json": documentOf({ local: { transport: "memory" }, spare: logAt("./spare") })
    })
    await announce(join(project.folder, "ledgers"), ["local/s", "kafka/s"])
    const { code, stdout } = await project.leat(["ledger", ...local, "--ledger", "ledgers"])
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /^STREAM.*\ns +3 +3 +0 +0\n\nSINK.*\nlocal\/s +s +3 +2 +1 +0 +0 +0\n\nGROUP.*\ng +s +2 +2 +0 +0 +0\n/
    )
    expect(stdout).not.toMatch(/kafka|other/)
    const spare = await project.leat(["ledger", "--routes", "routes.json", "--cluster", "spare", "--ledger", "ledgers"])
    expect([spare.code, spare.stderr]).toEqual([1, expect.stringContaining("spare")])
  })

  it("says of what closed processes left in spills that it stays pending, whoever sends it", async () => {
    using project = new Project()
    await announce(join(project.folder, "data"), ["far/s"], { admitted: 43, spilled: 40 })
    const { code, stdout } = await project.leat(["ledger"])
    expect(code).toBe(0)
    expect(stdout).toMatch(/\nfar\/s +s +43 +2 +1 +40 +0 +0\n/)
    expect(stdout).toContain(
      "\n40 of PENDING were left in spills by processes that have ended, and stay here also when they were sent: whoever opens such a spill next sends them, and counts them as RECOVERED where it announces its ledger; 0 are\n"
    )
    expect((await project.leatJson(["ledger"])).report).toMatchObject({ leftInSpills: 40, legs: [{ pending: 40 }] })
  })

  it("finds ledgers in the log of the cluster, or else in the one log of the document that has any", async () => {
    using project = new Project()
    const clusters = { local: logAt("./data"), far: { transport: "memory" }, disk: logAt("./disk") }
    project.write({ "routes.json": documentOf(clusters) })
    await fillLog(join(project.folder, "data"), "s", 0, [{ key: "k", value: "v" }])
    await announce(join(project.folder, "data"), ["local/s", "far/s"])
    expect((await project.leat(["ledger", ...local])).stdout).toContain("local/s")
    const far = ["ledger", "--routes", "routes.json", "--cluster", "far"]
    expect((await project.leat(far)).stdout).toContain("far/s")
    await fillLog(join(project.folder, "disk"), "s", 0, [{ key: "k", value: "v" }])
    await announce(join(project.folder, "disk"), ["far/s"])
    const two = await project.leat(far)
    expect([two.code, two.stderr]).toEqual([
      2,
      "leat: ledgers are in ./data and ./disk; name one of these folders by --ledger\n"
    ])
  })

  it("counts what is stored where nobody has announced anything, and says what that does not tell", async () => {
    using project = new Project({ "routes.json": documentOf({ local: logAt("./data") }) })
    const header = (name: string, text: string) => [name, Buffer.from(text)] as const
    const records = [0, 1, 4, 4].map((seq) => ({
      key: "k",
      value: "v",
      headers: [
        header("ce_id", `0198c1d2-6a00-7000-8000-000000000000/s/7/${seq}`),
        ...(seq === 4 ? [header("leat-dropped", "7:2-3:overflow")] : [])
      ]
    }))
    // Two of the same id are stored by two writers.
    for (const part of [records.slice(0, 3), [{ key: "k", value: "foreign" }]])
      await fillLog(join(project.folder, "data"), "s", 0, part)
    const { code, stdout, stderr } = await project.leat(["ledger", ...local])
    expect([code, stderr]).toEqual([0, ""])
    expect(stdout).toMatch(
      /^TOPIC +PUBLISHERS +STORED +COPIES +DROPPED +MISSING +UNAUDITABLE\ns +1 +3 +0 +1 +1 +0\n\n1 topic; no process has announced a ledger/
    )
    const told = await project.leatJson(["ledger", ...local])
    expect(told.report).toMatchObject({
      cluster: "local",
      legs: [],
      topics: [{ topic: "s", stored: 3, dropped: { overflow: 1 }, missing: 1, foreign: 1 }]
    })
  })

  it.each([
    [["--cluster", "local"], 2, "--cluster names a cluster of a route document"],
    [local, 2, "cluster local is in the memory of the process that opened it: leat.ledger.snapshot() tells there"],
    [[...local, "--for", "1 second"], 2, "--for reads ledgers, and no log of the route document has any"],
    [[...local, "--ledger", "nowhere"], 1, "no process has announced a ledger in nowhere"],
    [["--routes", "nowhere.json"], 2, "there is no file nowhere.json"]
  ])("refuses %j", async (args, expected, words) => {
    using project = new Project({ "routes.json": documentOf({ local: { transport: "memory" } }) })
    const { code, stderr } = await project.leat(["ledger", ...args])
    expect([code, stderr]).toEqual([expected, expect.stringContaining(words)])
  })
})
