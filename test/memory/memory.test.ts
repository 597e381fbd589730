import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { sicknesses } from "./SickDriver.ts"

const program = fileURLToPath(new URL("holdDeadSinks.ts", import.meta.url))

interface Told {
  readonly violation?: string
  readonly simulated: {
    readonly events: number
    readonly ends: Readonly<
      Record<string, { readonly stored: number; readonly letters: number; readonly dropped: number }>
    >
  }
}

/** On virtual time only, and with small buffers: one second fills them many times. */
function run(...mutant: ReadonlyArray<string>): Promise<{ readonly code: number | string; readonly told: Told }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly code: number | string; readonly told: Told }>()
  const parameters = ["--expose-gc", "--conditions=@leat/source", program, "0", "1", "0.02", "1", ...mutant]
  execFile(process.execPath, parameters, { encoding: "utf8" }, (error, stdout, stderr) => {
    const last = stdout.trim().split("\n").at(-1) ?? ""
    if (!last.startsWith("{")) return reject(new Error(stderr))
    resolve({ code: error?.code ?? 0, told: JSON.parse(last) as Told })
  })
  return promise
}

describe("a stream whose clusters are dead but one", { timeout: 120_000 }, () => {
  it("keeps to its buffers, and says of every event where it ended", async () => {
    const { code, told } = await run()
    expect({ code, violation: told.violation }).toEqual({ code: 0, violation: undefined })
    const { events, ends } = told.simulated
    expect(events).toBe(32_000)
    expect(Object.keys(ends)).toEqual(sicknesses)
    for (const { stored, letters, dropped } of Object.values(ends)) expect(stored + letters + dropped).toBe(events)
    expect(ends["none"]?.stored).toBe(events)
    expect(ends["poisoned"]?.letters).toBeGreaterThan(1000)
  })

  it.for([
    ["a buffer takes eight times its budget", /buffers \d+ of 1048576 bytes/],
    ["what a leg that was away dropped was not admitted to it", /closed.*0 were admitted/],
    ["a stored letter is counted as a drop", /poisoned has 0 events and \d+ letters, told are/]
  ] as const)("is told of by the proof where %s", async ([mutant, violation]) => {
    const { code, told } = await run(mutant)
    expect(code).toBe(3)
    expect(told.violation).toMatch(violation)
  })
})
