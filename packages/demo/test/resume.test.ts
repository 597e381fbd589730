import { existsSync, readdirSync, renameSync, rmSync } from "node:fs"
import { dirname, join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { cleanUp, Job, temporary } from "./Job.ts"
import { JobInProcess } from "./JobInProcess.ts"
import { storedRun } from "./storedRun.ts"
import { type Walk, writeWalk } from "./walk.ts"

let folder = ""
let walk: Walk
let undisturbed: Awaited<ReturnType<typeof storedRun>>

beforeAll(async () => {
  folder = temporary()
  walk = writeWalk(join(folder, "input"))
  const directory = join(folder, "undisturbed")
  const { code, stdout } = await new JobInProcess([...walk.args, "--directory", directory, "--speed", "max", "--json"])
    .ended
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ transport: "log", balanced: true, pending: 0, malformed: 1, dropped: 0 })
  undisturbed = await storedRun(directory)
  expect(undisturbed["BeaconSighting"]).toHaveLength(walk.sightings)
  expect(undisturbed["LogLine"]).toHaveLength(walk.lines)
})
afterAll(cleanUp)

/** The job on a directory with the input of this test: in the process of the test, or in one of its own, which can be killed. */
const runHere = (directory: string, ...args: ReadonlyArray<string>) =>
  new JobInProcess([...walk.args, "--directory", directory, ...args])
const start = (directory: string, ...args: ReadonlyArray<string>) =>
  new Job([...walk.args, "--directory", directory, ...args])

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe("a run on the log", { timeout: 90_000 }, () => {
  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143]
  ] as const)("goes on after %s where it stopped", async (signal, code) => {
    const directory = join(folder, signal)
    const first = runHere(directory, "--speed", "10")
    await first.says(/ledger: [1-9]/)
    first.kill(signal)
    const stopped = await first.ended
    expect(stopped.stdout).toContain("nothing is there that the input does not say, and nothing twice")
    expect(stopped.stdout).toContain("the same command goes on from here")
    expect(stopped.code).toBe(code)
    const halfway = await storedRun(directory)
    expect(halfway["BeaconSighting"]?.length).toBeGreaterThan(0)
    expect(halfway["BeaconSighting"]?.length).toBeLessThan(walk.sightings)
    const second = await runHere(directory, "--speed", "max").ended
    expect(second.stdout).toMatch(/going on: \d+ lines are stored already/)
    expect(second.code).toBe(0)
    expect(await storedRun(directory)).toEqual(undisturbed)
  })

  it("goes on after it was killed again and again", async () => {
    const directory = join(folder, "killed")
    for (const ms of [150, 400, 700]) {
      const job = start(directory, "--speed", "15")
      await job.says(/lively|real time/)
      await pause(ms)
      job.kill("SIGKILL")
      await job.ended
    }
    const { code, stdout } = await runHere(directory, "--speed", "max").ended
    expect(stdout).toContain("everything that the input says arrived, once and in order")
    expect(code).toBe(0)
    expect(await storedRun(directory)).toEqual(undisturbed)
  })

  it("that is finished is never deleted where the directory was named", async () => {
    const { code, stdout, stderr } = await runHere(join(folder, "undisturbed"), "--json").ended
    expect(code).toBe(2)
    expect(stdout).toBe("")
    expect(stderr.trim().split("\n")).toHaveLength(1)
    expect(stderr).toContain(
      "holds a finished run, which is not deleted: --fresh begins a new one beside it, or name another directory"
    )
    expect(await storedRun(join(folder, "undisturbed"))).toEqual(undisturbed)
  })

  it("refuses a directory with the run of other files", async () => {
    const other = writeWalk(join(folder, "other"), 3, 1)
    const named = other.args.map((arg) => arg.replace("walk.mbd", "stroll.mbd"))
    renameSync(join(folder, "other", "walk.mbd"), join(folder, "other", "stroll.mbd"))
    const { code, stderr } = await new JobInProcess([...named, "--directory", join(folder, "undisturbed")]).ended
    expect(stderr).toContain("holds a run over other files (walk.mbd): name those files, or another directory")
    expect(code).toBe(2)
  })

  it("ends with the code of the signal whenever signals come, and however many", async () => {
    const job = start(join(folder, "flooded"), "--speed", "10")
    await job.says(/lively|real time/)
    const again = setInterval(() => job.kill("SIGINT"), 1)
    const { code, signal } = await job.ended
    clearInterval(again)
    expect({ code, signal }).toEqual({ code: 130, signal: null })
  })

  it("by default stands below .leat/demo, and a finished one makes room", async () => {
    const runs: Array<string> = []
    const tiny = writeWalk(join(folder, "tiny"), 4, 2)
    for (let run = 0; run < 2; run++) {
      const { code, stdout } = await new JobInProcess([...tiny.args, "--speed", "max"]).ended
      expect(code).toBe(0)
      runs.push(/^log: (.*)$/m.exec(stdout)?.[1] ?? "")
    }
    const [first = "", second = ""] = runs
    expect(first).toMatch(/\.leat\/demo\/[0-9a-f]{16}\/run-\d+$/)
    expect(second).not.toBe(first)
    expect(existsSync(first)).toBe(false)
    expect(readdirSync(second)).toContain("log.sqlite")
    rmSync(dirname(second), { recursive: true })
  })
})
