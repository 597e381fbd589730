import { execFile } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { describe, expect, it } from "vitest"

const root = fileURLToPath(new URL("../../..", import.meta.url))
const run = promisify(execFile)

describe("what is built", () => {
  it("starts its worker and stores, without the sources", { timeout: 120_000 }, async () => {
    const directory = mkdtempSync(join(tmpdir(), "leat-built-"))
    const script = fileURLToPath(new URL("processes/roundTrip.mjs", import.meta.url))
    await run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-b", join(root, "packages/log/src")], {
      timeout: 90_000
    })
    const { stdout } = await run(process.execPath, [script, directory], { timeout: 20_000 })
    rmSync(directory, { recursive: true })
    expect(stdout).toBe("built")
  })
})
