import { fileURLToPath } from "node:url"
import { ledgerStore } from "@leat/log"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { fillLog } from "./fillLog.js"
import { Project } from "./Project.js"
import { Running } from "./Running.js"

const script = fileURLToPath(new URL("publishAndLose.ts", import.meta.url))
const incarnation = "0198c1d2-6a00-7000-8000-000000000000"

const header = (name: string, text: string): readonly [string, Uint8Array] => [name, Buffer.from(text)]

/** Records of one bucket of a publisher, in the wire of CloudEvents; drops are announced by the record that is named. */
const records = (sequences: ReadonlyArray<number>, notices: Readonly<Record<number, string>> = {}) =>
  sequences.map((seq) => {
    const notice = notices[seq]
    const dropped = notice === undefined ? [] : [header("leat-dropped", notice)]
    return { key: "k", value: "v", headers: [header("ce_id", `${incarnation}/shop.orders/7/${seq}`), ...dropped] }
  })

describe("leat audit", () => {
  it("names what is missing, and ends with 3", async () => {
    using project = new Project()
    await fillLog(`${project.folder}/data`, "shop.orders", 0, records([0, 1, 4, 5, 8], { 8: "7:6-8:overflow" }))
    const { code, stdout, stderr } = await project.leat(["audit"])
    expect([code, stderr]).toEqual([3, "leat: 2 events are neither there nor announced as dropped\n"])
    expect(stdout).toMatch(/\nshop\.orders +1 +5 +0 +2 +2 +0 +0 +0 +0 +44\.4444 %\n/)
    expect(stdout).toContain(`missing: ${incarnation}/shop.orders/7/2 and 1 behind it, before 1970-01-01T00:00:00.000Z`)
    const told = await project.leatJson(["audit", "--topic", "shop.orders"])
    expect(told.report).toMatchObject({
      topics: [
        { topic: "shop.orders", missing: 2, dropped: { overflow: 2 }, missingRanges: [{ bucket: 7, from: 2, to: 4 }] }
      ]
    })
  })

  it("takes drops for what they are, and says when they are more than may be", async () => {
    using project = new Project()
    await fillLog(`${project.folder}/data`, "shop.orders", 0, records([0, 1, 3], { 3: "7:2-3:overflow" }))
    expect(await project.leat(["audit"])).toMatchObject({ code: 0, stderr: "" })
    const burnt = await project.leat(["audit", "--objective", "5"])
    expect([burnt.code, burnt.stderr]).toEqual([
      3,
      "leat: shop.orders has lost 25.0000 % of its events, by drops and crashes, 5.0 times what may be\n"
    ])
    expect(await project.leat(["audit", "--objective", "25"])).toMatchObject({ code: 0 })
  })

  it("leaves out what leat writes beside a topic, unless it is named", async () => {
    using project = new Project()
    for (const ending of [
      ".billing.dlq",
      ".billing.replay",
      ".undelivered",
      ".billing.retry.2",
      ".8.fallback",
      ".8.spill",
      ".8.spill.owner"
    ])
      await fillLog(`${project.folder}/data`, `shop.orders${ending}`, 0, records([0, 7]))
    expect(await project.leat(["audit"])).toMatchObject({ code: 0, stdout: "0 topics\n" })
    expect(await project.leat(["audit", "--topic", "shop.orders.undelivered"])).toMatchObject({ code: 3 })
  })

  it("finds what has stayed in the fallbacks that the document names", async () => {
    using project = new Project()
    await fillLog(`${project.folder}/first`, "shop.orders", 0, records([0, 1, 4, 6]))
    await fillLog(`${project.folder}/second`, "main.shop.orders.2.fallback", 0, records([2, 3]))
    await fillLog(`${project.folder}/third`, "main.shop.orders.2.fallback", 1, records([5]))
    const document = (back: string) =>
      JSON.stringify({
        version: 1,
        clusters: {
          main: { transport: "@leat/log", directory: "first" },
          near: { transport: "@leat/log", directory: "second" },
          next: { transport: "@leat/log", directory: "third" }
        },
        policies: { falling: [{ on: ["passing"], then: "fallback" }] },
        routes: [
          {
            match: { stream: "*" },
            to: [
              {
                cluster: "main",
                topic: "{stream}",
                policy: "falling",
                fallback: ["near", "next"].map((cluster) => ({ cluster, back }))
              }
            ]
          }
        ]
      })
    project.write({ "routes.json": document("stay") })
    const found = await project.leat(["audit", "--routes", "routes.json", "--cluster", "main"])
    expect(found).toMatchObject({ code: 0, stderr: "" })
    expect(found.stdout).toMatch(/\nshop\.orders +1 +7 +0 +0 +0 +0 +0 +0 +0 +0\.0000 %\n/)
    // What waits to be sent on is not where it shall be.
    project.write({ "routes.json": document("redrive") })
    expect(await project.leat(["audit", "--routes", "routes.json", "--cluster", "main"])).toMatchObject({ code: 3 })
  })

  it("counts by the ledger what a killed process had admitted and not stored", async () => {
    using project = new Project()
    using running = new Running([script, "data"], project.folder)
    await running.printed(/announced/)
    const alive = await project.leatJson(["audit", "--group", "readers"])
    expect(alive.report).toMatchObject({
      topics: [
        { topic: "risk.logs.line", events: 3, pending: 2, crashLost: 0, missing: 0, group: { settled: 0, waiting: 3 } }
      ]
    })
    running.signal("SIGKILL")
    await running.ended
    const gone = await project.leatJson(["audit"])
    expect([gone.code, gone.report]).toMatchObject([
      0,
      { topics: [{ events: 3, pending: 0, crashLost: 2, missing: 0 }] }
    ])
  })

  it("says of a group that has settled nothing that its name may be another", async () => {
    using project = new Project()
    await fillLog(`${project.folder}/data`, "shop.orders", 0, records([0]))
    const { code, stdout } = await project.leat(["audit", "--group", "biling"])
    expect(code).toBe(0)
    expect(stdout).toContain("biling has settled nothing here: it has not begun, or its name is another")
    expect((await project.leat(["audit"])).stdout).not.toContain("settled nothing")
  })

  it("reads ledgers in a folder without a log, which services on another cluster write", async () => {
    using project = new Project()
    await fillLog(`${project.folder}/data`, "shop.orders", 0, records([0]))
    const none = { streams: [], legs: [], lanes: [] }
    const announcement = { incarnation, source: "shop", announcedAtMs: 0, isClosed: true, ...none }
    await Effect.runPromise(ledgerStore(`${project.folder}/ledgers`).save(announcement))
    expect(await project.leat(["audit", "--ledger", "ledgers"])).toMatchObject({ code: 0, stderr: "" })
  })

  it.each([
    [["--from", "yesterday"], 2, "leat: --from yesterday is no time; say one as 2026-11-24T09:00:00Z\n"],
    [["--topic", "shop.order"], 1, "leat: there is no topic shop.order; there is shop.orders\n"],
    [["--objective", "101"], 2, "leat: --objective is from 0 to 100, and not 101; see leat audit --help\n"],
    [["--objective=-1"], 2, "leat: --objective is from 0 to 100, and not -1; see leat audit --help\n"],
    [["--directory", "nowhere"], 1, /nowhere/],
    [["--ledger", "nowhere"], 1, /^leat: no process has announced a ledger in nowhere; [^\n]*ledgerStore\n$/]
  ])("refuses %j", async (args, expected, sentence) => {
    using project = new Project()
    await fillLog(`${project.folder}/data`, "shop.orders", 0, records([0]))
    const { code, stderr } = await project.leat(["audit", ...args])
    expect([code, stderr]).toEqual([expected, expect.stringMatching(sentence)])
    expect(stderr.split("\n")).toHaveLength(2)
  })
})
