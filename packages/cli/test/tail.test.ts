import { readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { CommandInProcess } from "./CommandInProcess.js"
import { corruptFirstBatch } from "./corruptFirstBatch.js"
import { fillLog } from "./fillLog.js"
import { publishLogLines } from "./logLines.js"
import { Project } from "./Project.js"

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const risk = Object.fromEntries(
  ["alert", "beacon", "log"].map((name) => {
    const path = `risk/v1/${name}.proto`
    return [`proto/${path}`, readFileSync(here(`../../../proto/${path}`), "utf8")]
  })
)
const tail = ["events", "tail"]
const jsonl = [...tail, "--format", "jsonl"]

/** A project with the contracts of the sample domain, and a log with some of its events. */
async function withEvents(events = 4): Promise<Project> {
  const project = new Project(risk)
  await publishLogLines(join(project.folder, "data"), events)
  return project
}

const linesOf = (text: string): ReadonlyArray<Record<string, unknown>> =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>)

describe("leat events tail", () => {
  it("prints events in order of time, decoded, with personal data masked", async () => {
    using project = await withEvents()
    const { code, stdout, stderr } = await project.leat(tail)
    expect([code, stderr]).toEqual([0, ""])
    const lines = stdout.trimEnd().split("\n")
    expect(lines.map((line) => /"inputRef":"x:(\d)"/.exec(line)?.[1])).toEqual(["0", "1", "2", "3"])
    expect(lines[0]).toMatch(
      /^\d{4}-\d\d-\d\dT[\d:.]+Z risk\.logs\.line\/\d@0 h0 \{"host":"h0","program":"sshd","severity":"SEVERITY_WARN","message":"\*\*\*","atUs":"0","detail":\{"case":"loginFailure","value":\{"user":"\*\*\*","sourceAddress":"\*\*\*"\}\},"inputRef":"x:0"\}$/
    )
    const unmasked = await project.leat([...tail, "--unmasked", "--limit", "1"])
    expect(unmasked.stdout).toContain('"message":"secret 0"')
    expect(unmasked.stdout).toContain('"user":"root"')
  })

  it("prints one object with --json, masked, and says when there is more", async () => {
    using project = await withEvents()
    const { code, stdout, stderr, report } = await project.leatJson([...tail, "--limit", "2"])
    expect([code, stderr]).toEqual([0, ""])
    expect(report).toMatchObject({
      count: 2,
      isComplete: false,
      lost: [],
      records: [
        { topic: "risk.logs.line", key: "h0", type: "risk.v1.LogLine", event: { message: "***" } },
        expect.anything()
      ]
    })
    expect(stdout).not.toContain("secret")
    const all = await project.leatJson([...tail, "--unmasked"])
    expect(all.report).toMatchObject({
      count: 4,
      isComplete: true,
      records: [{ event: { message: "secret 0" } }, expect.anything(), expect.anything(), expect.anything()]
    })
  })

  it("prints whole records a line with --format jsonl: ids, headers, bytes", async () => {
    using project = await withEvents(1)
    const { stdout } = await project.leat(jsonl)
    const [line] = linesOf(stdout)
    expect(line).toMatchObject({
      topic: "risk.logs.line",
      partitions: 4,
      position: 0,
      key: "h0",
      id: expect.stringMatching(/^[0-9a-f-]{36}\/risk\.logs\.line\/\d+\/0$/),
      type: "risk.v1.LogLine",
      event: { host: "h0", inputRef: "x:0", loginFailure: { user: "root" } },
      rawKey: Buffer.from("h0").toString("base64"),
      headers: [["leat", expect.stringMatching(/^[\w+/]+=*$/)]]
    })
  })

  it("begins where it is told", async () => {
    using project = await withEvents(6)
    const all = linesOf((await project.leat(jsonl)).stdout)
    const third = all[2]
    const positions = async (...args: ReadonlyArray<string>) =>
      linesOf((await project.leat([...jsonl, ...args])).stdout)
    expect(await positions("--from", "latest")).toEqual([])
    expect(await positions("--from", String(third?.["time"]))).toEqual(all.slice(2))
    const partition = String(all[0]?.["partition"])
    const own = all.filter((line) => String(line["partition"]) === partition)
    expect(await positions("--partition", partition, "--from", "1")).toEqual(own.slice(1))
    expect(await positions("--partition", partition)).toEqual(own)
  })

  it("tells records that it cannot decode, tombstones and markers, and shows no bytes unless asked", async () => {
    using project = new Project(risk)
    const headers = (type: string) => [["ce_type", Buffer.from(type)] as const]
    await fillLog(join(project.folder, "data"), "mixed", 0, [
      { key: "k 1", value: "hello" },
      { key: "k2", value: null, headers: headers("risk.v1.LogLine") },
      { key: "k3", value: "nope", headers: headers("risk.v1.LogLine") },
      { key: null, value: Buffer.from("\n\u0001a"), headers: headers("risk.v1.LogLine") },
      { key: "k", value: null, headers: [["leat", Uint8Array.of(2)]] }
    ])
    const bodies = async (...args: ReadonlyArray<string>) => {
      const { stdout } = await project.leat([...tail, ...args])
      return stdout
        .trimEnd()
        .split("\n")
        .map((line) => line.split(" ").slice(1).join(" "))
    }
    expect(await bodies()).toEqual([
      "mixed/0@0 *** (5 bytes, no contract known)",
      "mixed/0@1 k2 (removed: the key has no event any more)",
      expect.stringMatching(/^mixed\/0@2 k3 \(4 bytes that are no risk\.v1\.LogLine: /),
      expect.stringMatching(/^mixed\/0@3 - \{"host":"a",/),
      expect.stringMatching(/^mixed\/0@4 \S+ \(announces /)
    ])
    expect((await bodies("--unmasked"))[0]).toBe('mixed/0@0 "k 1" (5 bytes, no contract known) "hello"')
    expect((await bodies("--type", "risk.v1.LogLine"))[0]).toMatch(/^mixed\/0@0 "k 1" \(5 bytes that are no risk/)
    expect((await bodies("--topic", "mixed", "--stream", "risk.logs.line"))[0]).toMatch(/^mixed\/0@0 "k 1" \(5 bytes/)
    project.remove("proto")
    expect((await bodies("--limit", "1"))[0]).toBe("mixed/0@0 *** (5 bytes, no contract known)")
  })

  it("passes over what does not verify, says so, and fails in the end", async () => {
    using project = new Project()
    const directory = join(project.folder, "data")
    await fillLog(directory, "t", 0, [{ key: "a", value: "1" }])
    await fillLog(directory, "t", 0, [{ key: "b", value: "2" }])
    corruptFirstBatch(directory)
    const { code, stdout, stderr } = await project.leat([...tail, "--unmasked"])
    expect([code, stdout]).toEqual([1, expect.stringMatching(/^\S+ t\/0@1 b [^\n]+\n$/)])
    expect(stderr).toBe(
      "leat: t/0: positions 0 to 0 do not verify and are passed over\nleat: 1 range of positions could not be read; see leat doctor\n"
    )
    const { report } = await project.leatJson(tail)
    expect(report).toMatchObject({ count: 1, lost: [{ topic: "t", partition: 0, from: 0, to: 1 }] })
  })
})

describe("leat events tail --follow", () => {
  it("goes on with what is published, in a topic that was not there, and ends with 0 when interrupted", async () => {
    using project = new Project(risk)
    const directory = join(project.folder, "data")
    await fillLog(directory, "t", 0, [{ key: "a", value: "1" }])
    await using following = new CommandInProcess([...jsonl, "--follow"], project.folder)
    await following.printed(/"topic":"t"/)
    await publishLogLines(directory, 20)
    await following.printed(/"atUs":"19"/)
    following.interrupt()
    expect([await following.ended, following.stderr]).toEqual([0, ""])
    const lines = linesOf(following.stdout).filter(({ topic }) => topic === "risk.logs.line")
    expect(new Set(lines.map(({ id }) => id)).size).toBe(20)
    expect(lines).toHaveLength(20)
  })

  it("ends when it has printed as many as it was told", async () => {
    using project = await withEvents(2)
    await using limited = new CommandInProcess([...tail, "--follow", "--limit", "3"], project.folder)
    await limited.printed(/x:1/)
    await publishLogLines(join(project.folder, "data"), 2)
    expect([await limited.ended, limited.stdout.split("\n").length]).toEqual([0, 4])
  })
})

describe("leat events tail called wrongly", () => {
  let project: Project
  beforeAll(async () => {
    project = await withEvents(1)
  })
  afterAll(() => project[Symbol.dispose]())

  it.each([
    [["--from", "yesterday"], 2, "--from yesterday is no beginning; say earliest, latest, a position (4711) or a time"],
    [["--json", "--format", "jsonl"], 2, "take one of the two"],
    [["--json", "--follow"], 2, "add --limit, or take --format jsonl"],
    [["--limit", "0"], 2, "--limit is 1 or more"],
    [["--type", "risk.v1.Nope"], 2, "there is no contract risk.v1.Nope in the .proto files; there is risk.v1."],
    [["--stream", "nope"], 2, "there is no contract of a stream nope in the .proto files; there is risk."],
    [["--topic", "nope"], 1, "there is no topic nope in"],
    [["--partition", "9"], 1, "there is no partition 9: risk.logs.line has 4, counted from 0"],
    [["--proto", "nowhere"], 2, "there is no folder nowhere"]
  ])("says what is wrong: %j", async (args, code, told) => {
    const run = await project.leat([...tail, ...args])
    expect(run.code).toBe(code)
    expect(run.stderr).toMatch(/^leat: [^\n]+\n$/)
    expect(run.stderr).toContain(told)
  })
})
