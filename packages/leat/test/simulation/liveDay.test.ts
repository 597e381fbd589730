import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"

const program = fileURLToPath(new URL("liveDay.ts", import.meta.url))

/** The last line of hours that are lived, and how they ended. */
function live(...parameters: ReadonlyArray<string>) {
  const { promise, resolve } = Promise.withResolvers<{
    readonly code: number
    readonly report: Record<string, unknown>
  }>()
  execFile(process.execPath, ["--conditions=@leat/source", program, ...parameters], (error, stdout) => {
    const report = JSON.parse(stdout.trim().split("\n").at(-1) ?? "{}") as Record<string, unknown>
    resolve({ code: Number(error?.code ?? 0), report })
  })
  return promise
}

describe("an hour of a hundred publishers, with the faults of eight hours, with a few retries, then drop", () => {
  it("lose next to nothing, and count it", { timeout: 120_000 }, async () => {
    const { code, report } = await live("1.1", "3", "8")
    expect({ code, violation: report["violation"] }).toEqual({ code: 0, violation: undefined })
    // One record is refused in the hour, as in eight at the rates of a cluster that is run well: `npm run prove -- day` has those.
    expect(report).toMatchObject({ lost: 1, dropped: { Rejected: 1 }, faults: { outage: 2, refused: 7 } })
    expect(Number(report["offered"])).toBeGreaterThan(15_000)
    expect(Number(report["copies"])).toBeGreaterThan(0)
  })

  it.for([
    ["a dropped record is not counted", /does not balance|are counted as dropped/],
    ["an audit forgets that what it missed is announced later", /^the audit misses [1-9]$/]
  ] as const)("show: %s", { timeout: 120_000 }, async ([mutant, violation]) => {
    // Faults of forty hours: of the one drop in eight it depends on what is drawn whether anything is seen.
    const { code, report } = await live("1.1", "2", "40", mutant)
    expect({ code, violation: report["violation"] }).toEqual({ code: 3, violation: expect.stringMatching(violation) })
  })
})
