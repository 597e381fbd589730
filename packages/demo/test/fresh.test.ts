import { existsSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { cleanUp, temporary } from "./Job.ts"
import { JobInProcess } from "./JobInProcess.ts"
import { storedRun } from "./storedRun.ts"
import { writeWalk } from "./walk.ts"

let folder = ""
let input: ReadonlyArray<string> = []
let other: ReadonlyArray<string> = []

beforeAll(() => {
  folder = temporary()
  input = writeWalk(join(folder, "input"), 12, 2).args
  other = ["--logs", join(folder, "other.log")]
  writeFileSync(join(folder, "other.log"), "words\n")
})
afterAll(cleanUp)

const run = (...args: ReadonlyArray<string>) => new JobInProcess(args)

describe("--fresh", { timeout: 60_000 }, () => {
  it("begins a new run beside a finished one, which stays as it is, and the others follow", async () => {
    const directory = join(folder, "named")
    const args = [...input, "--directory", directory]
    expect((await run(...args, "--speed", "max", "--fresh").ended).code).toBe(0)
    const first = await storedRun(directory)
    expect(first["BeaconSighting"]?.length).toBeGreaterThan(0)

    const second = run(...args, "--speed", "4", "--fresh")
    await second.says(/ledger: [1-9]/)
    second.kill("SIGINT")
    const stopped = await second.ended
    expect(stopped.stdout).toContain(
      "a new run, number 1: its topics begin with run-1.; the runs before it stay as they are"
    )
    expect(stopped.stdout).toContain("the same command without --fresh goes on from here")
    expect((await storedRun(directory, "run-1."))["BeaconSighting"]?.length).toBeLessThan(
      first["BeaconSighting"]?.length ?? 0
    )
    const third = await run(...args, "--speed", "max").ended
    expect(third.stdout).toMatch(/going on: \d+ lines are stored already/)
    expect(third.code).toBe(0)
    expect(await storedRun(directory, "run-1.")).toEqual(first)
    expect(await storedRun(directory)).toEqual(first)
    const fourth = await run(...args).ended
    expect(fourth.stderr).toContain("holds a finished run, which is not deleted: --fresh begins a new one beside it")
    expect(fourth.code).toBe(2)
    const fifth = await run(...other, "--directory", directory, "--speed", "max", "--fresh").ended
    expect(fifth.code).toBe(0)
    expect((await storedRun(directory, "run-2."))["LogLine"]).toHaveLength(1)
  })

  it("leaves an unfinished run of the job's own folder where it is", async () => {
    const first = run(...input, "--speed", "4")
    await first.says(/ledger: [1-9]/)
    first.kill("SIGINT")
    const directory = /^log: (.*)$/m.exec((await first.ended).stdout)?.[1] ?? ""
    const second = await run(...input, "--speed", "max", "--fresh").ended
    expect(second.stdout).toContain(`a new run; the one before is not finished, and stays in ${directory}`)
    expect(second.stdout).not.toContain(`log: ${directory}\n`)
    expect(second.code).toBe(0)
    expect(existsSync(join(directory, "log.sqlite"))).toBe(true)
    rmSync(dirname(directory), { recursive: true })
  })

  it("is refused where it cannot be", async () => {
    const config = join(folder, "literal.yaml")
    writeFileSync(
      config,
      `version: 1
clusters: { here: { transport: "@leat/log", directory: ${JSON.stringify(join(folder, "literal"))} } }
routes:
  - { match: { stream: "risk.beacons.sighting" }, to: [{ cluster: here, topic: "sightings" }] }
  - { match: { stream: "*" }, to: [{ cluster: here, topic: "{stream}" }] }
`
    )
    expect((await run(...input, "--config", config, "--speed", "max").ended).code).toBe(0)
    const again = await run(...input, "--config", config, "--speed", "max", "--fresh").ended
    expect(again.stderr).toContain("--fresh: a new run has topics of its own: write {stream} in the topics of --config")
    expect(again.code).toBe(2)
    const role = await run(...input, "--role", "alerts", "--fresh").ended
    expect(role.stderr).toContain("--fresh begins a run: give it to the publisher")
    expect(role.code).toBe(2)
  })
})
