// What only a process shows: exit codes, signals, pipes. Everything else about the command runs in the process of the tests.
import { existsSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { corruptFirstBatch } from "./corruptFirstBatch.js"
import { fillLog, onLog, rawRead } from "./fillLog.js"
import { publishLogLines } from "./logLines.js"
import { leatBin, Project } from "./Project.js"
import { shop } from "./protos.js"
import { Running } from "./Running.js"

const publishSlowly = fileURLToPath(new URL("publishSlowly.ts", import.meta.url))
const tail = ["events", "tail"]
const jsonl = `node "${leatBin}" events tail --format jsonl`
const publish = `node "${leatBin}" events publish`

describe("the exit code of the process", () => {
  it.each([
    [["--version"], 0, /^$/],
    [["doctor", "--directory", "nowhere"], 1, /^leat: [^]+\n$/],
    [["frob"], 2, /^leat: [^]+\n$/],
    [["doctor", "--routes", "broken.yaml"], 3, /^leat: [^]+\n$/]
  ] as const)("is that of the command: %j", async (args, code, told) => {
    using project = new Project({ "broken.yaml": "version: 1\nclusters: { l: { transport: pigeon } }\nroutes: []\n" })
    await fillLog(join(project.folder, "data"), "t", 0, [{ key: "a", value: "1" }])
    using running = new Running([leatBin, ...args], project.folder)
    expect([await running.ended, running.stderr]).toEqual([code, expect.stringMatching(told)])
  })
})

describe("standard input", () => {
  it("is what is published, from a file or a pipe", async () => {
    using project = new Project({ ...shop, "input.jsonl": '{"id":"a"}\n{"id":"b"}' })
    const counts = { code: 0, stdout: "offered 2, stored 2, duplicates 0, malformed 0, not stored 0\n", stderr: "" }
    expect(await project.shell(`${publish} --stream shop.orders < input.jsonl`)).toEqual(counts)
    expect(await project.shell(`cat input.jsonl | ${publish} --stream shop.orders`)).toEqual(counts)
  })
})

describe("leat events tail --format jsonl | leat events publish", () => {
  it("copies a log as it is: bytes, headers, ids, partitions, tombstones; a second time everything is a duplicate", async () => {
    using project = new Project()
    const directory = join(project.folder, "data")
    const binary = Uint8Array.from({ length: 256 }, (_, index) => index)
    await onLog(directory, (log) => log.ensure({ topic: "u", partitions: 2, compacted: true }))
    await fillLog(directory, "u", 1, [
      {
        key: "a",
        value: binary,
        headers: [
          ["h", binary],
          ["h", new Uint8Array(0)]
        ],
        timeMs: 1_795_416_249_141
      },
      { key: null, value: "", timeMs: 1.5 },
      { key: "", value: null }
    ])
    await publishLogLines(directory, 30)
    const round = `${jsonl} | ${publish} --directory copy --json`
    const told = await project.shell(round)
    expect([told.code, told.stderr]).toEqual([0, "leat: there was no log in copy; one was made\n"])
    expect(JSON.parse(told.stdout)).toEqual({
      offered: 33,
      stored: 33,
      duplicates: 0,
      malformed: 0,
      notStored: 0,
      dryRun: false
    })
    for (const topic of ["u", "risk.logs.line"]) {
      const original = await rawRead(directory, topic)
      expect(original.length).toBeGreaterThan(2)
      expect(await rawRead(join(project.folder, "copy"), topic)).toEqual(original)
    }
    const { report } = await project.leatJson(["events", "list", "--directory", "copy"])
    expect(report).toMatchObject({
      topics: [
        { topic: "u", compacted: true },
        { topic: "risk.logs.line", compacted: false }
      ]
    })
    const lines = await project.leat([...tail, "--format", "jsonl", "--topic", "risk.logs.line"])
    const again = ["events", "publish", "--directory", "copy", "--json"]
    expect((await project.leat([...again, "--stream", "risk.logs.line"], ".", lines.stdout)).code).toBe(2)
    const ids = await project.leat(again, ".", lines.stdout)
    expect([ids.code, JSON.parse(ids.stdout)]).toMatchObject([0, { offered: 30, stored: 0, duplicates: 30 }])
  })

  it("copies to another topic when told, and follows a log that grows", async () => {
    using project = new Project()
    await fillLog(join(project.folder, "data"), "t", 1, [{ key: "a", value: "1" }])
    const command = `${jsonl} --follow --limit 3 | tee >(cat >&2) | ${publish} --directory copy --topic other`
    using pipeline = new Running(
      [
        "-e",
        `process.exitCode = require("node:child_process").spawnSync("bash", ["-c", ${JSON.stringify(command)}], { stdio: "inherit" }).status`
      ],
      project.folder
    )
    await pipeline.complained(/"topic":"t"/)
    await fillLog(join(project.folder, "data"), "t", 0, [
      { key: "b", value: "2" },
      { key: "c", value: "3" }
    ])
    expect(await pipeline.ended).toBe(0)
    expect(pipeline.stdout).toBe("offered 3, stored 3, duplicates 0, malformed 0, not stored 0\n")
    expect(await rawRead(join(project.folder, "copy"), "other")).toEqual(
      await rawRead(join(project.folder, "data"), "t")
    )
  })
})

describe("standard output", () => {
  it.skipIf(!existsSync("/dev/full"))("that cannot be written is told in one sentence", async () => {
    using project = new Project()
    await fillLog(join(project.folder, "data"), "t", 0, [{ key: "a", value: "1" }])
    const { code, stderr } = await project.shell(`node "${leatBin}" events tail > /dev/full`)
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^leat: what is printed cannot be written: ENOSPC[^\n]+\n$/)
    ])
  })

  it("that nobody reads any more ends a tail that follows", async () => {
    using project = new Project()
    const directory = join(project.folder, "data")
    await fillLog(directory, "t", 0, [{ key: "a", value: "1" }])
    using unread = new Running([leatBin, ...tail, "--follow"], project.folder)
    await unread.printed(/t\/0@0/)
    unread.closeOutput()
    await fillLog(directory, "t", 0, [{ key: "b", value: "2" }])
    expect([await unread.ended, unread.stderr]).toEqual([0, ""])
  })

  it("is written whole, whatever the exit code", async () => {
    using project = new Project()
    const directory = join(project.folder, "data")
    const long = Array.from({ length: 300 }, (_, index) => ({ key: "a", value: `${index} ${"x".repeat(1000)}` }))
    await fillLog(directory, "t", 0, [{ key: "a", value: "1" }])
    await fillLog(directory, "t", 0, long)
    corruptFirstBatch(directory)
    const { code, stdout } = await project.shell(`node "${leatBin}" events tail --unmasked | (sleep 0.3; cat)`)
    expect([code, stdout.split("\n").length]).toEqual([1, long.length + 1])
  })
})

describe("leat events tail --follow", () => {
  it.each(["SIGINT", "SIGTERM"] as const)(
    "goes on with what another process publishes, in a topic that was not there, until %s",
    async (signal) => {
      using project = new Project()
      await fillLog(join(project.folder, "data"), "t", 0, [{ key: "a", value: "1" }])
      using following = new Running([leatBin, ...tail, "--format", "jsonl", "--follow"], project.folder)
      await following.printed(/"topic":"t"/)
      using publisher = new Running([publishSlowly, "data", "20", "30"], project.folder)
      await following.printed(/(.*\n){21}/)
      following.signal(signal)
      expect([await following.ended, following.stderr]).toEqual([0, ""])
      const ids = following.stdout.split("\n").filter((line) => line.includes('"risk.logs.line"'))
      expect([ids.length, new Set(ids).size]).toEqual([20, 20])
      expect(await publisher.ended).toBe(0)
    }
  )

  it("ends in order whenever the signals come, and however many", async () => {
    using project = new Project()
    await fillLog(join(project.folder, "data"), "t", 0, [{ key: "a", value: "1" }])
    using following = new Running([leatBin, ...tail, "--follow"], project.folder)
    await following.printed(/t\/0@0/)
    const again = setInterval(() => following.signal("SIGINT"), 1)
    try {
      expect([await following.ended, following.stderr]).toEqual([0, ""])
    } finally {
      clearInterval(again)
    }
  })
})
