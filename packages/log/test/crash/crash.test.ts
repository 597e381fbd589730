import { describe, expect, it } from "vitest"
import { runScript } from "../support/runScript.js"

const kills = Number(process.env["LEAT_CRASH_KILLS"] ?? 5)
const deadlineMs = 20_000 + kills * 6000

describe("a process that is killed while it publishes", () => {
  it("loses nothing that it was told is stored, and the log opens again at once", { timeout: deadlineMs }, async () => {
    const seed = process.env["LEAT_SEED"] ?? String(Date.now() % 1_000_000)
    const { code, output } = await runScript("crash/crashLog.ts", [String(kills), seed], deadlineMs)
    expect({ code, output }).toMatchObject({ code: 0 })
    // That it opens soon, and that kills fell in the middle, is judged by the script.
    const told = JSON.parse(output) as Record<string, number>
    expect(told).toMatchObject({ kills, quarantined: 0 })
    expect(told["acknowledged"]).toBeGreaterThan(0)
    expect(told["inTheMiddle"]).toBeGreaterThanOrEqual(Math.floor(kills * 0.8))
  })
})
