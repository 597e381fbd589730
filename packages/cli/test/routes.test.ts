import { join } from "node:path"
import { log } from "@leat/log"
import { open } from "leat/promise"
import { describe, expect, it } from "vitest"
import { silenceText } from "../src/routes/controlFlags.ts"
import { CommandInProcess } from "./CommandInProcess.js"
import { Project } from "./Project.js"

const documentOf = (version: number, more = ""): string => `version: ${version}
clusters: { local: { transport: memory }, far: { transport: "@leat/kafkajs", brokers: ["k:9092"] } }
routes: [{ match: { stream: "*" }, to: [{ cluster: local, topic: "{stream}"${more} }] }]
`

const kafkaInName = { ...log, name: "@leat/kafkajs" }
const opened = (project: Project, routes: string) =>
  open({
    source: "test",
    routes,
    drivers: [log, { ...kafkaInName, inspect: () => log.inspect({ directory: "nowhere" }) }],
    control: { cluster: { transport: "@leat/log", directory: join(project.folder, "control") } }
  })
const at = ["--directory", "control"]

describe("leat routes", () => {
  it(
    "applies a document to a fleet, waits until it is in force, and tells who has it",
    { timeout: 60_000 },
    async () => {
      using project = new Project()
      project.write({ "two.yaml": documentOf(2, ", linger: 7 millis"), "one.yaml": documentOf(1) })
      await using one = await opened(project, documentOf(1))
      await using two = await opened(project, documentOf(1))
      const dry = await project.leatJson(["routes", "apply", "two.yaml", ...at, "--dry-run"])
      expect(dry).toMatchObject({ code: 0, report: { topic: "leat-control", dryRun: true, version: 2, before: 0 } })
      const applied = await project.leatJson([
        "routes",
        "apply",
        "two.yaml",
        ...at,
        "--reason",
        "less",
        "--wait",
        "30 seconds"
      ])
      expect([applied.code, applied.report, applied.stderr]).toEqual([
        0,
        { topic: "leat-control", version: 2, processes: 2 },
        ""
      ])
      expect([one, two].map(({ effect }) => effect.routes().version)).toEqual([2, 2])
      const status = await project.leatJson(["routes", "status", ...at])
      expect(status).toMatchObject({ code: 0, report: { version: 2, document: documentOf(2, ", linger: 7 millis") } })
      const seenAt = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as unknown
      expect(status.report).toMatchObject({
        processes: [
          { applied: 2, seenAt },
          { applied: 2, seenAt }
        ],
        unreadable: 0
      })
      const told = await project.leat(["routes", "status", ...at])
      expect(told.stdout).toMatch(new RegExp(`${one.incarnation} +2\n`))
      expect(told.stdout).toContain("version 2 was applied last; 2 processes, 0 with another version in force")
      const old = await project.leat(["routes", "apply", "one.yaml", ...at])
      expect([old.code, old.stderr]).toEqual([
        1,
        "leat: version 1 of one.yaml is not higher than 2, which was applied last; give it a higher number, also to go back to what it says\n"
      ])
    }
  )

  it("says before it applies which streams no process would move", { timeout: 60_000 }, async () => {
    using project = new Project()
    const moved = (version: number) => documentOf(version).replace('topic: "{stream}"', 'topic: "other.{stream}"')
    project.write({ "one.yaml": documentOf(1), "two.yaml": moved(2) })
    expect((await project.leat(["routes", "apply", "one.yaml", ...at, "--create"])).stderr).toBe("")
    await using _ = await opened(project, documentOf(1))
    const told = (version: number) =>
      `leat: stream * would move: a process that has one of these open refuses version ${version} and keeps what it has; npx leat move start moves it, and npx leat routes status tells who refuses what\n`
    const applied = await project.leat(["routes", "apply", "two.yaml", ...at])
    expect([applied.code, applied.stderr]).toEqual([0, told(2)])
    const back = await project.leat(["routes", "rollback", ...at, "--to", "1", "--reason", "a test"])
    expect([back.code, back.stderr]).toEqual([0, told(3)])
  })

  it("says who has another version in force when the time is over", { timeout: 60_000 }, async () => {
    using project = new Project()
    // It moves no open stream, and names a driver that the process was not given.
    project.write({ "two.yaml": documentOf(2).replace("@leat/kafkajs", "@leat/confluent") })
    await using one = await opened(project, documentOf(1))
    const applied = await project.leatJson(["routes", "apply", "two.yaml", ...at, "--wait", "4 seconds"])
    const refused = expect.stringMatching(/^version 2: .*no driver named @leat\/confluent/)
    const late = [{ incarnation: one.incarnation, applied: 0, refused }]
    expect(applied).toMatchObject({ code: 1, report: { version: 2, late } })
    expect(JSON.stringify(applied.report)).toContain(
      `version 2 was applied, and 1 process has another one in force: ${one.incarnation} has its own (refuses version 2: `
    )
    const status = await project.leat(["routes", "status", ...at])
    expect(status.stdout).toMatch(/PROCESS +VERSION IN FORCE +NOTE\n/)
    expect(status.stdout).toContain("refuses version 2: ")
    expect(one.control?.status().refused?.why).toContain("no driver named @leat/confluent")
  })

  it.each([
    [99_000, ""],
    [85_001, ""],
    [85_000, "silent for 15 s"],
    [10_499, "silent for 90 s"],
    [undefined, "silent for long"]
  ])("tells of a process that was heard of last at %j", (seenMs, told) => {
    const process = { incarnation: "one", applied: 1, ...(seenMs === undefined ? {} : { seenMs }) }
    expect(silenceText(process, 100_000)).toBe(told)
  })

  it("refuses a document with faults, and where there is nothing", async () => {
    using project = new Project()
    project.write({ "bad.yaml": documentOf(2).replace("cluster: local", "cluster: loca") })
    const bad = await project.leat(["routes", "apply", "bad.yaml", ...at])
    expect([bad.code, bad.stderr]).toEqual([
      1,
      "leat: bad.yaml: routes[0].to[0].cluster: no cluster named loca; there is local, far\n"
    ])
    for (const command of ["status", "history", "watch"]) {
      const none = await project.leatJson(["routes", command, ...at])
      expect([none.code, none.report]).toEqual([
        1,
        {
          error:
            "there is no control stream in control (topic leat-control): no process was opened with it yet; look again when one has started",
          reason: "NoControlStream"
        }
      ])
    }
    expect(project.files("control")).toEqual([])
    expect((await project.leat(["routes", "apply", "gone.yaml", ...at])).code).toBe(2)
    const wait = await project.leat(["routes", "apply", "bad.yaml", ...at, "--wait", "soon"])
    expect([wait.code, wait.stderr]).toEqual([2, "leat: --wait soon is no duration; say 30 seconds\n"])
  })

  it("makes the control stream for the first document only when it is told to", { timeout: 60_000 }, async () => {
    using project = new Project({ "two.yaml": documentOf(2) })
    const refused = await project.leat(["routes", "apply", "two.yaml", ...at])
    expect([refused.code, refused.stderr]).toEqual([
      1,
      "leat: there is no control stream in control (topic leat-control): no process was opened with it yet; start one, or make it now with --create\n"
    ])
    const dry = await project.leat(["routes", "apply", "two.yaml", ...at, "--create", "--dry-run"])
    expect(dry.stdout).toBe("version 2 of two.yaml can be applied; the control stream would be made\n")
    expect(project.files("control")).toEqual([])
    const applied = await project.leat(["routes", "apply", "two.yaml", ...at, "--create"])
    expect(applied).toEqual({
      code: 0,
      stdout: "version 2 of two.yaml is applied; no process follows the control stream\n",
      stderr: ""
    })
    // A process that starts later begins with it.
    await using one = await opened(project, documentOf(1))
    expect(one.effect.routes().version).toBe(2)
    const other = await project.leat(["routes", "apply", "two.yaml", ...at, "--topic", "other-control"])
    expect(other.stderr).toContain("there is no control stream in control (topic other-control)")
  })

  it("makes it in a cluster of a document too, and in no folder of its own", { timeout: 60_000 }, async () => {
    const clusters = 'version: 1\nclusters: { ops: { transport: "@leat/log", directory: ./ops } }\n'
    const ops = `${clusters}routes: [{ match: { stream: "*" }, to: [{ cluster: ops, topic: "{stream}" }] }]\n`
    using project = new Project({ "ops.yaml": ops, "two.yaml": documentOf(2) })
    const on = ["--routes", "ops.yaml"]
    const refused = await project.leat(["routes", "apply", "two.yaml", ...on])
    expect([refused.code, refused.stderr]).toEqual([
      1,
      "leat: there is no control stream in ops.yaml (topic leat-control): no process was opened with it yet; start one, or make it now with --create\n"
    ])
    expect(project.files("ops")).toEqual([])
    expect((await project.leat(["routes", "apply", "two.yaml", ...on, "--create"])).code).toBe(0)
    expect((await project.leat(["routes", "status", ...on])).stdout).toBe(
      "version 2 was applied last; 0 processes, 0 with another version in force\n"
    )
  })

  it("tells the history, and goes back to a version of it", { timeout: 60_000 }, async () => {
    using project = new Project({
      "two.yaml": documentOf(2, ", linger: 7 millis"),
      "five.yaml": documentOf(5, ", linger: 9 millis")
    })
    await using one = await opened(project, documentOf(1))
    expect((await project.leat(["routes", "history", ...at])).stdout).toBe("no document was applied yet\n")
    await project.leat(["routes", "apply", "two.yaml", ...at, "--reason", "less load", "--by", "anna"])
    await project.leat(["routes", "apply", "five.yaml", ...at, "--by", "anna"])
    const reason = ["--reason", "5 is slow", "--by", "ben"]
    const dry = await project.leat(["routes", "rollback", ...at, "--to", "2", ...reason, "--dry-run"])
    expect(dry.stdout).toBe("version 6 would say what version 2 says; 1 process follows the control stream\n")
    const back = await project.leat(["routes", "rollback", ...at, "--to", "2", ...reason, "--wait", "30 seconds"])
    expect(back).toEqual({
      code: 0,
      stdout: "version 6 is applied, and says what version 2 says; 1 process has it in force\n",
      stderr: ""
    })
    expect(one.effect.routes().lookup("s", "test")?.legs[0]?.lingerMs).toBe(7)
    const told = await project.leat(["routes", "history", ...at])
    const lines = told.stdout.split("\n").map((line) => line.replace(/\d{4}-\S+Z/, "TIME").replaceAll(/ {2,}/g, "  "))
    expect(lines.map((line) => line.replace(/leat-cli [0-9a-f]{8}/, "leat-cli ID").trim())).toEqual([
      "VERSION  APPLIED  PROCESSES  BY  REASON",
      "2  TIME  0  anna (leat-cli ID)  less load",
      "5  TIME  0  anna (leat-cli ID)",
      "6  TIME  1  ben (leat-cli ID)  back to version 2: 5 is slow",
      ""
    ])
    const { report } = await project.leatJson(["routes", "history", ...at])
    expect(report).toMatchObject({
      documents: [
        { version: 2, document: documentOf(2, ", linger: 7 millis"), processes: 0 },
        { version: 5 },
        { version: 6 }
      ]
    })
    const shown = await project.leat(["routes", "history", ...at, "--show", "6"])
    expect(shown.stdout).toBe(documentOf(6, ", linger: 7 millis"))
  })

  it.each([
    [["rollback", "--reason", "r"], 2, "say by --to which version to go back to; leat routes history lists them"],
    [["rollback", "--to", "2"], 2, "say why by --reason: it stands in the history of the fleet"],
    [["rollback", "--to", "two"], 2, "--to two is no number; see leat routes rollback --help"],
    [["rollback", "--to", "9", "--reason", "r"], 1, "there is no version 9 in the history, which has 2"],
    [["rollback", "--to", "2", "--reason", "r"], 1, "version 2 was applied last, so there is nothing to go back from"],
    [["status", "--topic", "a b"], 2, "--topic is the name of a topic, and not a b; see leat routes status --help"],
    [
      ["apply", "long.yaml"],
      1,
      "long.yaml has 300000 characters, and a document for a fleet has at most 262144; a service can read a longer one from its own file"
    ],
    [["history", "--show", "7"], 1, "there is no version 7 in the history, which has 2"]
  ])("says what is wrong with %j", { timeout: 60_000 }, async (args, code, told) => {
    using project = new Project({
      "two.yaml": documentOf(2),
      "long.yaml": `${documentOf(3)}#`.padEnd(300_000, "x")
    })
    await project.leat(["routes", "apply", "two.yaml", ...at, "--create"])
    const found = await project.leat(["routes", ...args, ...at])
    expect([found.code, found.stdout, found.stderr]).toEqual([code, "", `leat: ${told}\n`])
  })

  it("has one winner of two who apply at once", { timeout: 60_000 }, async () => {
    using project = new Project({
      "one.yaml": documentOf(1),
      "two.yaml": documentOf(2),
      "more.yaml": documentOf(2, ", linger: 7 millis")
    })
    await project.leat(["routes", "apply", "one.yaml", ...at, "--create"])
    const both = ["two.yaml", "more.yaml"].map((file) => project.leat(["routes", "apply", file, ...at]))
    const found = await Promise.all(both)
    expect(new Set(found.map(({ code }) => code))).toEqual(new Set([0, 1]))
    const loser = found.find(({ code }) => code === 1)
    // Whether the other was there before it looked, or came between.
    expect(loser?.stderr).toMatch(
      /^leat: (version 2 (of \w+\.yaml )?is not higher than 2, which was|somebody else has) applied /
    )
    const { report } = await project.leatJson(["routes", "history", ...at])
    expect(
      (report as { readonly documents: ReadonlyArray<{ readonly version: number }> }).documents.map(
        ({ version }) => version
      )
    ).toEqual([1, 2])
  })

  it("watches documents and processes until it is interrupted", { timeout: 60_000 }, async () => {
    using project = new Project({ "two.yaml": documentOf(2), "three.yaml": documentOf(3) })
    await project.leat(["routes", "apply", "two.yaml", ...at, "--create", "--by", "anna"])
    await using watching = new CommandInProcess(["routes", "watch", ...at], project.folder)
    await using lines = new CommandInProcess(["routes", "watch", ...at, "--json"], project.folder)
    await watching.printed(/^\S+Z version 2 was applied by anna \(leat-cli [0-9a-f]{8}\)\n/)
    const one = await opened(project, documentOf(1))
    await watching.printed(new RegExp(`\nprocess ${one.incarnation} has version 2 in force\n`))
    await project.leat(["routes", "apply", "three.yaml", ...at, "--reason", "more"])
    await watching.printed(/ version 3 was applied by .*: more\nprocess \S+ has version 3 in force\n/)
    await one.close()
    await watching.printed(new RegExp(`process ${one.incarnation} is gone\n`))
    await lines.printed(/"gone"/)
    watching.interrupt()
    lines.interrupt()
    expect(await Promise.all([watching.ended, lines.ended])).toEqual([0, 0])
    const objects = lines.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object)
    expect(objects).toEqual([
      { kind: "applied", at: expect.any(String), version: 2, by: expect.stringMatching(/^anna /), reason: "" },
      { kind: "process", process: one.incarnation, version: 2 },
      { kind: "applied", at: expect.any(String), version: 3, by: expect.any(String), reason: "more" },
      { kind: "process", process: one.incarnation, version: 3 },
      { kind: "gone", process: one.incarnation }
    ])
    expect(watching.stderr).toBe("")
  })
})
