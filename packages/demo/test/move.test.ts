import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { cleanUp, Job, temporary } from "./Job.ts"
import { JobInProcess } from "./JobInProcess.ts"
import { storedRun } from "./storedRun.ts"
import { type Walk, writeWalk } from "./walk.ts"

type Run = Awaited<ReturnType<typeof storedRun>>

let folder = ""
let walk: Walk
let unmoved: Run

beforeAll(async () => {
  folder = temporary()
  walk = writeWalk(join(folder, "input"), 60)
  const directory = join(folder, "unmoved")
  const { code } = await new JobInProcess([...walk.args, "--directory", directory, "--speed", "max"]).ended
  expect(code).toBe(0)
  unmoved = await storedRun(directory)
})
afterAll(cleanUp)

const counts = (run: Run) => Object.fromEntries(Object.entries(run).map(([name, texts]) => [name, texts.length]))

/** Of both logs, by raw reads: what a run that was moved has stored in each, and altogether. */
async function storedIn(directory: string) {
  const [first, second] = [await storedRun(directory), await storedRun(join(directory, "second"))]
  const names = Object.keys(first)
  const all = Object.fromEntries(
    names.map((name) => [name, [...(first[name] ?? []), ...(second[name] ?? [])].toSorted()])
  )
  return { first: counts(first), second: counts(second), all }
}

const distinct = (run: Run): Run =>
  Object.fromEntries(Object.entries(run).map(([name, texts]) => [name, Array.from(new Set(texts))]))

describe("--move", { timeout: 240_000 }, () => {
  it("has all streams go to a second log and come back while everything goes on", async () => {
    const directory = join(folder, "moved")
    const { code, stdout } = await new JobInProcess([...walk.args, "--directory", directory, "--speed", "3", "--move"])
      .ended
    expect(stdout).toMatch(/they are written in a second log, \d+\.\d s after that/)
    expect(stdout).toMatch(/they are written in the log, \d+\.\d s after that/)
    expect(stdout.match(/what lay in the old place is read to its end/g)).toHaveLength(2)
    expect(stdout).not.toContain("trouble")
    expect(stdout).toContain("everything that the input says arrived, once and in order")
    expect(code).toBe(0)
    const { first, second, all } = await storedIn(directory)
    expect(all).toEqual(unmoved)
    // It was really there, and while something was published.
    expect(first["BeaconSighting"]).toBeGreaterThan(0)
    expect(second["BeaconSighting"]).toBeGreaterThan(0)
    const again = await new JobInProcess([...walk.args, "--directory", directory, "--move"]).ended
    expect(again.stderr).toContain("holds a finished run, which is not deleted")
  })

  it("goes on after it was killed in the middle of a move, and is stopped and gone on with, with the flag or without", async () => {
    const directory = join(folder, "killed")
    const args = [...walk.args, "--directory", directory]
    // So slow that it is not over before the move has begun, however busy the machine is.
    const first = new Job([...args, "--speed", "1.5", "--move"])
    await first.says(/all streams go to a second log/)
    await first.says(/is in force/)
    first.kill("SIGKILL")
    expect((await first.ended).signal).toBe("SIGKILL")
    const second = new JobInProcess([...args, "--speed", "1.5", "--move"])
    // The first one is waited for until its lease is over, and given up then.
    await second.says(/they are written in a second log/)
    second.kill("SIGINT")
    expect((await second.ended).code).toBe(130)
    const third = await new JobInProcess([...args, "--speed", "max"]).ended
    expect(third.stdout).toMatch(/going on: \d+ lines are stored already/)
    expect(third.stdout).toContain("everything that the input says arrived, once and in order")
    expect(third.code).toBe(0)
    // Who was killed may have stored something behind the end of the old place, which is stored in the new one too and is nothing that anybody reads.
    expect(distinct((await storedIn(directory)).all)).toEqual(unmoved)
  })
})
