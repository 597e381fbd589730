import { join } from "node:path"
import { log } from "@leat/log"
import { open } from "leat/promise"
import { describe, expect, it } from "vitest"
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
      expect(dry).toMatchObject({ code: 0, report: { topic: "leat-control", dryRun: true } })
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
      expect([applied.code, applied.report, applied.stderr]).toEqual([0, { topic: "leat-control", version: 1 }, ""])
      expect([one, two].map(({ effect }) => effect.routes().version)).toEqual([2, 2])
      const status = await project.leatJson(["routes", "status", ...at])
      expect(status).toMatchObject({ code: 0, report: { version: 1, document: documentOf(2, ", linger: 7 millis") } })
      expect(status.report).toMatchObject({ processes: [{ applied: 1 }, { applied: 1 }], unreadable: 0 })
      const told = await project.leat(["routes", "status", ...at])
      expect(told.stdout).toMatch(new RegExp(`${one.incarnation} +1\n`))
      expect(told.stdout).toContain("version 1 of leat-control; 2 processes, 0 with another version in force")
      const old = await project.leat(["routes", "apply", "one.yaml", ...at])
      expect([old.code, old.stderr]).toEqual([
        1,
        "leat: version 1 is not higher than 2, which was applied; give it a higher number, also to go back to what it says\n"
      ])
    }
  )

  it("says who has another version in force when the time is over", { timeout: 60_000 }, async () => {
    using project = new Project()
    // It moves no open stream, and names a driver that the process was not given.
    project.write({ "two.yaml": documentOf(2).replace("@leat/kafkajs", "@leat/confluent") })
    await using one = await opened(project, documentOf(1))
    const applied = await project.leatJson(["routes", "apply", "two.yaml", ...at, "--wait", "2 seconds"])
    const late = [{ incarnation: one.incarnation, applied: 0 }]
    expect(applied).toMatchObject({ code: 1, report: { version: 1, late } })
    expect(JSON.stringify(applied.report)).toContain(
      `version 1 was applied, and 1 process has another one in force: ${one.incarnation} has 0`
    )
    expect(one.control?.status().refused?.why).toContain("no driver named @leat/confluent")
  })

  it("refuses a document with faults, and where there is nothing", async () => {
    using project = new Project()
    project.write({ "bad.yaml": documentOf(2).replace("cluster: local", "cluster: loca") })
    const bad = await project.leat(["routes", "apply", "bad.yaml", ...at])
    expect([bad.code, bad.stderr]).toEqual([
      1,
      "leat: bad.yaml: routes[0].to[0].cluster: no cluster named loca; there is local, far\n"
    ])
    expect((await project.leat(["routes", "status", ...at])).code).toBe(1)
    expect((await project.leat(["routes", "apply", "gone.yaml", ...at])).code).toBe(2)
    const wait = await project.leat(["routes", "apply", "bad.yaml", ...at, "--wait", "soon"])
    expect([wait.code, wait.stderr]).toEqual([2, "leat: --wait soon is no duration; say 30 seconds\n"])
  })
})
