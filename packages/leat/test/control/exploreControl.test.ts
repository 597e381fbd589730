import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { beforeAll, describe, expect, it } from "vitest"
import { explore } from "./explore.ts"
import { loadMachine } from "./Machine.ts"
import { protocolMutants } from "./protocolMutants.ts"
import { setups } from "./setups.ts"

interface Report {
  readonly violations: number
  readonly violation?: string
  readonly byMutant: ReadonlyArray<{ readonly breaks: string; readonly found?: string; readonly steps: number }>
}

const invariants = Array.from({ length: 11 }, (_, index) => `I${index + 1}`)
const screenLines = 50

describe("the model of the control stream", () => {
  let report: Report

  beforeAll(() => {
    // A process of its own: the hook that plants is one of Node's loader.
    const script = fileURLToPath(new URL("exploreControl.ts", import.meta.url))
    const program = ["--conditions=@leat/source", script, "--small", "--json"]
    const { stdout, stderr } = spawnSync(process.execPath, program, { encoding: "utf8" })
    const last = stdout.trim().split("\n").at(-1)
    if (last === undefined || !last.startsWith("{")) throw new Error(stderr)
    report = JSON.parse(last) as Report
  }, 120_000)

  it("holds in the first thousands of states of each setup", () => {
    expect(report.violation).toBeUndefined()
    expect(report.violations).toBe(0)
  })

  it.each(invariants)("%s is broken by a mutant, in a story that fits a screen", (name) => {
    const broken = report.byMutant.filter(
      ({ breaks, found, steps }) => breaks === name && found?.startsWith(`${name}:`) && steps <= screenLines
    )
    expect(broken).not.toEqual([])
  })

  it("has mutants with names of their own, each in a setup that there is", () => {
    expect(new Set(protocolMutants.map(({ name }) => name)).size).toBe(protocolMutants.length)
    const names = setups.map(({ name }) => name)
    expect(protocolMutants.filter((mutant) => !names.includes(mutant.in))).toEqual([])
    expect(protocolMutants.length).toBeGreaterThanOrEqual(12)
  })

  it.each(protocolMutants)("$name: what it changes stands once", ({ edits = [] }) => {
    for (const { file, find } of edits) {
      const text = readFileSync(new URL(`../../src/control/${file}.ts`, import.meta.url), "utf8")
      expect({ find, times: text.split(find).length - 1 }).toEqual({ find, times: 1 })
    }
  })

  it("comes to rest with everything delivered, in all of its smallest setup", async () => {
    const smallest = setups.find(({ name }) => name === "revoke")
    if (smallest === undefined) throw new Error("there is no such setup")
    const found = explore(smallest, { machine: await loadMachine() })
    expect(found).toMatchObject({ isCut: false, violation: undefined })
    expect(found.atRest).toBeGreaterThan(0)
  })
})
