import { join } from "node:path"
import { log } from "@leat/log"
import { open } from "leat/promise"
import { describe, expect, it } from "vitest"
import { Project } from "./Project.js"
import { eventProto } from "./protos.js"

const document = `version: 12
clusters:
  fast: { transport: memory, partitions: 4 }
  far: { transport: memory }
policies:
  own: [{ on: ["*"], retry: { base: 1 second }, then: halt }]
routes:
  - match: { stream: "shop.*", source: "web-*" }
    level: queued
    to:
      - { cluster: fast, topic: "web.{stream}", policy: own }
  - match: { stream: "*" }
    to: [{ cluster: far, topic: "all.{stream}" }]
subscriptions:
  - match: { stream: "shop.*", group: billing }
    concurrency: 3
`
const next = document.replace("version: 12", "version: 13")
const mirrored = next.replace(
  "policy: own }",
  'policy: own }\n      - { cluster: far, topic: "copy.{stream}", required: false }'
)
const against = ["--against", "routes.yaml"]

describe("leat routes plan", () => {
  it.each([
    ["the same", document],
    ["another version alone", next],
    [
      "other comments, and another order of keys",
      `# ours\n${next}`.replace('cluster: far, topic: "all.{stream}"', 'topic: "all.{stream}", cluster: far')
    ]
  ])("says that nothing changes, and exits 0: %s", async (_, text) => {
    using project = new Project({ "routes.yaml": document, "next.yaml": text })
    const { code, stdout, stderr } = await project.leat(["routes", "plan", "next.yaml", ...against])
    expect([code, stderr]).toEqual([0, ""])
    expect(stdout).toMatch(/^from version 12 of routes\.yaml, to version 1[23] of next\.yaml\nnothing changes\n$/)
  })

  it("tells settings of legs and groups, with what they were and will be, and exits 4", async () => {
    const text = next
      .replace("policy: own }", "policy: own, linger: 7 millis, buffer: { bytes: 70000 } }")
      .replace("base: 1 second", "base: 2 seconds")
      .replace("level: queued", "level: stored")
      .replace("concurrency: 3", "concurrency: 5")
    using project = new Project({ "routes.yaml": document, "next.yaml": text })
    const found = await project.leat(["routes", "plan", "next.yaml", ...against])
    expect(found).toEqual({
      code: 4,
      stdout: [
        "from version 12 of routes.yaml, to version 13 of next.yaml",
        "stream shop.* from source web-*",
        "  level queued -> stored",
        "  leg fast/web.shop.*: policy own (policies.own), with other rules, buffer.bytes 33554432 -> 70000, linger 5 ms -> 7 ms",
        "group billing of stream shop.*: concurrency 3 -> 5",
        ""
      ].join("\n"),
      stderr: ""
    })
    const { report } = await project.leatJson(["routes", "plan", "next.yaml", ...against])
    expect(report).toMatchObject({
      verdict: "changes",
      from: 12,
      to: 13,
      streams: [{ stream: "shop.*", source: "web-*", level: { before: "queued", after: "stored" }, moves: false }],
      groups: [{ stream: "shop.*", group: "billing", settings: [{ setting: "concurrency", before: "3", after: "5" }] }],
      refused: []
    })
  })

  it("tells what is opened and closed, for the streams of contracts too, or for one that is named", async () => {
    const proto = eventProto("Order", 'stream: "shop.orders" key: "id"')
    using project = new Project({ "routes.yaml": document, "next.yaml": mirrored, "proto/order.proto": proto })
    const found = await project.leatJson(["routes", "plan", "next.yaml", ...against])
    expect(found.report).toMatchObject({
      streams: [
        { stream: "shop.*", source: "web-*", legs: [{ sink: "far/copy.shop.*", change: "added" }] },
        { stream: "shop.orders", source: "web-*", legs: [{ sink: "far/copy.shop.orders", change: "added" }] }
      ],
      opened: { sinks: ["far/copy.shop.*", "far/copy.shop.orders"] },
      closed: { sinks: [], clusters: [] }
    })
    const args = [
      "routes",
      "plan",
      "routes.yaml",
      "--against",
      "next.yaml",
      "--stream",
      "shop.refunds",
      "--source",
      "web-1"
    ]
    const back = await project.leat(args)
    // The version would go back, which no process takes.
    expect(back.code).toBe(3)
    expect(back.stdout).toContain(
      "stream shop.refunds from source web-1\n  leg far/copy.shop.refunds: removed, and closed when it is empty\nclosed, unless another stream is there: cluster far, far/copy.shop.refunds\n"
    )
    expect(back.stderr).toContain("version: version 12 is older than 13, which is in force")
  })

  it("says why it would be refused, and exits 3", async () => {
    const text = next.replace('topic: "web.', 'topic: "net.')
    using project = new Project({ "routes.yaml": document, "next.yaml": text })
    const { code, stdout, stderr } = await project.leat(["routes", "plan", "next.yaml", ...against])
    expect(code).toBe(3)
    expect(stdout).toContain("stream shop.* from source web-*: would move\n")
    expect(stderr).toMatch(
      /^leat: refused, 1 reason:\nroutes\[0\]\.to: stream shop\.\* is open and would move: its read leg is fast\/web\.shop\.\*, and would be fast\/net\.shop\.\*/
    )
    const { report } = await project.leatJson(["routes", "plan", "next.yaml", ...against])
    expect(report).toMatchObject({ verdict: "refused", refused: [{ path: "routes[0].to" }] })
  })

  it("says the faults of a document, and exits 3; those of the other one are no fault of it", async () => {
    const bad = next.replace("cluster: far,", "cluster: fat,")
    using project = new Project({ "routes.yaml": document, "bad.yaml": bad })
    const found = await project.leat(["routes", "plan", "bad.yaml", ...against])
    expect([found.code, found.stdout, found.stderr]).toEqual([
      3,
      "",
      "leat: refused, 1 fault:\nbad.yaml: routes[1].to[0].cluster: no cluster named fat; there is fast, far\n"
    ])
    const other = await project.leat(["routes", "plan", "routes.yaml", "--against", "bad.yaml"])
    expect([other.code, other.stderr]).toEqual([
      1,
      "leat: bad.yaml: routes[1].to[0].cluster: no cluster named fat; there is fast, far\n"
    ])
  })

  it.each([
    [["next.yaml", "--offline"], 2, "--offline looks at no cluster; name the document that is in force by --against"],
    [["next.yaml", "--against", "gone.yaml"], 2, "there is no file gone.yaml; name a route document"],
    [["gone.yaml", ...against], 2, "there is no file gone.yaml; name a route document"],
    [
      ["next.yaml"],
      1,
      "there is no control stream in ./data (topic leat-control): no process was opened with it yet; name the document that is in force by --against"
    ]
  ])("says what is wrong with %j", async (args, code, told) => {
    using project = new Project({ "routes.yaml": document, "next.yaml": next })
    for (const command of ["plan", "diff"]) {
      const found = await project.leat(["routes", command, ...args])
      expect([found.code, found.stdout, found.stderr]).toEqual([code, "", `leat: ${told}\n`])
    }
    expect(project.files("data")).toEqual([])
  })

  it("compares with what was applied last, and tells who follows it", { timeout: 60_000 }, async () => {
    using project = new Project({ "routes.yaml": document, "next.yaml": mirrored })
    const at = ["--directory", "control"]
    const control = { cluster: { transport: "@leat/log", directory: join(project.folder, "control") } }
    await using one = await open({ source: "web-1", routes: document.replace("12", "1"), drivers: [log], control })
    const none = await project.leat(["routes", "plan", "next.yaml", ...at])
    expect([none.code, none.stderr]).toEqual([
      1,
      "leat: no document was applied yet, so there is nothing to compare with; name one by --against\n"
    ])
    await project.leat(["routes", "apply", "routes.yaml", ...at, "--wait", "30 seconds"])
    const told = await project.leat(["routes", "plan", "next.yaml", ...at])
    expect([told.code, told.stderr]).toEqual([4, ""])
    expect(told.stdout).toMatch(/^from version 12, which was applied last, to version 13 of next\.yaml\n/)
    expect(told.stdout).toMatch(/\n1 process follows the control stream\n$/)
    const { report } = await project.leatJson(["routes", "plan", "next.yaml", ...at])
    expect(report).toMatchObject({ processes: [{ incarnation: one.incarnation, applied: 12 }] })
    const dry = await project.leat(["routes", "apply", "next.yaml", ...at, "--dry-run"])
    expect(dry).toEqual({ code: 0, stdout: `version 13 of next.yaml can be applied\n${told.stdout}`, stderr: "" })
    project.write({ "moved.yaml": next.replace('topic: "web.', 'topic: "net.') })
    const moved = await project.leat(["routes", "apply", "moved.yaml", ...at, "--dry-run"])
    expect([moved.code, moved.stderr]).toEqual([0, ""])
    expect(moved.stdout).toMatch(
      /\na process that has it open would refuse: routes\[0\]\.to: stream shop\.\* is open and /
    )
    const offline = await project.leat(["routes", "plan", "next.yaml", ...at, "--offline", ...against])
    expect([offline.code, offline.stdout.includes("follows")]).toEqual([4, false])
    const differs = await project.leat(["routes", "diff", "next.yaml", ...at])
    expect([differs.code, differs.stdout]).toEqual([
      4,
      `from version 12, which was applied last, to version 13 of next.yaml
~ version: 12 -> 13
+ routes[0].to[1]: {"cluster":"far","topic":"copy.{stream}","required":false}
`
    ])
  })
})

describe("leat routes diff", () => {
  it("says that nothing differs, and exits 0", async () => {
    using project = new Project({ "routes.yaml": document, "same.yaml": `# with a comment\n${document}` })
    expect(await project.leat(["routes", "diff", "same.yaml", ...against])).toEqual({
      code: 0,
      stdout: "from version 12 of routes.yaml, to version 12 of same.yaml\nnothing differs\n",
      stderr: ""
    })
    const { report } = await project.leatJson(["routes", "diff", "same.yaml", ...against])
    expect(report).toEqual({ verdict: "nothing", from: 12, to: 12, differences: [] })
  })

  it("tells each place with --json too, and exits 4", async () => {
    using project = new Project({
      "routes.yaml": document,
      "next.yaml": next.replace("concurrency: 3", "drain: 5 seconds")
    })
    const { code, report, stderr } = await project.leatJson(["routes", "diff", "next.yaml", ...against])
    expect([code, stderr, report]).toEqual([
      4,
      "",
      {
        verdict: "changes",
        from: 12,
        to: 13,
        differences: [
          { path: "version", change: "changed", before: 12, after: 13 },
          { path: "subscriptions[0].drain", change: "added", after: "5 seconds" },
          { path: "subscriptions[0].concurrency", change: "removed", before: 3 }
        ]
      }
    ])
  })
})
