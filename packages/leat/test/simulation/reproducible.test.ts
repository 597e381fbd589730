import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { explore } from "./machines.ts"

describe("walks and stories", () => {
  it("take the same way for the same seed in another process", { timeout: 120_000 }, () => {
    const measure = fileURLToPath(new URL("measure.ts", import.meta.url))
    const told = execFileSync(process.execPath, ["--conditions=@leat/source", measure, "2000", "6"], {
      encoding: "utf8"
    })
    const { machines, shells } = JSON.parse(told) as Record<"machines" | "shells", { readonly trace: string }>
    expect(machines.trace).toBe(explore(1, 2000).trace)
    expect(shells.trace).toMatch(/^[0-9a-f]{8}( [0-9a-f]{8}){5}$/)
    const again = execFileSync(process.execPath, ["--conditions=@leat/source", measure, "2000", "6"], {
      encoding: "utf8"
    })
    expect(JSON.parse(again)).toMatchObject({ machines: { trace: machines.trace }, shells: { trace: shells.trace } })
  })
})
