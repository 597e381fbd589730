import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { Project, type Run } from "./Project.js"
import { Running } from "./Running.js"

const root = fileURLToPath(new URL("../../..", import.meta.url))
const files = [
  ".gitignore",
  "README.md",
  "package.json",
  "proto/shop_orders/v1/item.proto",
  "routes.yaml",
  "src/consumer.ts",
  "src/gen/shop_orders/v1/item.ts",
  "src/publisher.ts",
  "test/items.test.ts",
  "tsconfig.json"
]

/** A folder below the repository, so that the packages of the workspace are found from it as installed ones would be. */
class Workbench implements Disposable {
  readonly folder: string

  constructor() {
    mkdirSync(join(root, ".leat"), { recursive: true })
    this.folder = mkdtempSync(join(root, ".leat", "init-"))
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** Runs a command that is installed, on the sources of the workspace. */
  run(command: string, args: ReadonlyArray<string>): Promise<Run> {
    const { VITEST: _, ...rest } = process.env
    const env = {
      ...rest,
      PATH: `${join(root, "node_modules", ".bin")}:${process.env["PATH"] ?? ""}`,
      NODE_OPTIONS: "--conditions=@leat/source --disable-warning=ExperimentalWarning"
    }
    return new Promise((resolve) => {
      execFile(command, args, { cwd: this.folder, env, timeout: 60_000 }, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : -1, stdout, stderr })
      })
    })
  }
}

describe("leat init", () => {
  it("makes a service whose publisher, consumer, test and types are in order", { timeout: 120_000 }, async () => {
    using bench = new Workbench()
    const made = await bench.run("leat", ["init", "shop-orders", "--directory", ".", "--json"])
    expect([made.code, made.stderr]).toEqual([0, ""])
    expect(JSON.parse(made.stdout)).toEqual({ name: "shop-orders", directory: ".", written: files, dryRun: false })
    const again = await bench.run("leat", ["contracts", "gen", "--import-extension", "ts", "--dry-run", "--json"])
    expect(JSON.parse(again.stdout)).toEqual({ generated: 1, written: [], removed: [], dryRun: true })
    expect((await bench.run("leat", ["contracts", "check"])).stdout).toBe("1 contract, no violations\n")
    expect(await bench.run("node", ["src/publisher.ts"])).toEqual({ code: 0, stdout: "stored 10 events\n", stderr: "" })
    using consumer = new Running(["src/consumer.ts"], bench.folder)
    await consumer.printed(/(.*\n){10}/)
    consumer.signal("SIGINT")
    expect([await consumer.ended, consumer.stderr]).toEqual([0, ""])
    expect(consumer.stdout).toMatch(/^\d@0 \{"itemId":"item-\d","stock":"\d+","changedBy":"\*\*\*"\}\n/)
    const lag = await bench.run("leat", ["lag", "--json"])
    expect(JSON.parse(lag.stdout)).toMatchObject({ lag: 0, groups: [{ group: "printer" }] })
    const ledger = await bench.run("leat", ["ledger", "--json"])
    expect(JSON.parse(ledger.stdout)).toMatchObject({
      balanced: true,
      streams: [{ stream: "shop_orders.items.changed", offered: 10, admitted: 10 }],
      legs: [{ admitted: 10, stored: 10 }],
      groups: [{ group: "printer", done: 10 }],
      incarnations: [{ state: "closed" }, { state: "closed" }]
    })
    expect(await bench.run("tsc", ["-p", ".", "--customConditions", "@leat/source"])).toMatchObject({
      code: 0,
      stdout: ""
    })
    const config = ["--config", join(root, "packages", "cli", "test", "initVitest.config.ts"), "--root", bench.folder]
    const tested = await bench.run("vitest", ["run", ...config])
    expect([tested.code, tested.stdout]).toEqual([0, expect.stringMatching(/1 passed/)])
  })

  it("writes nothing with --dry-run, and lists what it would", async () => {
    using project = new Project()
    const { code, stdout } = await project.leat(["init", "shop-orders", "--dry-run"])
    expect([code, stdout]).toEqual([
      0,
      `would write ${files.length} files to shop-orders\n${files.map((path) => `  ${path}\n`).join("")}`
    ])
    expect(project.files(".")).toEqual([])
  })

  it("tells what is next, and takes an empty folder", async () => {
    using project = new Project()
    mkdirSync(join(project.folder, "mine"))
    const { code, stdout } = await project.leat(["init", "shop-orders", "--directory", "mine"])
    expect([code, stdout.trimEnd().split("\n").at(-1)]).toEqual([
      0,
      "next: cd mine && npm install && npm start && npm run consume"
    ])
    expect(project.files("mine")).toEqual(files)
    // Node 22 has no `using` declarations.
    const programs = files.filter((path) => path.endsWith(".ts"))
    expect(programs.filter((path) => /\busing\s+\w+\s*=/.test(project.read(join("mine", path))))).toEqual([])
    const again = await project.leat(["init", "shop-orders", "--directory", "mine"])
    expect([again.code, again.stderr]).toEqual([2, expect.stringMatching(/^leat: mine is not empty \([^\n]+\n$/)])
  })

  it.each([
    [["Shop"], "Shop is no name for a service"],
    [["../shop"], "is no name for a service"],
    [["shop", "--directory", "file.txt"], "file.txt is a file"],
    [["taken"], "taken is not empty (notes.txt); name another folder by --directory, nothing was changed"],
    [[], "name"]
  ])("called wrongly says so and writes nothing: %j", async (args, told) => {
    using project = new Project({ "file.txt": "", "taken/notes.txt": "mine" })
    const { code, stderr } = await project.leat(["init", ...args])
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^leat: [^\n]+\n$/)])
    expect(stderr).toContain(told)
    expect(project.files(".")).toEqual(["file.txt", "taken/notes.txt"])
  })
})
