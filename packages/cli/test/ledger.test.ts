import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { ledgerStore } from "@leat/log"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { Project } from "./Project.js"
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
      unreadable: [{}]
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
