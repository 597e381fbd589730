import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { LogLine, Severity } from "@leat/demo/gen/risk/v1/log.ts"
import { log, logTransport } from "@leat/log"
import { Effect } from "effect"
import { open } from "leat/promise"
import { batchOf, sendEffect } from "leat/transport"
import { describe, expect, it } from "vitest"
import { Project } from "./Project.js"
import { order } from "./protos.js"

const at = ["--directory", "control"]
const reason = ["--reason", "a test"]
const orders = ["--stream", "shop.orders"]

const documentOf = ({ folder }: Project, version: number, cluster: string, topic = "{stream}"): string =>
  `version: ${version}
clusters:
  here: { transport: "@leat/log", directory: "${join(folder, "here")}", partitions: 2 }
  there: { transport: "@leat/log", directory: "${join(folder, "there")}", partitions: 3 }
routes: [{ match: { stream: "*" }, to: [{ cluster: ${cluster}, topic: "${topic}" }] }]
`

/** Makes a topic, with a record that somebody else has written when there is a time. */
const topicIn = ({ folder }: Project, directory: string, topic: string, partitions: number, foreignMs?: number) =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const transport = yield* logTransport({ directory: join(folder, directory) })
        yield* transport.ensure({ topic, partitions })
        if (foreignMs === undefined) return
        const writer = yield* transport.openWriter(topic)
        yield* sendEffect(writer, 0, batchOf([{ key: "k", value: "x", timeMs: foreignMs }]), 0, 1, 1000)
      })
    )
  )

/** A control stream with a document in which the stream lies `here`. Without processes nothing gets on. */
async function fleetOf(project: Project): Promise<void> {
  project.write({
    "one.yaml": documentOf(project, 1, "here"),
    "two.yaml": documentOf(project, 2, "there"),
    "back.yaml": documentOf(project, 3, "here", "other.{stream}"),
    "faulty.yaml": documentOf(project, 2, "nowhere")
  })
  const applied = await project.leat(["routes", "apply", "one.yaml", ...at, "--create"])
  expect([applied.code, applied.stderr]).toEqual([0, ""])
  await topicIn(project, "here", "shop.orders", 2)
}

/** A process that follows it, once that is seen. */
async function processOf(project: Project) {
  const cluster = { transport: "@leat/log", directory: join(project.folder, "control") }
  const leat = await open({ source: "test", drivers: [log], control: { cluster } })
  const deadlineMs = Date.now() + 20_000
  const isSeen = () => leat.control?.status().processes.some(({ applied }) => applied === 1) === true
  while (!isSeen() && Date.now() < deadlineMs) await new Promise((wake) => setTimeout(wake, 100))
  return leat
}

describe("leat move", { timeout: 120_000 }, () => {
  it("plans and starts a move, tells how far it is, and ends it", async () => {
    using project = new Project()
    await fleetOf(project)
    const toLog =
      "stream shop.orders: here/shop.orders (2 partitions) -> there/shop.orders (3 partitions); its topic is made as the contract of a process says, else as the old one is: not compacted; not placed yet\n"
    const planned = await project.leat(["move", "plan", "two.yaml", ...at, ...orders, "--partitions", "3"])
    expect([planned.code, planned.stdout, planned.stderr]).toEqual([
      4,
      `${toLog}version 2 of two.yaml may be started on top of version 1; 0 processes follow the control stream\n`,
      ""
    ])
    expect(project.files("there")).toEqual([])
    const relaxed = await project.leatJson([
      "move",
      "plan",
      "two.yaml",
      ...at,
      ...orders,
      "--partitions",
      "3",
      "--order",
      "relaxed"
    ])
    expect(relaxed).toMatchObject({ code: 4, report: { moves: [{ stream: "shop.orders", order: "relaxed" }] } })
    const dry = await project.leatJson([
      "move",
      "start",
      "two.yaml",
      ...at,
      ...orders,
      "--partitions",
      "3",
      "--dry-run"
    ])
    expect(dry).toMatchObject({ code: 0, report: { verdict: "moves", from: 1, to: 2, processes: 0, refused: [] } })
    const still = await project.leat(["move", "status", ...at])
    expect(still.stdout).toBe("no stream is placed; leat move start places those that it moves\n")

    const started = await project.leat(["move", "start", "two.yaml", ...at, ...orders, "--partitions", "3", ...reason])
    expect([started.code, started.stdout, started.stderr]).toEqual([
      0,
      `${toLog}version 2 is applied: 1 stream moves\n`,
      ""
    ])
    const status = await project.leat(["move", "status", ...at])
    expect(status.stdout).toMatch(
      /^STREAM +EPOCH +PLACE +PARTITIONS +PHASE +WAITS FOR\nshop\.orders +1 +here\/shop\.orders +2 +open\nshop\.orders +2 +there\/shop\.orders +3 +planned +not begun\nshop\.orders moves: open in 0 processes, 0 groups; its last step was \d+ s ago\n$/
    )
    const told = await project.leatJson(["move", "status", ...at, ...orders])
    expect(told.report).toMatchObject({
      topic: "leat-control",
      streams: [
        {
          stream: "shop.orders",
          writers: 0,
          groups: [],
          since: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as unknown,
          epochs: [
            { epoch: 1, cluster: "here", topic: "shop.orders", partitions: 2, phase: "open" },
            { epoch: 2, cluster: "there", topic: "shop.orders", partitions: 3, phase: "planned" }
          ]
        }
      ]
    })
    const twice = await project.leat(["move", "start", "back.yaml", ...at, ...orders])
    expect([twice.code, twice.stderr]).toEqual([
      1,
      "leat: stream shop.orders moves to there/shop.orders already; abort that, or wait until it is over\n"
    ])
    const paused = await project.leat(["move", "pause", ...at, ...reason])
    expect([paused.code, paused.stdout]).toEqual([
      0,
      "paused 1 stream: shop.orders: no move begins, what has begun goes on until it is written in its new place, and no old place is retired\n"
    ])
    expect((await project.leat(["move", "status", ...at])).stdout).toContain(
      "shop.orders is paused: open in 0 processes"
    )
    const resumed = await project.leatJson(["move", "resume", ...at, ...reason, ...orders])
    expect([resumed.code, resumed.report]).toEqual([0, { topic: "leat-control", streams: ["shop.orders"] }])
    const wouldBe = await project.leatJson(["move", "abort", ...at, ...reason, "--dry-run"])
    expect([wouldBe.code, wouldBe.report]).toEqual([0, { topic: "leat-control", version: 3, dryRun: true }])
    const aborted = await project.leat(["move", "abort", ...at, ...reason])
    expect([aborted.code, aborted.stdout]).toEqual([
      0,
      "version 3 is applied: the streams that were about to move stay where they are\n"
    ])
    const after = await project.leatJson(["move", "status", ...at])
    expect(after.report).toMatchObject({ streams: [{ epochs: [{ epoch: 1, phase: "open" }] }] })
    const history = await project.leatJson(["routes", "history", ...at])
    expect(JSON.stringify(history.report)).toContain("back to version 1: a test")
  })

  it.each([
    ["is not there", () => {}],
    ["is empty", (folder: string) => mkdirSync(join(folder, "there"))]
  ])(
    "makes the topic in a log whose folder %s, with the partitions of its section or those that are named",
    async (_, prepare) => {
      using project = new Project({ "proto/shop/v1/order.proto": order })
      await fleetOf(project)
      prepare(project.folder)
      for (const [named, partitions] of [
        [[], 3],
        [["--partitions", "5"], 5]
      ] as const) {
        const planned = await project.leatJson(["move", "plan", "two.yaml", ...at, ...orders, ...named])
        expect(planned).toMatchObject({ code: 4, report: { moves: [{ to: { partitions } }] } })
      }
      expect(project.files("there")).toEqual([])
      const moved = `stream shop.orders: here/shop.orders (2 partitions) -> there/shop.orders (5 partitions); its topic is made, not compacted; not placed yet\n`
      const started = await project.leat([
        "move",
        "start",
        "two.yaml",
        ...at,
        ...orders,
        "--partitions",
        "5",
        ...reason
      ])
      expect([started.code, started.stdout, started.stderr]).toEqual([
        0,
        `${moved}version 2 is applied: 1 stream moves\n`,
        ""
      ])
      const listed = await project.leatJson(["events", "list", "--directory", "there"])
      expect(listed.report).toMatchObject({ topics: [{ topic: "shop.orders", partitions: { length: 5 } }] })
    }
  )

  it("plans a log that is not there with as many partitions as a log gives whose section does not say it", async () => {
    using project = new Project()
    await fleetOf(project)
    project.write({ "two.yaml": documentOf(project, 2, "there").replace(", partitions: 3", "") })
    const planned = () => project.leatJson(["move", "plan", "two.yaml", ...at, ...orders])
    const before = await planned()
    await topicIn(project, "there", "other", 1)
    const after = await planned()
    expect([before.code, after.code]).toEqual([4, 4])
    expect(before.report).toEqual(after.report)
  })

  it("says of a name that no stream has that it has none, and which is near", async () => {
    using project = new Project()
    await fleetOf(project)
    const other = ["move", "plan", "two.yaml", ...at, "--stream"]
    const near = await project.leat([...other, "shop.order"])
    expect([near.code, near.stderr]).toEqual([
      3,
      "leat: refused, 1 reason:\nstream shop.order: topic here/shop.order is not there, so nothing of it can move; did you mean the stream of topic here/shop.orders?\n"
    ])
    const far = await project.leat([...other, "shop.payments", "--partitions", "3"])
    expect([far.code, far.stderr]).toEqual([
      3,
      "leat: refused, 1 reason:\nstream shop.payments: topic here/shop.payments is not there, so nothing of it can move; a stream that nobody has published yet goes where the document has it that npx leat routes apply applies\n"
    ])
  })

  it("refuses a move to a log that cannot be made, before anything is written", async () => {
    using project = new Project({ "proto/shop/v1/order.proto": order, file: "" })
    await fleetOf(project)
    project.write({ "two.yaml": documentOf(project, 2, "there").replace('/there"', '/file/there"') })
    const sentence = `stream shop.orders: there/shop.orders cannot be reached: @leat/log open: Unsupported: no log can be made in ${join(project.folder, "file", "there")}: ${join(project.folder, "file")} is no folder`
    const planned = await project.leat(["move", "plan", "two.yaml", ...at, ...orders])
    expect([planned.code, planned.stderr]).toEqual([3, `leat: refused, 1 reason:\n${sentence}\n`])
    const started = await project.leat(["move", "start", "two.yaml", ...at, ...orders])
    expect([started.code, started.stderr]).toEqual([1, `leat: ${sentence}\n`])
    const status = await project.leat(["move", "status", ...at])
    expect(status.stdout).toBe("no stream is placed; leat move start places those that it moves\n")
  })

  it("moves by a document that is applied, where the stream was placed before, and says what it waits for when the time is over", async () => {
    using project = new Project()
    await fleetOf(project)
    await topicIn(project, "there", "shop.orders", 3)
    const begun = await project.leatJson(["move", "start", "two.yaml", ...at, ...orders, "--wait", "1 millis"])
    expect([begun.code, begun.report]).toMatchObject([
      1,
      {
        error:
          "not written in its new place yet: shop.orders (not begun); the move goes on, and leat move status tells how far it is",
        late: [{ stream: "shop.orders" }]
      }
    ])
    // The control stream knows it now: this document would move it elsewhere.
    const applied = await project.leat(["routes", "apply", "back.yaml", ...at])
    expect([applied.code, applied.stderr]).toEqual([0, ""])
    const status = await project.leatJson(["move", "status", ...at])
    expect(status.report).toMatchObject({
      streams: [
        { epochs: [{ topic: "shop.orders" }, { cluster: "here", topic: "other.shop.orders", phase: "planned" }] }
      ]
    })
  })

  it("waits until the processes write in the new place, and moves back", async () => {
    using project = new Project()
    await fleetOf(project)
    await topicIn(project, "there", "shop.orders", 3)
    await using _ = await processOf(project)
    const wait = ["--wave", "1", "--max-pause", "60 seconds", "--wait", "60 seconds"]
    const moved = await project.leat(["move", "start", "two.yaml", ...at, ...orders, ...wait])
    expect([moved.code, moved.stdout.replace(/\d+\.\d s/, "n s"), moved.stderr]).toEqual([
      0,
      "wave 1 of 1 has gone: shop.orders (n s)\nstream shop.orders: here/shop.orders (2 partitions) -> there/shop.orders (3 partitions); not placed yet\nversion 2 is applied: 1 stream moves\nall of them are written in their new places\n",
      ""
    ])
    const back = await project.leat(["move", "rollback", ...at, ...reason])
    expect([back.code, back.stdout]).toEqual([
      0,
      "version 3 is applied: the streams move back to where they lay before, and all else is as that document says\n"
    ])
    const status = await project.leatJson(["move", "status", ...at])
    expect(status.report).toMatchObject({
      streams: [{ writers: 1, epochs: [{ epoch: 1, phase: "retired" }, { epoch: 2 }, { epoch: 3, cluster: "here" }] }]
    })
  })

  it("has moved a stream that audit finds all of, in its places and in each of them", async () => {
    using project = new Project()
    await fleetOf(project)
    const lines = "risk.logs.line"
    for (const [directory, partitions] of [
      ["here", 2],
      ["there", 3]
    ] as const)
      await topicIn(project, directory, lines, partitions)
    await using leat = await processOf(project)
    const stream = await leat.stream(LogLine)
    const publish = async (count: number) => {
      const line = { program: "sshd", severity: Severity.INFO, message: "", atUs: 0n, inputRef: "" }
      for (let index = 0; index < count; index++) await stream.publish({ ...line, host: `host ${index % 7}` })
    }
    await publish(30)
    const none = await project.leat(["audit", ...at, "--stream", lines])
    expect([none.code, none.stderr]).toEqual([1, `leat: stream ${lines} is not placed; none is\n`])
    const moved = await project.leat(["move", "start", "two.yaml", ...at, "--stream", lines, "--wait", "60 seconds"])
    expect([moved.code, moved.stderr]).toEqual([0, ""])
    await publish(40)
    const all = await project.leat(["audit", ...at, "--stream", lines])
    expect([all.code, all.stderr]).toEqual([0, ""])
    expect(all.stdout).toMatch(
      /^STREAM +PUBLISHERS [^\n]+\nrisk\.logs\.line +1 +70 +0 +0 +0 +0 +0 +0 +0 +0\.0000 %\n\n1 stream\n$/
    )
    const report = await project.leatJson(["audit", ...at, "--stream", lines, "--group", "nobody"])
    expect(report).toMatchObject({ code: 0, report: { streams: [{ events: 70, missing: 0, group: { waiting: 70 } }] } })
    for (const [directory, events] of [
      ["here", 30],
      ["there", 40]
    ] as const) {
      const one = await project.leatJson(["audit", "--directory", directory, "--topic", lines])
      expect(one).toMatchObject({ code: 0, report: { topics: [{ events, missing: 0 }] } })
    }
    const both = await project.leat(["audit", ...at, "--stream", lines, "--topic", lines])
    expect([both.code, both.stderr]).toEqual([2, "leat: --stream is audited in all its topics; leave --topic out\n"])
  })

  it("refuses a move while somebody else writes the topic, unless that was stopped", async () => {
    using project = new Project()
    await fleetOf(project)
    await topicIn(project, "here", "shop.orders", 2, Date.now())
    const plan = ["move", "plan", "two.yaml", ...at, ...orders, "--partitions", "3"]
    const refused = await project.leatJson(plan)
    expect([refused.code, refused.report]).toMatchObject([
      3,
      { verdict: "refused", moves: [{ foreignWriters: [{ incarnation: "", records: 1 }] }] }
    ])
    expect(refused.stderr).toMatch(/somebody who does not use leat has written to here\/shop\.orders \d+ seconds ago/)
    expect((await project.leat([...plan, "--foreign-writers-stopped"])).code).toBe(4)
  })

  it("says in one sentence what is wrong with what it is asked", async () => {
    using project = new Project()
    await fleetOf(project)
    for (const [args, code, sentence] of [
      [["abort"], 2, "say why by --reason: it stands in the control stream of the fleet"],
      [["abort", ...reason], 1, "no stream is about to move; to take one back that has moved, roll back"],
      [["rollback", ...reason], 1, "no stream has moved, as far as is known"],
      [["rollback", ...reason, ...orders], 1, "stream shop.orders has not moved, as far as is known"],
      [["abandon", ...reason], 2, "say by --stream which stream is meant; leat move status lists them"],
      [["abandon", ...orders, ...reason], 2, "say by --epoch which one is meant; leat move status lists them"],
      [["abandon", ...orders, "--epoch", "1"], 2, "say why by --reason: it stands in the control stream of the fleet"],
      [["abandon", ...orders, "--epoch", "1", ...reason], 1, "stream shop.orders is not placed; none is"],
      [["give-up", ...orders, ...reason], 2, "say who is dead, by --member, --silent-for or --group; one of them"],
      [["give-up", ...orders, ...reason, "--group", "g", "--member", "x"], 2, "one of them"],
      [["give-up", ...orders, ...reason, "--group", "g"], 1, "stream shop.orders is not placed; none is"],
      [["pause"], 2, "say why by --reason: it stands in the control stream of the fleet"],
      [["pause", ...reason], 1, "no stream is placed that is not paused"],
      [["resume", ...reason], 1, "no stream is paused"],
      [["resume", ...orders, ...reason], 1, "stream shop.orders is not placed; none is"],
      [["retire", ...orders], 2, "say why by --reason: it stands in the control stream of the fleet"],
      [["retire", ...orders, ...reason], 1, "stream shop.orders is not placed; none is"],
      [
        ["give-up", ...orders, ...reason, "--silent-for", "long"],
        2,
        "--silent-for long is no duration; say 10 minutes"
      ],
      [["give-up", ...reason, "--member", "x"], 1, "no stream waits for x that was passed over; they wait for nobody"],
      [["give-up", ...reason, "--group", "g"], 2, "say by --stream which stream is meant; leat move status lists them"],
      [["give-up", ...orders, ...reason, "--member", "x"], 1, "stream shop.orders is not placed; none is"],
      [["status", ...orders], 1, "stream shop.orders is not placed; none is"],
      [
        ["start", "one.yaml", ...orders],
        1,
        "version 1 is not higher than 1, which was applied last; give it a higher number, also to go back to what it says"
      ],
      [["start", "gone.yaml"], 2, "there is no file gone.yaml; name a route document"],
      [["start", "two.yaml", "--wait", "soon"], 2, "--wait soon is no duration; say 30 seconds"],
      [
        ["start", "two.yaml"],
        1,
        "the document moves no stream that is known; name those that routes have with a star, by --stream"
      ],
      [["start", "two.yaml", "--wave", "0"], 2, "--wave is 1 or more"],
      [
        ["start", "two.yaml", "--max-pause", "5 seconds"],
        2,
        "--max-pause goes with --wave, which says how many go at a time"
      ],
      [
        ["resume", ...reason, "--wave", "2", "--wave-within", "soon"],
        2,
        "--wave-within soon is no duration; say 5 seconds"
      ],
      [["plan", "two.yaml", "--order", "fast"], 2, "--order fast is none of keep, relaxed; see leat move plan --help"],
      [["plan", "two.yaml", "--partitions", "0"], 2, "--partitions is 1 or more"]
    ] as const) {
      const [verb = "", ...rest] = args
      const run = await project.leat(["move", verb, ...rest, ...at])
      expect({ args, code: run.code, stderr: run.stderr }).toEqual({
        args,
        code,
        stderr: expect.stringContaining(sentence) as unknown
      })
      expect(run.stderr.trim().split("\n")).toHaveLength(1)
    }
    const none = await project.leat(["move", "start", "two.yaml", "--directory", "nowhere"])
    expect([none.code, none.stderr]).toEqual([
      1,
      "leat: there is no control stream in nowhere (topic leat-control): no process was opened with it yet; apply a document first, by leat routes apply\n"
    ])
    const faulty = await project.leat(["move", "start", "faulty.yaml", ...at, ...orders])
    expect([faulty.code, faulty.stderr]).toEqual([
      1,
      "leat: the document has faults: routes[0].to[0].cluster: no cluster named nowhere; there is here, there\n"
    ])
  })
})
