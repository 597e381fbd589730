import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { shortNames } from "../src/input/inputs.ts"
import { cleanUp, temporary } from "./Job.ts"
import { JobInProcess } from "./JobInProcess.ts"
import { writeWalk } from "./walk.ts"

let folder = ""
let input: ReadonlyArray<string> = []

beforeAll(() => {
  folder = temporary()
  input = writeWalk(join(folder, "input"), 4, 2).args
  mkdirSync(join(folder, "full"))
  writeFileSync(join(folder, "full", "letter.txt"), "not a log")
  writeFileSync(join(folder, "file"), "")
})
afterAll(cleanUp)

const document = (name: string, text: string) => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const onLog = (directory: string) => `version: 1
clusters: { here: { transport: "@leat/log", directory: ${JSON.stringify(directory)} } }
routes: [{ match: { stream: "*" }, to: [{ cluster: here, topic: "mine.{stream}" }] }]
`

describe("a wrong call is one sentence and exit code 2", () => {
  it.each([
    ["--role", "king", "--role king: there is only publisher, positions, alerts"],
    ["--color", "pink", "--color pink: there is only auto, always, never"],
    ["--transport", "pigeon", "--transport pigeon: there is only memory, log"],
    ["--speed", "-1", "leat: --speed -1: it must be max or a number above 0\n"],
    ["--speed", "-.5", "leat: --speed -.5: it must be max or a number above 0\n"],
    ["--directory", "", "--directory: it has no name"],
    ["--beacons", "/", "--beacons /: that is not a file"]
  ])("%s %s", async (flag, value, sentence) => {
    const { code, stdout, stderr } = await new JobInProcess([flag, value]).ended
    expect(stderr).toContain(sentence)
    expect({ code, stdout, lines: stderr.trim().split("\n").length }).toEqual({ code: 2, stdout: "", lines: 1 })
  })

  it("for directories and documents that do not go together", async () => {
    const memory = fileURLToPath(new URL("../routes.memory.yaml", import.meta.url))
    const calls: ReadonlyArray<readonly [ReadonlyArray<string>, string]> = [
      [["--directory", join(folder, "file")], "file: that is not a directory"],
      [["--directory", join(folder, "full")], "holds no log and is not empty (letter.txt)"],
      [["--directory", join(folder, "d"), "--transport", "memory"], "--directory is where a log stands"],
      [["--directory", join(folder, "d"), "--config", memory], "says itself where its log is"],
      [["--move", "--transport", "memory"], "--move goes on where it stopped: leave --transport memory out"],
      [["--move", "--config", memory], "--move has a document of its own, packages/demo/routes.move.yaml"],
      [["--move", "--role", "alerts"], "--move is for a job in one process: leave --role out"],
      [["--role", "alerts", "--config", memory], "--role needs a transport that processes can share"],
      [["--transport", "log", "--config", memory], "the document of --config is on memory"]
    ]
    for (const [args, sentence] of calls) {
      const { code, stdout, stderr } = await new JobInProcess([...input, ...args]).ended
      expect(stderr).toContain(sentence)
      expect({ args, code, stdout, lines: stderr.trim().split("\n").length }).toEqual({
        args,
        code: 2,
        stdout: "",
        lines: 1
      })
    }
    expect(readdirSync(join(folder, "full"))).toEqual(["letter.txt"])
  })
})

describe("a document on the log", () => {
  it("has the directory that it names", async () => {
    const directory = join(folder, "named by the document")
    const args = [...input, "--config", document("log.yaml", onLog(directory)), "--speed", "max"]
    const first = await new JobInProcess([...args, "--json"]).ended
    expect(first.code).toBe(0)
    expect(JSON.parse(first.stdout)).toMatchObject({ transport: "log", balanced: true })
    expect(readdirSync(directory)).toContain("log.sqlite")
    const second = await new JobInProcess(args).ended
    expect(second.stderr).toContain("the topics of --config hold a finished run, which is not deleted")
    expect(second.code).toBe(2)
  })

  it("may leave the directory open", async () => {
    const config = document("open.yaml", onLog("{directory}"))
    const directory = join(folder, 'with "quotes"')
    const { code } = await new JobInProcess([...input, "--config", config, "--directory", directory, "--speed", "max"])
      .ended
    expect(code).toBe(0)
    expect(readdirSync(directory)).toContain("log.sqlite")
    expect(readFileSync(config, "utf8")).toContain("{directory}")
  })
})

describe("files", () => {
  it("are called by as much of their path as tells them apart", () => {
    const names = shortNames(["/a/x/walk.mbd", "/b/x/walk.mbd", "/b/auth.log"])
    expect([...names.values()]).toEqual(["a/x/walk.mbd", "b/x/walk.mbd", "auth.log"])
  })
})
