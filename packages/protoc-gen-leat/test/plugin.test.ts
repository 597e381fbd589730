import { spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, describe, expect, it } from "vitest"

const buf = createRequire(import.meta.url).resolve("@bufbuild/buf/bin/buf")
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

const out = mkdtempSync(join(tmpdir(), "leat-plugin-"))
afterAll(() => rmSync(out, { recursive: true }))

/** Runs the plugin as a user of buf does, on modules given by their folders. */
function generate(modules: ReadonlyArray<string>, opt: ReadonlyArray<string>, cwd = here("..")) {
  const local = [process.execPath, here("../bin/protoc-gen-leat.js")]
  const template = { version: "v2", plugins: [{ local, out, opt, strategy: "all" }] }
  const config = { version: "v2", modules: modules.map((path) => ({ path })) }
  const args = ["generate", ".", "--config", JSON.stringify(config), "--template", JSON.stringify(template)]
  return spawnSync(process.execPath, [buf, ...args], { cwd, encoding: "utf8", timeout: 25_000 })
}

/** Texts of the files of a folder by path, in the order of paths. */
function textsOf(folder: string): ReadonlyMap<string, string> {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .toSorted()
  return new Map(files.map((path) => [path, readFileSync(join(folder, path), "utf8")]))
}

describe("protoc-gen-leat, run by buf", () => {
  it("generates what leat contracts gen does, with imports of .js files when not asked for others", () => {
    const { status, stderr } = generate(["proto", "test/proto"], ["target=ts"])
    expect([status, stderr]).toEqual([0, ""])
    const committed = [...textsOf(here("gen"))]
    expect([...textsOf(out)]).toEqual(
      committed.map(([path, text]) => [path, text.replaceAll(/(from "\..*)\.ts"/g, '$1.js"')])
    )
  })

  it("generates the committed files with import_extension=ts: they are up to date", () => {
    expect(generate(["proto", "test/proto"], ["target=ts", "import_extension=ts"]).status).toBe(0)
    expect(textsOf(out)).toEqual(textsOf(here("gen")))
  })

  it("fails with all faults of the contracts", () => {
    const folder = mkdtempSync(join(tmpdir(), "leat-plugin-faults-"))
    const text = 'syntax = "proto2";\nmessage A {\n  required string x = 1;\n  required group Y = 2 {}\n}\n'
    writeFileSync(join(folder, "a.proto"), text)
    const { status, stderr } = generate(["."], ["target=ts"], folder)
    rmSync(folder, { recursive: true })
    expect(status).not.toBe(0)
    expect(stderr).toContain("a.proto:3: A.x is required, which proto3 does not have; make it optional")
    expect(stderr).toContain("a.proto:4: A.y is a group; make it a message field")
    expect(stderr).toContain("a.proto:4: A.y is required")
  })
})
