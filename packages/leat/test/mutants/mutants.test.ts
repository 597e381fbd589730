import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { mutants } from "./mutants.ts"

const battery = fileURLToPath(new URL("battery.ts", import.meta.url))
const deadlineMs = 60_000

/** Runs the stories in a process of their own, because a mutant may hang or never be collected. */
function run(mutant: string, runs: number): Promise<{ readonly code: number | string; readonly output: string }> {
  return new Promise((resolve) => {
    const parameters = ["--conditions=@leat/source", battery, mutant, String(runs)]
    execFile(process.execPath, parameters, { timeout: deadlineMs }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : (error.code ?? "killed"), output: stdout + stderr })
    )
  })
}

describe("the stories", () => {
  it("find nothing where nothing is planted", { timeout: deadlineMs }, async () => {
    expect(await run("none", 60)).toEqual({ code: 0, output: "nothing found\n" })
  })

  it.for(mutants)("find: $name", { timeout: deadlineMs }, async ({ name }) => {
    expect(await run(name, 60)).toMatchObject({ code: 3 })
  })
})
