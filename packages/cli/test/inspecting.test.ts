import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { fillLog } from "./fillLog.js"
import { Project } from "./Project.js"
import { shop } from "./protos.js"
import { Running } from "./Running.js"

const member = fileURLToPath(new URL("member.ts", import.meta.url))
const three = ["a", "b", "c"].map((key) => ({ key, value: key }))

/** A project with a log of one topic, whose partition 1 has three records. */
async function withLog(): Promise<Project> {
  const project = new Project()
  await fillLog(join(project.folder, "data"), "t", 1, three)
  return project
}

describe("leat events list", () => {
  it("lists partitions with positions, records and bytes, and leaves the log as it was", async () => {
    using project = await withLog()
    const contents = () =>
      project.files("data").map((name) => [name, readFileSync(join(project.folder, "data", name)).toString("base64")])
    const before = contents()
    const { code, stdout, stderr } = await project.leat(["events", "list"])
    expect([code, stderr]).toEqual([0, ""])
    expect(stdout).toMatch(
      /^TOPIC {2}PARTITION {2}START {2}END {2}RECORDS {2}BATCHES {2}BYTES\nt +0 +0 +0 +0 +0 +0\nt +1 +0 +3 +3 +1 +\d+\n1 topic, 3 records\n$/
    )
    const { report } = await project.leatJson(["events", "list", "--topic", "t"])
    expect(report).toMatchObject({
      directory: join(project.folder, "data"),
      formatVersion: 5,
      quarantined: 0,
      topics: [
        {
          topic: "t",
          compacted: false,
          groups: [],
          records: 3,
          partitions: [
            { partition: 0, start: 0, end: 0, records: 0, batches: 0, bytes: 0 },
            { partition: 1, start: 0, end: 3, records: 3, batches: 1 }
          ]
        }
      ]
    })
    expect(contents()).toEqual(before)
  })
})

describe("leat lag", () => {
  it("counts a group once that reads several topics", async () => {
    using project = await withLog()
    await fillLog(join(project.folder, "data"), "u", 0, three)
    for (const topic of ["t", "u"]) {
      using running = new Running([member, "data", "2", topic], project.folder)
      await running.printed(/read/)
    }
    expect((await project.leat(["lag"])).stdout).toMatch(/\n1 group in 2 topics, 2 records not settled\n$/)
  })

  it("tells what a group has settled and who holds its lanes, while it runs and after", async () => {
    using project = await withLog()
    using running = new Running([member, "data", "2"], project.folder)
    await running.printed(/read/)
    const told = await project.leatJson(["lag", "--group", "g"])
    const lane = { partition: 1, start: 0, end: 3, settled: 2, lag: 1, state: "held", abandoned: 0 }
    expect(told.report).toMatchObject({
      lag: 1,
      groups: [{ group: "g", topic: "t", lag: 1, lanes: [{ partition: 0, lag: 0 }, lane] }]
    })
    expect(JSON.stringify(told.report)).toMatch(/"holder":"[^"]+\/\d+\/\d+"/)
    running.signal("SIGKILL")
    await running.ended
    const { code, stdout } = await project.leat(["lag"])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^GROUP {2}TOPIC.*\n.*\ng +t +1 +0 +3 +2 +1 .*\n1 group, 1 record not settled\n$/)
  })
})

describe("leat doctor", () => {
  it("finds nothing wrong with a log at rest", async () => {
    using project = await withLog()
    const { code, stdout, stderr } = await project.leat(["doctor"])
    expect([code, stderr]).toEqual([0, ""])
    expect(stdout).toMatch(
      /: a log of format 5, 1 topic, \d+ bytes\nnote: no group reads t, which has 3 records: [^\n]+\nnothing is wrong\n$/
    )
  })

  it("tells of a backlog that somebody works at, and of one that nobody does", async () => {
    using project = await withLog()
    using running = new Running([member, "data", "2"], project.folder)
    await running.printed(/read/)
    const alive = await project.leat(["doctor"])
    expect([alive.code, alive.stderr]).toEqual([0, ""])
    expect(alive.stdout).toMatch(/\nnote: group g has not settled 1 of t: .*\nnothing is wrong\n$/)
    running.signal("SIGKILL")
    await running.ended
    await new Promise((resolve) => setTimeout(resolve, 1000))
    const { code, report } = await project.leatJson(["doctor"])
    expect(code).toBe(3)
    expect(report).toMatchObject({
      wrong: 2,
      findings: [
        {
          severity: "wrong",
          about: "member",
          message: expect.stringMatching(/has given no sign of life for .* its lease is 0\.6 s/)
        },
        {
          severity: "wrong",
          about: "backlog",
          message: expect.stringContaining("nobody alive reads t for group g, and 1 record is not settled")
        }
      ]
    })
  })

  it("finds the event at which one member after the other ended", async () => {
    using project = await withLog()
    for (let death = 0; death < 2; death++) {
      using running = new Running([member, "data", "0"], project.folder)
      await running.printed(/read/)
      running.signal("SIGKILL")
      await running.ended
    }
    using last = new Running([member, "data", "0"], project.folder)
    await last.printed(/read/)
    const { code, stderr } = await project.leat(["doctor"])
    expect(code).toBe(3)
    expect(stderr).toContain(
      "2 members in a row of group g vanished at position 0 of t/1: look at that event (leat events tail"
    )
  })

  it("finds faults of a route document, with contracts and without", async () => {
    using project = await withLog()
    project.write({
      ...shop,
      "routes.yaml":
        'version: 1\nclusters: { l: { transport: "@leat/log", directory: "./data" }, m: { transport: memory } }\nroutes:\n  - match: { stream: "shop.orders" }\n    to: [{ cluster: l, topic: "{stream}" }]\n',
      "broken.yaml": "version: 1\nclusters: { l: { transport: kafka } }\nroutes: []\n"
    })
    const missing = await project.leat(["doctor", "--routes", "routes.yaml"])
    expect([missing.code, missing.stderr]).toEqual([
      3,
      expect.stringContaining("routes.yaml: routes: no route matches stream shop.payments of contract shop.v1.Payment")
    ])
    project.remove("proto")
    expect((await project.leat(["doctor", "--routes", "routes.yaml"])).code).toBe(0)
    const { code, report } = await project.leatJson(["doctor", "--routes", "broken.yaml"])
    expect([code, report]).toMatchObject([
      3,
      { wrong: 2, findings: [{ about: "routes" }, { about: "routes" }, { about: "unread" }] }
    ])
    const absent = await project.leat(["doctor", "--routes", "nowhere.yaml"])
    expect([absent.code, absent.stderr]).toEqual([
      2,
      expect.stringMatching(/^leat: there is no file nowhere\.yaml; name a route document by --routes\n$/)
    ])
  })

  it("checks a route document where there is no log, as in a build", async () => {
    using project = new Project()
    project.write({
      ...shop,
      "right.yaml":
        'version: 1\nclusters: { m: { transport: memory } }\nroutes:\n  - match: { stream: "*" }\n    to: [{ cluster: m, topic: "{stream}" }]\n',
      "broken.yaml": "version: 1\nclusters: { l: { transport: kafka } }\nroutes: []\n"
    })
    const wrong = await project.leat(["doctor", "--routes", "broken.yaml"])
    expect([wrong.code, wrong.stderr]).toEqual([3, expect.stringMatching(/broken\.yaml: [^]*no log to look at\)\n$/)])
    const { code, report } = await project.leatJson(["doctor", "--routes", "broken.yaml"])
    expect([code, report]).toMatchObject([
      3,
      { findings: [{ about: "routes" }, { about: "routes" }], log: expect.any(String) }
    ])
    expect(await project.leat(["doctor", "--routes", "right.yaml"])).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^right\.yaml has no faults \(.* no log to look at\)\n$/),
      stderr: ""
    })
    expect((await project.leatJson(["doctor", "--routes", "right.yaml"])).report).toMatchObject({ wrong: 0 })
    const named = await project.leat(["doctor", "--routes", "right.yaml", "--directory", "nope"])
    expect([named.code, named.stderr]).toEqual([
      1,
      expect.stringMatching(/no log to look at; right\.yaml has no faults\n$/)
    ])
    expect((await project.leatJson(["events", "list", "--directory", "nope"])).report).toMatchObject({
      reason: "NoLog"
    })
  })

  it("checks clusters of Kafka with the driver of the project, and says so where it has none", async () => {
    const kafka = (topic: string, transport = "@leat/kafkajs") =>
      `version: 1\nclusters: { k: { transport: "${transport}", brokers: "\${env:KAFKA_BROKERS}" } }\nroutes:\n  - match: { stream: "*" }\n    to: [{ cluster: k, topic: "${topic}" }]\n`
    using project = new Project({
      "routes.yaml": kafka("{stream}"),
      "broken.yaml": kafka("{streem}"),
      "unknown.yaml": kafka("{stream}", "@leat/kafka.js")
    })
    const alone = await project.leat(["doctor", "--routes", "routes.yaml"])
    expect([alone.code, alone.stderr]).toEqual([0, ""])
    expect(alone.stdout).toMatch(
      /^note: routes\.yaml: clusters with transport @leat\/kafkajs were not checked: @leat\/kafkajs is not installed here; [^\n]+\nroutes\.yaml has no faults/
    )
    const broken = await project.leat(["doctor", "--routes", "broken.yaml"])
    expect([broken.code, broken.stderr]).toEqual([3, expect.stringContaining("{streem} stands for nothing")])
    const unknown = await project.leat(["doctor", "--routes", "unknown.yaml"])
    expect([unknown.code, unknown.stderr]).toEqual([3, expect.stringContaining("no driver named @leat/kafka.js")])
    const driver =
      'export const kafkajs = { name: "@leat/kafkajs", open() {}, inspect: () => ({ issues: [{ path: "brokers", message: "was looked at" }] }) }'
    project.write({
      "node_modules/@leat/kafkajs/package.json": '{ "type": "module", "exports": "./index.js" }',
      "node_modules/@leat/kafkajs/index.js": driver
    })
    const checked = await project.leat(["doctor", "--routes", "routes.yaml"])
    expect([checked.code, checked.stderr]).toEqual([3, expect.stringContaining("clusters.k.brokers: was looked at")])
  })
})

describe("what is no log", () => {
  const commands = ["events list", "events tail", "lag", "doctor"]

  it.each(commands)("is told in one sentence and not changed: %s", async (command) => {
    using project = await withLog()
    project.write({ "foreign/notes.txt": "mine", "empty/log.sqlite": "", "damaged/log.sqlite": "x".repeat(5000) })
    const log = readFileSync(join(project.folder, "data/log.sqlite"))
    log.writeUInt32BE(99, 60)
    project.write({ "newer/x": "" })
    writeFileSync(join(project.folder, "newer/log.sqlite"), log)
    const cases = [
      ["missing", "does not exist: there is no log to look at"],
      ["foreign", "holds no log: log.sqlite is not there"],
      ["empty", "log.sqlite is empty"],
      ["damaged", "first bytes are damaged"],
      ["newer", "has format 99 and this version of @leat/log reads up to 5: update @leat/log"]
    ] as const
    for (const [name, told] of cases) {
      const before = project.files(name)
      const { code, stderr, report } = await project.leatJson([...command.split(" "), "--directory", name])
      expect({ name, code, stderr }).toEqual({ name, code: 1, stderr: expect.stringMatching(/^leat: [^\n]+\n$/) })
      expect(stderr).toContain(told)
      expect(report).toMatchObject({ error: stderr.slice("leat: ".length, -1) })
      expect({ name, files: project.files(name) }).toEqual({ name, files: before })
    }
    expect(readdirSync(project.folder)).not.toContain("missing")
  })

  it("is told of what a log does not have, with what it has", async () => {
    using project = await withLog()
    const topic = await project.leat(["lag", "--topic", "u"])
    expect([topic.code, topic.stderr]).toEqual([
      1,
      `leat: there is no topic u in ${join(project.folder, "data")}; there is t\n`
    ])
    const group = await project.leat(["lag", "--group", "u"])
    expect([group.code, group.stderr]).toEqual([1, expect.stringContaining("there is no group u")])
  })
})
