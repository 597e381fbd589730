import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { cleanUp, Job, temporary } from "./Job.ts"
import { JobInProcess } from "./JobInProcess.ts"
import { storedRun } from "./storedRun.ts"
import { type Walk, writeWalk } from "./walk.ts"

let folder = ""
let walk: Walk
let together: Awaited<ReturnType<typeof storedRun>>

beforeAll(async () => {
  folder = temporary()
  walk = writeWalk(join(folder, "input"))
  const directory = join(folder, "together")
  const { code } = await new JobInProcess([...walk.args, "--directory", directory, "--speed", "max"]).ended
  expect(code).toBe(0)
  together = await storedRun(directory)
})
afterAll(cleanUp)

describe("roles as processes on one directory", { timeout: 90_000 }, () => {
  it("do together what one process does", async () => {
    const directory = join(folder, "three")
    const role = (name: string) =>
      new Job([...walk.args, "--directory", directory, "--role", name, "--speed", "40", "--json"])
    const jobs = await Promise.all(["alerts", "positions", "publisher"].map((name) => role(name).ended))
    const told = jobs.map(({ code, stdout, stderr }) => ({ code, stdout, verdict: /the part of .*/.exec(stderr)?.[0] }))
    const [alerts, positions, publisher] = told.map(({ stdout }): unknown => JSON.parse(stdout))
    expect(told.map(({ code }) => code)).toEqual([0, 0, 0])
    expect(told.every(({ verdict }) => verdict?.endsWith("arrived, once and in order"))).toBe(true)
    expect(publisher).toMatchObject({ offered: walk.sightings + walk.lines, malformed: 1, consumed: 0 })
    expect(positions).toMatchObject({ consumed: walk.sightings, offered: together["PositionEstimate"]?.length })
    expect(alerts).toMatchObject({ consumed: (together["PositionEstimate"]?.length ?? 0) + walk.lines })
    expect(await storedRun(directory)).toEqual(together)
  })

  it("go on when one of two positions is killed", async () => {
    const directory = join(folder, "killed")
    const role = (name: string) => new Job([...walk.args, "--directory", directory, "--role", name, "--speed", "20"])
    const [alerts, staying, dying, publisher] = [
      role("alerts"),
      role("positions"),
      role("positions"),
      role("publisher")
    ]
    await dying.says(/beacons\.position [1-9]/)
    dying.kill("SIGKILL")
    await dying.ended
    const ends = await Promise.all([alerts.ended, staying.ended, publisher.ended])
    expect(ends.map(({ code, stdout }) => ({ code, differs: stdout.match(/DIFFERS.*/g) }))).toEqual(
      Array.from({ length: 3 }, () => ({ code: 0, differs: null }))
    )
    expect(await storedRun(directory)).toEqual(together)
  })

  it("go on when a second positions joins and leaves, and the publisher is another one", async () => {
    const directory = join(folder, "moved")
    const role = (name: string) => new Job([...walk.args, "--directory", directory, "--role", name, "--speed", "20"])
    const [alerts, staying, leaving] = [role("alerts"), role("positions"), role("positions")]
    const [first, second] = [role("publisher"), role("publisher")]
    await leaving.says(/beacons\.position [1-9]/)
    leaving.kill("SIGINT")
    first.kill("SIGKILL")
    expect((await leaving.ended).code).toBe(130)
    const ends = await Promise.all([alerts.ended, staying.ended, second.ended])
    expect(ends.map(({ code, stdout }) => ({ code, differs: stdout.match(/DIFFERS.*/g) }))).toEqual(
      Array.from({ length: 3 }, () => ({ code: 0, differs: null }))
    )
    expect(await storedRun(directory)).toEqual(together)
  })

  it("need a log", async () => {
    const { code, stderr } = await new JobInProcess([...walk.args, "--role", "alerts", "--transport", "memory"]).ended
    expect(code).toBe(2)
    expect(stderr).toContain("--role needs a log that processes can share: leave --transport memory out")
  })
})
